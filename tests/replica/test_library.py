"""The library of documents: whatever comes in whatever way, it shows what a fold of the whole log shows."""

import random

import pytest

from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.folded import Folded
from syncline.core.documents.history import History
from syncline.core.documents.policies import MERGE, SERVER_WINS
from syncline.core.documents.revisions import Placed, replay
from syncline.core.documents.settings import Policies
from syncline.core.documents.snapshots import encode
from syncline.core.documents.undo import Difference, fold_without
from syncline.core.events import Entry, Event
from syncline.core.stamps import NIL_ID, StampClock
from syncline.errors import HistoryExpired, NotFound
from syncline.replica.documents import library as libraries
from syncline.replica.documents.library import Library
from syncline.stores.snapshots import MemorySnapshotStore
from tests.core.documents.people import ITEM, create, fold_without_undone, random_edit

NOW = 1_700_000_000_000


class Desk:
    """A log, the local events on top of it, and a library over both; events are made by several nodes."""

    def __init__(self, seed, policy=MERGE):
        self.dice, self.now = random.Random(seed), NOW
        self.log, self.local, self.late = [], [], []
        self.bottom = None
        self.policies, self.policy = Policies(), policy
        self.policies.of = lambda item, seq=None: policy
        self.store = MemorySnapshotStore()
        self.counters, self.stamps = {}, StampClock("desk")
        self.open()

    def open(self):
        self.library = Library(self, self.store, self.policies, budget_bytes=self.dice.choice([1, 10**9]))

    # what a library reads

    def entries(self, item, since):
        since = max(since, self.bottom.seq if self.bottom else 0)
        return [entry for entry in self.log if entry.seq > since and entry.event.item == item]

    def base(self, item):
        return self.bottom

    def pending(self, item, after=NIL_ID):
        return [event for event in self.local if event.item == item and event.id > after]

    def holds(self, id):
        return any(each.event.id == id for each in self.placed)

    def place(self):
        return len(self.log), 0

    # what happens

    def make(self, node, act, document=None, **meta):
        """An event of a node that has seen ``document`` (by default all there is)."""
        self.now += 1
        if document is None:
            document = self.folded()
        editor = Editor(document, self.stamps.next(self.now, 0))
        act(editor)
        n = self.counters[node] = self.counters.get(node, 0) + 1
        value = {"id": editor.event, "item": ITEM, "action": "edit", "node": node, "user": node}
        value |= {"clock": {**document.clock, node: n}, "ops": editor.wire()}
        return Event.of({**value, **({"meta": meta} if meta else {})})

    def folded(self):
        document = Document(ITEM)
        for each in self.placed:
            document.fold(each.event, policy=self.policy)
        return document

    def after(self):
        return [each for each in self.placed if not each.seq or each.seq > (self.bottom.seq if self.bottom else 0)]

    @property
    def placed(self):
        return [*map(Placed.of, self.log), *map(Placed, self.local)]

    def record(self, **meta):
        event = self.make("me", lambda editor: random_edit(self.dice, editor), **meta)
        self.local.append(event)
        self.library.note(Placed(event))

    def record_some(self):
        """One event, or now and then a group of some."""
        group = {"group": f"g{self.now}"} if self.dice.random() < 0.2 else {}
        for _ in range(self.dice.randint(1, 3) if group else 1):
            self.record(**group)

    def draft(self, target, step, **meta):
        """The event that makes the document show what ``target`` shows, where it was touched; it counts only once."""
        n = self.counters.get("me", 0)
        event = self.make("me", lambda editor: Difference(editor, target, step.once).touched(step.touched), **meta)
        self.counters["me"] = n if not meta else n + 1
        return event

    def arrive(self, event):
        entry = Entry.of(len(self.log) + 1, self.now, "", event)
        self.log.append(entry)
        self.local = [each for each in self.local if each.id != event.id]
        self.library.note(Placed.of(entry))

    def step(self):
        roll = self.dice.random()
        if roll < 0.45:
            self.record_some()
        elif roll < 0.7 and self.local:
            self.arrive(self.local[0])
        elif roll < 0.9:
            confirmed = Document(ITEM)
            for entry in self.log:
                confirmed.fold(entry.event, policy=self.policy)
            self.arrive(self.make("other", lambda editor: random_edit(self.dice, editor), confirmed))
        else:
            self.open()

    def cut(self):
        """What the log has up to some place is gone, and a base stands for it, as a server makes it."""
        folded = Folded(ITEM, self.bottom)
        for entry in self.log[folded.seq : self.dice.randint(folded.seq, len(self.log))]:
            folded.fold(Placed.of(entry), self.policy)
        if folded.count:
            self.bottom = folded.base()
        self.open()


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch):
    monkeypatch.setattr(libraries, "STRETCH", 4)


@pytest.mark.parametrize("policy", [MERGE, SERVER_WINS])
@pytest.mark.parametrize("seed", range(12))
def test_a_library_shows_what_a_fold_of_everything_shows(seed, policy):
    desk = Desk(seed, policy)
    desk.arrive(desk.make("eve", create))
    for _ in range(40):
        desk.step()
        if desk.dice.random() < 0.3:
            assert encode(desk.library.document(ITEM)) == encode(desk.folded())
        if desk.dice.random() < 0.1:
            check_history(desk)
    check_history(desk)
    assert encode(desk.library.document(ITEM)) == encode(desk.folded())


def check_history(desk):
    """Every revision is as a replay of the whole log tells it, and the document can be seen as it was."""
    whole = list(replay(Document(ITEM), desk.placed, policy=lambda seq: desk.policy))
    assert desk.library.revision(ITEM) == len(whole)
    assert desk.library.revisions(ITEM) == whole
    after = desk.dice.randint(0, len(whole))
    assert desk.library.revisions(ITEM, after=after, limit=3) == whole[after : after + 3]
    ends = {revision.ids[-1]: revision.number for revision in whole}
    number, document = 0, Document(ITEM)
    for each in desk.placed:
        document.fold(each.event, policy=desk.policy)
        number = ends.get(each.event.id, number)
        if number and each.event.id in ends and desk.dice.random() < 0.3:
            then, found = desk.library.at(ITEM, revision=number)
            assert (found, then.value()) == (number, document.value())
        if each.seq and desk.dice.random() < 0.2:
            assert desk.library.at(ITEM, seq=each.seq)[0].value() == document.value()
    with pytest.raises(NotFound):
        desk.library.at(ITEM, revision=len(whole) + 1)


@pytest.mark.parametrize("seed", range(12))
def test_undo_from_a_snapshot_is_undo_from_the_beginning(seed):
    desk = Desk(seed)
    desk.arrive(desk.make("eve", create))
    for _ in range(30):
        desk.step()
        if desk.dice.random() < 0.4:
            action = desk.dice.choice(["undo", "undo", "redo"])
            found = getattr(desk.library, action)(ITEM, "me")
            whole = getattr(History([each.event for each in desk.placed]), action)("me")
            assert (found is None) == (whole is None)
            if found is not None:
                step, target = found
                events = [each.event for each in desk.placed]
                is_clear = desk.folded().value() == fold_without_undone(events).value()
                expected = fold_without(Document(ITEM), events, whole.left_out, ())
                again = desk.draft(expected, whole)
                event = desk.draft(target, step, undoes=step.undoes)
                assert step.undoes == whole.undoes
                assert not is_clear or shown(desk, event) == shown(desk, again)
                desk.local.append(event)
                desk.library.note(Placed(event))


def shown(desk, event):
    document = desk.folded()
    document.fold(event)
    return document.value()


@pytest.mark.parametrize("policy", [MERGE, SERVER_WINS])
@pytest.mark.parametrize("seed", range(20))
def test_a_document_goes_on_from_its_base(seed, policy):
    desk = Desk(seed, policy)
    desk.arrive(desk.make("eve", create))
    for _ in range(40):
        desk.step()
        if desk.dice.random() < 0.15:
            desk.cut()
        if desk.dice.random() < 0.3:
            assert encode(desk.library.document(ITEM)) == encode(desk.folded())
            assert desk.library.fold(ITEM, desk.after(), desk.bottom).value() == desk.folded().value()
            check_rest_of_history(desk)


def check_rest_of_history(desk):
    """From the base on history is as it would be, and what was before that is refused."""
    whole = list(replay(Document(ITEM), desk.placed, policy=lambda seq: desk.policy))
    base, library = desk.bottom, desk.library
    first = library.first_revision(ITEM)
    assert first == (base.revision + 1 if base else 1)
    assert library.revision(ITEM) == len(whole)
    assert library.revisions(ITEM) == library.revisions(ITEM, after=1 if base else 0) == whole[first - 1 :]
    assert library.revisions(ITEM, after=first) == whole[first:]
    document = Document(ITEM)
    for each in [each for each in desk.placed if each.seq]:
        document.fold(each.event, policy=desk.policy)
        if base is None or each.seq >= base.seq:
            assert library.at(ITEM, seq=each.seq)[0].value() == document.value()
        else:
            for bounds in {"seq": each.seq}, {"time": base.at - 1}, {"revision": base.revision - 1}:
                with pytest.raises(HistoryExpired):
                    library.at(ITEM, **bounds)


@pytest.mark.parametrize("seed", range(20))
def test_what_came_after_the_base_is_undone_as_ever(seed):
    desk, undone = Desk(seed), 0
    desk.arrive(desk.make("eve", create))
    for _ in range(40):
        desk.step()
        if desk.dice.random() < 0.1:
            desk.cut()
        if desk.dice.random() < 0.4:
            undone += check_undo(desk)
    assert undone


def check_undo(desk):
    whole = History([each.event for each in desk.placed]).undo("me")
    try:
        found = desk.library.undo(ITEM, "me")
    except HistoryExpired:
        assert desk.bottom.revision
        assert whole is None or any(event.n <= desk.bottom.clock.get("me", 0) or event.meta for event in whole.touched)
        return 0
    assert (found is None) == (whole is None)
    if found is None:
        return 0
    step, target = found
    assert step.undoes == whole.undoes
    expected = fold_without(Document(ITEM), [each.event for each in desk.placed], whole.left_out, ())
    event = desk.draft(target, step, undoes=step.undoes)
    assert event.ops == desk.draft(expected, whole, undoes=step.undoes).ops or desk.folded().overruled
    desk.local.append(event)
    desk.library.note(Placed(event))
    return 1


def test_an_item_that_is_no_document_has_a_base_that_covers_what_came():
    desk = Desk(5)
    said = Event.of({"id": desk.stamps.next(NOW, 0), "item": ITEM, "action": "say", "node": "eve", "clock": {"eve": 7}})
    desk.arrive(said)
    desk.dice.randint = lambda least, most: most
    desk.cut()
    assert (desk.bottom.state, desk.bottom.clock, desk.bottom.revision) == ("", {"eve": 7}, 0)
    document = desk.library.document(ITEM)
    assert document.has_seen(said)
    assert not document.exists
    assert desk.library.undo(ITEM, "me") is None


def test_a_snapshot_from_before_the_base_is_passed_by():
    desk = Desk(6)
    desk.arrive(desk.make("eve", create))
    for _ in range(30):
        desk.arrive(desk.make("eve", lambda editor: random_edit(desk.dice, editor)))
    desk.library.document(ITEM)
    oldest = desk.store.nearest(ITEM, count=10)
    assert oldest is not None
    desk.dice.randint = lambda least, most: 17
    desk.cut()
    assert desk.library.at(ITEM, seq=17)[1] == desk.bottom.revision
    assert encode(desk.library.document(ITEM)) == encode(desk.folded())


def test_of_the_pending_events_only_those_beyond_the_snapshot_are_read():
    desk = Desk(1)
    desk.local.append(desk.make("me", create))
    for _ in range(30):
        desk.record()
    desk.library.document(ITEM)
    kept = desk.store.nearest(ITEM)
    assert kept.pending > 20
    assert kept.last == desk.local[kept.pending - 1].id
    desk.open()
    assert len(list(desk.library._after(ITEM, kept, Document(ITEM)))) == len(desk.local) - kept.pending
    assert encode(desk.library.document(ITEM)) == encode(desk.folded())


def test_a_snapshot_of_pending_events_is_kept_again_once_these_have_their_entries():
    desk = Desk(2)
    desk.local.append(desk.make("me", create))
    for _ in range(30):
        desk.record()
    desk.library.document(ITEM)
    while len(desk.local) > 1:
        desk.arrive(desk.local[0])
    desk.open()
    before = desk.store.nearest(ITEM)
    assert desk.library.at(ITEM, revision=before.revision)[0].value()
    after = desk.store.nearest(ITEM)
    assert (after.count, after.revision, after.body) == (before.count, before.revision, before.body)
    assert after.pending < before.pending
    assert after.seq == before.seq + before.pending - after.pending
    check_history(desk)


def test_an_event_that_was_begun_before_the_last_one_is_not_missed():
    desk = Desk(3)
    desk.local.append(desk.make("me", create))
    early = desk.make("me", lambda editor: random_edit(desk.dice, editor))
    for _ in range(9):
        desk.record()
    assert desk.library.document(ITEM)
    assert desk.store.nearest(ITEM).last > early.id
    desk.local.insert(1, early)
    desk.library.adopt(Placed(early), has_changed=True)
    assert desk.store.nearest(ITEM) is None
    assert encode(desk.library.document(ITEM)) == encode(desk.folded())


def test_a_snapshot_that_knows_more_than_the_log_is_not_believed():
    desk = Desk(4)
    desk.arrive(desk.make("eve", create))
    early, local = list(desk.log), list(desk.local)
    for _ in range(30):
        desk.step()
    desk.library.document(ITEM)
    assert desk.store.nearest(ITEM).head > len(early)
    desk.log, desk.local = early, local
    desk.open()
    assert encode(desk.library.document(ITEM)) == encode(desk.folded())
