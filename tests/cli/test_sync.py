"""``sync`` and ``share``: replicas that agree without a server, and with one."""

import json
import signal
import time
from contextlib import closing

import httpx2
import pytest

import syncline as sdk
from syncline.stores import Change
from syncline.stores.sqlite import SqliteReplicaStore
from tests.processes import DEADLINE, rest_of


@pytest.fixture
def titled(terminal):
    """The title of task.milk in a file, and a way to set it."""

    def title(file, new=None):
        if new is not None:
            assert terminal("doc", "set", "-d", file, "task.milk", f"title={new}").code == 0
        return terminal("doc", "get", "-d", file, "task.milk").json["title"]

    assert terminal("doc", "create", "-d", "a.db", "task.milk", "title=Milk").code == 0
    return title


class Shared:
    """A replica that ``syncline share`` serves."""

    def __init__(self, terminal, *arguments):
        self.process = terminal.begin("share", *arguments, "--port", "0", "--grpc-port", "0", "--json")
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.ready = json.loads(line)
        self.url = self.ready["url"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, logged = rest_of(self.process)
        assert (self.process.returncode, logged) == (0, "")


def test_two_files_get_what_the_other_has(terminal, titled):
    assert terminal("sync", "a.db", "b.db").out == "a.db -> b.db: 1 event; b.db -> a.db: 0 events.\n"
    titled("b.db", "Oats")
    titled("a.db", "Soy")
    told = terminal("sync", "a.db", "b.db", "--json")
    assert (told.code, told.json) == (0, {"replica": "a.db", "other": "b.db", "sent": 1, "received": 1, "errors": []})
    assert titled("a.db") == titled("b.db")
    status = terminal("status", "a.db", "--json").json
    assert (status["pending"], status["heard"]) == (2, 1)


def test_it_does_not_matter_which_is_named_first(terminal, titled):
    with sdk.open(terminal.directory / "b.db") as replica:
        replica.record_many(sdk.Draft(f"task.{place}", "update") for place in range(5))
    told = terminal("sync", "a.db", "b.db", "--json").json
    assert (told["sent"], told["received"]) == (1, 5)


def test_a_ring_of_files_and_then_a_server(syncline, titled):
    """What went round reaches a server from its authors, once; and all of them agree with it."""
    terminal = syncline
    on = {"SYNCLINE_SERVER": ""}  # for now without
    for one, other in (("a.db", "b.db"), ("b.db", "c.db"), ("c.db", "a.db")):
        assert terminal("sync", one, other, **on).code == 0
        with sdk.open(terminal.directory / other) as replica:
            replica.document("task.milk")[other[0]] = 1
    for one, other in (("a.db", "b.db"), ("b.db", "c.db"), ("c.db", "a.db")):
        assert terminal("sync", one, other, **on).code == 0
    shown = [_shown(terminal.directory / file) for file in ("a.db", "b.db", "c.db")]
    assert shown[0] == shown[1] == shown[2] == {"title": "Milk", "a": 1, "b": 1, "c": 1}
    for file in ("a.db", "b.db", "c.db", "a.db", "b.db"):
        assert terminal("sync", file).code == 0
    for file in ("a.db", "b.db", "c.db"):
        status = terminal("status", file, "--json").json
        assert (status["head"], status["pending"], status["heard"], status["acked"]) == (4, 0, 0, 0)
        assert _shown(terminal.directory / file) == shown[0]
    assert len(terminal("export").lines) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["a.db", "a.db"], 2, "one and the same"),
        (["x.db", "y.db"], 5, "x.db: No such file"),
        (["a.db", "nowhere/x.db"], 5, "No such file"),
        (["a.db"], 2, "Sync with what?"),
        (["a.db", "http://127.0.0.1:1"], 3, "cannot be reached"),
    ],
)
def test_what_cannot_be_meant_is_told(terminal, titled, arguments, code, words):
    done = terminal("sync", *arguments)
    assert done.code == code
    assert words in done.err
    assert {path.name for path in terminal.directory.iterdir() if path.suffix == ".db"} == {"a.db"}


def test_a_shared_replica_answers_who_shows_its_token(terminal, titled):
    shared = Shared(terminal, "a.db", "--token", "secret")
    refused = terminal("sync", "b.db", shared.url)
    assert (refused.code, "its token" in refused.err) == (4, True)
    told = terminal("sync", "b.db", shared.url, "--token", "secret", "--json").json
    assert (told["sent"], told["received"]) == (0, 1)
    titled("b.db", "Oats")
    assert terminal("sync", "b.db", shared.url, "--token", "secret", "--json").json["sent"] == 1
    shared.stop()
    assert titled("a.db") == "Oats"


def test_a_token_is_made_and_needed_where_others_listen(terminal, titled):
    done = terminal("share", "a.db", "--host", "0.0.0.0")
    assert (done.code, "--token" in done.err) == (2, True)
    shared = Shared(terminal, "a.db", "--token", "-")
    assert len(shared.ready["token"]) > 30
    assert terminal("sync", "b.db", shared.url, "--token", shared.ready["token"]).code == 0
    shared.stop()


def test_web_pages_and_strangers_get_nothing(terminal, titled):
    shared = Shared(terminal, "a.db", "--token", "secret")
    hello, bearer = {"type": "hello", "node": "n"}, {"Authorization": "Bearer secret"}
    asked = {
        403: httpx2.post(f"{shared.url}/v1/hello", json=hello, headers={**bearer, "Origin": "http://evil.example"}),
        401: httpx2.post(f"{shared.url}/v1/fetch", json={"type": "fetch", "ids": []}),
        404: httpx2.post(f"{shared.url}/v1/push", json={}, headers=bearer),
        405: httpx2.get(f"{shared.url}/v1/hello", headers=bearer),
        400: httpx2.post(f"{shared.url}/v1/fetch", json=hello, headers=bearer),
    }
    assert {status: answer.status_code for status, answer in asked.items()} == {each: each for each in asked}
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in asked.values())
    told = terminal("sync", "b.db", shared.url.replace("http", "ws"), "--token", "secret", "--json")
    assert told.json["received"] == 1
    shared.stop()


@pytest.mark.parametrize("transport", ["http", "websocket", "grpc"])
def test_a_replica_stays_in_agreement_with_a_shared_one(terminal, titled, transport):
    """Live, in both directions: with a third one that syncs with the shared one meanwhile."""
    shared = Shared(terminal, "a.db", "--token", "secret")
    place = {"server": shared.url, "token": "secret", "transport": transport}
    if transport == "grpc":
        place = {"server": shared.ready["grpc"], "token": "secret"}
        refused = terminal("sync", "c.db", shared.ready["grpc"], "--token", "wrong")
        assert (refused.code, "its token" in refused.err) == (4, True)
    with sdk.open(terminal.directory / "b.db", **place) as live:
        live.start()
        milk = live.document("task.milk")
        _until(lambda: milk.exists and live.status.state == "live")
        with sdk.open(None, **place) as other:
            assert other.sync().pulled == 1
            other.document("task.milk")["title"] = "Oats"
            assert other.sync().pushed == 1
            _until(lambda: milk["title"] == "Oats")
            milk["title"] = "Soy"
            _until(lambda: other.sync().ok and other.document("task.milk")["title"] == "Soy")
    shared.stop()
    assert titled("a.db") == "Soy"


def test_a_socket_with_a_wrong_token_is_closed(terminal, titled):
    shared = Shared(terminal, "a.db", "--token", "secret")
    with sdk.open(None, server=shared.url, token="wrong", transport="websocket") as other:
        assert other.sync().failure.code == "unauthorized"
    shared.stop()


def _shown(path):
    with sdk.open(path) as replica:
        return replica.document("task.milk").plain


def _until(condition):
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, "not in time"
        time.sleep(0.01)


def test_a_new_file_may_begin_from_a_snapshot(syncline, titled):
    """It is small, shows the same, and says where its history begins."""
    space = syncline.variables["SYNCLINE_SPACE"]
    for title in ("Oats", "Soy"):
        titled("a.db", title)
    assert syncline("sync", "a.db").code == 0
    assert syncline("spaces", "snapshot", space).code == 0
    told = syncline("sync", "new.db", "--no-history")
    assert told.out.endswith(": 0 events and 1 item as they stood at a snapshot.\n")
    assert titled("new.db") == "Soy"
    assert syncline("status", "new.db", "--json").json["horizon"] == 3
    assert "from seq 4 on" in syncline("status", "new.db").out
    assert syncline("sync", "whole.db", "--json").json["received"] == 3
    expired = syncline("doc", "at", "-d", "new.db", "task.milk", "--revision", "1")
    assert expired.code != 0
    assert "history_expired" in expired.err
    assert titled("new.db", "Rice") == "Rice"
    assert syncline("doc", "undo", "-d", "new.db", "task.milk").code == 0
    assert "history_expired" in syncline("doc", "undo", "-d", "new.db", "task.milk").err


# With a server


def test_heal_mends_what_a_file_has_lost(syncline, titled):
    with sdk.open(syncline.directory / "a.db") as replica:
        for place in range(30):
            replica.record(f"task.{place}", "update", place)
    assert syncline("sync", "a.db").code == 0
    assert syncline("heal", "a.db", "--json").json["mended"] == 0
    with closing(SqliteReplicaStore(syncline.directory / "a.db", "x")) as store:
        held, state = list(store.load()), store.state()
        store.commit(Change(forget=["*"]))
        store.commit(Change(entries=held[::2], state=state))
    assert syncline("sync", "a.db", "--json").json["received"] == 0
    told = syncline("heal", "a.db", "--json").json
    assert (told["mended"], told["given"], told["entries"], told["errors"]) == (len(held) // 2, 0, len(held), [])
    assert syncline("heal", "a.db").out == "a.db: 0 entries mended, 0 given to the server.\n"
    assert len(syncline("export", "a.db").lines) == len(held)
    assert told["root"] == syncline("status", "--json").json["space"]["root"]


def test_on_a_terminal_it_is_shown_how_much_has_come(syncline, titled):
    with sdk.open(syncline.directory / "a.db") as replica:
        for place in range(30):
            replica.record(f"task.{place}", "update", place)
    assert " 31 \r" in _bar("Syncing", syncline.screen("sync", "a.db", "b.db"))
    assert _bar("Syncing", syncline.screen("sync", "a.db"))
    assert " 31 \r" in _bar("Syncing", syncline.screen("sync", "c.db"))
    assert _bar("Healing", syncline.screen("heal", "c.db"))
    for verb in ("sync", "heal"):
        assert json.loads(syncline.screen(verb, "c.db", "--json"))["errors"] == []


def _bar(what, screen):
    """A bar as it was last shown."""
    return screen.rpartition(what)[2]


def test_heal_needs_a_server_and_a_file(terminal, titled):
    assert terminal("heal", "a.db").code == 2
    assert terminal("heal", "x.db", "--server", "http://127.0.0.1:1").code == 5
    assert terminal("heal", "a.db", "--server", "http://127.0.0.1:1").code == 3


@pytest.mark.parametrize("verb", ["heal", "give"])
def test_which_urls_are_taken_is_told(terminal, titled, verb):
    refused = terminal(verb, "a.db", "--server", "nats://localhost:4222", COLUMNS="200")
    assert (refused.code, "not a URL with http" in refused.err) == (2, True), refused.err
