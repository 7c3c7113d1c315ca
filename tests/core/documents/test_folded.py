"""A base and the tail after it are the whole: the same bytes, the same numbers, wherever history was cut."""

import os
import random

import pytest

from syncline.core.bases import Base
from syncline.core.documents.document import Document
from syncline.core.documents.folded import Folded, document_of, state_of
from syncline.core.documents.policies import MERGE
from syncline.core.documents.revisions import Placed, replay
from syncline.core.documents.snapshots import encode
from syncline.errors import StoreDamaged
from tests.core.documents import histories
from tests.core.samples import an_event

HISTORIES = int(os.environ.get("HISTORIES", "1000"))
PARTS = 20
ITEM = histories.ITEM


def placed(events):
    return [Placed(event, seq, 1_000 + seq) for seq, event in enumerate(events, 1)]


def folded(entries, policies=None, base=None):
    item = Folded(ITEM, base)
    for place, entry in enumerate(entries):
        item.fold(entry, policies[place] if policies else MERGE)
    return item


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_folded_from_a_base_is_what_is_folded_from_the_start(part):
    """Byte for byte, in as many histories, each cut in two places, of which the second base stands on the first."""
    for seed in range(part, HISTORIES, PARTS):
        history = histories.history(seed)
        entries, dice = placed(history.events), random.Random(seed)
        whole = folded(entries, history.policies)
        first, second = sorted(dice.randint(0, len(entries)) for _ in range(2))
        base = folded(entries[:first], history.policies).base() if first else None
        base = folded(entries[first:second], history.policies[first:], base).base() if second else base
        again = folded(entries[second:], history.policies[second:], base)
        assert encode(again.document) == encode(whole.document), seed
        assert again.base() == whole.base(), seed


def test_what_is_in_a_base_already_is_passed_over():
    history = histories.history(3)
    entries = placed(history.events)
    base = folded(entries, history.policies).base()
    assert folded(entries, history.policies, base).base() == base
    assert all(base.covers(event.node, event.n) for event in history.events)


def test_a_log_holds_each_event_once_so_what_comes_after_later_ones_of_its_node_counts():
    """A gift may bring an older event when newer ones of its node are back already."""
    first, second = (an_event(n, item=ITEM, ops=[{"op": "put", "key": f"k{n}", "value": n}]) for n in (1, 2))
    item = folded(placed([second, first]))
    assert item.document.plain() == {"k1": 1, "k2": 2}
    assert (item.base().count, item.base().revision, item.base().clock) == (2, 2, {second.node: 2})
    assert [each.ids for each in replay(Document(ITEM), placed([second, first]))] == [[second.id], [first.id]]
    assert folded(placed([second, first])[1:], base=folded(placed([second])).base()).base() == item.base()


def grouped(n, group, value):
    meta = {"group": group} if group else {}
    ops = [{"op": "put", "key": "n", "value": value}] if value is not None else None
    more = {"ops": ops} if ops else {}
    return an_event(n, item=ITEM, meta=meta, **more)


def test_revisions_are_numbered_through_groups_that_were_cut():
    """As they are where the whole is replayed."""
    events = [
        grouped(n, group, value)
        for n, (group, value) in enumerate(
            [("a", 1), ("a", 2), (None, 3), ("b", 4), ("b", None), ("b", 5), ("c", None), ("c", 6), ("b", 7)], 1
        )
    ]
    entries = placed(events)
    for cut in range(1, len(entries)):
        base = folded(entries[:cut]).base()
        assert folded(entries[cut:], base=base).revision == folded(entries).revision == 5
    document = Folded(ITEM).document
    assert [each.number for each in replay(document, entries)][-1] == 5


def test_an_item_whose_events_carry_no_ops_has_a_base_without_a_state():
    events = [an_event(n, item=ITEM, node=node, meta={"schema": n}) for n, node in [(1, "a"), (2, "b"), (3, "a")]]
    base = folded(placed(events)).base()
    assert (base.state, base.revision, base.count, base.seq, base.at) == ("", 0, 3, 3, 1_003)
    assert (base.clock, base.last, base.schema) == ({"a": 3, "b": 2}, max(event.id for event in events), 3)
    assert document_of(base).clock == base.clock
    assert not document_of(base).exists


def test_a_schema_is_a_number():
    assert folded(placed([an_event(1, item=ITEM, meta={"schema": "9"})])).base().schema == 0


def test_a_damaged_base_is_told():
    for state in ("?", "AAAA"):
        base = Base(item=ITEM, seq=1, at=1, count=1, clock={}, state=state)
        with pytest.raises(StoreDamaged):
            document_of(base)
    with pytest.raises(StoreDamaged, match="base of"):
        state_of(Base(item=ITEM, seq=1, at=1, count=1, clock={}, state="?"))
