"""Documents of replicas that meet at a server: what the first page of the documentation shows, and what follows."""

import pytest

import syncline


@pytest.fixture
def open_replica(open_server, space, tmp_path):
    opened = []

    def start(name="notes", **more):
        replica = syncline.open(tmp_path / f"{name}.db", server=open_server.url, space=space, token=None, **more)
        opened.append(replica)
        return replica

    yield start
    for replica in opened:
        replica.close()


def test_the_example_of_the_first_page_runs(open_replica):
    with open_replica() as notes:
        milk = notes.create("task.milk", {"title": "Milk", "done": False, "tags": syncline.ORSet(["shop"])})
        milk["done"] = True
        milk["tags"].add("urgent")
        assert notes.sync().ok
        assert milk.plain == {"done": True, "tags": ["shop", "urgent"], "title": "Milk"}
        assert milk.undo()
        assert list(milk["tags"]) == ["shop"]
        assert milk["done"] is True
        changes = [(change.number, change.user, change.action, change.forward) for change in milk.history()]
    user = changes[0][1]
    assert user is not None
    assert [(number, action) for number, _, action, _ in changes] == [
        (1, "create"),
        (2, "update"),
        (3, "update"),
        (4, "undo"),
    ]
    assert changes[1][3] == [{"op": "replace", "path": "/done", "value": True}]


def test_two_replicas_show_the_same(open_replica):
    one, two = open_replica("one"), open_replica("two")
    milk = one.create("task.milk", {"title": "Milk", "tags": syncline.ORSet(["shop"])})
    assert one.sync().ok
    assert two.sync().ok
    milk["tags"].add("urgent")
    two.document("task.milk")["tags"].add("cold")
    for replica in (one, two, one):
        assert replica.sync().ok
    assert milk.plain == two.get("task.milk").plain == {"tags": ["cold", "shop", "urgent"], "title": "Milk"}


def test_documents_are_there_after_a_restart_without_their_snapshots(open_replica, tmp_path):
    with open_replica() as notes:
        milk = notes.create("task.milk", {"n": 0})
        for n in range(300):
            milk["n"] = n
    derived = sorted(tmp_path.glob("notes.db.*"))
    assert tmp_path / "notes.db.snapshots" in derived
    for file in derived:
        file.unlink()
    with open_replica() as notes:
        assert notes.get("task.milk").plain == {"n": 299}


def test_a_store_is_closed_again_if_what_belongs_to_it_cannot_be_opened(tmp_path):
    (tmp_path / "notes.db.snapshots").write_text("somebody's own notes, and no database at all")
    with pytest.raises(syncline.SynclineError):
        syncline.open(tmp_path / "notes.db")
    (tmp_path / "notes.db.snapshots").unlink()
    syncline.open(tmp_path / "notes.db").close()
