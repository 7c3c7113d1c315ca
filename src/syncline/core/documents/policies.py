"""Conflict policies: what happens to an event that does not name a put standing in a slot it writes.

    merge             it applies; the greatest origin shows, the others are conflicts (the default)
    last_write_wins   the same, and the losers are not reported
    server_wins       it is overruled as a whole: the first write, in order of seq, stands
    manual            it applies, and the document is marked until somebody writes over both

Texts, insertions into lists, sets and counters always merge. The policy in force at an entry's seq judges it, and every
replica does so alike, so the server need not fold anything to accept an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from syncline.core.documents import names, ops
from syncline.core.documents.objects import List, Map, Slot

if TYPE_CHECKING:
    from syncline.core.documents.document import Document

MERGE, LAST_WRITE_WINS, SERVER_WINS, MANUAL = "merge", "last_write_wins", "server_wins", "manual"
POLICIES = frozenset({MERGE, LAST_WRITE_WINS, SERVER_WINS, MANUAL})


def contradicts(document: Document, event: str, sequence: Sequence[ops.AnyOp | None]) -> bool:
    """Whether an event leaves a put unnamed that stands in a slot it writes."""
    return any(op is not None and _leaves_some(document, event, op) for op in sequence)


def _leaves_some(document: Document, event: str, op: ops.AnyOp) -> bool:
    over: Any = getattr(op, "over", UNSET)
    named = set() if over is UNSET else {names.full(name, event) for name in over}
    return any(
        put.name not in named and put.name[:36] != event for slot in _slots(document, event, op, named) for put in slot
    )


def _slots(document: Document, event: str, op: ops.AnyOp, named: set[str]) -> list[Slot]:
    """The slots an op writes that do not merge by themselves; ``named`` gains what an op on elements names anyway."""
    if isinstance(op, ops.Put | ops.Del | ops.Ensure) and not (isinstance(op, ops.Put | ops.Del) and _is_element(op)):
        target = document.top if op.key is UNSET else document.objects.get(names.full(op.inside, event))
        return [target.slots.get("" if op.key is UNSET else op.key, ())] if isinstance(target, Map) else []
    target = document.objects.get(names.full(op.inside, event))
    if not isinstance(target, List) or not isinstance(op, ops.Put | ops.Del | ops.Move):
        return []
    return _element_slots(document, event, target, op, named)


def _is_element(op: ops.Put | ops.Del) -> bool:
    return op.elems is not UNSET or getattr(op, "elem", UNSET) is not UNSET


def _element_slots(
    document: Document, event: str, target: List, op: ops.Put | ops.Del | ops.Move, named: set[str]
) -> list[Slot]:
    slots = []
    for elem in op.elems if isinstance(op, ops.Del) and op.elems is not UNSET else [getattr(op, "elem", "")]:
        maker, k, count = names.stretch_of(elem, event)
        number = document.events.find(maker)
        for place in range(k, k + count) if number is not None else ():
            named.add(names.make(maker, place))
            if element := target.elements.get((number or 0) << 16 | place):
                slots.append(element.homes if isinstance(op, ops.Move) else element.puts)
    return slots
