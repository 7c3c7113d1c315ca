"""Schema evolution: programs of several versions share documents, and none destroys what another one wrote."""

import pytest

from syncline import Counter, ORSet, Text
from syncline.core.effects import Apply, Greet
from syncline.core.events import Entry
from syncline.core.messages import Page, Welcome
from syncline.errors import BadSettings
from syncline.replica.documents import DocumentReplica
from syncline.replica.documents.upcasts import Upcasts
from syncline.stores.memory import MemoryReplicaStore


def second() -> Upcasts:
    """A program of version 2: names have two parts, notes are a text."""
    upcasts = Upcasts()

    @upcasts.register("person.*", 1, 2)
    def split(value):
        first, _, last = value.pop("name").partition(" ")
        return {**value, "first": first, "last": last, "notes": Text(value.get("notes", ""))}

    return upcasts


def third() -> Upcasts:
    """A program of version 3: they may have several."""
    upcasts = second()

    @upcasts.register("person.*", 2, 3)
    def gather(value):
        value["names"] = [value.pop("first"), value.pop("last")]
        return value

    return upcasts


class Node:
    """A replica of a program of some version, in a log that all share."""

    def __init__(self, name, log, upcasts=None):
        self.log = log
        self.replica = DocumentReplica(MemoryReplicaStore(name), upcasts=upcasts or Upcasts())
        self.replica.perform(Greet(Welcome(epoch="e", head=10**6, time=0, user=name)))

    def sync(self):
        held = {entry.event.id for entry in self.log}
        for event in self.replica.pending():
            if event.id not in held:
                self.log.append(Entry.of(len(self.log) + 1, 0, "", event))
        new = self.log[self.replica._store.state().seq :]
        self.replica.perform(Apply(Page(entries=new, cursor=str(len(self.log)), more=True), ()))
        return self.replica.document("person.ada")


@pytest.fixture
def nodes():
    log = []
    return [Node(f"v{version}", log, made) for version, made in enumerate((None, second(), third()), 1)]


@pytest.fixture
def old(nodes):
    """A document that a program of version 1 wrote."""
    nodes[0].replica.create("person.ada", {"name": "Ada Lovelace", "tags": ORSet(["x"]), "count": Counter(1)})
    return nodes[0].sync()


def test_an_older_document_is_read_in_the_newer_form(nodes, old):
    ada = nodes[1].sync()
    assert ada.schema == 1
    newer = {"first": "Ada", "last": "Lovelace", "notes": "", "tags": ["x"], "count": 1}
    assert ada.plain == newer
    assert ada.value["tags"] == ORSet(["x"])
    assert (ada["first"], ada.get("name"), "last" in ada, len(ada)) == ("Ada", None, True, 5)
    assert nodes[2].sync().plain["names"] == ["Ada", "Lovelace"]
    assert old.plain == {"name": "Ada Lovelace", "tags": ["x"], "count": 1}
    assert nodes[1].replica.pending() == []


def test_what_is_read_through_upcasts_cannot_be_changed_by_mistake(nodes, old):
    ada = nodes[2].sync()
    with pytest.raises(AttributeError):
        ada["names"].append("King")
    with pytest.raises(TypeError):
        ada.root["names"] = []
    with ada.edit() as edit:
        edit["names"].append("King")
    assert ada.plain["names"] == ["Ada", "Lovelace", "King"]
    ada["names"].append("again")
    assert len(ada["names"]) == 4


def test_an_edit_writes_the_newer_form_and_says_so(nodes, old):
    ada = nodes[1].sync()
    ada["first"] = "Augusta"
    assert ada.schema == 2
    assert [event.meta["schema"] for event in nodes[1].replica.pending()] == [2, 2]
    nodes[1].sync()
    for node in nodes[:2]:
        assert node.sync().plain == {"first": "Augusta", "last": "Lovelace", "notes": "", "tags": ["x"], "count": 1}
    assert nodes[2].sync().plain["names"] == ["Augusta", "Lovelace"]


def test_newer_data_is_readable_flagged_and_not_destroyed_by_an_older_program(nodes, old):
    with nodes[2].sync().edit() as edit:
        edit["names"].append("King")
    nodes[2].sync()
    ada = nodes[0].sync()
    assert ada.schema == 3
    assert ada.plain["names"] == ["Ada", "Lovelace", "King"]
    ada["tags"].add("old")
    ada["nickname"] = "AL"
    assert ada.schema == 3
    nodes[0].sync()
    newest = nodes[2].sync()
    assert newest.plain == {
        "names": ["Ada", "Lovelace", "King"],
        "nickname": "AL",
        "notes": "",
        "tags": ["old", "x"],
        "count": 1,
    }
    assert nodes[1].sync().plain == newest.plain


def test_undo_undoes_the_edit_and_not_the_newer_form(nodes, old):
    ada = nodes[1].sync()
    before = ada.plain
    ada["first"] = "Augusta"
    assert ada.undo()
    assert ada.plain == before
    assert ada.schema == 2
    assert not ada.undo()
    assert ada.redo()
    assert ada["first"] == "Augusta"


def test_two_devices_that_write_the_newer_form_apart_merge(nodes, old):
    other = Node("v2b", nodes[0].log, second())
    one, two = nodes[1].sync(), other.sync()
    with one.edit() as edit:
        edit["notes"].append("one")
    with two.edit() as edit:
        edit["notes"].append("two")
    for node in (nodes[1], other, nodes[1]):
        node.sync()
    assert one.plain == two.plain
    assert sorted([one["notes"][:3], one["notes"][3:]]) == ["one", "two"]


def test_a_deleted_document_comes_back_in_the_newer_form(nodes, old):
    old.delete()
    nodes[0].sync()
    ada = nodes[1].sync()
    assert not ada.exists
    ada.restore()
    assert ada.plain["first"] == "Ada"


def test_a_failing_upcast_changes_nothing(nodes):
    nodes[0].replica.create("person.ada", {"nom": "Ada"})
    nodes[0].sync()
    ada = nodes[1].sync()
    with pytest.raises(KeyError):
        ada["first"] = "Ada"
    assert nodes[1].replica.pending() == []
    assert nodes[0].replica.document("person.ada").plain == {"nom": "Ada"}


def test_a_new_document_has_the_version_of_its_program(nodes):
    ada = nodes[2].replica.create("person.ada", {"names": ["Ada"]})
    assert ada.schema == 3
    assert ada.plain == {"names": ["Ada"]}
    nodes[2].replica.create("note.1")
    assert nodes[2].replica.document("note.1").schema == 1


def test_queries_are_about_the_newer_form(nodes, old):
    nodes[1].sync()
    assert [each.item for each in nodes[1].replica.query(where={"last": "Lovelace"})] == ["person.ada"]
    nodes[0].replica.create("person.kay", {"name": "Kay Antonelli"})
    nodes[0].sync()
    nodes[1].sync()
    assert [each.item for each in nodes[1].replica.query(order_by="last")] == ["person.kay", "person.ada"]
    nodes[1].replica._upcasts._steps.update(third()._steps)
    assert [each.item for each in nodes[1].replica.query(where={"names": ("has", "Kay")})] == ["person.kay"]


def test_payloads_are_read_in_the_newer_form():
    upcasts = Upcasts()

    @upcasts.register("order.*", 1, 2)
    def in_cents(payload):
        payload["cents"] = payload.pop("price") * 100
        return payload

    older = DocumentReplica(MemoryReplicaStore("a"), upcasts=Upcasts())
    newer = DocumentReplica(MemoryReplicaStore("b"), upcasts=upcasts)
    event = older.record("order.1", "placed", {"price": 3})
    assert newer.payload(event) == {"cents": 300}
    assert event.payload == {"price": 3}
    written = newer.record("order.2", "placed", {"cents": 5})
    assert written.meta["schema"] == 2
    assert newer.payload(written) == older.payload(written) == {"cents": 5}
    assert newer.payload(newer.record("order.3", "sent")) is None


# Registering


def test_the_most_specific_pattern_counts():
    upcasts = Upcasts()
    for pattern, to in (("*", 2), ("task.*", 3), ("task.milk", 4)):
        upcasts.register(pattern, 1, to)(lambda value, to=to: to)
    assert [upcasts.version(item) for item in ("note", "task.bread", "task.milk")] == [2, 3, 4]
    assert upcasts.apply("task.milk", 0, 1) == 4


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (0, 1)])
def test_versions_only_rise_so_there_is_no_circle(start, end):
    with pytest.raises(BadSettings, match="later version"):
        Upcasts().register("task.*", start, end)


def test_there_is_one_way_on():
    with pytest.raises(BadSettings, match="already"):
        second().register("person.*", 1, 3)


def test_a_gap_is_told():
    upcasts = second()
    upcasts.register("person.*", 3, 4)(lambda value: value)
    with pytest.raises(BadSettings, match="from version 2; there are 1 to 2, 3 to 4"):
        upcasts.apply("person.ada", {"name": "Ada"}, 1)
    assert upcasts.apply("person.ada", 1, 9) == 1
