"""A checksum for every page of a SQLite file, in a small file beside it (``<path>.sums``).

SQLite keeps checksums in its WAL, and none in the file itself. Pages get there by checkpoints alone; so before each of
them what the pages will be is written down here. A page that is not as it is written here, and has no newer version in
the WAL, is damaged: bits that flipped, a write that was torn, or one that never happened, so that an older page stands
there still. Whether these sums are of this file at all, and not of one that was put in its place, tells its *mark*:
some bytes that stand here and in the file, and are made anew with each writing.
"""

from __future__ import annotations

import os
import secrets
from array import array
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from itertools import islice
from pathlib import Path
from struct import Struct
from zlib import crc32

import msgspec

from syncline.errors import StoreDamaged
from syncline.stores.tables.wal import Frame, Wal

MAGIC = b"SYNSUMS1"
LENGTH = Struct("<I")
UNKNOWN = 0
"""In place of a sum: a page that was never written, because it is free."""
RETIRED = 64
BUFFER_BYTES = 1 << 18
MARK_BYTES = 16


class Head(msgspec.Struct, array_like=True):
    """What is known besides the sums."""

    page_bytes: int
    mark: bytes = b""
    """What stands at the end of the page ``marked``, if these are the sums of this file."""
    marked: int = 0
    salts: bytes = b""
    """The WAL up to whose frame number ``frames`` pages are as they are in these sums."""
    frames: int = 0
    retired: list[bytes] = msgspec.field(default_factory=list)
    """Marks that this file had, and salts of WALs that were carried over into it."""
    is_doubtful: bool = False
    """Whether damage was found while the file was in use."""


class PageSums:
    """The sums of one file. Not thread-safe."""

    def __init__(self, path: Path, head: Head, sums: array[int]) -> None:
        self._path, self._head, self._sums = path, head, sums

    @classmethod
    def load(cls, path: Path) -> PageSums | None:
        """The sums of the file at ``path``; None if there are none. Raises StoreDamaged."""
        try:
            content = beside(path).read_bytes()
        except FileNotFoundError:
            return None
        if content[:8] != MAGIC or LENGTH.pack(crc32(content[:-4])) != content[-4:]:
            raise StoreDamaged(f"{beside(path).name} is damaged.")
        end = 12 + LENGTH.unpack_from(content, 8)[0]
        return cls(path, msgspec.msgpack.decode(content[12:end], type=Head), array("I", content[end:-4]))

    @classmethod
    def of(cls, path: Path) -> PageSums:
        """Sums of the file as it is. Whoever calls it has checked the file in another way."""
        page_bytes = size_of_pages(path)
        return cls(path, Head(page_bytes), array("I", (_sum(page) for page in pages(path, page_bytes))))

    def prove(self, valid_frames: int) -> bool:
        """Whether these sums are of this file, all of whose pages then are as they should be. Raises StoreDamaged.

        ``valid_frames``: how many frames SQLite takes from the WAL.
        """
        if self._head.is_doubtful:
            raise StoreDamaged(f"{self._path.name} was found to be damaged when it was in use.")
        wal = Wal(self._path, self._head.page_bytes)
        self._check_wal(wal, valid_frames)
        if not self._is_marked(wal.frames(until=valid_frames)):
            return False
        if damaged := sorted(self.wrong() - {frame.number for frame in wal.frames(until=valid_frames)}):
            raise StoreDamaged(f"{self._path.name} is damaged: {len(damaged)} of its pages, the first is {damaged[0]}.")
        return True

    def _is_marked(self, frames: Iterable[Frame]) -> bool:
        """Whether the file bears this mark. Another that it never had is of another file; any else is a damaged one."""
        page_bytes, head = self._head.page_bytes, self._head
        with self._path.open("rb") as file:
            file.seek(head.marked * page_bytes - MARK_BYTES)
            found = file.read(MARK_BYTES)
        newer = [frame.content[-MARK_BYTES:] for frame in frames if frame.number == head.marked]
        if head.mark in (found, *newer):
            return True
        if is_mark(found) and found not in head.retired:
            return False
        raise StoreDamaged(f"{self._path.name} is damaged: its mark is not there, or an old one.")

    def _check_wal(self, wal: Wal, valid_frames: int) -> None:
        if wal.salts == self._head.salts and valid_frames < self._head.frames and valid_frames:
            raise StoreDamaged(f"{self._path.name}-wal is damaged: of its frames {valid_frames} are whole.")
        if valid_frames and wal.salts in self._head.retired:
            raise StoreDamaged(f"{self._path.name}-wal is an old one.")

    def wrong(self) -> Set[int]:
        """The numbers of the pages that are not as they should be, or not there."""
        found = {
            number
            for number, page in enumerate(islice(pages(self._path, self._head.page_bytes), len(self._sums)), 1)
            if self._sums[number - 1] not in (UNKNOWN, _sum(page))
        }
        there = self._path.stat().st_size // self._head.page_bytes if self._path.exists() else 0
        return found | set(range(there + 1, len(self._sums) + 1))

    @property
    def page_bytes(self) -> int:
        """How large a page is."""
        return self._head.page_bytes

    def take_in(self, frames: int, mark: bytes, marked: int) -> None:
        """Writes down what the pages will be after a checkpoint of so many frames of the WAL. Raises OSError."""
        head = self._head
        wal = Wal(self._path, head.page_bytes)
        count, last = len(self._sums), dict[int, int]()
        for frame in wal.frames(head.frames if wal.salts == head.salts else 0, frames):
            last[frame.number] = _sum(frame.page)
            count = frame.pages or count
        del self._sums[count:]
        self._sums.extend([UNKNOWN] * (count - len(self._sums)))
        for number in last.keys() & range(1, count + 1):
            self._sums[number - 1] = last[number]
        retired = [*head.retired, head.mark, *([head.salts] if wal.salts != head.salts else [])][-RETIRED:]
        self._head = Head(head.page_bytes, mark, marked, wal.salts, frames, retired, head.is_doubtful)
        self._write()

    def distrust(self) -> None:
        """Notes that damage was found. Raises OSError."""
        if not self._head.is_doubtful:
            self._head.is_doubtful = True
            self._write()

    @property
    def is_doubtful(self) -> bool:
        """Whether damage was found while the file was in use."""
        return self._head.is_doubtful

    def _write(self) -> None:
        head = msgspec.msgpack.encode(self._head)
        content = MAGIC + LENGTH.pack(len(head)) + head + self._sums.tobytes()
        target = beside(self._path)
        new = target.with_name(f"{target.name}.new")
        with new.open("wb") as file:
            file.write(content + LENGTH.pack(crc32(content)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
        sync_directory(target.parent)


def new_mark() -> bytes:
    """A random mark, which ends with a checksum of its own."""
    random = secrets.token_bytes(MARK_BYTES - 4)
    return random + LENGTH.pack(crc32(random))


def is_mark(found: bytes) -> bool:
    """Whether this is a mark, whosever."""
    return len(found) == MARK_BYTES and LENGTH.pack(crc32(found[:-4])) == found[-4:]


def beside(path: Path) -> Path:
    """Where the sums of a file are."""
    return Path(f"{path}.sums")


def sync_directory(path: Path) -> None:
    """Makes new names in a directory survive a power cut, where the system can do that."""
    if os.name == "posix":
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def size_of_pages(path: Path) -> int:
    """How large the pages of a file are, as its header says."""
    with path.open("rb") as file:
        found = int.from_bytes(file.read(18)[16:], "big")
    return 65_536 if found == 1 else found


def pages(path: Path, page_bytes: int, *, whole: bool = True) -> Iterator[bytes]:
    """The pages of a file, in their order; also the last one if it is cut off, unless they are to be ``whole``."""
    with suppress(FileNotFoundError), path.open("rb", buffering=BUFFER_BYTES) as file:
        while len(page := file.read(page_bytes)) == page_bytes or (page and not whole):
            yield page


def _sum(page: bytes) -> int:
    return crc32(page) or 1
