"""Entity tags and conditional requests (RFC 9110, section 13) of documents.

A document's tag is the seq of its item's last entry with the log's tail there, so it names the whole history before it.
``If-Match`` also takes a seq alone, as ``"17"``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from syncline.errors import BadRequest, DocumentChanged, DocumentExists

TAGS = re.compile(r'\*|(?:W/)?"[\x21\x23-\x7e]*"(?:[ \t]*,[ \t]*(?:W/)?"[\x21\x23-\x7e]*")*')
TAG = re.compile(r'(?:W/)?"[^"]*"')


class Version(NamedTuple):
    """Where a document stands: the seq of its item's last entry, the tail there, and whether there is a document."""

    seq: int
    tail: bytes
    exists: bool

    @property
    def id(self) -> str:
        """The seq and the tail as text."""
        return f"{self.seq}-{self.tail.hex()}"

    @property
    def etag(self) -> str:
        """The entity tag."""
        return f'"{self.id}"'

    def is_one_of(self, tags: tuple[str, ...]) -> bool:
        """Whether a list of tags, or ``*``, means this."""
        return ("*" in tags and self.exists) or not {self.etag, f'"{self.seq}"'}.isdisjoint(tags)


class Conditions(NamedTuple):
    """What a request says about the document it wants to meet; empty: nothing."""

    match: tuple[str, ...] = ()
    none_match: tuple[str, ...] = ()

    @classmethod
    def read(cls, match: str | None, none_match: str | None) -> Conditions:
        """The conditions in ``If-Match`` and ``If-None-Match``. Raises BadRequest."""
        weakly = tuple(tag.removeprefix("W/") for tag in _tags("If-None-Match", none_match))
        return cls(_tags("If-Match", match), weakly)

    def check(self, version: Version) -> None:
        """Raises DocumentChanged or DocumentExists unless a write may meet this."""
        if self.match and not version.is_one_of(self.match):
            raise DocumentChanged("The document is not the one that If-Match names: look at it again.", seq=version.seq)
        if self.none_match and version.is_one_of(self.none_match):
            raise DocumentExists("There is such a document already, and If-None-Match excludes it.", seq=version.seq)


def _tags(name: str, text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    if not TAGS.fullmatch(text):
        raise BadRequest(f"{name}: {text[:80]!r} is neither * nor a list of entity tags.")
    return ("*",) if text == "*" else tuple(TAG.findall(text))
