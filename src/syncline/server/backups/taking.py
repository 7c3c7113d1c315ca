"""Making a backup while the server runs: the heads first, then what leads there and is not in the folder yet.

A log only grows, and what it had at a seq it has for good; so each space's log up to the head that was read is exactly
as it was at that moment, however long it takes to copy. All heads are read in one pass at the beginning. The register
is copied last: what was revoked meanwhile is revoked there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import syncline
from syncline.core.log import Head
from syncline.errors import SpaceDeleted, StoreDamaged, UnknownSpace
from syncline.server import zstd
from syncline.server.backups import segments
from syncline.server.backups.folder import File, Folder, Listing, Log, Segment, name_at
from syncline.server.backups.progress import Bar, shifted
from syncline.server.backups.segments import SEGMENT_BYTES, Candidate, Draft
from syncline.server.backups.sources import Sources, has_register, open_sources
from syncline.server.backups.whole import Whole
from syncline.server.logs import kind_of
from syncline.server.register import copying
from syncline.server.registry import open_registry
from syncline.stores.reading import Kept, LogReader

Clock = Callable[[], int]


class Taken(NamedTuple):
    """A backup that was made, and what was written for it."""

    listing: Listing
    files: int
    bytes: int
    rolled_back: list[str]
    """Spaces whose log is not how it was at an earlier backup: they were taken back, or made anew."""


class Taking:
    """Makes one backup of a server with the settings ``store`` and ``data``."""

    def __init__(
        self,
        folder: Folder,
        store: str,
        data: Path,
        now_ms: Clock,
        *,
        archives: Path | None = None,
        full: bool = False,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        """``archives``: if they are not in ``data``. ``full``: nothing that earlier backups have is used.

        ``rest`` is called after each look at a log.
        """
        self._archives = archives or data / "archives"
        self._folder, self._store, self._data, self._now_ms, self._full = folder, store, data, now_ms, full
        self._rest = rest
        self._files = self._bytes = 0
        self._before: dict[str, Log] = {}
        self._changed: list[str] = []

    def run(self, bar: Bar, *, register: bool = True) -> Taken:
        """Makes it; another one may not be made in the folder meanwhile. Raises StoreLocked then."""
        with self._folder.held(), closing(open_sources(self._store, self._data)) as sources:
            begun = self._now_ms()
            heads = _heads(sources)
            seen = self._now_ms()
            self._before = self._earlier()
            with bar(sum(head.seq for head in heads.values())) as advance:
                spaces = self._logs(sources, heads, advance)
            copy = self._register() if register else None
            listing = Listing(
                name=name_at(begun),
                begun=begun,
                seen=seen,
                ended=self._now_ms(),
                version=syncline.__version__,
                store=kind_of(self._store),
                spaces=spaces,
                register=copy,
            )
            self._folder.write(listing)
        return Taken(listing, self._files, self._bytes, self._changed)

    def _earlier(self) -> dict[str, Log]:
        """The logs of the newest backup that is there; of one that is damaged nothing is taken on trust."""
        with suppress(StoreDamaged):
            return self._folder.read().spaces if self._folder.names() else {}
        return {}

    def _logs(self, sources: Sources, heads: dict[str, Head], advance: Callable[[int], None]) -> dict[str, Log]:
        """The logs up to these heads; those of spaces that are deleted meanwhile are left out."""
        done, logs = 0, {}
        for space, head in heads.items():
            with suppress(UnknownSpace, SpaceDeleted), closing(sources.open(space)) as reader:
                logs[space] = self._log(reader, space, head, shifted(advance, done))
            done += head.seq
        return logs

    def _log(self, reader: LogReader, space: str, head: Head, note: Callable[[int], None]) -> Log:
        before = self._before.get(space)
        if before is not None and not _continues(reader, before.head, head):
            self._changed.append(space)
        parts = [] if self._full else self._kept(reader, space, head)
        draft = Draft(_end(parts, head.epoch))
        note(draft.head.seq)
        whole = Whole(self._archives / space, space)
        while draft.head.seq < head.seq:
            draft.add(whole.filled(_look(reader, space, draft.head.seq, head.seq)))
            if draft.size >= SEGMENT_BYTES or draft.head.seq == head.seq:
                parts.append(self._written(draft, space))
                draft = Draft(draft.head)
            note(draft.head.seq)
            self._rest()
        if draft.head.tail != head.tail:
            raise StoreDamaged(f"{space} does not lead to its head at seq {head.seq}: syncline verify tells more.")
        return Log(epoch=head.epoch, seq=head.seq, tail=head.tail.hex(), at=head.at, segments=parts)

    def _kept(self, reader: LogReader, space: str, head: Head) -> list[Segment]:
        """The segments in the folder with which this log begins, as far as they go."""
        known = {segment.file: segment for log in self._before.values() for segment in log.segments}
        there, parts, end = segments.found(self._folder, space, head.epoch), list[Segment](), Head(head.epoch)
        while True:
            fitting = [each for each in there.get(end.seq + 1, ()) if _fits(reader, each, head)]
            usable = (self._usable(each, known.get(each.file), end) for each in sorted(fitting, reverse=True))
            segment = next(filter(None, usable), None)
            if segment is None:
                return parts
            parts.append(segment)
            end = _end(parts, head.epoch)

    def _usable(self, candidate: Candidate, known: Segment | None, before: Head) -> Segment | None:
        """A segment that another backup has; one that nobody names yet is read first."""
        if known is not None:
            return known if self._folder.has(known) else None
        with suppress(StoreDamaged, OSError):
            return segments.examined(self._folder, candidate, before)
        return None

    def _written(self, draft: Draft, space: str) -> Segment:
        segment = draft.write(self._folder, space)
        self._note(segment)
        return segment

    def _note(self, file: File) -> None:
        self._files, self._bytes = self._files + 1, self._bytes + file.bytes

    def _register(self) -> File | None:
        if not has_register(self._store, self._data):
            return None
        with closing(open_registry(self._data, self._store, self._now_ms)) as registry:
            text = copying.dump(registry.database)
        file = self._folder.put(f"register/{name_at(self._now_ms())}.jsonl.zst", zstd.compress(text))
        self._note(file)
        return file


def _heads(sources: Sources) -> dict[str, Head]:
    """Where all logs end, read one after the other, at once."""
    heads = {}
    for space in sources.names():
        with suppress(UnknownSpace, SpaceDeleted), closing(sources.open(space)) as reader:
            heads[space] = reader.head()
    return heads


def _look(reader: LogReader, space: str, since: int, until: int) -> list[Kept]:
    rows = reader.read(since, until)
    if not rows or rows[0].seq != since + 1:
        raise StoreDamaged(f"{space} has nothing at seq {since + 1}: syncline verify tells more.")
    return rows


def _end(parts: list[Segment], epoch: str) -> Head:
    """Where segments lead."""
    if not parts:
        return Head(epoch)
    return Head(epoch, parts[-1].last, bytes.fromhex(parts[-1].tail), parts[-1].at)


def _fits(reader: LogReader, candidate: Candidate, head: Head) -> bool:
    """Whether the log goes through the end of a segment."""
    return candidate.last <= head.seq and reader.tail(candidate.last) == candidate.tail


def _continues(reader: LogReader, before: Head, head: Head) -> bool:
    """Whether a log goes on from where it was."""
    return before.epoch == head.epoch and before.seq <= head.seq and reader.tail(before.seq) == before.tail
