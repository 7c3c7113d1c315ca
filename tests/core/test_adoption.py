"""Entries of another log are taken over as they are, if they go on here and lead where they should."""

import pytest

from syncline.core.admission import NodeState
from syncline.core.adoption import adopt, nodes_after
from syncline.core.events import Entry
from syncline.core.log import NO_TAIL, Head, extend
from syncline.errors import CursorReset, EpochChanged, StoreDamaged
from tests.core.samples import EPOCH, NOW, RECEIPTS, an_event


def of_other(count, head=None):
    """Entries of another log, the rows it has of them, and its end."""
    head = head or Head(EPOCH)
    events = [an_event(head.seq + place + 1) for place in range(count)]
    then, rows = extend(head, events, NOW, RECEIPTS)
    return [Entry.read(row.encoded) for row in rows], rows, then


def test_rows_are_those_of_the_other_log():
    entries, rows, then = of_other(3)
    assert adopt(Head("0" * 32), entries, then) == (then, rows)
    assert adopt(then, [], then) == (then, [])


def test_epoch_seq_and_tail_have_to_fit():
    entries, _, then = of_other(3)
    more, _, later = of_other(2, then)
    with pytest.raises(EpochChanged):
        adopt(then, more, later._replace(epoch="0" * 32))
    for wrong in (entries, more[1:], []):
        with pytest.raises(CursorReset):
            adopt(then, wrong, later)
    for tail in (NO_TAIL, then.tail):
        with pytest.raises(StoreDamaged):
            adopt(then, more, later._replace(tail=tail))
    with pytest.raises(StoreDamaged):
        adopt(then._replace(at=NOW + 1), more, later)
    with pytest.raises(StoreDamaged):
        adopt(then, [], then._replace(tail=NO_TAIL))


@pytest.mark.parametrize("body", [b"{}", b'{"action":"a","clock":{},"id":"x","item":"i","node":"n"}'])
def test_what_is_no_event_is_damage(body):
    entry = Entry.read(b'{"seq":1,"at":1,"receipt":"","event":%b}' % body)
    with pytest.raises(StoreDamaged):
        adopt(Head(EPOCH), [entry], Head(EPOCH, 1))


def test_nodes_are_those_that_made_the_events():
    first, second = an_event(7), an_event(9)
    low, high = sorted((first.id, second.id))
    node, n = first.node, max(first.n, second.n)
    assert nodes_after({}, []) == {}
    assert nodes_after({}, [first, second]) == {node: NodeState(first.user, n, high)}
    assert nodes_after({node: NodeState("ann", 900, low)}, [first]) == {node: NodeState("ann", 900, max(low, first.id))}
