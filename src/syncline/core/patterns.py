"""Item patterns: a literal, or a prefix with one trailing ``*``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncline.core.events import ITEM
from syncline.core.limits import MAX_ITEM_PATTERNS
from syncline.errors import BadRequest


def check(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns, each once and sorted; ``*`` among them means all, which is none. Raises BadRequest."""
    if len(patterns) > MAX_ITEM_PATTERNS:
        raise BadRequest(f"items: {len(patterns)} patterns are more than {MAX_ITEM_PATTERNS}.")
    for pattern in patterns:
        if pattern != "*" and not ITEM.fullmatch(pattern.removesuffix("*")):
            raise BadRequest(f"items: {pattern[:64]!r} is neither an item nor a prefix with one trailing *.")
    return () if "*" in patterns else tuple(sorted(set(patterns)))


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A function that tells whether an item is asked for."""
    if not patterns:
        return lambda item: True
    literals = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
    prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    return lambda item: item in literals or item.startswith(prefixes)
