"""Segments: stretches of a log, written as the segments of a log in JSON Lines are, compressed, and read again.

So ``zstdcat`` shows what is in a backup that is not encrypted, and a folder of them, unpacked, is a log.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from syncline.core.events import Entry
from syncline.core.log import Head
from syncline.errors import StoreDamaged
from syncline.server import zstd
from syncline.server.backups.folder import File, Folder, Segment
from syncline.stores.jsonl import lines
from syncline.stores.reading import LOOK_BYTES, Kept

SEGMENT_BYTES = 16 * 1024 * 1024
"""A segment that has grown to this is written."""
MAX_BYTES = SEGMENT_BYTES + 4 * LOOK_BYTES
"""More does not come out of a segment."""
NAME = re.compile(r"(\d{16})-(\d{16})-([0-9a-f]{16})-[0-9a-f]{16}\.jsonl\.zst")


class Stretch(NamedTuple):
    """Entries that were taken at once, and where they lead."""

    entries: list[Entry]
    then: Head


class Draft:
    """A segment that is being made: it begins where a log has some end."""

    def __init__(self, before: Head) -> None:
        self.head = before
        self.size = 0
        self._before, self._lines = before, [lines.head_line(before)]

    def add(self, rows: Sequence[Kept]) -> None:
        """Takes what a look has brought, all of it with content."""
        entries = [row.entry for row in rows if row.entry is not None]
        at = Entry.read(entries[-1]).at
        self.head = Head(self._before.epoch, rows[-1].seq, rows[-1].tail, at)
        self._lines += [b"%b\n" % entry for entry in entries]
        self._lines.append(lines.mark_line(self.head.seq, self.head.tail))
        self.size += sum(map(len, entries)) + len(entries)

    def write(self, folder: Folder, space: str) -> Segment:
        """Writes it into a folder."""
        text = zstd.compress(b"".join(self._lines))
        first, (epoch, last, tail, _) = self._before.seq + 1, self.head
        digest = hashlib.sha256(text).hexdigest()[:16]
        name = f"{directory(space, epoch)}/{first:016}-{last:016}-{tail.hex()}-{digest}.jsonl.zst"
        return _segment(folder.put(name, text), first, self.head)


def directory(space: str, epoch: str) -> str:
    """Where the segments of a log are, below the folder."""
    return f"logs/{space}/{epoch}"


class Candidate(NamedTuple):
    """A segment that is there, by its name."""

    last: int
    tail: bytes
    file: str


def found(folder: Folder, space: str, epoch: str) -> dict[int, list[Candidate]]:
    """The segments of a log that are there, by their first seq."""
    there = folder.path / directory(space, epoch)
    by_first: dict[int, list[Candidate]] = {}
    for path in sorted(there.iterdir()) if there.exists() else ():
        if fits := NAME.fullmatch(path.name):
            each = Candidate(int(fits[2]), bytes.fromhex(fits[3]), f"{directory(space, epoch)}/{path.name}")
            by_first.setdefault(int(fits[1]), []).append(each)
    return by_first


def examined(folder: Folder, candidate: Candidate, before: Head) -> Segment:
    """What is known of a segment that follows on this end, after reading it. Raises StoreDamaged or OSError."""
    last, tail, name = candidate
    segment = _segment(folder.describe(name), before.seq + 1, Head(before.epoch, last, tail))
    *_, (entries, then) = read(folder, segment, before)
    if then[1:3] != (last, tail):
        raise StoreDamaged(f"{name} does not end as its name says.")
    return msgspec.structs.replace(segment, at=entries[-1].at)


def read(folder: Folder, segment: Segment, before: Head) -> Iterator[Stretch]:
    """What a segment holds, stretch by stretch. Raises StoreDamaged unless it follows on this end of the log.

    Whether the entries lead to the tails that stand there is for whoever takes them to see (``core.adoption``).
    """
    text, is_whole = _unpacked(folder, segment)
    first, _, rest = text.partition(b"\n")
    head = lines.read_head(first + b"\n")
    if not is_whole or head != before:
        raise StoreDamaged(f"{segment.file} does not follow on seq {before.seq}.")
    entries: list[Entry] = []
    for line in rest.splitlines(keepends=True):
        if (mark := lines.read_mark(line)) is not None:
            yield Stretch(entries, Head(before.epoch, *mark))
            entries = []
        else:
            entries.append(_entry(segment, line))
    if entries:
        raise StoreDamaged(f"{segment.file} has no end.")


def _unpacked(folder: Folder, segment: Segment) -> tuple[bytes, bool]:
    try:
        return zstd.decompress(folder.get(segment), MAX_BYTES)
    except zstd.Error as error:
        raise StoreDamaged(f"{segment.file} cannot be unpacked: {error}") from None


def _entry(segment: Segment, line: bytes) -> Entry:
    try:
        return Entry.read(line)
    except msgspec.MsgspecError as error:
        raise StoreDamaged(f"{segment.file} has a line that is no entry: {error}") from None


def _segment(file: File, first: int, then: Head) -> Segment:
    _, last, tail, at = then
    return Segment(file=file.file, bytes=file.bytes, sha256=file.sha256, first=first, last=last, tail=tail.hex(), at=at)
