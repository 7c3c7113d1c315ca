"""The files of a log: segments, named by the seq that is their first, of which only the last grows.

A batch is appended with one write and is on the disk when that returns; a write that fails is taken back. A segment
comes into being with its first line, or not at all.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from syncline.core.log import Head
from syncline.errors import ForeignFile, NewerSchema, StorageFull, StoreDamaged
from syncline.stores.folders import sync_folder
from syncline.stores.jsonl import lines
from syncline.stores.writing import FULL

NAME = re.compile(r"(\d{16})\.jsonl")
NEW = "segment.new"
LOCK, INDEX, STALE = "lock", "index.db", "index.stale"
OWN = re.compile(rf"{LOCK}(-journal)?|{INDEX}(-wal|-shm|-journal)?|{re.escape(NEW)}|{STALE}")
"""What may be in a folder that has no segment yet."""
BINARY = getattr(os, "O_BINARY", 0)
"""Windows would write each end of a line as two bytes."""
GAP_BYTES = 65_536
"""What is read for nothing rather than to read twice."""


class Place(NamedTuple):
    """Where an entry stands in its segment: its first byte, how many there are, and their CRC-32."""

    seq: int
    offset: int
    length: int
    sum: int


class Segments:
    """The segments in a folder. One thread appends; any may read."""

    def __init__(self, folder: Path) -> None:
        """Raises ForeignFile or NewerSchema for a folder with something else in it; nothing is written."""
        self.folder = folder
        self._file: int | None = None
        self.size = 0
        """The bytes of the last segment."""
        self.firsts: list[int] = []
        """The first seq of each segment, ascending."""
        self.look()

    def look(self) -> None:
        """Finds the segments that there are."""
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise ForeignFile(f"{self.folder} is a file; a log in JSON Lines is a folder. It was left as it is.")
        names = [path.name for path in self.folder.iterdir()]
        self.firsts = sorted(int(found[1]) for name in names if (found := NAME.fullmatch(name)))
        if not self.firsts and not all(map(OWN.fullmatch, names)):
            raise ForeignFile(f"{self.folder} holds no log, but something else; it was left as it is.")
        for first in {*self.firsts[:1], *self.firsts[-1:]}:
            self._check_format(self.path(first))

    def _check_format(self, path: Path) -> None:
        with path.open("rb") as file:
            format = lines.format_of(file.readline(lines.LONGEST_BYTES))
        if format is None:
            raise ForeignFile(f"{path} does not begin as a segment of a log; it was left as it is.")
        if format > lines.FORMAT:
            raise NewerSchema(f"{path} was written by a newer Syncline (format {format}). Upgrade this one.")

    def path(self, first: int) -> Path:
        """The file of a segment."""
        return self.folder / f"{first:016}.jsonl"

    # Writing

    def begin(self, head: Head) -> None:
        """Begins a segment where the log ends. One that begins there already is replaced."""
        path, text = self.path(head.seq + 1), lines.head_line(head)
        new = self.folder / NEW
        with told(self.folder):
            try:
                write_new(new, text)
                new.replace(path)
                sync_folder(self.folder)
            except OSError:
                new.unlink(missing_ok=True)
                raise
        if head.seq + 1 not in self.firsts:
            self.firsts.append(head.seq + 1)
        self.open_last()

    def open_last(self) -> None:
        """Opens the last segment to append to it."""
        self.close()
        self._file = os.open(self.path(self.firsts[-1]), os.O_RDWR | os.O_APPEND | BINARY)
        self.size = os.fstat(self._file).st_size

    def append(self, text: bytes) -> None:
        """Appends to the last segment, durably. If that fails, ``cut`` takes back what was written."""
        assert self._file is not None  # opened with the store
        with told(self.folder):
            rest = memoryview(text)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        self.size += len(text)

    def cut(self, size: int) -> None:
        """Ends the last segment after so many bytes, durably."""
        assert self._file is not None
        os.ftruncate(self._file, size)
        os.fsync(self._file)
        self.size = size

    def close(self) -> None:
        """Closes the file that is appended to."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # Reading

    def read(self, places: Sequence[Place]) -> list[bytes]:
        """The entries at these places, which are in order of seq. Raises StoreDamaged."""
        found: list[bytes] = []
        for first, group in groupby(places, key=lambda place: self.first_of(place.seq)):
            for stretch in _stretches(list(group)):
                found += self._read(first, stretch)
        return found

    def first_of(self, seq: int) -> int:
        """The first seq of the segment in which a seq is."""
        return self.firsts[bisect_right(self.firsts, seq) - 1]

    def _read(self, first: int, places: Sequence[Place]) -> Iterator[bytes]:
        """Entries that stand close together, read at once."""
        base, end = places[0].offset, places[-1].offset + places[-1].length
        text = self.bytes_of(first, base, end - base)
        for place in places:
            entry = text[place.offset - base : place.offset - base + place.length]
            if crc32(entry) != place.sum:
                line = self.bytes_of(first, 0, place.offset).count(b"\n") + 1
                raise StoreDamaged(f"{self.path(first)}, line {line}: seq {place.seq} is not as it was written.")
            yield entry

    def bytes_of(self, first: int, offset: int, length: int) -> bytes:
        """A part of a segment, shorter where that ends. Raises StoreDamaged if there is no such segment."""
        try:
            with self.path(first).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            raise StoreDamaged(f"{self.path(first)} is missing.") from None


def _stretches(places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    """Places in parts that are worth one read each."""
    start = 0
    for index in range(1, len(places) + 1):
        before = places[index - 1]
        if index == len(places) or places[index].offset - before.offset - before.length > GAP_BYTES:
            yield places[start:index]
            start = index


def write_new(path: Path, text: bytes) -> None:
    """Writes a file that is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Tells of a full disk as ours."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(f"The disk is full; nothing was stored in {folder.name}.") from error
        raise


def forget(path: Path) -> None:
    """Deletes a file that may be there."""
    with suppress(FileNotFoundError):
        path.unlink()
