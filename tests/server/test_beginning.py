"""Replicas that begin from a snapshot, or have to, against a server whose history is bounded."""

import json

import pytest

import syncline
from syncline import Counter, ORSet, SyncOptions, Text
from syncline.core.documents.snapshots import encode
from syncline.errors import HistoryExpired
from tests.server import accounts

TRANSPORTS = pytest.mark.parametrize("transport", ["http", "websocket"])
MANY = 40


class Home:
    """A space of a server, and replicas of it."""

    def __init__(self, server, space, transport):
        self.server, self.space, self.transport = server, space, transport

    def open(self, path=None, **more):
        return syncline.open(path, server=self.server.url, space=self.space, transport=self.transport, **more)

    def bound(self, **retention):
        """A snapshot is made now, and what is not to be kept goes."""
        if retention:
            self.ask("PATCH", "", {"retention": retention})
        return self.ask("POST", "/history")

    def ask(self, method, path, body=None):
        sent = None if body is None else json.dumps(body)
        answer = self.server.request(method, f"/v1/spaces/{self.space}{path}", sent)
        assert answer.status in (200, 204), answer.body
        return answer.json if answer.body else None


@pytest.fixture
def home(open_server, space, transport):
    return Home(open_server, space, transport)


def written(home):
    """A replica that has written documents, events of other items, and a policy."""
    ann = home.open()
    for place in range(MANY):
        ann.create(f"task.{place:02}", {"title": f"Task {place}", "n": Counter(1), "tags": ORSet(["new"])})
    for place in range(MANY):
        with ann.document(f"task.{place:02}").edit() as edit:
            edit["body"] = Text("one two three")
            edit["n"] += place
    ann.record("note", "say", {"text": "hello"})
    assert ann.sync().ok
    home.ask("PUT", "/policies", {"task.0*": "server_wins"})
    return ann


def agree(*replicas):
    for _ in range(2):
        for replica in replicas:
            result = replica.sync()
            assert result.ok, result.errors
    first, *others = replicas
    for other in others:
        assert other.items() == first.items()
        for item in first.items():
            assert encode(other.library.document(item)) == encode(first.library.document(item)), item


@TRANSPORTS
def test_a_new_replica_is_ready_from_a_snapshot_and_all_agree(home, tmp_path):
    with written(home) as ann:
        made = home.bound()
        ann.document("task.01")["title"] = "Changed later"
        assert ann.sync().ok
        with home.open(tmp_path / "bob.db", history=False) as bob:
            result = bob.sync()
            assert result.ok, result.errors
            assert (bob.horizon, result.bases) == (made["snapshot"]["seq"], MANY + 1)
            assert {entry.event.item for entry in bob.entries()} == {".policies", "task.01"}
            bob.document("task.00")["title"] = "Bob's"
            ann.document("task.00")["title"] = "Ann's"
            bob.document("task.02")["body"].insert(3, " and")
            ann.document("task.02")["n"] += 100
            agree(ann, bob)
            assert bob.document("task.00").conflicts().overruled or ann.document("task.00").conflicts().overruled
            assert bob.document("task.02")["n"].value == 103
            with pytest.raises(HistoryExpired):
                bob.document("task.03").at(1)


@TRANSPORTS
def test_who_stands_before_the_horizon_goes_on_with_what_it_has_pending(home, tmp_path):
    with written(home) as ann:
        path = tmp_path / "old.db"
        with home.open(path) as old:
            assert old.sync().ok
            assert old.horizon == 0
        with syncline.open(path) as offline:
            offline.document("task.05")["n"] += 1_000
            offline.document("task.05")["body"].append(" four")
            offline.record("note", "answer")
        for place in range(MANY):
            ann.document(f"task.{place:02}")["title"] = "New"
        assert ann.sync().ok
        horizon = home.bound(revisions=1)["horizon"]
        assert horizon
        with home.open(path) as old:
            result = old.sync()
            assert result.ok, result.errors
            assert (result.bases, old.pending(), old.horizon >= horizon) == (MANY + 1, [], True)
            agree(ann, old)
            five = old.document("task.05")
            assert (five["title"], five["n"].value, str(five["body"])) == ("New", 1_006, "one two three four")
        with home.open() as new:  # it asks for history, and there is none
            assert new.sync().ok
            assert new.horizon
            agree(ann, new)


@TRANSPORTS
def test_what_was_pushed_long_ago_is_answered_and_changes_nothing(home, tmp_path):
    path = tmp_path / "old.db"
    with written(home) as ann, home.open(path) as old:
        assert old.sync().ok
        old.document("task.07")["n"] += 7
        again = [json.loads(event.body) for event in old.pending()]
        assert old.sync().ok
        home.bound(revisions=1)
        head = home.server.head(home.space)
        answer = home.ask("POST", "/push", {"events": again})
        assert [result["seq"] <= head for result in answer["results"]] == [True]
        assert home.server.head(home.space) == head
        with home.open(history=False) as new:
            assert new.sync().ok
            assert new.document("task.07")["n"].value == 1 + 7 + 7
        agree(ann, old)


@TRANSPORTS
def test_a_live_replica_begins_from_a_snapshot_and_stays_live(home):
    with written(home) as ann:
        home.bound()
        with home.open(history=False) as bob, home.open(options=SyncOptions(history=False)) as other:
            for replica in (bob, other):
                replica.start()
                replica.sync()
                assert replica.horizon
            ann.document("task.09")["title"] = "Live"
            assert ann.sync().ok
            for replica in (bob, other):
                replica.sync()
                assert replica.document("task.09")["title"] == "Live"


@TRANSPORTS
def test_what_becomes_visible_comes_as_it_stood_and_what_does_not_goes(server, space, transport):
    root = accounts.root(server, space)
    root.make_user("bob")
    token = accounts.signed_in(server, "bob", space=space).token
    place = {"server": server.url, "space": space, "transport": transport}
    hidden = {"user": "bob", "item": "diary.*", "action": ".read", "type": "deny"}
    rule = root.post("acl", hidden, 201)["rules"][0]["id"]
    with syncline.open(None, token=server.key, **place) as ann, syncline.open(None, token=token, **place) as bob:
        for name in ("diary.1", "diary.2", "task.1"):
            ann.create(name, {"title": name, "n": Counter(1)})["title"] = "Changed"
        assert ann.sync().ok
        assert bob.sync().ok
        assert bob.items() == ["task.1"]
        kept = json.dumps({"retention": {"revisions": 1}})
        assert server.request("PATCH", f"/v1/spaces/{space}", kept, server.bearer()).status == 200
        assert root.post("history")["horizon"]
        ann.document("diary.1")["n"] += 5
        ann.document("task.1")["n"] += 5
        assert ann.sync().ok
        assert bob.sync().ok
        root.delete(f"acl/{rule}")
        assert bob.sync().ok
        assert bob.items() == ann.items() == ["diary.1", "diary.2", "task.1"]
        for item in ann.items():
            assert encode(bob.library.document(item)) == encode(ann.library.document(item)), item
        assert bob.document("diary.1").first_revision > 1
        bob.document("diary.2")["n"] += 10
        agree(bob, ann)
        assert ann.document("diary.2")["n"].value == 11
        root.post("acl", hidden, 201)
        assert bob.sync().ok
        assert bob.items() == ["task.1"]
        assert not list(bob._store.bases(["diary.*"]))
