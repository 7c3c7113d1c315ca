"""Proving that a log holds an event, by looking at all of it."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.core import stamps
from syncline.core.attestation import Attestation
from syncline.core.events import Entry
from syncline.core.merkle import Leaf, Tree, held_in
from syncline.errors import InvalidEvent, StoreDamaged, UnknownEvent
from syncline.stores.reading import Kept, LogReader


def attest(reader: LogReader, id: str) -> Attestation:
    """The proof, by the tree of what the log holds now. Raises UnknownEvent, or StoreDamaged."""
    try:
        key = stamps.key(stamps.check_id(id))
    except InvalidEvent:
        raise UnknownEvent(f"{id[:64]!r} is no id of an event.") from None
    head, event, leaves = reader.head(), None, []
    for row in _rows(reader, head.seq):
        leaf, entry = _read(row)
        leaves.append(leaf)
        if leaf.key == key and entry is not None:
            event = entry.event
    leaves.sort()
    tree, read = Tree.of(leaves), held_in(leaves)
    proof = tree.proof(key, read)
    ((_, digest),) = read(key, key)
    return Attestation.of(
        proof,
        epoch=head.epoch,
        seq=head.seq,
        root=tree.root,
        count=tree.count,
        digest=digest,
        event=None if event is None or event.is_erased else event.body,
    )


def _rows(reader: LogReader, until: int) -> Iterator[Kept]:
    since = 0
    while since < until and (rows := reader.read(since, until)):
        yield from rows
        since = rows[-1].seq


def _read(row: Kept) -> tuple[Leaf, Entry | None]:
    if row.entry is None:
        if row.key is None or row.digest is None:
            raise StoreDamaged(f"Of seq {row.seq} nothing is left: syncline verify tells more.")
        return Leaf(row.key, row.digest), None
    entry = Entry.read(row.entry)
    return Leaf(entry.event.key, entry.event.digest), entry
