"""Views: which items a reader may see and asked for.

What a view shows is kept in one form, whoever the reader is: by pattern whether it shows, the most specific first,
without those that say what the next wider one says anyway (the widest default: not shown). So readers with equal
rights share a view, and two views are compared pattern by pattern.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from syncline.core.access.index import PatternMap, specificity, widest
from syncline.core.lazy import lazy
from syncline.core.limits import MAX_ITEM_PATTERNS
from syncline.core.patterns import check

VIEW_BYTES = 8
WHOLE = bytes(VIEW_BYTES)
"""The digest of a view of everything."""

MAX_REMEMBERED = 1_000

Decisions = tuple[tuple[str, bool], ...]

_EVERYTHING = {"*": True, ".*": True}


class View(msgspec.Struct, frozen=True, dict=True):
    """What is shown, by pattern (``decisions``; the asked patterns are taken in), and what was asked (``items``)."""

    decisions: Decisions = ()
    items: tuple[str, ...] = ()

    @classmethod
    def of(cls, decisions: Mapping[str, bool], items: Sequence[str] = ()) -> View:
        """The view of a reader with these decisions about reading, who asks for these items. Raises BadRequest."""
        items = check(items)
        return cls(_normal(_restricted(decisions, items)), items)

    @classmethod
    def everything(cls, items: Sequence[str] = ()) -> View:
        """The view of one who may see all, items with a leading dot too."""
        return cls.of(_EVERYTHING, items)

    def __hash__(self) -> int:
        return hash(self.digest)

    def narrowed(self, scope: Sequence[str]) -> View:
        """What of this lies within other patterns too; everything does if there are none. Raises BadRequest."""
        scope = check(scope)
        return View(_normal(_restricted(dict(self.decisions), scope)), self.items) if scope else self

    def shows(self, item: str) -> bool:
        """Whether an item shows."""
        shown = self._remembered.get(item)
        if shown is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            shown = self._remembered[item] = _says(self._index, item)
        return shown

    @lazy
    def digest(self) -> bytes:
        """8 bytes: the first of SHA-256 over a line for each decision and each asked pattern; zeros if it is all."""
        if self.is_everything:
            return WHOLE
        lines = [("+" if shown else "-") + pattern for pattern, shown in self.decisions]
        lines += ["?" + pattern for pattern in self.items]
        return hashlib.sha256("\n".join(lines).encode()).digest()[:VIEW_BYTES]

    @property
    def is_everything(self) -> bool:
        """Whether every item shows, those with a leading dot too."""
        return len(self.decisions) == len(_EVERYTHING) and dict(self.decisions) == _EVERYTHING

    @property
    def is_nothing(self) -> bool:
        """Whether no item shows."""
        return not self.decisions

    @lazy
    def patterns(self) -> tuple[str, ...]:
        """Patterns, sorted, outside of which nothing shows; () if they are no help: all, too many, or none at all."""
        found = widest(pattern for pattern, shown in self.decisions if shown)
        return () if "*" in found or len(found) > MAX_ITEM_PATTERNS else found

    @lazy
    def _index(self) -> PatternMap[bool]:
        return PatternMap(dict(self.decisions))

    @lazy
    def _remembered(self) -> dict[str, bool]:
        return {}


def differences(old: View, new: View) -> tuple[str, ...]:
    """The patterns, sorted and none below another, below which every item lies that just one of two views shows.

    Where they differ, the most specific pattern of either that matches there has different answers in the two. As in
    rules, ``*`` stands for the items without a leading dot.
    """
    both = {pattern for view in (old, new) for pattern, _ in view.decisions}
    before, after = old._index, new._index
    return widest(pattern for pattern in both if _at(before, pattern) != _at(after, pattern))


def _restricted(decisions: Mapping[str, bool], scope: tuple[str, ...]) -> Mapping[str, bool]:
    """The decisions within a scope: outside of it nothing shows, and what it names shows as the wider ones say."""
    if not scope:
        return decisions
    index, within = PatternMap(decisions), PatternMap(dict.fromkeys(scope, True))
    outer = {pattern: shown and _at(within, pattern) for pattern, shown in decisions.items()}
    return {**outer, **{pattern: _at(index, pattern) for pattern in scope}}


def _normal(decisions: Mapping[str, bool]) -> Decisions:
    """The decisions that say something else than the next wider one, the most specific first."""
    index = PatternMap(decisions)
    kept = [pattern for pattern, shown in decisions.items() if shown != _at(index, pattern, itself=False)]
    return tuple((pattern, decisions[pattern]) for pattern in sorted(kept, key=specificity))


def _says(index: PatternMap[bool], item: str) -> bool:
    """What the most specific pattern that matches an item says."""
    found = index.matching(item, wide=not item.startswith("."))
    return next((shown for _, shown in found), False)


def _at(index: PatternMap[bool], pattern: str, *, itself: bool = True) -> bool:
    """What the most specific pattern that covers a pattern says; ``itself``: which may be that pattern."""
    return next(index.covering(pattern, itself=itself), False)


FULL_VIEW: Final = View.everything()
EMPTY_VIEW: Final = View()
