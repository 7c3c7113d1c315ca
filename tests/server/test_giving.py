"""Logs that were put back, lost, forked or made anew: what replicas have kept comes back, once, and nothing else."""

import json
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from signal import SIGKILL

import pytest

import syncline
from syncline import Draft
from syncline.core.canonical import encode
from syncline.server.registry import FILE, open_registry
from tests.postgres import new_database
from tests.server.running import DEADLINE, Author, ServerProcess, eventually, recv, recv_past
from tests.server.tenants import administer, bearer, key, make

ROOT = ".root"
MANY = 2_500
"""Events that take more than one gift."""


@pytest.fixture
def serve(tmp_path):
    """Starts a server in a data directory of this name; ``stop`` it before its directory is put back."""
    servers = []

    def start(name="data", **settings):
        servers.append(ServerProcess(tmp_path / name, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def at(tmp_path):
    """Syncs the replica of this name at a server, does something with it before, and closes it again."""

    def sync(server, name, *steps, user=None, space="default", token=None):
        token = token or key(server, space, user or name)
        path = tmp_path / f"{name}.db"
        with closing(syncline.open(path, server=server.url, token=token, space=space)) as replica:
            for step in steps:
                step(replica)
            return replica.sync()

    return sync


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return listening.getsockname()[1]


def writes(item, *payloads):
    """A step that records these payloads."""
    return lambda replica: [replica.record(item, "put", payload) for payload in payloads]


def copied(server, name):
    """A copy of a stopped server's directory beside it."""
    assert server.stop() == 0
    shutil.copytree(server.data, server.data.with_name(name))
    server.start()
    return server.data.with_name(name)


def put_back(server, copy):
    """The copy in place of what is there."""
    if server.is_running:
        assert server.stop() == 0
    shutil.rmtree(server.data)
    shutil.copytree(copy, server.data)
    server.start()


def entries(server, space="default"):
    """The whole log of a space; ids are there once, and seqs have no gaps."""
    found, cursor, more = [], "", True
    while more:
        since = f"&since={cursor}" if cursor else ""
        answer = server.request("GET", f"/v1/spaces/{space}/pull?limit=1000{since}", headers=server.bearer())
        page = answer.json
        found, cursor, more = [*found, *page["entries"]], page["cursor"], page.get("more")
    assert [entry["seq"] for entry in found] == list(range(1, len(found) + 1))
    assert len({entry["event"]["id"] for entry in found}) == len(found)
    return found


def events(server, space="default"):
    """What people wrote, by id, as canonical bytes."""
    found = [entry["event"] for entry in entries(server, space)]
    return {event["id"]: encode(event) for event in found if event["item"][0] != "."}


def held(tmp_path, name):
    """All that a replica has: the payloads it shows, and how many there are of each status that is not settled."""
    with closing(syncline.open(tmp_path / f"{name}.db")) as replica:
        status = replica.status
        shown = [event.payload for event in replica.events() if event.item[0] != "."]
        return shown, (status.pending, status.refused, status.orphan, status.unvouched)


SETTLED = (0, 0, 0, 0)


def allow(server, user, item, action):
    rule = {"user": user, "item": item, "action": action, "type": "allow"}
    assert administer(server, "POST", "/v1/spaces/default/acl", rule).status == 201


def a_key_to_give(server, items=(), store=""):
    with closing(open_registry(server.data, store, lambda: 1)) as registry:
        return registry.create_key("giver", ROOT, "", actions=[".read", ".give"], items=items)


# Put back from an older copy


def test_a_server_that_is_put_back_gets_back_what_it_lost(serve, at, tmp_path):
    server = serve()
    assert at(server, "ann", writes("x", 1)).ok
    copy = copied(server, "copy")
    assert at(server, "ann", writes("x", *range(2, MANY))).ok
    assert at(server, "bob", writes("y", "b")).ok
    assert at(server, "ann").ok
    before = events(server)
    put_back(server, copy)
    assert len(entries(server)) < 10
    result = at(server, "bob")  # ann's replica is at home: what she wrote is given by bob, who was never asked to
    assert result.ok, result.errors
    assert result.given == MANY - 1
    assert events(server) == before
    for name in ("ann", "bob"):
        assert at(server, name).ok
        shown, unsettled = held(tmp_path, name)
        assert sorted(map(str, shown)) == sorted(map(str, ["b", *range(1, MANY)]))
        assert unsettled == SETTLED


def test_a_fleet_that_is_live_brings_everything_back_by_itself(serve, tmp_path):
    """Nobody asks for anything: the server is killed, an older copy takes its place, and all agree again."""
    server = serve(port=free_port())
    with ExitStack() as stack:
        fleet = {}
        for name in ("ann", "bob", "cy"):
            token = key(server, "default", name)
            replica = syncline.open(tmp_path / f"{name}.db", server=server.url, token=token)
            fleet[name] = stack.enter_context(closing(replica))
            replica.record("x", "put", [name, 0])
            replica.start()
        eventually(lambda: len(events(server)) == 3)
        copy = copied(server, "copy")
        eventually(lambda: all(replica.status.state == "live" for replica in fleet.values()))
        for name, replica in fleet.items():
            replica.record_many([Draft(item, "put", [name, n]) for n in range(1, 40) for item in ("x", name)])
        eventually(lambda: all(len(list(replica.entries())) == 3 + 3 * 78 for replica in fleet.values()))
        before = events(server)
        server.stop(SIGKILL)
        put_back(server, copy)
        eventually(lambda: events(server) == before, seconds=90)
        for replica in fleet.values():
            eventually(lambda replica=replica: replica.status.orphan == 0 and not replica.pending())
            eventually(lambda replica=replica: {entry.event.id for entry in replica.entries()} == before.keys())
            assert (replica.status.refused, replica.status.unvouched) == (0, 0)


def test_what_is_new_waits_until_what_was_lost_had_its_time(serve, at, tmp_path):
    server = serve()
    assert at(server, "cy", writes("z", 0)).ok
    copy = copied(server, "copy")
    assert at(server, "ann", writes("x", 1)).ok
    assert at(server, "bob").ok
    put_back(server, copy)
    result = at(server, "bob", writes("y", "new"))
    assert [error.code for error in result.errors] == ["recovering"]
    assert 0 < result.errors[0].details["retry_after"] <= 30
    assert result.given == 1
    assert held(tmp_path, "bob") == ([0, 1, "new"], (1, 0, 0, 0))
    late = server.push("default", Author().events(1), bearer(key(server, "default", "cy"))).json
    assert late["results"][0]["error"]["code"] == "recovering"
    server.stop()
    server.start()  # one such time for each opening, and only if a cursor proves it
    assert at(server, "bob").ok
    assert held(tmp_path, "bob") == ([0, 1, "new"], SETTLED)


def test_rules_that_were_lost_come_back_before_anybody_uses_their_absence(serve, at):
    server = serve()
    assert at(server, "ann", writes("secret", 1)).ok
    copy = copied(server, "copy")
    rule = {"user": "bob", "item": "secret", "action": "*", "type": "deny"}
    assert administer(server, "POST", "/v1/spaces/default/acl", rule).status == 201
    token = a_key_to_give(server)
    assert at(server, "root", token=token).ok
    assert at(server, "bob", writes("y", 1)).ok
    put_back(server, copy)
    token = a_key_to_give(server)
    assert at(server, "root", token=token).ok
    found = entries(server)
    assert [entry["event"]["action"] for entry in found if entry["event"]["item"] == ".acl"] == [".acl.addRule"]
    refused = at(server, "bob", writes("secret", 2))
    assert {error.code for error in refused.errors} <= {"recovering", "forbidden"}
    assert not refused.ok


def test_two_servers_that_forked_become_one_again(serve, at, tmp_path):
    one = serve("one")
    assert at(one, "ann", writes("x", 1)).ok
    assert at(one, "bob").ok
    copied(one, "two")
    two = serve("two")
    two.key = one.key
    assert at(one, "ann", writes("x", 2, 3)).ok
    assert at(two, "bob", writes("x", 4), writes("y", 5)).ok
    assert at(two, "cy", writes("z", 6)).ok
    theirs = events(two)
    two.stop()
    mine = events(one)
    assert at(one, "cy").given == 3  # of bob too, who is at home
    assert at(one, "bob").ok
    assert at(one, "ann").ok
    assert events(one) == mine | theirs
    for name in ("ann", "bob", "cy"):
        assert at(one, name).ok
        shown, unsettled = held(tmp_path, name)
        assert sorted(shown) == [1, 2, 3, 4, 5, 6]
        assert unsettled == SETTLED


def test_who_was_away_for_a_year_has_all_and_loses_nothing(serve, at, tmp_path):
    server = serve()
    assert at(server, "bob", writes("y", "old")).ok
    at(server, "ann", writes("x", *range(MANY)))
    assert at(server, "bob", writes("y", "new")).ok
    shown, unsettled = held(tmp_path, "bob")
    assert len(shown) == MANY + 2
    assert unsettled == SETTLED


# Without the keys by which receipts are known


def test_what_no_receipt_vouches_for_stays_until_somebody_may_give_it(serve, at, tmp_path):
    server = serve()
    assert at(server, "cy", writes("z", "c")).ok
    copy = copied(server, "copy")
    assert at(server, "ann", writes("x", "a")).ok
    assert at(server, "bob", writes("y", "b")).ok
    before = events(server)
    put_back(server, copy)
    server.stop()
    (server.data / FILE).unlink()  # the log is that of the copy, the register and its secrets are new
    server.start()
    result = at(server, "bob")
    assert [error.code for error in result.errors] == ["unvouched"]
    assert held(tmp_path, "bob") == (["c", "b", "a"], (0, 0, 0, 1)), "it shows as it did"
    allow(server, "bob", "x", ".give")
    assert at(server, "bob").given == 0, "nobody has asked for it"
    result = at(server, "bob", lambda replica: replica.offer_again())
    assert (result.given, result.errors) == (1, [])
    assert events(server) == before
    assert held(tmp_path, "bob")[1] == SETTLED


# Lost, and begun anew


def test_what_comes_back_after_later_events_of_its_author_counts(serve, at, tmp_path):
    """The author itself could not give it: it had begun from a snapshot meanwhile."""
    server = serve()
    at(server, "ann", lambda notes: notes.create("task.1", {"a": 1}))
    copy = copied(server, "copy")
    for name in "bc":
        at(server, "ann", lambda notes, name=name: notes.document("task.1").__setitem__(name, 1))
    _, first, second = entries(server)
    put_back(server, copy)
    token = key(server, "default", "ann")
    epoch = server.request("GET", "/v1/spaces/default", headers=server.bearer()).json["epoch"]
    for gift in ([second], [first]):
        body = json.dumps({"type": "give", "epoch": epoch, "entries": gift}).encode()
        answer = server.request("POST", "/v1/give", body, {"Authorization": f"Bearer {token}"})
        assert all("seq" in result for result in answer.json["results"]), answer.json
        shown = server.request("GET", "/v1/spaces/default/docs/task.1", headers=server.bearer()).json
    assert shown["value"] == {"a": 1, "b": 1, "c": 1}
    assert at(server, "bob").ok
    with closing(syncline.open(tmp_path / "bob.db")) as bob:
        assert bob.document("task.1").plain == {"a": 1, "b": 1, "c": 1}
        assert len(bob.document("task.1").history()) == 3


def test_a_server_that_was_lost_is_seeded_by_who_may_give_everything(serve, at, tmp_path):
    server = serve("first")
    assert at(server, "ann", writes("x", *range(3))).ok
    assert at(server, "bob", writes("y", "b")).ok
    assert at(server, "ann").ok
    before = events(server)
    server.stop()
    anew = serve("second")
    allow(anew, "ann", "*", ".give")
    rules = entries(anew)
    assert [error.code for error in at(anew, "bob").errors] == ["epoch_changed"]
    assert held(tmp_path, "bob")[1] == SETTLED
    result = at(anew, "ann")
    assert result.failure is None, result.errors
    assert events(anew) == before
    kept = [entry["event"] for entry in entries(anew)][: len(rules)]
    assert kept == [entry["event"] for entry in rules], "what the system wrote stays"
    assert at(anew, "bob").ok
    for name in ("ann", "bob"):
        shown, unsettled = held(tmp_path, name)
        assert sorted(map(str, shown)) == ["0", "1", "2", "b"]
        assert unsettled[:3] == (0, 0, 0)


def test_who_began_from_a_snapshot_keeps_what_it_shows_and_seeds_nothing(serve, tmp_path):
    """Only who holds every entry makes an empty log the lost one; the others wait for that, and lose nothing."""
    server, fresh = serve("lost"), serve("fresh")
    with closing(syncline.open(tmp_path / "all.db", server=server.url, token=server.key)) as whole:
        milk = whole.create("task.milk", {"title": "Milk", "n": syncline.Counter(1)})
        assert whole.sync().ok
        assert administer(server, "POST", "/v1/spaces/default/history", {}).status == 200
        part = syncline.open(tmp_path / "part.db", server=server.url, token=server.key, history=False)
        with closing(part):
            assert part.sync().bases == 1
        milk["n"] += 1
        assert whole.sync().ok
    server.stop()
    with closing(syncline.open(tmp_path / "part.db", server=fresh.url, token=a_key_to_give(fresh))) as part:
        assert [error.code for error in part.sync().errors] == ["epoch_changed"]
        assert part.get("task.milk").plain == {"title": "Milk", "n": 1}
        with closing(syncline.open(tmp_path / "all.db", server=fresh.url, token=a_key_to_give(fresh))) as whole:
            assert whole.sync().given == 2
            assert whole.get("task.milk").plain == {"title": "Milk", "n": 2}
        assert part.sync().ok
        assert part.get("task.milk").plain == {"title": "Milk", "n": 2}


def test_a_log_that_holds_something_keeps_its_epoch(serve, at):
    server = serve("first")
    assert at(server, "ann", writes("x", 1)).ok
    server.stop()
    anew = serve("second")
    allow(anew, "ann", "*", ".give")
    assert at(anew, "cy", writes("z", 1)).ok
    before = events(anew)
    assert [error.code for error in at(anew, "ann").errors] == ["epoch_changed"]
    assert events(anew) == before


@pytest.mark.parametrize("item", ["x", "task.*"])
def test_who_may_give_a_part_brings_no_epoch(serve, at, item):
    server = serve("first")
    assert at(server, "ann", writes("x", 1)).ok
    server.stop()
    anew = serve("second")
    allow(anew, "ann", item, ".give")
    assert [error.code for error in at(anew, "ann").errors] == ["epoch_changed"]
    assert events(anew) == {}


def test_what_was_deleted_does_not_come_in_again(serve, at):
    server = serve(create_spaces=False)
    make(server, "old")
    assert at(server, "ann", writes("x", 1), space="old").ok
    assert administer(server, "DELETE", "/v1/spaces/old").status in (200, 204)
    make(server, "new")
    rule = {"user": "ann", "item": "*", "action": ".give", "type": "allow"}
    assert administer(server, "POST", "/v1/spaces/new/acl", rule).status == 201
    assert [error.code for error in at(server, "ann", space="new").errors] == ["space_deleted"]
    assert events(server, "new") == {}


def test_the_epoch_of_a_living_log_is_not_taken_twice(serve, at):
    server = serve(create_spaces=False)
    for space in ("one", "two"):
        make(server, space)
    rule = {"user": "ann", "item": "*", "action": ".give", "type": "allow"}
    assert administer(server, "POST", "/v1/spaces/two/acl", rule).status == 201
    assert at(server, "ann", writes("x", 1), space="one").ok
    assert [error.code for error in at(server, "ann", space="two").errors] == ["epoch_changed"]
    assert events(server, "two") == {}


# Several servers on one database


@pytest.mark.parametrize("writes_between", [False, True])
def test_others_open_the_log_anew_that_took_another_epoch(serve, at, tmp_path, writes_between):
    first = serve("first")
    assert at(first, "ann", writes("x", 1, 2)).ok
    before = events(first)
    first.stop()
    store = new_database()
    one, two = serve("one", store=store), serve("two", store=store)
    two.key = one.key
    token = a_key_to_give(one, store=store)
    with two.session("default", "n", a_member(two, store)) as ws:
        ws.send(json.dumps({"type": "live"}))
        recv(ws)
        if writes_between:
            two.push("default", [Author().event(item="y")], bearer(a_member(two, store)))
            assert [error.code for error in at(one, "ann", token=a_member(one, store)).errors] == ["epoch_changed"]
            return
        path = tmp_path / "ann.db"
        given = subprocess.run(
            [sys.executable, "-m", "syncline", "give", path, "--server", one.url, "--token", token],
            capture_output=True, text=True, timeout=DEADLINE, check=True,
        )  # fmt: skip
        assert "2 entries given" in given.stdout + given.stderr
        assert recv_past(ws, "page")["code"] == "overloaded"
    assert events(two) == events(one) == before
    answer = two.push("default", [Author().event(item="y")], bearer(a_member(two, store))).json
    assert "seq" in answer["results"][0]
    assert at(two, "ann", token=a_member(two, store)).ok
    assert events(one) == events(two)


def a_member(server, store, user="ann"):
    with closing(open_registry(server.data, store, lambda: 1)) as registry:
        return registry.create_key("laptop", user, "default")


# What is said in other words


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"epoch": "?", "entries": []}, "bad_request"),
        ({"epoch": "f" * 32, "entries": []}, "epoch_changed"),
        ({"entries": []}, "bad_request"),
        ({"epoch": "f" * 32, "entries": {}}, "epoch_changed"),
    ],
)
def test_what_is_no_gift(serve, body, code):
    server = serve(open=True)
    answer = server.request("POST", "/v1/give", json.dumps({"type": "give", **body}).encode())
    assert answer.code == code
