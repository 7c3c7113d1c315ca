"""JSON Pointer (RFC 6901): where a value stands within a value.

A pointer is parsed into its *tokens*, a tuple of unescaped keys and indexes; the empty tuple is the whole value.
Whether a token is a key or an index is for the value to say: ``0`` is both. The URI fragment form is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from syncline.core.limits import MAX_POINTER_LENGTH
from syncline.errors import BadPatch, PatchFailed

END = "-"
"""The token for the place after an array's last element: something can be added there, and nothing be found."""

SHOWN = 64
"""Characters of a token that an error message shows."""

_BAD_ESCAPE = re.compile("~(?![01])")


def parse(text: str) -> tuple[str, ...]:
    """The tokens of a pointer, at most MAX_POINTER_LENGTH characters long. Raises BadPatch."""
    if not text:
        return ()
    if text[0] != "/":
        raise BadPatch(f"A pointer is empty or begins with a slash: {text[:SHOWN]!r}.")
    if len(text) > MAX_POINTER_LENGTH:
        raise BadPatch(f"A pointer has more than {MAX_POINTER_LENGTH} characters.")
    tokens = text[1:].split("/")
    if "~" not in text:
        return tuple(tokens)
    if _BAD_ESCAPE.search(text):
        raise BadPatch(f"In a pointer only 0 and 1 follow a tilde: {text[:SHOWN]!r}.")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def format(tokens: Iterable[str | int]) -> str:
    """The pointer of these tokens; undoes ``parse``."""
    return "".join("/" + escape(str(token)) for token in tokens)


def escape(token: str) -> str:
    """A token as it stands in a pointer."""
    return token.replace("~", "~0").replace("/", "~1") if "~" in token or "/" in token else token


def resolve(value: Any, tokens: Iterable[str]) -> Any:
    """What stands at this place of a JSON value, not copied. Raises PatchFailed if nothing does."""
    for token in tokens:
        value = value[key(value, token)]
    return value


def key(container: Any, token: str) -> Any:
    """The key of an object's member, or the index of an array's element, that is there. Raises PatchFailed."""
    if isinstance(container, dict):
        if token in container:
            return token
        raise PatchFailed(f"There is no member {token[:SHOWN]!r}.")
    return element(_length(container, token), token)


def gap(array: Any, token: str) -> int:
    """The index at which an element can be added to an array, its end included. Raises PatchFailed."""
    return between(_length(array, token), token)


def element(length: int, token: str) -> int:
    """The index of an element that an array of this length has. Raises PatchFailed."""
    index = _index(token)
    if index < length:
        return index
    raise PatchFailed(f"There is no element {token[:SHOWN]}: the array has {length}.")


def between(length: int, token: str) -> int:
    """The index at which an element can be added to an array of this length. Raises PatchFailed."""
    index = length if token == END else _index(token)
    if index <= length:
        return index
    raise PatchFailed(f"Nothing can be added at {token[:SHOWN]}: the array has {length} elements.")


def _length(array: Any, token: str) -> int:
    if isinstance(array, list):
        return len(array)
    raise PatchFailed(f"{token[:SHOWN]!r} leads into a value that is neither an object nor an array.")


def _index(token: str) -> int:
    """A decimal number without sign or leading zeros, for an array that may be shorter."""
    if token.isascii() and token.isdigit() and (token[0] != "0" or token == "0"):
        return int(token)
    raise PatchFailed(f"{token[:SHOWN]!r} is not the index of an array's element.")
