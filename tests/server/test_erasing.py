"""Erasing: what was said is gone from the server and from every replica, and all that rested on it still stands."""

import asyncio
import json
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain
from pathlib import Path

import pytest
from msgspec import UNSET

import syncline
from syncline import Counter, ORSet, Text
from syncline.core.documents.snapshots import encode
from syncline.core.log import Receipts
from syncline.core.retention import Retention
from syncline.replica.documents import library as libraries
from syncline.server.app import create_app
from syncline.server.history import erasing, retaining, targets
from syncline.server.history.archives import Archives
from syncline.server.history.snapshotting import Snapshotting
from syncline.server.history.targets import Found
from syncline.server.registry import open_registry
from syncline.stores import load
from syncline.stores.sqlite import SqliteEventStore
from tests.server.rest import Client
from tests.server.running import Author, eventually
from tests.server.tenants import administer

SECRET = "told-to-nobody-ever"


@pytest.fixture
def home(serve):
    return serve("data")


@pytest.fixture
def device(home, tmp_path):
    """Opens replicas of the space, each in a file of its own, for whom they are asked."""
    registry = open_registry(home.data, "", lambda: 1)
    with ExitStack() as opened:

        def open(user, name=None, **options):
            token = registry.create_key(name or user, user, "home")
            path = tmp_path / f"{name or user}.db"
            return opened.enter_context(syncline.open(path, server=home.url, space="home", token=token, **options))

        yield open
    registry.close()


@pytest.fixture
def root(home):
    return Client(home, "home", key=home.key)


def agree(*devices):
    for each in [*devices, *devices]:
        assert not each.sync().errors


def erase(client, **what):
    answer = client.ask("POST", "erase", what)
    assert answer.status == 200, answer
    return answer.json


def told(*roots: Path) -> list[str]:
    """The files in which the secret stands."""
    files = [
        path for root in roots for path in (root.rglob("*") if root.is_dir() else root.parent.glob(root.name + "*"))
    ]
    return [path.name for path in files if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_an_erased_edit_is_gone_from_every_document_and_every_file(home, root, device, tmp_path):
    ann, bob = device("ann"), device("bob")
    milk = ann.create("task.milk", {"title": "Milk", "body": Text("two "), "tags": ORSet(["a"]), "n": Counter(1)})
    milk["title"] = SECRET
    milk["body"].append(SECRET)
    milk["tags"].add(SECRET)
    agree(ann, bob)
    other = bob.get("task.milk")
    other["title"] = "Milk again"
    other["n"] += 2
    agree(ann, bob)
    assert other.plain["body"] == "two " + SECRET
    secret = [entry.event.id for entry in ann.entries(items=["task.milk"]) if SECRET in entry.event.body.decode()]
    assert erase(root, events=secret) == {"events": 3, "items": ["task.milk"], "left": 0}
    agree(ann, bob)
    shown = {"title": "Milk again", "body": "two " + "�" * len(SECRET), "tags": ["a"], "n": 3}
    assert milk.plain == other.plain == root.value("task.milk", view="plain") == shown
    assert device("bob", "new").sync().ok
    ann.close(), bob.close()
    home.stop()
    assert told(home.data, tmp_path / "ann.db", tmp_path / "bob.db") == []


def test_what_was_overwritten_does_not_show_again(root, device):
    ann = device("ann")
    milk = ann.create("task.milk", {"title": "first"})
    milk["title"] = SECRET
    agree(ann)
    (entry,) = [entry for entry in ann.entries() if SECRET in entry.event.body.decode()]
    erase(root, events=[entry.event.id])
    agree(ann)
    assert milk.plain == {"title": None}
    assert [step.number for step in milk.history()] == [1, 2]


def test_those_who_follow_live_hear_of_it(root, device):
    ann, bob = device("ann"), device("bob")
    milk = ann.create("task.milk", {"title": SECRET})
    agree(ann, bob)
    bob.start()
    eventually(lambda: bob.status.state == "live")
    erase(root, items=["task.*"])
    eventually(lambda: bob.get("task.milk").plain == {"title": None})
    agree(ann)
    assert milk.plain == {"title": None}


def asked_much(replica):
    """A replica whose index of documents and snapshots are on the disk."""
    replica.index("task.*", "title")
    assert replica.query("task.*", text="told*")
    for item in replica.items():
        assert replica.get(item).plain
        replica.library.let_go(item)


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("is_kept", [True, False])
def test_no_file_of_a_replica_tells_it_once_it_has_synced(
    home, root, device, tmp_path, monkeypatch, is_closed, is_kept
):
    """What is derived goes with the entries, whether or not anybody asks for documents; history may be gone, too."""
    monkeypatch.setattr(libraries, "STRETCH", 2)  # so that there are snapshots
    ann, bob = device("ann"), device("bob")
    for n in range(9):
        milk = ann.create(f"task.{n}", {"title": SECRET, "body": Text(SECRET)})
        milk["title"] = f"{SECRET} {n}"
        milk["body"].append(SECRET)
    agree(ann, bob)
    asked_much(bob)
    assert set(told(tmp_path / "bob.db")) & {"bob.db-wal", "bob.db.documents", "bob.db.documents-wal"}
    if is_closed:
        bob.close()
        bob = device("bob", "bob")
    if not is_kept:
        assert shorten(home)["horizon"] > 0
    erase(root, items=["task.*"])
    assert bob.sync().ok
    assert told(tmp_path / "bob.db") == []
    assert bob.query("task.*", text="told*") == []
    assert bob.get("task.3").plain["title"] is None
    bob.close()
    assert told(tmp_path / "bob.db") == []


def test_all_of_a_user_goes_and_what_others_wrote_stays(root, device):
    ann, bob = device("ann"), device("bob")
    ann.create("task.a", {"x": 1})
    ann.record("note.a", "say", {"text": SECRET})
    agree(ann, bob)
    bob.get("task.a")["y"] = 2
    agree(bob)
    assert erase(root, users=["ann"], dry_run=True) == {"events": 2, "items": ["note.a", "task.a"], "left": 0}
    assert erase(root, users=["ann"])["events"] == 2
    assert erase(root, users=["ann"])["events"] == 0
    agree(ann, bob)
    assert bob.get("task.a").plain == {"x": None, "y": 2}
    assert [(event.action, event.user, event.payload) for event in bob.events(items=["note.a"])] == [
        (".erased", UNSET, UNSET)
    ]


def test_items_and_users_are_named_together(root, device):
    ann, bob = device("ann"), device("bob")
    ann.create("task.hers", {"x": 1})
    bob.create("task.his", {"x": 1})
    ann.record("note.a", "say", {"text": SECRET})
    agree(ann, bob)
    assert erase(root, items=["note.*"], users=["bob"]) == {"events": 2, "items": ["note.a", "task.his"], "left": 0}


def test_an_undo_that_is_let_in_while_its_target_is_erased_goes_too(home, root, device):
    ann = device("ann")
    milk = ann.create("task.milk", {"title": SECRET})
    milk["title"] = "other"
    assert milk.undo()
    agree(ann)
    home.stop()

    async def erase_the_first_alone():
        app = create_app(data=str(home.data))
        app.start()
        async with app.service.spaces.use("home", create=False) as space:
            (first, *_) = load(space.store)
            await erasing._erase(space, ".root", Found([first], set()), app.service.registry.erasures)
            left = [entry.event.body.decode() for entry in load(space.store)]
        await app.stop()
        return left

    assert SECRET not in "".join(asyncio.run(erase_the_first_alone()))


def test_an_undo_that_puts_back_what_was_erased_is_erased_with_it(root, device):
    ann = device("ann")
    milk = ann.create("task.milk", {"title": SECRET})
    milk["title"] = "other"
    assert milk.undo()
    agree(ann)
    first = next(ann.entries()).event.id
    assert erase(root, events=[first])["events"] == 2
    agree(ann)
    assert milk.plain == {"title": None}


def test_an_undo_offline_brings_nothing_back(root, device):
    ann, bob = device("ann"), device("bob")
    milk = ann.create("task.milk", {"title": SECRET})
    milk["title"] = "other"
    agree(ann, bob)
    first = next(bob.entries()).event.id
    assert milk.undo()  # before it hears of the erasure
    erase(root, events=[first])
    assert [error.code for error in ann.sync().errors] == ["bad_op"]
    agree(bob)
    assert bob.get("task.milk").plain == {"title": "other"}
    assert len(ann.refused()) == 1


def test_pending_edits_of_what_is_erased_still_merge(root, device):
    ann, bob = device("ann"), device("bob")
    milk = ann.create("task.milk", {"body": Text("0123456789"), "n": Counter(1)})
    agree(ann, bob)
    other = bob.get("task.milk")
    other["body"].insert(5, "-")
    other["n"] += 5
    erase(root, items=["task.milk"])
    agree(bob, ann)
    assert milk.plain == other.plain == {"body": "�" * 5 + "-" + "�" * 5, "n": 5}


def test_pushing_again_what_was_erased_changes_nothing(home, root):
    author = Author()
    event = author.event(payload=SECRET, user=".root")
    answer = root.ask("POST", "push", {"events": [event]})
    assert "seq" in answer.json["results"][0], answer
    erase(root, events=[event["id"]])
    again = root.ask("POST", "push", {"events": [event]})
    assert again.json["results"] == answer.json["results"]
    assert SECRET not in root.ask("GET", "pull").body.decode()


def test_only_who_may_erases_and_only_what_may_be(root, home, device):
    ann = device("ann")
    ann.create("task.milk", {"x": 1})
    agree(ann)
    registry = open_registry(home.data, "", lambda: 1)
    mine = Client(home, "home", key=registry.create_key("mine", "ann", "home"))
    registry.close()
    assert mine.ask("POST", "erase", {"items": ["task.*"]}).code == "forbidden"
    rule = {"user": "ann", "item": "task.*", "action": ".erase", "type": "allow"}
    assert root.ask("POST", "acl", rule).status == 201
    (entry,) = [each for each in root.ask("GET", "pull").json["entries"] if each["event"]["item"] == ".acl"]
    for what, code in [
        ({}, "bad_request"),
        ({"items": ["?"]}, "bad_request"),
        ({"events": ["018bcfe5-6800-7001-99da-e2ee00000000"]}, "not_found"),
        ({"events": ["x"]}, "invalid_event"),
        ({"what": 1}, "bad_request"),
        ({"events": [entry["event"]["id"]] * 1_001}, "bad_request"),
    ]:
        assert mine.ask("POST", "erase", what).code == code, what
    assert mine.ask("POST", "erase", {"what": 1}).json["detail"].startswith("No Erase message: ")
    assert root.ask("POST", "erase", {"events": [entry["event"]["id"]]}).code == "bad_request"
    assert erase(mine, items=["task.milk"])["events"] == 1
    assert root.ask("GET", "acl").json["rules"][-1]["action"] == ".erase"


@pytest.mark.parametrize("dry_run", [True, False])
def test_who_may_not_read_an_item_does_not_learn_of_it_by_erasing(root, home, device, dry_run):
    """Neither that it is there, nor what it is called, nor who writes there: it is as if it were not there."""
    bob = device("bob")
    bob.create("diary.1", {"x": 1})
    agree(bob)
    (entry,) = [each for each in root.ask("GET", "pull").json["entries"] if each["event"]["item"] == "diary.1"]
    for item, action, type in [("diary.*", ".read", "deny"), ("task.*", ".erase", "allow")]:
        rule = {"user": "ann", "item": item, "action": action, "type": type}
        assert root.ask("POST", "acl", rule).status == 201
    system = [
        each["event"]["id"] for each in root.ask("GET", "pull").json["entries"] if each["event"]["item"] == ".acl"
    ]
    registry = open_registry(home.data, "", lambda: 1)
    anns = Client(home, "home", key=registry.create_key("mine", "ann", "home"))
    registry.close()
    for id in [entry["event"]["id"], system[0]]:
        assert anns.ask("POST", "erase", {"events": [id], "dry_run": dry_run}).code == "not_found"
    for what in [{"items": ["diary.*"]}, {"items": ["diary.2*"]}, {"users": ["bob"]}, {"items": ["*"]}]:
        assert erase(anns, **what, dry_run=dry_run) == {"events": 0, "items": [], "left": 0}
    rule = {"user": "ann", "item": "diary.*", "action": ".erase", "type": "allow"}
    assert root.ask("POST", "acl", rule).status == 201
    assert erase(anns, users=["bob"]) == {"events": 1, "items": ["diary.1"], "left": 0}, "who may erase it, may"


def test_a_log_that_is_put_back_is_erased_again(home, root, device):
    root.put("task.milk", {"title": SECRET})
    home.stop()
    log = home.data / "spaces" / "home.db"
    copy = log.read_bytes()
    home.start()
    erase(root, items=["task.*"])
    home.stop()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{log}{suffix}").unlink(missing_ok=True)
    log.write_bytes(copy)
    home.start()
    assert root.value("task.milk") == {"title": None}
    ann = device("ann")
    agree(ann)
    assert ann.get("task.milk").plain == {"title": None}
    home.stop()
    assert told(home.data) == []


def test_who_gives_back_what_was_erased_brings_no_word_of_it(home, root, device, tmp_path):
    root.put("task.first", 1)
    home.stop()
    log = home.data / "spaces" / "home.db"
    copy = log.read_bytes()
    home.start()
    bob = device("bob")
    bob.create("task.milk", {"title": SECRET})
    agree(bob)
    bob.close()
    erase(root, items=["task.milk"])
    home.stop()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{log}{suffix}").unlink(missing_ok=True)
    log.write_bytes(copy)
    home.start()
    registry = open_registry(home.data, "", lambda: 1)
    token = registry.create_key("again", "bob", "home")
    registry.close()
    with syncline.open(tmp_path / "bob.db", server=home.url, space="home", token=token) as again:
        assert not again.sync().errors
        assert not again.sync().errors
        assert again.get("task.milk").plain == {"title": None}
        assert again.status.pending == 0
    assert root.value("task.milk") == {"title": None}
    home.stop()
    assert told(home.data) == []


# What lies before the horizon


def shorten(home):
    """Nothing of the history stays but what the newest documents need."""
    for method, path, body in (
        ("PATCH", "/v1/spaces/home", {"retention": {"revisions": 1}}),
        ("POST", "/v1/spaces/home/history", {}),
    ):
        headers = {"Authorization": f"Bearer {home.key}", "Content-Type": "application/json"}
        answer = home.request(method, path, json.dumps(body).encode(), headers)
        assert answer.status == 200, answer
    return answer.json


def test_what_lies_before_the_horizon_goes_from_bases_and_archives_too(home, root, device, tmp_path):
    ann, bob = device("ann"), device("bob", history=False)
    milk = ann.create("task.milk", {"title": SECRET, "n": Counter(1)})
    ann.create("task.other", {"x": 1})
    milk["title"] = "other"
    milk["note"] = SECRET
    milk["n"] += 1
    agree(ann)
    assert shorten(home)["horizon"] > 0
    agree(ann, bob)
    assert bob.get("task.milk").plain["note"] == SECRET
    before = encode(ann.library.document("task.milk"))
    secret = [entry.event.id for entry in ann.entries() if SECRET in entry.event.body.decode()]
    assert erase(root, events=secret)["events"] == 2
    agree(ann, bob)
    shown = {"title": "other", "n": 1, "note": None}  # the counter began in what was erased
    assert ann.get("task.milk").plain == bob.get("task.milk").plain == root.value("task.milk", view="plain") == shown
    new = device("ann", "new")
    agree(new)
    states = {encode(each.library.document("task.milk")) for each in (ann, bob, new)}
    assert len(states) == 1
    assert before not in states
    for each in (ann, bob, new):
        each.close()
    home.stop()
    assert told(home.data, tmp_path / "ann.db", tmp_path / "bob.db", tmp_path / "new.db") == []
    archives = Archives(home.data / "archives" / "home", "home")
    assert [seal.last for _, seal in archives.verify()]
    assert SECRET not in "".join(entry.event.body.decode() for entry in archives.entries())


def shorten_between(space, *, is_whole):
    """What keeps history does, but for letting go of content at the end, unless it is done as a whole."""
    store, one = space.store, Retention(revisions=1)
    steps = retaining._archive(store, space.keeping.archives, target := retaining.horizon_for(store, one, 0))
    make = partial(retaining.keep_last, revisions=1)
    for _ in chain(steps, Snapshotting(store, target, is_floor=True, make=make).steps()):
        pass
    while is_whole and store.drop():
        pass


@pytest.mark.parametrize("is_whole", [True, False])
def test_what_goes_from_the_log_while_it_is_erased_is_gone_from_bases_and_archives(home, device, tmp_path, is_whole):
    """The horizon passes it after it was found: archives have it, and bases, and the log if that was broken off."""
    with device("ann") as ann:
        milk = ann.create("task.milk", {"title": SECRET})
        milk["note"] = SECRET
        milk["n"] = 1
        agree(ann)
    home.stop()

    async def erase_what_goes_meanwhile():
        app = create_app(data=str(home.data))
        app.start()
        table = app.service.registry.erasures
        async with app.service.spaces.use("home", create=False) as space:
            found = targets.find(space.store, space.keeping.archives, targets.Target(items=["task.*"]))
            await space.keeping.keep_up()
            shorten_between(space, is_whole=is_whole)
            assert space.store.points().horizon > found.entries[0].seq
            assert bool(space.store.find([found.entries[0].event.id])) != is_whole
            await erasing._erase(space, ".root", found, table)
        await app.stop()

    asyncio.run(erase_what_goes_meanwhile())
    home.start()
    new = device("ann", "new", history=False)
    with closing(open_registry(home.data, "", lambda: 1)) as registry:
        token = registry.create_key("again", "ann", "home")
    with syncline.open(tmp_path / "ann.db", server=home.url, space="home", token=token) as ann:
        agree(new, ann)
        shown = {"title": None, "note": None, "n": None}
        assert [each.get("task.milk").plain for each in (new, ann)] == [shown, shown]
    new.close()
    home.stop()
    assert told(home.data, tmp_path / "ann.db", tmp_path / "new.db") == []
    archives = Archives(home.data / "archives" / "home", "home")
    assert SECRET not in "".join(entry.event.body.decode() for entry in archives.entries())


def test_who_was_away_loses_what_was_erased_and_has_gone_from_the_log_since(home, root, device, tmp_path):
    """The horizon passes what was erased, but not who still holds it as it was said: they go on from a snapshot."""
    ann, bob = device("ann"), device("bob")
    milk = ann.create("task.milk", {"title": SECRET})
    milk["note"] = 1
    agree(ann, bob)
    administer(home, "PUT", "/v1/spaces/home/labels/here", {"seq": 2})
    agree(bob)
    assert erase(root, events=[next(ann.entries(items=["task.*"])).event.id])["events"] == 1
    administer(home, "PATCH", "/v1/spaces/home", {"retention": {"labels": True}})
    assert administer(home, "POST", "/v1/spaces/home/history", {}).json["horizon"] == 2
    agree(bob)
    assert bob.get("task.milk").plain == {"title": None, "note": 1}
    bob.close()
    assert told(tmp_path / "bob.db") == []


def test_without_its_archives_nothing_before_the_horizon_is_erased(home, root, device):
    ann = device("ann")
    milk = ann.create("task.milk", {"title": SECRET})
    milk["title"] = "other"
    agree(ann)
    shorten(home)
    (home.data / "archives").rename(home.data / "elsewhere")
    refused = root.ask("POST", "erase", {"items": ["task.*"]})
    assert refused.code == "history_expired"
    (home.data / "elsewhere").rename(home.data / "archives")
    assert erase(root, items=["task.*"])["events"] == 2


def test_archives_are_read_as_often_for_many_items_as_for_one(home, device, monkeypatch):
    ann, read = device("ann"), []
    for n in range(500):
        ann.record(f"task.{n % 250}", "say", SECRET)
    agree(ann)
    assert shorten(home)["horizon"]
    home.stop()
    archives, entries = Archives(home.data / "archives" / "home", "home"), Archives.entries
    monkeypatch.setattr(Archives, "entries", lambda self: read.append(self) or entries(self))
    with closing(SqliteEventStore(home.data / "spaces" / "home.db", Receipts(b""))) as store:
        assert len(targets.find(store, archives, targets.Target(items=["task.0"])).entries) == 2
        for_one = len(read)
        assert len(targets.find(store, archives, targets.Target(items=["task.*"])).entries) == 500
    assert len(read) == 2 * for_one > 0


# Salt


def test_events_of_erasable_items_carry_a_salt_that_goes_with_what_they_said(root, device):
    assert root.ask("PUT", "erasable", {"items": ["task.*"]}).json == {"items": ["task.*"]}
    assert root.ask("GET", "erasable").json == {"items": ["task.*"]}
    ann = device("ann")
    agree(ann)  # which tells it
    ann.create("task.milk", {"x": 1})
    ann.create("note.a", {"x": 1})
    root.put("task.oats", {"x": 1})
    agree(ann)
    metas = {event.item: event.meta for event in ann.events() if event.item[0] != "."}
    assert metas["note.a"] is UNSET
    salts = [metas[item]["salt"] for item in ("task.milk", "task.oats")]
    assert [len(salt) for salt in salts] == [22, 22]
    assert len(set(salts)) == 2
    erase(root, items=["task.*"])
    agree(ann)
    assert not any("salt" in event.body.decode() for event in ann.events(items=["task.*"]))
    assert root.ask("PUT", "erasable", {"items": []}).json == {"items": []}
    root.put("task.nuts", {"x": 1})
    agree(ann)
    assert [event.meta for event in ann.events(items=["task.nuts"])] == [UNSET]


def test_only_who_may_says_what_is_erasable(root, home, device):
    registry = open_registry(home.data, "", lambda: 1)
    mine = Client(home, "home", key=registry.create_key("mine", "ann", "home"))
    registry.close()
    root.put("task.a", 1)
    assert mine.ask("PUT", "erasable", {"items": ["*"]}).code == "forbidden"
    assert mine.ask("GET", "erasable").json == {"items": []}
    assert root.ask("PUT", "erasable", {"items": ["?"]}).code == "bad_request"
    assert root.ask("PUT", "erasable", {"items": ["*"]}).json == {"items": ["*"]}


def test_pushing_again_to_a_log_that_was_put_back_what_was_erased_since_brings_no_word_of_it(home, root):
    root.put("task.first", 1)
    home.stop()
    log = home.data / "spaces" / "home.db"
    copy = log.read_bytes()
    home.start()
    event = Author().event(payload=SECRET, user=".root")
    assert "seq" in root.ask("POST", "push", {"events": [event]}).json["results"][0]
    erase(root, events=[event["id"]])
    home.stop()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{log}{suffix}").unlink(missing_ok=True)
    log.write_bytes(copy)
    home.start()
    assert "seq" in root.ask("POST", "push", {"events": [event]}).json["results"][0]
    entries = root.ask("GET", "pull").json["entries"]
    (again,) = [entry for entry in entries if entry["event"]["id"] == event["id"]]
    assert again["event"]["action"] == ".erased"
    home.stop()
    assert told(home.data) == []
