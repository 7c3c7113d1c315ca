"""Drafts become events: lines that say what happened, but have no id, node and clock yet.

All that decides about them is a node and a time, which are kept beside the file before anything is sent. So the
same file makes the same events again, and pushing it again changes nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli import checkpoints
from syncline.cli.checkpoints import Mark
from syncline.cli.lines import Line
from syncline.core.events import Event
from syncline.core.stamps import StampClock
from syncline.errors import LocalError
from syncline.replica import new_node

SUFFIX = ".author"


class Author:
    """Who writes the drafts of one file: a node of its own, whose clock starts at one time."""

    def __init__(self, node: str, began_ms: int) -> None:
        self.node, self.began_ms = node, began_ms
        self._clock = StampClock(node)
        self._n = 0

    def write(self, draft: dict[str, Any]) -> Event:
        """The next event. Raises what is wrong with the draft."""
        self._n += 1
        entropy = int.from_bytes(hashlib.sha256(f"{self.node} {self._n}".encode()).digest()[:4], "big")
        id = self._clock.next(self.began_ms, entropy)
        return Event.of({**draft, "id": id, "node": self.node, "clock": {self.node: self._n}})


class _Kept(msgspec.Struct):
    node: str
    began_ms: int
    pushed: Mark


class Drafts:
    """The drafts of a file (None: of a stream, which cannot be pushed again), and the author kept beside it."""

    def __init__(self, path: Path | None, now_ms: int) -> None:
        self._path, self._now_ms = path, now_ms
        self._author: Author | None = None

    def write(self, draft: dict[str, Any]) -> Event:
        """The event of the next draft. Raises LocalError if the file was changed where it had been pushed."""
        if self._author is None:
            self._author = self._recall() if self._path else Author(new_node(), self._now_ms)
        return self._author.write(draft)

    def pushed(self, line: Line) -> None:
        """Everything up to a line has its answer."""
        if self._author is not None and self._path is not None:
            self._keep(self._path, self._author, Mark.at(self._path, line.end, line.number))

    def _recall(self) -> Author:
        assert self._path is not None
        kept = checkpoints.load(checkpoints.beside(self._path, SUFFIX), _Kept)
        if kept is None:
            author = Author(new_node(), self._now_ms)
            self._keep(self._path, author, Mark())
            return author
        if not kept.pushed.stands(self._path):
            raise LocalError(
                f"{self._path} was changed up to line {kept.pushed.number}, which was pushed already. Add drafts at "
                f"its end or in another file; or remove {self._path}{SUFFIX} to push all of them as new events."
            )
        return Author(kept.node, kept.began_ms)

    def _keep(self, path: Path, author: Author, mark: Mark) -> None:
        checkpoints.save(checkpoints.beside(path, SUFFIX), _Kept(author.node, author.began_ms, mark))
