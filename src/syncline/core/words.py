"""Full-text search: what a word is, and what a search asks for.

A word is a run of letters and digits, without case and without marks (``Crème`` is ``creme``); each Chinese or Japanese
character is a word of its own, because those scripts put no spaces. A search is what a person types:

    fresh milk          both words, in any strings of the value
    milk OR bread       one of them; OR binds weaker than standing side by side
    "fresh milk"        one after the other in one string
    mil*                a word that begins so
    -bread, NOT bread   not this
    (milk OR bread) -rye

Nothing typed is an error: what makes no sense is passed over. A search without words asks for nothing special.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from syncline.errors import BadRequest

MAX_SEARCH_PARTS = 64
"""How many words, phrases, operators and brackets a search may have."""

_UNSPACED = (  # Chinese and Japanese characters
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_PART = re.compile(r'[()]|-?"[^"]*(?:"\*?|\Z)|[^\s()"]+')


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    if text.isascii():
        return _WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return _WORD.findall("".join(char for char in folded if not unicodedata.category(char).startswith("M")))


def strings(value: Any) -> Iterable[str]:
    """The strings in a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from strings(member)


class Phrase(NamedTuple):
    """Words one after the other; ``is_prefix``: the last one may go on."""

    words: tuple[str, ...]
    is_prefix: bool = False

    def holds(self, texts: Sequence[Sequence[str]]) -> bool:
        """Whether one of several texts, given as words, has the phrase."""
        return any(self._starts(text, at) for text in texts for at in range(len(text) - len(self.words) + 1))

    def _starts(self, text: Sequence[str], at: int) -> bool:
        *first, last = text[at : at + len(self.words)]
        return tuple(first) == self.words[:-1] and (
            last.startswith(self.words[-1]) if self.is_prefix else last == self.words[-1]
        )


class All(NamedTuple):
    """Every part holds."""

    parts: tuple[Search, ...]

    def holds(self, texts: Sequence[Sequence[str]]) -> bool:
        """Whether it holds for these texts, given as words."""
        return all(part.holds(texts) for part in self.parts)


class Either(NamedTuple):
    """At least one part holds."""

    parts: tuple[Search, ...]

    def holds(self, texts: Sequence[Sequence[str]]) -> bool:
        """Whether it holds for these texts, given as words."""
        return any(part.holds(texts) for part in self.parts)


class Without(NamedTuple):
    """The part does not hold."""

    part: Search

    def holds(self, texts: Sequence[Sequence[str]]) -> bool:
        """Whether it holds for these texts, given as words."""
        return not self.part.holds(texts)


Search = Phrase | All | Either | Without


def parse(text: str) -> Search | None:
    """What a search asks for; None if it has no words. Raises BadRequest if it has too many."""
    parts = _PART.findall(text)
    if len(parts) > MAX_SEARCH_PARTS:
        raise BadRequest(f"text: a search has at most {MAX_SEARCH_PARTS} words.")
    left, found = parts[::-1], list[Search]()
    while left:  # more than once if a bracket is closed that was not opened
        found += _either(left)
    return next(iter(_joined(found, All)), None)


def _either(parts: list[str]) -> list[Search]:
    """Reads alternatives up to the end of a bracket; ``parts`` is what is left, the next one last."""
    alternatives: list[Search] = []
    sides: list[Search] = []
    while parts and (part := parts.pop()) != ")":
        if part == "OR":
            alternatives += _joined(sides, All)
            sides = []
        else:
            sides += _one(part, parts)
    return _joined([*alternatives, *_joined(sides, All)], Either)


def _joined(parts: list[Search], kind: type[All | Either]) -> list[Search]:
    return [kind(tuple(parts))] if len(parts) > 1 else parts


def _one(part: str, parts: list[str]) -> list[Search]:
    """What stands at one place: nothing, if it makes no sense."""
    if part == "AND":
        return []
    if part == "NOT" or part == "-":
        return [Without(each) for each in (_one(parts.pop(), parts) if parts else ())]
    if part == "(":
        return _either(parts)
    phrase = tuple(words(part))
    found: list[Search] = [Phrase(phrase, part.endswith("*"))] if phrase else []
    return [Without(each) for each in found] if part[0] == "-" else found
