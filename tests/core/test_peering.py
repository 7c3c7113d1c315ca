"""How two sets of events become one, as two ends say it to each other."""

import pytest

from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_FETCH_IDS, MAX_PUSH_EVENTS
from syncline.core.merkle import Leaf, Tree, held_in
from syncline.core.messages import Fetch, Found, Merkle
from syncline.core.messages import Tree as TreeMessage
from syncline.core.peering import ENVELOPE_BYTES, Peering, Share, batches, events_of
from syncline.core.requests import checked
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import BadRequest
from syncline.testing import Author


class End:
    """A set of events, and what it answers."""

    def __init__(self, events=(), seq=0):
        self.events, self.seq = {event.id: event for event in events}, seq

    @property
    def leaves(self):
        return sorted(Leaf(event.key, event.digest) for event in self.events.values())

    def begin(self, **options):
        return Peering(Tree.of(self.leaves), held_in(self.leaves), **options)

    def compare(self, asked):
        tree = Tree.of(self.leaves)
        found = tree.describe(nodes_of(checked(asked).summaries), held_in(self.leaves))
        return TreeMessage(seq=self.seq, root=tree.root.hex(), count=tree.count, summaries=summaries_of(found))

    def find(self, asked, most=10_000):
        ids = [id for id in checked(asked).ids if id in self.events]
        return Found(entries=[Entry.of(0, 0, "", self.events[id]) for id in ids[:most]], more=len(ids) > most)


def run(peering, mine, theirs, **finding):
    """Until there is nothing left to do; what was asked."""
    asked = []
    while (step := peering.next()) is not None:
        asked.append(type(step))
        match step:
            case Merkle():
                assert peering.receive(theirs.compare(step)) == []
            case Fetch():
                mine.events |= {entry.event.id: entry.event for entry in peering.receive(theirs.find(step, **finding))}
            case Share(ids):
                theirs.events |= {id: mine.events[id] for id in ids}
    assert peering.next() is None
    return asked


@pytest.fixture(scope="module")
def events():
    return Author().events(3_000)


def test_equal_sets_are_equal_in_one_question(events):
    peering = End(events).begin(items=("a*",), since=7)
    step = peering.next()
    assert (step.items, step.since) == (("a*",), 7)
    peering.receive(End(events, seq=9).compare(step))
    assert peering.next() is None
    assert (peering.is_equal, peering.seq) == (True, 9)


@pytest.mark.parametrize(("mine", "theirs"), [(0, 3_000), (3_000, 0), (2_000, 1_500), (2_995, 9)])
def test_both_get_what_the_other_has(events, mine, theirs):
    one, other = End(events[:mine]), End(events[len(events) - theirs :])
    peering = one.begin()
    run(peering, one, other)
    assert not peering.is_equal
    assert one.events == other.events == {event.id: event for event in events}


def test_one_way_alone(events):
    one, other = End(events[:20]), End(events[10:30])
    assert Share not in run(one.begin(give=False), one, other)
    assert (len(one.events), len(other.events)) == (30, 20)
    one = End(events[:20])
    assert Fetch not in run(one.begin(fetch=False), one, other)
    assert (len(one.events), len(other.events)) == (20, 30)


def test_what_does_not_fit_in_an_answer_is_asked_for_again(events):
    one, other = End(), End(events)
    asked = run(one.begin(), one, other, most=700)
    assert len(one.events) == 3_000
    assert asked.count(Fetch) == 5  # 700, 700 of 1,000 each, and so on
    one = End()
    assert run(one.begin(), one, other).count(Fetch) == 3_000 // MAX_FETCH_IDS


def test_what_differs_goes_both_ways_unless_one_yields(events):
    changed = events[7].with_user("bob")
    one, other = End(events[:30]), End([*events[:7], changed, *events[8:30]])
    peering = one.begin()
    assert peering.lacking == peering.lacked == set()
    run(peering, one, other)
    assert peering.lacking == peering.lacked == {changed.id}
    one, other = End(events[:30]), End([*events[:7], changed, *events[8:30]])
    yielding = one.begin(yields=True)
    run(yielding, one, other)
    assert (yielding.lacking, yielding.lacked) == ({changed.id}, set())
    assert one.events[changed.id].body == changed.body == other.events[changed.id].body


@pytest.mark.parametrize("more", [False, True])
def test_only_what_was_asked_for_is_taken(events, more):
    peering = End().begin()
    while isinstance(step := peering.next(), Merkle):
        peering.receive(End(events[:40]).compare(step))
    strange = [Entry.of(0, 0, "", events[50])] if not more else []
    with pytest.raises(BadRequest):
        peering.receive(Found(entries=strange, more=more))


def test_what_the_other_end_does_not_have_any_more_is_let_go_of(events):
    one, other = End(), End(events[:5])
    peering = one.begin()
    while isinstance(step := peering.next(), Merkle):
        peering.receive(other.compare(step))
    assert peering.receive(End(events[:2]).find(step)) == End(events[:2]).find(step).entries
    assert peering.next() is None


def test_events_that_are_given_are_looked_at(events):
    entries = [Entry.of(0, 0, "", event) for event in events[:3]]
    assert [event.body for event in events_of(entries)] == [event.body for event in events[:3]]
    bad = Entry.read(entries[1].encoded.replace(b'"item":"task.milk"', b'"item":"task milk"'))
    assert [isinstance(each, Event) for each in events_of([entries[0], bad, entries[2]])] == [True, False, True]


def test_gifts_go_in_batches(events):
    entries = [Entry.of(0, 0, "", event) for event in events]
    assert [len(batch) for batch in batches(entries)] == [MAX_PUSH_EVENTS] * 3
    size = len(entries[0].raw) + ENVELOPE_BYTES
    parts = list(batches(entries[:7], 3 * size + 20))
    assert [len(batch) for batch in parts] == [3, 3, 1]
    assert [entry for batch in parts for entry in batch] == entries[:7]
    assert [len(batch) for batch in batches(entries[:2], 1)] == [1, 1]
    assert list(batches([])) == []
