"""Copying a log from one store into another, whatever they are: batch by batch, and compared at the end.

A copy keeps epoch, seqs, times, receipts and tails. One that was interrupted goes on where it stopped, since what is
there is a prefix of what it copies; anything else is left as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from syncline.core.events import Entry
from syncline.core.log import Head
from syncline.errors import BadRequest, EpochChanged, LogChanged, StoreDamaged
from syncline.stores import LogStore, Slice

BATCH = 2_000
"""Entries that are copied in one transaction, at most."""

TIDIED_BYTES = 16 * 1024 * 1024
"""After so much the stores tidy up."""

Note = Callable[[int], None]
"""Hears up to which seq something is done."""

_texts = msgspec.json.Decoder(list[msgspec.Raw])


class Sum(NamedTuple):
    """What is compared of two logs: the tail at a seq, and SHA-256 (hex) over the entries as JSON Lines."""

    tail: bytes
    sha256: str


def copy(source: LogStore, target: LogStore, note: Note) -> Head:
    """Copies what the source holds now and the target does not; the end of both then.

    Raises EpochChanged or LogChanged, and writes nothing, unless the target is empty or begins as the source does;
    StoreDamaged if what the source holds is not what its tails name; BadRequest if it has let go of its beginning.
    """
    if horizon := source.points().horizon:
        raise BadRequest(
            f"This log keeps its history from seq {horizon} on; it can be copied as a file, or by a backup, but not "
            "entry by entry. Nothing was copied."
        )
    end, done = source.refresh(), target.refresh()
    _check_prefix(source, end, done)
    if done.epoch != end.epoch:
        done = target.adopt([], Head(end.epoch))
    for part in _parts(source, done.seq, end.seq, target):
        done = target.adopt(_decoded(part), Head(end.epoch, part.seq, part.tail))
        note(done.seq)
    return done


def _check_prefix(source: LogStore, end: Head, done: Head) -> None:
    """Raises unless a log with this end is how the source begins."""
    if not done.seq:
        return
    if done.epoch != end.epoch:
        raise EpochChanged("The target holds another log (another epoch). Nothing was copied.")
    if done.seq > end.seq:
        raise LogChanged(f"The target goes on to seq {done.seq}, the source ends at {end.seq}. Nothing was copied.")
    if source.tail(done.seq) != done.tail:
        raise LogChanged(f"The target is not as the source was at seq {done.seq}. Nothing was copied.")


def summed(store: LogStore, until: int, note: Note) -> Sum:
    """What a store holds up to a seq, read from it entry by entry. Raises StoreDamaged if that does not read."""
    sha256 = hashlib.sha256()
    for part in _parts(store, 0, until):
        try:
            lines = _texts.decode(b"[" + part.encoded + b"]")
        except msgspec.MsgspecError as error:
            raise _unreadable(part, error) from error
        sha256.update(b"".join([bytes(line) + b"\n" for line in lines]))
        note(part.seq)
    return Sum(store.tail(until) or b"", sha256.hexdigest())


def _parts(store: LogStore, since: int, until: int, *others: LogStore) -> Iterator[Slice]:
    """What a store holds, part by part; now and then it and others do their housekeeping, so that nothing piles up."""
    size = 0
    while since < until:
        part = store.slice(since, until=until, limit=BATCH)
        yield part
        since, size = part.seq, size + len(part.encoded)
        if size > TIDIED_BYTES:
            for each in (store, *others):
                each.checkpoint()
            size = 0


def _decoded(part: Slice) -> list[Entry]:
    try:
        return part.entries
    except msgspec.MsgspecError as error:
        raise _unreadable(part, error) from error


def _unreadable(part: Slice, error: Exception) -> StoreDamaged:
    return StoreDamaged(f"Among the {part.length} entries up to seq {part.seq} one does not read: {error}")
