"""Registers: the write with the greatest stamp shows, then that of the greatest node, then the greatest value.

A write that shows is a put of the document itself; its event's payload holds the stamp, as a string. A write that comes
later and is older stays in the history: in the payload of an event without ops, or of the event that won over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from syncline.core import canonical
from syncline.core.batch import ENVELOPE_DEPTH
from syncline.core.documents.document import Document
from syncline.core.documents.values import to_wire
from syncline.core.limits import MAX_DEPTH
from syncline.core.stamps import Stamp
from syncline.server.desk import Desk
from syncline.server.dialects.crdt.documents import (
    Client,
    Draft,
    check_type,
    derived_id,
    stamped,
    standing,
    take_id,
)
from syncline.server.dialects.crdt.shapes import LWW, STAMP, Write

NODE = "node"
NS_PER_MS = 1_000_000


class _Written(NamedTuple):
    """A write, in the order in which writes win."""

    stamp: int
    node: str
    value: bytes


class _Outcome(NamedTuple):
    """What shows after some writes (None: what showed before), and those that do not."""

    chosen: _Written | None
    lost: list[_Written]


def writing(client: Client, ops: Sequence[Write], *, is_put: bool = False) -> Draft:
    """Writes a register. ``is_put``: whatever it was, unless there is a document of another type."""

    def draft(desk: Desk) -> None:
        document = desk.editor.document
        if document.exists or not is_put:
            check_type(client, document, LWW)
        if not ops:
            return
        begins_anew = bool(document.deletes) and (is_put or client.seen(document.deletes) == document.deletes)
        outcome = _decide(client, desk, ops, None if begins_anew else _shown(client, document))
        if outcome.chosen is not None:
            if begins_anew:
                desk.editor.restore_document()
            desk.editor.put_root(to_wire(_value(outcome.chosen)))
        _say(client, desk, outcome)

    return draft


def _decide(client: Client, desk: Desk, ops: Sequence[Write], best: _Written | None) -> _Outcome:
    chosen: _Written | None = None
    lost: list[_Written] = []
    for op in ops:
        stamp = op.ts_unix_ns or _now(desk.editor.event, best)
        written = _Written(stamp, client.node or "", canonical.encode(op.set))
        if best is None or written > best:
            lost += [chosen] if chosen is not None else []
            best = chosen = written
        elif written != best:
            lost.append(written)
    return _Outcome(chosen, lost)


def _now(event: str, best: _Written | None) -> int:
    """The server's time, as the id of its event tells it, and later than what the server has seen."""
    return max(_time_of(event), best.stamp + 1 if best is not None else 0)


def _time_of(event: str) -> int:
    stamp = Stamp.parse(event)
    return stamp.ms * NS_PER_MS + stamp.counter


def _shown(client: Client, document: Document) -> _Written | None:
    """The write that shows. One without a stamp, by whoever speaks another dialect, has the time of its event."""
    put = standing(document)
    if put is None:
        return None
    entry = client.entries([put.name]).get(put.name[:36])
    payload = stamped(entry)
    value = canonical.encode(document.show(put.value, marked=False))
    if payload is None or not _is_stamp(payload[STAMP]):
        return _Written(_time_of(put.name[:36]), entry.event.node if entry else "", value)
    return _Written(int(payload[STAMP]), str(payload.get(NODE, "")), value)


def _is_stamp(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


def _value(written: _Written) -> Any:
    return canonical.decode(written.value, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)


def _say(client: Client, desk: Desk, outcome: _Outcome) -> None:
    """Says in the payload what the ops do not; of writes that are lost alone once, however often they come."""
    if outcome.chosen is None and not outcome.lost:
        return
    lost = [{"set": _value(each), STAMP: str(each.stamp)} for each in outcome.lost]
    said: dict[str, Any] = {"lost": lost} if lost else {}
    said |= {NODE: client.node} if client.node else {}
    if outcome.chosen is not None:
        said[STAMP] = str(outcome.chosen.stamp)
    else:
        take_id(desk, derived_id(desk.item, LWW, client.member.user, said))
        if client.entries([desk.editor.event]):
            return
        desk.raw_ops = []
    desk.payload = said
