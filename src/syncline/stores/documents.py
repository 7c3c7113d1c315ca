"""An index of documents: the plain JSON each one shows, to be found by fields and words.

It is derived: it may be lost at any time, and is made again from the log. What belongs in it is decided by who reads
documents (``replica.documents``); the index finds, and remembers up to where it was brought. The adapter in memory
stands here; it is the one to read. What a query means is told by ``core.queries``.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple, Protocol

from syncline.core.queries import Path, Query, read
from syncline.errors import StoreClosed

__all__ = ["DocumentIndex", "Indexed", "MemoryDocumentIndex"]


class Indexed(NamedTuple):
    """What is known of an item: what its document shows, and which of its local events are in that."""

    body: bytes | None
    """The plain value in canonical form (RFC 8785); None if there is no document."""
    local: str = ""
    """Tells the local events apart that were folded; empty if there were none."""


class DocumentIndex(Protocol):
    """The documents of one log. Every method may be called from any thread."""

    def place(self) -> str:
        """What the last ``update`` said of the log; empty if there was none."""

    def local(self) -> Mapping[str, str]:
        """The items that were updated with a ``local`` that is not empty, and that."""

    def update(
        self, documents: Mapping[str, Indexed], place: str | None = None, *, anew: bool = False, scrub: bool = False
    ) -> None:
        """Takes in what documents show now; and, in the same step, the new place (None: it stays).

        ``anew`` empties the index first; its fields stay. ``scrub`` leaves no byte on the disk of what the documents
        have shown before; if that takes beginning anew, it raises StoreDamaged. Otherwise raises StorageFull.
        """

    def add_field(self, pattern: str, path: Path) -> None:
        """Makes queries fast that compare what stands at a path, of items that fit a pattern. Twice does nothing."""

    def find(self, query: Query) -> list[str]:
        """The items that a query asks for, in order.

        Raises StoreDamaged if the index was found to be damaged: it begins anew, and has to be brought up to date.
        """

    def close(self) -> None:
        """Closes the index; closing twice does nothing. Other calls then raise StoreClosed."""


class MemoryDocumentIndex:
    """Documents in a dictionary; a query looks at each."""

    def __init__(self) -> None:
        self._place = ""
        self._documents: dict[str, Any] = {}
        self._local: dict[str, str] = {}
        self._lock = Lock()
        self._closed = False

    def place(self) -> str:
        """See ``DocumentIndex.place``."""
        self._check_open()
        return self._place

    def local(self) -> Mapping[str, str]:
        """See ``DocumentIndex.local``."""
        self._check_open()
        with self._lock:
            return dict(self._local)

    def update(
        self, documents: Mapping[str, Indexed], place: str | None = None, *, anew: bool = False, scrub: bool = False
    ) -> None:
        """See ``DocumentIndex.update``."""
        self._check_open()
        with self._lock:
            if anew:
                self._documents.clear()
                self._local.clear()
            for item, (body, local) in documents.items():
                _put(self._documents, item, None if body is None else (read(body),))
                _put(self._local, item, local or None)
            self._place = self._place if place is None else place

    def add_field(self, pattern: str, path: Path) -> None:
        """See ``DocumentIndex.add_field``. It makes nothing faster here."""
        self._check_open()

    def find(self, query: Query) -> list[str]:
        """See ``DocumentIndex.find``."""
        self._check_open()
        with self._lock:
            documents = list(self._documents.items())
        return query.answer((item, value) for item, (value,) in documents)

    def close(self) -> None:
        """See ``DocumentIndex.close``."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The index was closed.")


def _put(members: dict[str, Any], item: str, value: Any) -> None:
    if value is None:
        members.pop(item, None)
    else:
        members[item] = value
