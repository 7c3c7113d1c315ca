"""Conflict policies: what happens to an event that does not name a put standing in a slot it writes.

    merge             it applies; the greatest origin shows, the others are conflicts (the default)
    last_write_wins   the same, and the losers are not reported
    server_wins       it is overruled as a whole: the first write, in order of seq, stands
    manual            it applies, and the document is marked until somebody writes over both

Texts, insertions into lists, sets and counters always merge. The policy in force at an entry's seq judges it, and every
replica does so alike, so the server need not fold anything to accept an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from syncline.core.documents import names, ops
from syncline.core.documents.objects import Element, List, Map, Ref, Slot, Standing, is_same

if TYPE_CHECKING:
    from syncline.core.documents.document import Document

MERGE, LAST_WRITE_WINS, SERVER_WINS, MANUAL = "merge", "last_write_wins", "server_wins", "manual"
POLICIES = frozenset({MERGE, LAST_WRITE_WINS, SERVER_WINS, MANUAL})


def contradicts(document: Document, event: str, sequence: Sequence[ops.AnyOp | None]) -> bool:
    """Whether an event leaves a put unnamed that stands in a slot it writes, in this op or one before."""
    seen: dict[Any, set[str]] = {}
    for op in sequence:
        over: Any = getattr(op, "over", UNSET)
        named = set() if over is UNSET else {names.full(name, event) for name in over}
        for place, slot, own in _slots(document, event, op):
            known = seen.setdefault(place, set())
            known |= {*named, own}
            if any(put.name not in known and not _ensures(document, op, place, put) for put in slot):
                return True
    return False


def _ensures(document: Document, op: ops.AnyOp | None, place: Any, put: Standing) -> bool:
    """Whether an op makes the very child that a put put there: whoever makes it apart makes the same one."""
    if not isinstance(op, ops.Ensure):
        return False
    target, key = place
    child = names.root(op.kind) if target is document.top else names.child(target.name, key, op.kind)
    return is_same(put.value, Ref(child))


def _slots(document: Document, event: str, op: ops.AnyOp | None) -> Iterator[tuple[Any, Slot, str]]:
    """The slots an op writes that do not merge by themselves: which, what stands there, and a put it names anyway."""
    if not isinstance(op, ops.Put | ops.Del | ops.Ensure | ops.Move):
        return
    target = document.objects.get(names.full(op.inside, event))
    if isinstance(target, List):
        for element in _elements(document, event, target, op):
            slot = element.homes if isinstance(op, ops.Move) else element.puts
            yield (element, isinstance(op, ops.Move)), slot, document.name_of(element.place)
    elif not isinstance(op, ops.Move) and getattr(op, "elems", UNSET) is UNSET:
        key = "" if op.key is UNSET else op.key
        target = document.top if op.key is UNSET else target
        if isinstance(target, Map):
            yield (target, key), target.slots.get(key, ()), ""


def _elements(
    document: Document, event: str, target: List, op: ops.Put | ops.Del | ops.Ensure | ops.Move
) -> Iterator[Element]:
    """The elements an op on a list names, as far as they are there."""
    elem = getattr(op, "elem", UNSET)
    elems: Any = op.elems if isinstance(op, ops.Del) and op.elems is not UNSET else [] if elem is UNSET else [elem]
    for stretch in elems:
        maker, first, count = names.stretch_of(stretch, event)
        number = document.events.find(maker)
        for k in range(first, first + count) if number is not None else ():
            if element := target.elements.get((number or 0) << 16 | k):
                yield element
