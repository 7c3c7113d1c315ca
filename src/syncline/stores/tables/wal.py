"""A write-ahead log of SQLite, read as bytes: which pages stand in it, and which of its frames are whole.

The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log. SQLite itself takes frames up to the last
commit before the first one that is not whole; what comes after that is seen here alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from struct import Struct
from typing import NamedTuple

HEADER = Struct(">8I")
"""Magic number, version, page size, number of checkpoints, two salts, and the checksum of these: two halves."""
FRAME = Struct(">6I")
"""Page number, pages of the file after a commit (otherwise 0), the two salts, and the checksum of all up to here."""


BUFFER_BYTES = 1 << 18


class Frame(NamedTuple):
    """A frame: which page it holds, how many the file has after it if it ends a commit, its salts and its checksum."""

    number: int
    pages: int
    salts: bytes
    checksum: tuple[int, int]
    content: bytes

    @property
    def page(self) -> bytes:
        """The page in it."""
        return self.content[FRAME.size :]


class Wal:
    """The WAL beside a file; empty if there is none."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        self._path, self._frame_bytes = Path(f"{path}-wal"), FRAME.size + page_bytes
        self.header = b""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            self.header = file.read(HEADER.size)

    @property
    def salts(self) -> bytes:
        """What is in the header and in each of its frames, and changes whenever the WAL begins anew."""
        return self.header[16:24]

    def frames(self, since: int = 0, until: int | None = None) -> Iterator[Frame]:
        """The frames after so many and up to so many, whole or not, in order; one that is cut off is not among them."""
        if len(self.header) < HEADER.size:
            return
        with self._path.open("rb", buffering=BUFFER_BYTES) as file:
            file.seek(HEADER.size + since * self._frame_bytes)
            for _ in count(since) if until is None else range(since, until):
                content = file.read(self._frame_bytes)
                if len(content) < self._frame_bytes:
                    return
                number, pages, _, _, first, second = FRAME.unpack_from(content)
                yield Frame(number, pages, content[8:16], (first, second), content)

    def is_whole(self, frame: Frame, before: tuple[int, int]) -> bool:
        """Whether a frame is as it was written after one with the checksum ``before``."""
        is_big = bool(self.header[3] & 1)
        return checksum(frame.content[:8] + frame.page, before, is_big=is_big) == frame.checksum

    @property
    def first_checksum(self) -> tuple[int, int]:
        """The checksum of the header: the one before the first frame."""
        first, second = HEADER.unpack(self.header)[6:]
        return first, second


def checksum(content: bytes, before: tuple[int, int], *, is_big: bool) -> tuple[int, int]:
    """SQLite's checksum of content whose length is a multiple of 8, going on from one before."""
    words = Struct(f"{'>' if is_big else '<'}{len(content) // 4}I").unpack(content)
    first, second = before
    pairs = iter(words)
    for even, odd in zip(pairs, pairs, strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
