"""Reading a segment from a place on, batch by batch, and telling what a crash has torn from what is damaged.

A batch counts once its mark stands below it. What a crash leaves of one is its beginning: whole entries, then perhaps
a part of a line, and nothing after that. After a power cut there may be zeros where nothing was written yet. Anything
else that does not read is damage, and nothing of it is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from syncline.core.adoption import adopt
from syncline.core.events import Entry
from syncline.core.log import Head, Row
from syncline.errors import LogChanged, StoreDamaged
from syncline.stores.jsonl import lines


class Mark(NamedTuple):
    """A place in a segment below which nothing was read yet: the end of the log there, its byte and its line."""

    head: Head
    offset: int
    line: int
    """How many lines stand above."""


class Batch(NamedTuple):
    """What was committed at once: each row with the byte at which its line begins, and the place below the mark."""

    rows: list[Row]
    offsets: list[int]
    mark: Mark


class Scan:
    """Reads one segment from a place on."""

    def __init__(self, path: Path, mark: Mark, *, is_last: bool) -> None:
        """``is_last``: it may end with a torn batch."""
        self.mark = mark
        """The place below the last batch that was read."""
        self.is_torn = False
        """Whether something stands below that does not count. Known at the end."""
        self._path, self._is_last = path, is_last
        self._line = mark.line

    def batches(self) -> Iterator[Batch]:
        """The batches, in order. Raises StoreDamaged."""
        with self._path.open("rb") as file:
            file.seek(self.mark.offset)
            while (batch := self._batch(file)) is not None:
                self.mark = batch.mark
                yield batch

    def _batch(self, file: BinaryIO) -> Batch | None:
        """The next batch; None at the end, or where a torn one begins."""
        entries: list[Entry] = []
        offsets: list[int] = []
        offset = self.mark.offset
        while line := file.readline(lines.LONGEST_BYTES):
            self._line += 1
            end = offset + len(line)
            if (mark := lines.read_mark(line)) is not None:
                return self._committed(entries, offsets, mark, end)
            entry = _entry(line, self.mark.head.seq + len(entries) + 1)
            if entry is None:
                self._check_torn(line, self.mark.head.seq + len(entries) + 1, file)
                return None
            entries.append(entry)
            offsets.append(offset)
            offset = end
        if entries:
            self._end("the batch has no end")
        return None

    def _committed(self, entries: list[Entry], offsets: list[int], mark: tuple[int, bytes], end: int) -> Batch:
        head = self.mark.head
        try:
            then, rows = adopt(head, entries, Head(head.epoch, *mark))
        except (LogChanged, StoreDamaged) as error:
            raise self._damaged(f"the entries above do not lead here: {error.message}") from error
        return Batch(rows, offsets, Mark(then, end, self._line))

    def _check_torn(self, line: bytes, seq: int, file: BinaryIO) -> None:
        """Raises StoreDamaged unless a line that does not read is where a crash has cut off the last batch."""
        is_cut = not line.endswith(b"\n") and len(line) < lines.LONGEST_BYTES and lines.begins_line(line, seq)
        if not is_cut and not (b"\0" in line and _ends_with_first_mark(file.read())):
            raise self._damaged("it does not read as an entry of this log")
        self._end("the last line is cut off")

    def _end(self, what: str) -> None:
        """The segment ends within a batch."""
        if not self._is_last:
            raise self._damaged(f"{what}, and another segment follows")
        self.is_torn = True

    def _damaged(self, what: str) -> StoreDamaged:
        return StoreDamaged(f"{self._path}, line {self._line}: {what}.")


def _entry(line: bytes, seq: int) -> Entry | None:
    """The entry in a line, if it is there exactly as it is sent."""
    try:
        entry = Entry.read(line)
    except (msgspec.MsgspecError, ValueError):
        return None
    return entry if entry.seq == seq and entry.encoded + b"\n" == line else None


def _ends_with_first_mark(rest: bytes) -> bool:
    """Whether there is no mark, or none but in the last line: then nothing was committed after it."""
    above = (b"\n" + rest).removesuffix(b"\n").rpartition(b"\n")[0]
    return b"\n" + lines.MARK not in above
