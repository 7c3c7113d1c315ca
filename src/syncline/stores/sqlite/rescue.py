"""What is left in a damaged replica's file: its local events, wherever they lie.

Each of them is sealed (see ``sealed``), so neither the B-trees nor the pages around them need to be whole. Every
version of a page is looked through that may be the last one: in the WAL, also beyond where SQLite stops to read it, and
in the file. What was deleted is not there any more, because the file is written with ``secure_delete``; but of a page
that is not as it should be nobody can tell whether it is an old one: an event from there may have been dropped since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from syncline.errors import StoreDamaged
from syncline.stores import Outboxed, ReplicaState
from syncline.stores.sqlite import sealed
from syncline.stores.tables import page_sums
from syncline.stores.tables.database import glance
from syncline.stores.tables.page_sums import PageSums
from syncline.stores.tables.wal import Frame, Wal

PAGE_BYTES = 4_096
INDEX_PAGES = {2: 12, 10: 8}
"""The pages in which rows of tables without rowids are, by their first byte, and how long their headers are."""
STATE = "SELECT (SELECT state FROM state), rootpage FROM sqlite_schema WHERE name = 'state'"


class Rescued(NamedTuple):
    """The local events that are whole, in the order of their ids, and the state if that could be proven."""

    outbox: list[Outboxed]
    state: ReplicaState | None


class Version(NamedTuple):
    """A version of a page; ``is_sure``: it is as it was written, and the last one."""

    page: bytes
    is_sure: bool


def rescue(path: Path) -> Rescued:
    """What is whole of a file that no program has open. It is only read."""
    sums = _sums(path)
    file = _File(path, sums)
    found: dict[str, tuple[bool, Outboxed]] = {}
    for version in file.versions():
        for outboxed in file.seals(version):
            id = outboxed.event.id
            if id not in found or version.is_sure >= found[id][0]:
                found[id] = version.is_sure, outboxed
    state = None if sums is None else _state(path, sums)
    return Rescued([found[id][1] for id in sorted(found)], state)


def cut_off(path: Path, valid_frames: int) -> list[Outboxed]:
    """The local events in what SQLite does not read of a WAL because a frame before it, or its header, is damaged.

    What a process leaves that was killed while it wrote is not damaged: no commit follows it.
    """
    file = _File(path, _sums(path))
    rest = file.frames[valid_frames:]
    return [outboxed for frame in rest for outboxed in file.seals(Version(frame.page, is_sure=False))]


class _File:
    """A file and its WAL, page by page."""

    def __init__(self, path: Path, sums: PageSums | None) -> None:
        self._path, self._sums = path, sums
        self._page_bytes = PAGE_BYTES if sums is None else sums.page_bytes
        self._wal = Wal(path, self._page_bytes)
        self.frames = self._current(list(self._wal.frames()))

    @cached_property
    def _newest(self) -> dict[int, int]:
        """For each page of which a version was committed to the WAL: which frame is the last whole one."""
        whole = [index for index in range(len(self.frames)) if self.is_whole(index)]
        last_commit = max((index for index in whole if self.frames[index].pages), default=-1)
        return {self.frames[index].number: index for index in whole if index <= last_commit}

    @cached_property
    def _last(self) -> dict[int, int]:
        """For each page in the WAL: which frame is the last one, whole or not."""
        return {frame.number: index for index, frame in enumerate(self.frames)}

    def _current(self, frames: list[Frame]) -> list[Frame]:
        """The frames since the WAL began anew, up to the last commit, be it whole or not: what follows never counted.

        One of both salts may be damaged, in the header or in a frame.
        """
        salts = self._wal.salts
        if not any(frame.salts == salts for frame in frames) and frames:
            salts = frames[0].salts
        current = [frame for frame in frames if frame.salts[:4] == salts[:4] or frame.salts[4:] == salts[4:]]
        while current and not current[-1].pages:
            current.pop()
        return current

    def is_whole(self, index: int) -> bool:
        """Whether a frame of the WAL is as it was written."""
        before = self.frames[index - 1].checksum if index else self._wal.first_checksum
        return self._wal.is_whole(self.frames[index], before)

    def versions(self) -> Iterator[Version]:
        """The pages of the file, then those of the WAL, without those that have a newer version."""
        wrong = None if self._sums is None else self._sums.wrong()
        for number, page in enumerate(page_sums.pages(self._path, self._page_bytes, whole=False), 1):
            if number not in self._newest:
                yield Version(page, is_sure=wrong is not None and number not in wrong)
        for index, frame in enumerate(self.frames):
            if self._newest.get(frame.number, -1) <= index:
                yield Version(frame.page, is_sure=self._newest.get(frame.number) == index)

    def seals(self, version: Version) -> Iterator[Outboxed]:
        """The local events in a version of a page."""
        page, start = version.page, 0
        gap = _gap(page) if version.is_sure else range(0)
        while (start := page.find(sealed.MAGIC, start)) >= 0:
            head = page[start : start + sealed.BYTES]
            if start not in gap and len(head) == sealed.BYTES:
                for packed in self._contents(page, start + sealed.BYTES, sealed.length(head)):
                    if sealed.is_whole(head, packed):
                        yield sealed.unseal(head + packed)
                        break
            start += 1

    def _contents(self, page: bytes, start: int, length: int) -> Iterator[bytes]:
        """What may be the content of a seal: all in this page, or going on in others, of which the row names the first.

        Where that name stands depends on the columns before, so all places are tried: few look like a page's number.
        """
        yield page[start : start + length]
        for end in range(start, min(start + length, len(page) - 3)):
            number = int.from_bytes(page[end : end + 4], "big")
            if 1 < number <= self._count:
                for places in (self._newest, self._last, {}):
                    yield page[start:end] + self._chain(number, length - (end - start), places)

    def _chain(self, number: int, length: int, places: Mapping[int, int]) -> bytes:
        """So many bytes from overflow pages, or fewer if they end before; ``places`` of pages in the WAL."""
        content = b""
        while len(content) < length and 1 < number <= self._count:
            page = self._page(number, places)
            number = int.from_bytes(page[:4], "big")
            content += page[4:]
        return content[:length]

    def _page(self, number: int, places: Mapping[int, int]) -> bytes:
        if number in places:
            return self.frames[places[number]].page
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek((number - 1) * self._page_bytes)
            return file.read(self._page_bytes)
        return b""

    @cached_property
    def _count(self) -> int:
        """As many pages as there may be."""
        size = self._path.stat().st_size if self._path.exists() else 0
        return max([size // self._page_bytes, *self._newest, *(frame.pages for frame in self.frames)])


def _gap(page: bytes) -> range:
    """Where no row is in a page that is whole: between the places of rows and the rows, where old ones may be left."""
    header = INDEX_PAGES.get(page[0])
    if header is None:
        return range(len(page))
    return range(header + 2 * int.from_bytes(page[3:5], "big"), int.from_bytes(page[5:7], "big") or 65_536)


def _sums(path: Path) -> PageSums | None:
    try:
        return PageSums.load(path)
    except StoreDamaged:
        return None


def _state(path: Path, sums: PageSums) -> ReplicaState | None:
    """The state, if the page that it begins in is as it should be, and the one that says which this is."""
    found = glance(path, STATE)
    if not found or {1, found[0][1]} & sums.wrong():
        return None
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(found[0][0], type=ReplicaState)
    return None
