"""JSON Lines on their way in: read as they arrive, decoded one by one, gathered into batches for a server.

A line is an event, an entry, or a draft: an event without id, node and clock, which ``cli.drafts`` makes one of.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from syncline.core import canonical
from syncline.core.events import Event
from syncline.core.limits import MAX_DEPTH, MAX_EVENT_BYTES
from syncline.errors import EventTooLarge

CHUNK_BYTES = 1024 * 1024
MAX_LINE_BYTES = 16 * MAX_EVENT_BYTES
"""A line that is longer holds no event, however it is escaped."""
ENVELOPE_DEPTH = 4
AUTHORSHIP = {"id", "node", "clock"}


class Line(NamedTuple):
    """One line: its number, its bytes, and the offset where the next one begins."""

    number: int
    text: bytes
    end: int


class Addressed(NamedTuple):
    """An event, and the line it came from."""

    line: Line
    event: Event


def chunks(stream: BinaryIO, *, number: int = 0, offset: int = 0) -> Iterator[list[Line]]:
    """The complete lines of a stream, as they arrive; blank ones are left out. ``number`` and ``offset``: what was
    read before. Raises EventTooLarge if it does not look like lines."""
    rest = b""
    while data := stream.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
        *complete, rest = (rest + data).split(b"\n")
        lines = []
        for text in complete:
            number, offset = number + 1, offset + len(text) + 1
            lines.append(Line(number, text, offset))
        yield [line for line in lines if line.text.strip()]
        if len(rest) > MAX_LINE_BYTES:
            raise EventTooLarge(f"Line {number + 1} has more than {MAX_LINE_BYTES} bytes; this is not JSON Lines.")
    if rest.strip():
        yield [Line(number + 1, rest, offset + len(rest))]


def size(stream: BinaryIO) -> int | None:
    """How many bytes a file holds; None for a stream without an end."""
    return os.fstat(stream.fileno()).st_size or None


def decode(text: bytes) -> Event | dict[str, Any]:
    """The event of a line (of an entry, the event in it), or the members of a draft. Raises what is wrong with it."""
    value = canonical.decode(text, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
    if isinstance(value, dict):
        if "event" in value:
            return Event.of(value["event"])
        if not AUTHORSHIP & value.keys():
            return value
    return Event.of(value)


def batches(groups: Iterable[Sequence[Addressed]], *, size: int, max_bytes: int) -> Iterator[list[Addressed]]:
    """Events gathered for one push each; a group's end is not waited over, but a transaction is not torn apart."""
    batch: list[Addressed] = []
    length = 0
    for group in groups:
        for each in group:
            if batch and (len(batch) == size or length + len(each.event.body) > max_bytes):
                place = _begin_of_tx(batch) if each.event.tx == batch[-1].event.tx else len(batch)
                place = place or len(batch)  # a transaction that is larger than any push: the server will say so
                yield batch[:place]
                batch = batch[place:]
                length = sum(len(kept.event.body) + 1 for kept in batch)
            batch.append(each)
            length += len(each.event.body) + 1
        place = _begin_of_tx(batch)
        if place:
            yield batch[:place]
            batch = batch[place:]
            length = sum(len(kept.event.body) + 1 for kept in batch)
    if batch:
        yield batch


def _begin_of_tx(batch: Sequence[Addressed]) -> int:
    """Where the transaction at the end of a batch, which may go on, begins; the batch's length if there is none."""
    place = len(batch)
    tx = batch[-1].event.tx if batch else None
    while tx is not None and place and batch[place - 1].event.tx == tx:
        place -= 1
    return place
