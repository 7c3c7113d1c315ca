"""What another server stored, read from the log to be announced here as if it had been stored here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from syncline.core.events import Entry
from syncline.core.log import Head, Row, chain
from syncline.stores import EventStore

__all__ = ["Piece", "read"]

PAGE_ENTRIES = 1_000


class Piece(NamedTuple):
    """Rows of one time, and the head after them."""

    rows: Sequence[Row]
    head: Head


def read(store: EventStore, head: Head, until: int) -> list[Piece] | None:
    """The first page of what comes after a head, up to a seq; None if the log does not go on from that head."""
    part = store.slice(head.seq, until=until, limit=PAGE_ENTRIES)
    pieces = list(_pieces(head, part.entries))
    if pieces and (pieces[-1].head.seq, pieces[-1].head.tail) == (part.seq, part.tail):
        return pieces
    return None


def _pieces(head: Head, entries: Sequence[Entry]) -> Iterator[Piece]:
    for at, several in groupby(entries, key=lambda entry: entry.at):
        piece = list(several)
        tails = chain(head.tail, [entry.event.digest for entry in piece])
        rows = [Row(entry.seq, tail, entry.event, entry.encoded) for entry, tail in zip(piece, tails, strict=True)]
        head = Head(head.epoch, rows[-1].seq, rows[-1].tail, at)
        yield Piece(rows, head)
