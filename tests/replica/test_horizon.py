"""A replica that begins from a snapshot, or has to: what it shows, what it keeps, and what it refuses to tell."""

import asyncio

import pytest
from msgspec.structs import replace

from syncline import Counter, ORSet, SyncManager, SyncOptions
from syncline.core.access.scope import TRUSTED
from syncline.core.admission import Submission
from syncline.core.bases import Base
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed
from syncline.core.documents.snapshots import encode
from syncline.core.effects import Apply, Rewind, Settle
from syncline.core.events import Entry
from syncline.core.messages import Page
from syncline.errors import CursorExpired, HistoryExpired, SnapshotGone
from syncline.replica.documents import DocumentReplica
from syncline.stores import Change, Outboxed, load
from syncline.stores.memory import MemoryEventStore, MemoryReplicaStore
from syncline.stores.sqlite import SqliteDocumentIndex, SqliteReplicaStore, SqliteSnapshotStore
from syncline.testing import Author, ManualClock
from syncline.testing.log_server import EPOCH, RECEIPTS
from tests.simulation.bounded import ForgettingServer

NO_HISTORY = SyncOptions(history=False)
MILK = {"title": "Milk", "count": Counter(2), "tags": ORSet(["shop"]), "steps": ["go", "pay"]}


class Space:
    """A server that forgets, and replicas of it."""

    def __init__(self):
        self.clock = ManualClock()
        self.server = ForgettingServer(now_ms=self.clock)
        self.names = iter(f"node{place}" for place in range(99))

    def replica(self, store=None, **more):
        return DocumentReplica(store or MemoryReplicaStore(next(self.names)), now_ms=self.clock, **more)

    def sync(self, replica, options=None, user="ann"):
        self.clock.advance(1_000)
        manager = SyncManager(replica, self.server.transport(), options, token=user)
        return asyncio.run(_synced(manager))

    def forget(self):
        """Makes a snapshot of now, before which there is nothing."""
        self.server.take()
        self.server.horizon = self.server.newest.seq

    def folded(self, item):
        """The document, by a fold of all that ever was."""
        folded = Folded(item)
        for entry in load(self.server.store, items=[item]):
            folded.fold(Placed.of(entry), "merge")
        return folded


async def _synced(manager):
    result = await manager.sync()
    await manager.close()
    return result


@pytest.fixture
def space():
    return Space()


@pytest.fixture
def ann(space):
    """A replica that was there from the start: a document with four revisions."""
    ann = space.replica()
    milk = ann.create("task.milk", MILK)
    milk["title"] = "Oat milk"
    milk["count"] += 3
    milk["steps"].append("home")
    ann.record("note", "say", {"text": "hello"})
    assert space.sync(ann).ok
    return ann


def begun(space, user="ann", **more):
    """A replica that begins from a snapshot."""
    replica = space.replica(**more)
    result = space.sync(replica, NO_HISTORY, user)
    assert result.ok
    return replica


def test_a_new_replica_begins_from_a_snapshot_and_what_came_after_it(space, ann):
    space.server.take()
    ann.document("task.milk")["title"] = "Rice milk"
    ann.create("task.bread", {"title": "Bread"})
    space.sync(ann)
    bob = space.replica()
    result = space.sync(bob, NO_HISTORY, "bob")
    assert (result.ok, result.bases, result.pulled) == (True, 2, 2)
    assert bob.horizon == space.server.newest.seq
    assert [entry.seq for entry in bob.entries()] == [bob.horizon + 1, bob.horizon + 2]
    assert bob.items() == ["task.bread", "task.milk"]
    assert encode(bob.library.document("task.milk")) == encode(space.folded("task.milk").document)
    assert bob.document("task.milk").value == ann.document("task.milk").value
    assert [document.item for document in bob.query(where={"title": "Rice milk"})] == ["task.milk"]


def test_what_was_recorded_before_the_first_sync_merges_with_the_snapshot(space, ann):
    space.forget()
    bob = space.replica()
    milk = bob.create("task.milk", {"tags": ORSet(["bob's"]), "mine": True})
    assert bob.query(text="milk") == []
    assert milk.undo()
    assert milk.redo()
    assert space.sync(bob, NO_HISTORY, "bob").ok
    space.sync(ann)
    assert milk["tags"] == {"shop", "bob's"}
    assert (milk["mine"], milk["title"]) == (True, "Oat milk")
    assert encode(ann.library.document("task.milk")) == encode(bob.library.document("task.milk"))
    assert [document.item for document in bob.query(text="oat")] == ["task.milk"]


def test_where_there_is_no_snapshot_all_history_comes(space, ann):
    bob = begun(space, "bob")
    assert bob.horizon == 0
    assert len(bob.document("task.milk").history()) == 4


def test_history_begins_after_the_base_and_says_so(space, ann):
    whole = ann.document("task.milk")
    space.server.take()
    bob = begun(space, "bob")
    milk = bob.document("task.milk")
    assert (milk.revision, milk.first_revision, milk.history()) == (4, 5, [])
    milk["title"] = "Rice milk"
    space.sync(bob, user="bob")
    space.sync(ann)
    assert milk.history() == whole.history(after=4)
    assert (whole.first_revision, len(whole.history())) == (1, 5)
    assert milk.at(4).value == whole.at(4).value
    assert milk.diff(4, 5) == whole.diff(4, 5)
    seq = bob.horizon
    for bounds in ({"revision": 3}, {"seq": 1}, {"time": 0}):
        with pytest.raises(HistoryExpired) as raised:
            milk.at(**bounds)
        assert raised.value.details["revision"] == 4
        assert raised.value.status == 410
    assert milk.at(seq=seq).value == whole.at(seq=seq).value
    with pytest.raises(HistoryExpired):
        milk.restore(1)
    with pytest.raises(HistoryExpired):
        milk.patch([], base=2)
    assert milk.blame(["steps"]) == whole.blame(["steps"])


def test_what_is_in_the_base_cannot_be_undone_and_what_came_after_can(space, ann):
    space.server.take()
    bob = begun(space, "ann")
    milk = bob.document("task.milk")
    with pytest.raises(HistoryExpired):
        milk.undo()
    milk["title"] = "Rice milk"
    milk["count"] += 10
    assert milk.undo()
    assert milk.undo()
    assert (milk["title"], milk["count"].value) == ("Oat milk", 5)
    with pytest.raises(HistoryExpired):
        milk.undo()
    assert milk.redo()
    assert milk["title"] == "Rice milk"
    space.sync(bob)
    space.sync(ann)
    assert encode(ann.library.document("task.milk")) == encode(bob.library.document("task.milk"))
    assert not bob.document("task.new").undo()


def test_the_first_group_after_the_base_is_undone_as_a_whole_or_not_at_all(space, ann):
    old = begun(space, "bob")
    with old.document("task.milk").edit(group="g") as edit:
        edit["title"] = "A"
    space.sync(old, user="bob")
    ann.record("note", "say")
    space.sync(ann)
    space.forget()  # in the middle of the group
    with old.document("task.milk").edit(group="g") as edit:
        edit["title"] = "B"
    assert space.sync(old, user="bob").ok
    assert old.horizon
    with pytest.raises(HistoryExpired):
        old.document("task.milk").undo()
    bob = begun(space, "bob")
    with bob.document("task.milk").edit(group="h") as edit:
        edit["title"] = "C"
    with bob.document("task.milk").edit(group="h") as edit:
        edit["tags"].add("D")
    assert bob.document("task.milk").undo()
    assert bob.document("task.milk")["title"] == "B"


def _copy(replica):
    store = MemoryReplicaStore("")
    own = replica._store
    store.commit(Change(entries=list(own.load()), outbox=own.outbox(), state=own.state()))
    return store


def test_edits_on_a_base_name_what_is_in_it_and_are_taken(space, ann):
    space.clock.advance(-200_000)  # this one's clock is behind, and what it names has greater ids
    space.server.now_ms = lambda: space.clock() + 200_000
    space.server.take()
    bob = begun(space, "bob")
    milk = bob.document("task.milk")
    milk["steps"].move(0, 2)
    milk["steps"].insert(1, "look")
    milk["tags"].discard("shop")
    milk["title"] = "Soy milk"
    assert all(event.clock[ann.node] == ann.document("task.milk").document.clock[ann.node] for event in bob.pending())
    assert space.sync(bob, user="bob").ok
    assert not bob.refused()
    space.sync(ann)
    assert encode(ann.library.document("task.milk")) == encode(bob.library.document("task.milk"))


def test_who_stands_before_the_horizon_takes_the_snapshot_and_keeps_what_is_its_own(space, ann):
    old = begun(space, "bob")
    assert old.horizon == 0
    milk = old.document("task.milk")
    milk["count"] += 100
    milk["title"] = "Goat milk"
    forbidden = old.record(".reserved", "x")
    refused = old.record("note", "y")
    old.perform(Settle([(refused, HistoryExpired("Some reason."))]))
    ann.document("task.milk")["count"] += 7
    ann.document("task.milk").undo()
    ann.document("task.milk")["steps"].append("rest")
    space.sync(ann)
    space.forget()
    ann.document("task.milk")["tags"].add("late")
    space.sync(ann)
    told = []
    old.watch("*", lambda documents: told.append([document.item for document in documents]))
    result = space.sync(old, user="bob")
    assert [error.code for error in result.errors] == ["reserved_action"] == [
        old.refused()[0].error["code"]
    ] or result.ok
    assert result.bases == 2
    assert {each.event.id for each in old.refused()} == {forbidden.id, refused.id}
    assert old.pending() == []
    assert any("task.milk" in items for items in told)
    space.sync(ann)
    assert (milk["count"].value, milk["title"]) == (105, "Goat milk")
    assert encode(ann.library.document("task.milk")) == encode(old.library.document("task.milk"))
    assert milk.first_revision > 1


def test_a_replica_of_a_year_ago_that_pushes_again_what_it_pushed_then_changes_nothing(space, ann):
    """Its acknowledgements were lost; its increments are in the base."""
    copy = _copy(ann)
    old = space.replica(copy)
    milk = old.document("task.milk")
    milk["count"] += 50
    made = old.pending()
    waiting = [Outboxed(event) for event in made]
    space.sync(old)
    assert space.folded("task.milk").document.plain()["count"] == 55
    space.forget()
    space.clock.advance(365 * 86_400_000)
    before = space.server.store.head()
    again = _copy(ann)
    again.commit(Change(outbox=waiting, state=replace(again.state(), n=again.state().n + 1, cursor=None, seq=0)))
    late = space.replica(again)
    late.perform(Rewind())
    assert late.document("task.milk")["count"].value == 55
    result = space.sync(late)
    assert result.ok, result.errors
    assert space.server.store.head() == before
    assert (late.pending(), late.status.pending) == ([], 0)
    assert late.document("task.milk")["count"].value == 55
    assert space.sync(late).ok
    late.document("task.milk")["count"] += 1
    assert space.sync(late).ok
    assert space.folded("task.milk").document.plain()["count"] == 56
    assert late.document("task.milk")["count"].value == 56


def test_a_page_brings_bases_of_what_became_visible(space, ann):
    folded = space.folded("task.milk")
    bob = space.replica()
    theirs = Author("far", "cleo").event("other")
    bob.perform(Apply(Page(entries=[Entry.of(9, 1, "r", theirs)], cursor="at 9"), ()))
    told = []
    bob.watch("task.*", lambda documents: told.extend(document.item for document in documents))
    bob.document("task.milk")  # it is looked at before there is anything
    assert bob.items() == []
    page = Page(entries=[], bases=[folded.base()], late=[], cursor="at 10")
    bob.perform(Apply(page, ()))
    assert (bob.items(), told) == (["task.milk"], ["task.milk"])
    assert encode(bob.library.document("task.milk")) == encode(folded.document)
    assert bob.horizon == folded.seq
    assert [cursor for _, cursor in bob._store.state().cursors] == ["at 10"]
    event = bob.record("task.milk", "say")
    assert event.clock == {**folded.document.clock, bob.node: 1}
    assert event.id > folded.base().last
    bob.perform(Apply(Page(entries=[], forget=["task.milk"], cursor="at 11"), ()))
    assert (bob.items(), told) == ([], ["task.milk"] * 2)


def test_a_log_restored_from_before_the_snapshot_is_begun_from_again(space, ann):
    space.server.take()
    early = list(load(space.server.store))
    bob = begun(space, "bob")
    bob.document("task.milk")["title"] = "Mine"
    space.sync(bob, user="bob")
    restored = Space()
    for entry in early[:2]:
        restored.server.store.append([_vouched(entry)], now_ms=entry.at)
    space.server.store, space.server.horizon = restored.server.store, 0
    space.server.newest = restored.server.newest
    for _ in range(3):
        result = space.sync(bob, user="bob")
    assert bob.horizon == 0
    assert bob.document("task.milk").first_revision == 1
    space.sync(ann)
    space.sync(bob, user="bob")
    assert encode(ann.library.document("task.milk")) == encode(bob.library.document("task.milk"))
    assert result is not None


def _vouched(entry):
    return Submission([entry.event], entry.event.user, is_system=True, rights=TRUSTED)


def test_what_a_log_lost_is_given_back_even_where_a_base_has_later_events_of_its_node(space, ann):
    """Its author gave back what came after it, and could not give this."""
    bob = space.replica()
    space.sync(bob, user="bob")
    made, titled, counted, stepped, _ = load(space.server.store)
    space.server.store = Space().server.store
    for entry in (made, titled, stepped):
        space.server.store.append([_vouched(entry)], now_ms=entry.at)
    space.forget()
    assert space.sync(bob, user="bob").ok
    assert counted.event.id in [entry.event.id for entry in load(space.server.store)]
    assert bob.status.orphan == 0
    assert bob.document("task.milk")["count"] == 5
    assert encode(bob.library.document("task.milk")) == encode(space.folded("task.milk").document)


def test_a_snapshot_that_is_replaced_while_it_is_taken_is_taken_anew(space, ann):
    ann.create("task.bread", {"title": "Bread"})
    space.sync(ann)
    space.server.take()
    space.server.limits = replace(space.server.limits, page_entries=1)
    bob, asked = space.replica(), []
    reply = space.server.reply

    def replaced(inquiry, user):
        asked.append((inquiry.seq, inquiry.after))
        if len(asked) == 2:
            ann.document("task.bread")["title"] = "Rye"
            manager = SyncManager(ann, space.server.transport(), token="ann")
            assert manager
            space.server.store.append([_vouched_event(ann)], now_ms=space.clock())
            space.server.take()
        return reply(inquiry, user)

    space.server.reply = replaced
    assert space.sync(bob, NO_HISTORY, "bob").ok
    assert asked[2][0] is None
    assert bob.document("task.bread")["title"] == "Rye"
    assert bob.horizon == space.server.newest.seq


def _vouched_event(replica):
    return Submission(replica.pending(), "ann")


def test_a_snapshot_that_is_always_gone_is_given_up(space, ann):
    space.server.take()

    def gone(inquiry, user):
        raise SnapshotGone("Gone.")

    space.server.reply = gone
    result = space.sync(space.replica(), NO_HISTORY)
    assert isinstance(result.failure, SnapshotGone)


def test_who_only_pushes_takes_no_snapshot(space, ann):
    space.forget()
    bob = space.replica()
    bob.record("note", "say")
    assert space.sync(bob, SyncOptions(push_only=True), "bob").ok
    assert bob.horizon == 0


def test_a_replica_in_a_file_opens_where_it_was(space, ann, tmp_path):
    space.server.take()
    first = _in_file(space, tmp_path)
    space.sync(first, NO_HISTORY, "bob")
    assert first.items() == ["task.milk"]
    first.document("task.milk")["title"] = "Local"
    shown = encode(first.library.document("task.milk"))
    first.close()
    for path in (None, "r.db.documents", "r.db.snapshots"):
        if path:
            (tmp_path / path).unlink()
        again = _in_file(space, tmp_path)
        assert again.items() == ["task.milk"]
        assert encode(again.library.document("task.milk")) == shown
        assert again.document("task.milk").first_revision == 5
        assert again.horizon == first_horizon(space)
        again.close()


def first_horizon(space):
    return space.server.newest.seq


def _in_file(space, directory):
    return space.replica(
        SqliteReplicaStore(directory / "r.db", "node-of-file"),
        snapshots=SqliteSnapshotStore(directory / "r.db.snapshots"),
        index=SqliteDocumentIndex(directory / "r.db.documents"),
    )


def test_which_upcasts_a_document_needs_is_known_from_its_base(space, ann):
    base = space.folded("task.milk").base()
    assert base.schema == 0
    bob = space.replica()
    bob.perform(Apply(Page(entries=[], bases=[replace(base, schema=3)], cursor="c"), ()))
    assert bob.document("task.milk").schema == 3
    assert bob.items() == ["task.milk"]
    bob.perform(Apply(Page(entries=[], bases=[base], cursor="d"), ()))
    assert bob.document("task.milk").schema == 1


def test_a_base_without_a_document_is_no_document(space, ann):
    space.server.take()
    bob = begun(space, "bob")
    (note,) = bob._store.bases(["note"])
    assert isinstance(note, Base)
    assert (note.state, note.clock) == ("", {ann.node: 5})
    assert bob.get("note") is None
    event = bob.record("note", "answer")
    assert event.clock == {ann.node: 5, bob.node: 1}


def test_an_expired_place_is_no_failure_but_for_who_holds_a_log(space, ann):
    log = MemoryEventStore(EPOCH, RECEIPTS)
    assert space.sync(log).ok
    space.forget()
    assert isinstance(space.sync(MemoryEventStore(EPOCH, RECEIPTS)).failure, CursorExpired)
