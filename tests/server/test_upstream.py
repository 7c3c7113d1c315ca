"""An edge and its centre, each a server of its own: all that either took is at both, once, and documents agree."""

import json
import shutil
import socket
from contextlib import closing
from signal import SIGKILL

import pytest

import syncline
from syncline.core.canonical import encode
from syncline.errors import BadSettings
from syncline.server.registry import open_registry
from syncline.server.settings import gather
from tests.server.accounts import Somebody
from tests.server.running import Author, eventually
from tests.server.tenants import bearer, key

RIGHTS = [".read", ".give"]
ROOT = ".root"
SECONDS = 60.0
SECRET = "told-to-nobody-ever"


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return listening.getsockname()[1]


def key_for_the_edge(centre, user=ROOT, actions=RIGHTS, items=()):
    with closing(open_registry(centre.data, "", lambda: 1)) as registry:
        return registry.create_key("edge", user, "" if user == ROOT else "default", actions=actions, items=items)


@pytest.fixture
def centre(serve):
    """A server that comes back at the same address."""
    return serve("centre", port=free_port())


@pytest.fixture
def follow(serve, centre):
    """Starts an edge of the centre, with such a key there."""

    def start(**scope):
        return serve("edge", upstream=centre.url, upstream_token=key_for_the_edge(centre, **scope))

    return start


@pytest.fixture
def edge(follow):
    return follow()


@pytest.fixture
def join(tmp_path):
    """Opens a replica of a user at a server."""
    replicas = []

    def open_replica(server, user):
        path = tmp_path / f"{user}.db"
        replicas.append(syncline.open(path, server=server.url, token=key(server, "default", user)))
        return replicas[-1]

    yield open_replica
    for replica in replicas:
        replica.close()


def entries(server):
    """The whole log of a server."""
    found, cursor, more = [], "", True
    while more:
        since = f"&since={cursor}" if cursor else ""
        page = server.request("GET", f"/v1/spaces/default/pull?limit=1000{since}", headers=server.bearer()).json
        found, cursor, more = [*found, *page["entries"]], page["cursor"], page.get("more")
    return found


def events(server):
    """What people wrote, by id, each as canonical bytes; ids are there once."""
    found = [entry["event"] for entry in entries(server) if entry["event"]["item"][0] != "."]
    by_id = {event["id"]: encode(event) for event in found}
    assert len(by_id) == len(found)
    return by_id


def agree(edge, centre):
    eventually(lambda: events(edge) == events(centre), seconds=SECONDS, what="edge and centre agree")


def standing(edge):
    return edge.request("GET", "/v1/spaces/default/upstream", headers=edge.bearer()).json


def push(server, made, headers=None):
    """The results of a push, as seqs and codes."""
    results = server.push("default", made, headers or server.bearer()).json["results"]
    return [each["seq"] if "seq" in each else each["error"]["code"] for each in results]


def allow(server, **rule):
    answer = server.request("POST", "/v1/spaces/default/acl", json.dumps(rule).encode(), server.bearer())
    assert answer.status == 201, answer


def shown(replica):
    """All documents of a replica, as bytes."""
    assert replica.sync().ok
    return encode({item: replica.get(item).wire for item in replica.items()})


def test_what_either_took_is_at_both_and_documents_agree(centre, edge, join):
    ann, bob, carl = join(edge, "ann"), join(edge, "bob"), join(centre, "carl")
    ann.create("task.milk", {"title": "Milk", "tags": syncline.ORSet(["shop"])})
    carl.create("task.bread", {"title": "Bread", "n": syncline.Counter(1), "text": syncline.Text("rye")})
    assert ann.sync().ok
    assert carl.sync().ok
    agree(edge, centre)
    bob.sync()
    carl.sync()
    bob.get("task.bread")["n"].increment(4)
    bob.get("task.milk")["tags"].add("urgent")
    carl.get("task.bread")["n"].increment(2)
    carl.get("task.milk")["title"] = "Oat milk"
    bob.sync()
    carl.sync()
    agree(edge, centre)
    assert shown(ann) == shown(bob) == shown(carl)
    assert ann.get("task.bread").plain == {"title": "Bread", "n": 7, "text": "rye"}
    assert {json.loads(event)["user"] for event in events(centre).values()} == {"ann", "bob", "carl"}


def root(server):
    return server.request("GET", "/v1/spaces/default?root=1&items=task.*", headers=server.bearer()).json["root"]


def erase(server, *items):
    answer = server.request("POST", "/v1/erase", json.dumps({"items": items}).encode(), server.bearer())
    assert answer.status == 200, answer


def test_what_the_centre_erases_is_erased_at_the_edge(centre, edge, serve, join):
    """Also what lies before the edge's horizon; and an edge that comes later gets no more than is left."""
    ann, carl = join(edge, "ann"), join(centre, "carl")
    ann.create("task.milk", {"title": SECRET})
    carl.create("task.bread", {"title": SECRET})
    assert ann.sync().ok
    assert carl.sync().ok
    agree(edge, centre)
    assert ann.sync().ok
    body = json.dumps({"retention": {"revisions": 1}}).encode()
    assert edge.request("PATCH", "/v1/spaces/default", body, edge.bearer()).status == 200
    kept = edge.request("POST", "/v1/spaces/default/history", b"{}", edge.bearer()).json
    assert kept["horizon"] == 2
    assert isinstance(push(edge, [Author().event("task.milk", payload=SECRET)])[0], int)
    eventually(lambda: len(entries(centre)) == 3)
    erase(centre, "task.*")
    eventually(lambda: edge.head("default") == centre.head("default") == 4)
    assert SECRET not in json.dumps(edge.request("GET", "/v1/pull?items=task.*", headers=edge.bearer()).json)
    eventually(lambda: ann.sync().ok and ann.get("task.milk").plain == {"title": None})
    assert ann.get("task.bread").plain == {"title": None}
    late = serve("late", upstream=centre.url, upstream_token=key_for_the_edge(centre))
    eventually(lambda: late.head("default") == 4)
    assert events(late) == events(centre)
    assert root(late) == root(centre) == root(edge)
    for server in (edge, centre, late):
        server.stop()
        logs = [path for path in server.data.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
        assert logs == []


def test_weeks_without_a_line_are_made_up_for(centre, edge, join):
    ann, bob, carl = join(edge, "ann"), join(edge, "bob"), join(centre, "carl")
    carl.create("task.milk", {"title": "Milk"})
    carl.sync()
    agree(edge, centre)
    ann.sync()
    centre.stop()
    ann.get("task.milk")["title"] = "Oat milk"  # the edge serves on
    assert ann.sync().ok
    assert bob.sync().ok
    bob.get("task.milk")["amount"] = 2
    assert bob.sync().ok
    edge.stop()
    centre.start()
    carl.get("task.milk")["title"] = "Soy milk"  # and so does the centre
    assert carl.sync().ok
    edge.settings["port"] = edge.port
    edge.start()
    agree(edge, centre)
    assert shown(ann) == shown(bob) == shown(carl)
    titles = ann.get("task.milk").conflicts()
    assert titles == carl.get("task.milk").conflicts()


def test_an_edge_that_is_killed_in_the_middle_loses_and_doubles_nothing(centre, edge):
    edge.settings["port"] = edge.port
    above, below = Author(), Author()
    for _ in range(5):
        for _ in range(4):
            assert all(isinstance(each, int) for each in push(edge, below.events(250, ops=[])))
            assert all(isinstance(each, int) for each in push(centre, above.events(250, "task.bread", ops=[])))
        edge.stop(SIGKILL)
        edge.start()
    agree(edge, centre)
    assert len(events(edge)) == 10_000


def test_rules_of_the_centre_hold_at_the_edge(centre, edge):
    ann = bearer(key(edge, "default", "ann"))
    allow(centre, user="*", item="secret.*", action="*", type="deny")
    eventually(lambda: any(entry["event"]["item"] == ".acl" for entry in entries(edge)))
    assert push(edge, [Author().event("secret.plan", ops=[])], ann) == ["forbidden"]
    assert isinstance(push(edge, [Author().event("task.milk", ops=[])], ann)[0], int)
    agree(edge, centre)


def test_whom_the_centre_suspends_the_edge_does_not_let_write(centre, edge):
    key(centre, "default", "ann")
    author, ann = Author(), bearer(key(edge, "default", "ann"))
    assert isinstance(push(edge, [author.event(ops=[])], ann)[0], int)
    agree(edge, centre)
    root = Somebody(centre, centre.key)
    assert root.administer("ann", "suspend").status == 200
    eventually(lambda: edge.push("default", [author.event(ops=[])], ann).status == 401)
    assert root.administer("ann", "resume").status == 200
    eventually(lambda: edge.push("default", [author.event(ops=[])], ann).status == 200)


def test_spaces_that_are_not_named_stay_where_they_are(centre, serve):
    token = key_for_the_edge(centre)
    edge = serve("edge", upstream=centre.url, upstream_token=token, upstream_spaces=["one", "two"])
    for space in ("one", "two", "three"):
        assert edge.push(space, [Author().event(ops=[])], edge.bearer()).status == 200

    def heads():
        listed = centre.request("GET", "/v1/spaces", headers=centre.bearer()).json["spaces"]
        names = [each["name"] if isinstance(each, dict) else each for each in listed]
        spaces = [f"/v1/spaces/{name}" for name in sorted(names) if name != "default"]
        return {path[-3:]: centre.request("GET", path, headers=centre.bearer()).json["head"] for path in spaces}

    eventually(lambda: heads() == {"one": 1, "two": 1}, seconds=SECONDS)
    assert edge.request("GET", "/v1/spaces/three/upstream", headers=edge.bearer()).code == "not_found"


def test_what_the_centre_refuses_is_listed_and_holds_up_nothing_else(centre, follow):
    edge = follow(items=["task.*"])
    author = Author()
    note, task, after = author.event("note.x", ops=[]), author.event("task.milk", ops=[]), author.event("note.x")
    put = {"op": "put", "key": "a", "value": 1, "over": [f"{note['id']}:0"]}
    note["ops"], after["ops"] = [{**put, "over": []}], [put]
    ann = bearer(key(edge, "default", "ann"))
    assert all(isinstance(each, int) for each in push(edge, [note, task, after], ann))
    eventually(lambda: task["id"] in events(centre), seconds=SECONDS)
    found = eventually(lambda: standing(edge) if len(standing(edge).get("refused", ())) == 2 else None, seconds=SECONDS)
    assert [(each["event"]["id"], each["error"]["code"]) for each in found["refused"]] == [
        (note["id"], "user_mismatch"),
        (after["id"], "user_mismatch"),
    ]
    assert events(centre).keys() == {task["id"]}
    told = "1 of 1 spaces live, 0 pending, 2 refused"
    eventually(lambda: edge.request("GET", "/readyz").json["upstream"] == told, seconds=SECONDS)
    edge.stop()
    edge.settings["upstream_token"] = key_for_the_edge(centre)
    edge.start()  # with the right it is offered again
    agree(edge, centre)
    eventually(lambda: standing(edge).get("refused") == [], seconds=SECONDS)


def test_who_may_not_give_is_not_believed(centre, serve):
    edge = serve("edge", upstream=centre.url, upstream_token=key_for_the_edge(centre, "eve", actions=()))
    mine = Author().event("task.milk", ops=[])
    push(edge, [mine], bearer(key(edge, "default", "ann")))
    found = eventually(lambda: standing(edge).get("refused"), seconds=SECONDS)
    assert [each["error"]["code"] for each in found] == ["user_mismatch"]
    assert events(centre) == {}
    edge.stop()
    allow(centre, user="eve", item="*", action=".give", type="allow")
    edge.start()
    agree(edge, centre)


def test_an_edge_without_credentials_serves_and_says_so(centre, serve):
    edge = serve("edge", upstream=centre.url, upstream_token="sk_nobody")
    assert push(edge, [Author().event(ops=[])]) == [1]
    found = eventually(lambda: standing(edge) if standing(edge).get("state") == "needs_auth" else None, seconds=SECONDS)
    assert found["error"]["code"] == "unauthorized"
    assert found["pending"] == 1
    assert serve("alone").request("GET", "/v1/spaces/default/upstream", headers={}).status == 401


def test_a_log_that_was_put_back_gets_everything_again(centre, edge, tmp_path):
    log = edge.data / "spaces" / "default.db"
    push(centre, Author().events(50, ops=[]))
    agree(edge, centre)
    edge.stop()
    shutil.copy(log, tmp_path / "copy.db")
    edge.start()
    push(centre, Author().events(50, ops=[]))
    push(edge, Author().events(50, ops=[]))
    agree(edge, centre)
    edge.stop()
    shutil.copy(tmp_path / "copy.db", log)
    edge.start()
    agree(edge, centre)
    assert len(events(edge)) == 150


def test_a_centre_that_was_put_back_gets_everything_again(centre, edge, tmp_path):
    log = centre.data / "spaces" / "default.db"
    push(centre, Author().events(50, ops=[]))
    agree(edge, centre)
    centre.stop()
    shutil.copy(log, tmp_path / "copy.db")
    centre.start()
    push(centre, Author().events(50, ops=[]))
    push(edge, Author().events(50, ops=[]))
    agree(edge, centre)
    centre.stop()
    shutil.copy(tmp_path / "copy.db", log)
    centre.start()
    agree(edge, centre)
    assert len(events(centre)) == 150


def test_a_centre_that_was_made_anew_waits_for_a_person(centre, edge):
    push(edge, Author().events(3, ops=[]))
    agree(edge, centre)
    centre.stop()
    (centre.data / "spaces" / "default.db").unlink()
    centre.start()
    eventually(lambda: (standing(edge).get("error") or {}).get("code") == "epoch_changed", seconds=SECONDS)
    assert events(centre) == {}
    edge.stop()
    for file in (edge.data / "spaces").glob("default.upstream*"):
        file.unlink()
    edge.start()
    agree(edge, centre)
    assert len(events(centre)) == 3


@pytest.mark.parametrize("store", ["jsonl", "lmdb"])
def test_an_edge_keeps_its_log_as_it_likes(centre, serve, store):
    edge = serve("edge", store=store, upstream=centre.url, upstream_token=key_for_the_edge(centre))
    push(centre, Author().events(20, ops=[]))
    push(edge, Author().events(20, ops=[]))
    agree(edge, centre)
    edge.stop(SIGKILL)
    push(centre, Author().events(20, ops=[]))
    edge.start()
    agree(edge, centre)
    assert len(events(edge)) == 60


def test_a_space_that_is_deleted_leaves_nothing_of_what_waited(centre, serve):
    edge = serve("edge", upstream=centre.url, upstream_token="sk_nobody", upstream_spaces=["short"])
    edge.push("short", [Author().event(ops=[])], edge.bearer())
    eventually(lambda: list((edge.data / "spaces").glob("short.upstream*")))
    assert edge.request("DELETE", "/v1/spaces/short", headers=edge.bearer()).status == 200
    eventually(lambda: not list((edge.data / "spaces").glob("short*")))


def test_settings_of_an_edge():
    environment = {"SYNCLINE_UPSTREAM_TOKEN": "sk_secret", "SYNCLINE_UPSTREAM_SPACES": "a, b"}
    settings, found = gather(file=None, environment=environment, flags={"upstream": "https://sync.example.com"})
    assert (settings.upstream_token, settings.upstream_spaces) == ("sk_secret", ("a", "b"))
    assert {each.name: each.shown for each in found}["upstream_token"] == "…"
    for flags in ({"upstream": "sync.example.com"}, {"upstream": "http://x", "upstream_spaces": []}):
        with pytest.raises(BadSettings, match="upstream"):
            gather(file=None, environment={}, flags=flags)
