"""Who is here, over WebSockets: what is told, to whom, how often, and when it is over."""

import json
import socket
import struct
import time
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.rest import Client
from tests.server.rooms import Visitor, visitor
from tests.server.running import DEADLINE, Author, ServerProcess, recv
from tests.server.tenants import administer, bearer, change, key, make

LIMIT = 4_096
PATIENT = {"away_seconds": 300.0, "idle_seconds": 300.0}
"""For a server whose visitors may be silent for as long as a test takes."""


class Home:
    """A space of the closed server, with people who have keys."""

    def __init__(self, server: ServerProcess, space: str) -> None:
        self.server, self.space = server, space
        make(server, space)
        self.root = Client(server, space, key=server.key)
        self.keys: dict[str, str] = {}

    def comes(self, user: str, node: str | None = None, token: str | None = None):
        """A session of somebody, whose node is called like the user."""
        if token is None and user not in self.keys:
            self.keys[user] = key(self.server, self.space, user)
        return visitor(self.server, self.space, node or f"node-{user}", token or self.keys[user])

    def rule(self, user: str, item: str, type: str) -> str:
        answer = self.root.ask("POST", "acl", {"user": user, "item": item, "action": ".read", "type": type})
        assert answer.status == 201, answer
        return answer.json["rules"][0]["id"]

    def lift(self, rule: str) -> None:
        assert self.root.ask("DELETE", f"acl/{rule}").status == 200


@pytest.fixture
def home(server, space):
    return Home(server, space)


@pytest.fixture
def people(home):
    """Ann, bob and eve; each listens."""
    with home.comes("ann") as ann, home.comes("bob") as bob, home.comes("eve") as eve:
        for each in (ann, bob, eve):
            each.ask()
        yield ann, bob, eve


# Being here


def test_who_asks_is_answered_even_if_nobody_is_here(home):
    with home.comes("ann") as ann:
        ann.ask()
        assert ann.messages == ['{"type": "peers", "peers": []}']


def test_who_comes_is_told_who_is_here(home):
    with home.comes("ann") as ann, home.comes("bob") as bob:
        ann.say({"caret": 5}, "note.x", "tab-1")
        ann.say("idle", key="tab-2")
        ann.pong()
        bob.ask()
        assert bob.here == {
            ("ann", "node-ann", "tab-1"): ("note.x", {"caret": 5}),
            ("ann", "node-ann", "tab-2"): (None, "idle"),
        }


def test_what_changes_is_told_to_the_others(people):
    ann, bob, eve = people
    ann.say({"caret": 5}, "note.x")
    for each in (bob, eve):
        each.until(lambda here: here == {("ann", "node-ann", ""): ("note.x", {"caret": 5})})
    ann.say({"caret": 6}, "note.y")
    bob.say([1, 2.5, None])
    eve.until(lambda here: len(here) == 2 and here["ann", "node-ann", ""] == ("note.y", {"caret": 6}))
    assert eve.here["bob", "node-bob", ""] == (None, [1, 2.5, None])
    ann.say(None)
    eve.sees(bob=[1, 2.5, None])


def test_nobody_is_told_of_oneself(people):
    ann, bob, _ = people
    ann.say(1)
    bob.sees(ann=1)
    bob.say(2)
    ann.sees(bob=2)
    assert not any('"ann"' in message for message in ann.messages)


def test_a_state_comes_in_canonical_form(people):
    ann, bob, _ = people
    ann.ws.send('{"type":"presence", "state": { "b": 1.0, "a" : 1e2, "big": 1e20 } }')
    bob.sees(ann={"a": 100, "b": 1, "big": 10**20})
    assert '"state": {"a": 100, "b": 1, "big": 100000000000000000000}' in bob.messages[-1]


def test_user_and_node_are_the_server_s(people):
    ann, bob, _ = people
    ann.say(1, user="eve", node="node-eve", peers=[{"user": "eve", "node": "x", "state": 1}])
    bob.until(lambda here: here == {("ann", "node-ann", ""): (None, 1)})


def test_a_node_of_another_user_is_somebody_else(home):
    with home.comes("ann") as ann, home.comes("bob", "node-ann") as bob, home.comes("eve") as eve:
        ann.say(1)
        eve.ask()
        eve.sees(ann=1)
        bob.say(2)
        eve.sees(ann=1, bob=2)
        bob.say(None)
        eve.sees(ann=1)


def test_a_session_that_began_with_authenticate_takes_part(home):
    with home.comes("ann") as ann, home.server.websocket() as ws:
        ann.ask()
        login = {"type": "authenticate", "auth_token": key(home.server, home.space, "thin"), "space": home.space}
        ws.send(json.dumps({**login, "node": "phone"}))
        assert recv(ws)["type"] == "authenticated"
        Visitor(ws).say("here")
        ann.until(lambda here: here == {("thin", "phone", ""): (None, "here")})


def test_pushes_and_pages_go_on_beside_it(people):
    ann, bob, _ = people
    bob.ws.send('{"type":"live"}')
    assert recv(bob.ws)["type"] == "page"
    ann.say(1)
    ann.ws.send(json.dumps({"type": "push", "ref": 77, "events": [Author("node-ann").event(user="ann")]}))
    assert recv(ann.ws)["results"][0]["seq"] == 1
    ann.say(2)
    kinds = set()
    while bob.here != {("ann", "node-ann", ""): (None, 2)} or "page" not in kinds:
        message = recv(bob.ws)
        kinds.add(message["type"])
        if message["type"] == "peers":
            bob.take(message)


# Going


def test_who_hangs_up_has_gone(home):
    with home.comes("bob") as bob, home.comes("eve") as eve:
        bob.ask()
        eve.ask()
        with home.comes("ann") as ann:
            ann.say(1, "note.x")
            ann.say(2, key="b")
            bob.until(lambda here: len(here) == 2)
            eve.until(lambda here: len(here) == 2)
            ann.ws.close()
        bob.sees()
        eve.sees()


def test_whose_program_dies_has_gone(people):
    ann, bob, eve = people
    ann.say(1)
    bob.sees(ann=1)
    eve.sees(ann=1)
    ann.ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ann.ws.socket.shutdown(socket.SHUT_RDWR)
    ann.ws.socket.close()
    bob.sees()
    eve.sees()


def test_whose_key_is_revoked_has_gone(home, people):
    ann, bob, _ = people
    ann.say(1)
    bob.sees(ann=1)
    listed = home.root.ask("GET", "keys").json["keys"]
    (id,) = (each["id"] for each in listed if each["user"] == "ann")
    assert home.root.ask("DELETE", f"keys/{id}").status == 200
    assert ann.error()["code"] == "unauthorized"
    with pytest.raises(ConnectionClosed):
        ann.ws.recv(DEADLINE)
    bob.sees()


def test_who_is_silent_for_too_long_is_away_and_comes_back(serve):
    server = serve(open=True, away_seconds=0.3)
    with visitor(server, "s", "a") as ann, visitor(server, "s", "b") as bob, visitor(server, "s", "c") as late:
        bob.ask()
        while not bob.here:
            ann.say(1)
            bob.pong()
        bob.until(lambda here: not here)
        late.ask()
        assert late.here == {}
        while not (bob.here and late.here):
            ann.ws.send('{"type":"ping"}')
            bob.pong()
            late.pong()
        assert list(bob.here.values()) == list(late.here.values()) == [(None, 1)]
        bob.until(lambda here: not here)


def test_a_new_session_of_a_node_takes_over(home):
    with home.comes("bob") as bob, ExitStack() as stack:
        bob.ask()
        with home.comes("ann") as old:
            old.say("old")
            bob.sees(ann="old")
            new = stack.enter_context(home.comes("ann"))
            new.say("new")
            bob.sees(ann="new")
            old.say(None)  # too late: it is another's now
            old.pong()
        new.say("newer")
        bob.sees(ann="newer")
        assert not any('"peers": [{"user": "ann", "node": "node-ann"}]' in message for message in bob.messages)


def test_nothing_is_stored(server, home, people):
    ann, bob, _ = people
    ann.say("quicksilver-fleeting", "note.quicksilver-nowhere", "quicksilver-key")
    bob.until(bool)
    assert server.head(home.space) == 0
    assert "quicksilver-" not in server.log()
    for file in server.data.rglob("*"):
        assert not file.is_file() or b"quicksilver-" not in file.read_bytes(), file


# Rules


def test_who_may_not_read_an_item_does_not_see_who_is_at_it(home, people):
    home.rule("eve", "secret.*", "deny")
    ann, bob, eve = people
    ann.say("zq-hidden", "secret.x", "a")
    ann.say("open", "note.x", "b")
    ann.say("somewhere", None, "c")
    bob.until(lambda here: len(here) == 3)
    eve.until(lambda here: len(here) == 2)
    ann.say(None, None, "a")
    bob.until(lambda here: len(here) == 2)
    ann.say("over", "note.x", "b")
    eve.until(lambda here: ("note.x", "over") in here.values())
    assert not any("zq-" in message or "secret" in message or '"a"' in message for message in eve.messages)


def test_who_goes_where_another_may_not_look_has_gone(home, people):
    home.rule("eve", "secret.*", "deny")
    ann, bob, eve = people
    ann.say(1, "note.x")
    eve.sees(ann=1)
    ann.say(2, "secret.x")
    eve.sees()
    ann.say(3, "note.x")
    eve.sees(ann=3)
    bob.until(lambda here: ("note.x", 3) in here.values())


def test_a_rule_takes_effect_on_who_is_seen_at_once(home, people):
    ann, bob, eve = people
    ann.say(1, "note.x")
    bob.say(2, "other.x")
    eve.sees(ann=1, bob=2)
    rule = home.rule("eve", "note.*", "deny")
    eve.sees(bob=2)
    home.lift(rule)
    eve.sees(ann=1, bob=2)


def test_after_a_revocation_nothing_more_is_told(home, people):
    ann, bob, eve = people
    ann.say(0, "note.x")
    eve.sees(ann=0)
    home.rule("eve", "note.*", "deny")
    told = len(eve.messages)
    ann.say("zq-later", "note.x")
    bob.sees(ann="zq-later")
    bob.say("the end")
    eve.sees(bob="the end")
    assert not any("zq-later" in message for message in eve.messages[told:])


def test_who_may_not_read_an_item_is_not_shown_at_it(home, people):
    rule = home.rule("ann", "note.*", "deny")
    ann, bob, _ = people
    ann.say(1, "note.x")
    ann.say(2, "other.x", "b")
    bob.sees(ann=2)
    assert len(bob.here) == 1
    home.lift(rule)
    bob.until(lambda here: sorted(here.values()) == [("note.x", 1), ("other.x", 2)])
    home.rule("ann", "note.*", "deny")
    bob.until(lambda here: list(here.values()) == [("other.x", 2)])


def test_a_key_sees_what_it_may_read(home, people):
    ann, bob, _ = people
    made = home.root.ask("POST", "keys", {"name": "k", "user": "ann", "actions": [".read"], "items": ["note.*"]}).json
    blind = home.root.ask("POST", "keys", {"name": "b", "user": "ann", "actions": ["update"]}).json
    bob.say(1, "note.x", "a")
    bob.say(2, "other.x", "b")
    bob.say(3, None, "c")
    ann.until(lambda here: len(here) == 3)
    with home.comes("ann", "k", made["key"]) as narrow, home.comes("ann", "b", blind["key"]) as none:
        narrow.ask()
        none.ask()
        assert sorted(item or "" for item, _ in narrow.here.values()) == ["", "note.x"]
        assert none.here == {}
        none.say("unseen")
        narrow.say("seen")
        ann.until(lambda here: ("ann", "k", "") in here)
        assert ("ann", "b", "") not in ann.here


def test_items_of_the_system_are_for_who_may_read_them(home, people):
    ann, bob, _ = people
    with visitor(home.server, home.space, "r", home.server.key) as root:
        root.ask()
        root.say("at the rules", ".acl")
        ann.say("trying", ".acl")
        ann.say("here", "note.x", "b")
        bob.sees(ann="here")
        root.until(bool)
        bob.say("done")
        ann.sees(bob="done")
        assert not any(".acl" in message for each in (ann, bob, root) for message in each.messages)


def test_another_space_is_another_place(server, home, people):
    ann, bob, _ = people
    other = Home(server, f"{home.space}-b")
    with other.comes("ann") as stranger:
        stranger.ask()
        ann.say(1)
        bob.sees(ann=1)
        stranger.pong()
        assert stranger.here == {}


# Pace and limits


def test_what_comes_faster_is_told_by_its_last_state(people):
    ann, bob, _ = people
    began = time.monotonic()
    for n in range(500):
        ann.say(n, "note.x")
    bob.sees(ann=499)
    steps = (time.monotonic() - began) / 0.05
    assert len(bob.messages) <= 2 + steps  # the first answer, one at once, and one for each step of the pace
    assert len(bob.messages) < 400


def test_changes_of_many_come_together(people):
    ann, bob, eve = people
    for n in range(50):
        ann.say(n, key=f"k{n}")
    began, told = time.monotonic(), len(eve.messages)
    eve.until(lambda here: len(here) == 50)
    assert len(eve.messages) - told <= 2 + (time.monotonic() - began) / 0.05 + 50 / 5
    bob.until(lambda here: len(here) == 50)


def test_who_does_not_read_holds_up_nobody_and_is_told_the_last_state(serve):
    server = serve(open=True, **PATIENT)
    state = "x" * 4_000
    with (
        visitor(server, "s", "slow", max_queue=1) as slow,
        visitor(server, "s", "a") as ann,
        visitor(server, "s", "b") as bob,
    ):
        slow.ask()
        bob.ask()
        for n in range(60):
            for each in range(20):
                ann.say(f"{n} {state}", key=f"k{each}")
            ann.pong()
        bob.until(lambda here: len(here) == 20 and all(of.startswith("59 ") for _, of in here.values()))
        slow.until(lambda here: len(here) == 20 and all(of.startswith("59 ") for _, of in here.values()))
        assert sum(map(len, slow.messages)) < 60 * 20 * len(state)


def test_a_large_table_comes_in_several_messages(serve):
    server = serve(open=True, **PATIENT)
    with ExitStack() as stack:
        for node in range(4):
            each = stack.enter_context(visitor(server, "s", f"n{node}"))
            for n in range(50):
                each.say("y" * 4_000, key=f"k{n}")
            each.pong()
        late = stack.enter_context(visitor(server, "s", "late"))
        late.ask()
        late.until(lambda here: len(here) == 200)
        assert len(late.messages) > 3
        assert max(map(len, late.messages)) < 100_000


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ('"state":"' + "x" * LIMIT + '"', "too_large"),
        ('"state":[' + ",".join(["1e20"] * 300) + "]", "too_large"),
        ('"state":1,"more":"' + "x" * 2 * LIMIT + '"', "too_large"),
        ('"state":' + "[" * 65 + "]" * 65, "too_deep"),
        ('"state":' + "[" * 2_000 + "]" * 2_000, "too_deep"),
        ('"state":9007199254740993', "number_out_of_range"),
        ('"state":{"a":1,"a":2}', "bad_json"),
        ('"state":"\\ud800"', "bad_json"),
        ('"state":1,"item":"a b"', "bad_request"),
        ('"state":1,"item":7', "bad_request"),
        ('"state":1,"key":"' + "k" * 65 + '"', "bad_request"),
        ('"state":1,"key":null', "bad_request"),
    ],
    ids=range(12),
)
def test_what_is_refused_leaves_what_stood(people, members, code):
    ann, bob, _ = people
    ann.say("before")
    bob.sees(ann="before")
    ann.ws.send('{"type":"presence","ref":99,' + members + "}")
    error = ann.error()
    assert (error["code"], error.get("ref", 99)) == (code, 99)  # of some texts the ref cannot be read
    ann.say("after", key="b")
    bob.until(lambda here: sorted(state for _, state in here.values()) == ["after", "before"])


def test_what_fits_exactly_is_taken(people):
    ann, bob, _ = people
    ann.say("x" * (LIMIT - 2), key="k" * 64)
    bob.sees(ann="x" * (LIMIT - 2))
    ann.ws.send('{"type":"presence","key":"deep","state":' + "[" * 64 + "]" * 64 + "}")
    bob.until(lambda here: len(here) == 2)


def test_a_session_has_so_many_presences(people):
    ann, bob, _ = people
    for n in range(100):
        ann.say(n, key=f"k{n}")
    bob.until(lambda here: len(here) == 100)
    ref = ann.say("too many", key="one more")
    error = ann.error()
    assert (error["code"], error["ref"], error["details"]["limit"]) == ("too_many_presences", ref, 100)
    ann.say("again", key="k7")
    bob.until(lambda here: here["ann", "node-ann", "k7"] == (None, "again"))
    ann.say(None, key="k7")
    bob.until(lambda here: len(here) == 99)
    ann.say("now", key="one more")
    bob.until(lambda here: ("ann", "node-ann", "one more") in here)


def test_many_keys_at_once_have_an_end(people):
    ann, _, _ = people
    for n in range(1_000):
        ann.say(n, key=f"k{n}")
    assert ann.error()["code"] == "too_many_presences"


def test_a_space_has_so_many_presences(serve):
    server = serve(open=True, **PATIENT)
    with ExitStack() as stack:
        people = [stack.enter_context(visitor(server, "s", f"n{n}")) for n in range(11)]
        for each in people[:10]:
            for n in range(100):
                each.say(n, key=f"k{n}")
        listener = people[10]
        listener.ask()
        listener.until(lambda here: len(here) == 1_000)
        listener.say("one more")
        error = listener.error()
        assert (error["code"], error["retryable"], error["details"]["limit"]) == ("too_many_presences", True, 1_000)
        people[0].say(None, key="k0")
        listener.until(lambda here: len(here) == 999)
        listener.say("now")
        people[0].until(lambda here: ("anyone", "n10", "") in here)


def test_presences_are_no_requests(serve):
    server = serve(open=True, user_requests_per_second=1, burst_seconds=5)
    with visitor(server, "s", "a") as ann, visitor(server, "s", "b") as bob:
        bob.ask()
        for n in range(50):
            ann.say(n)
        bob.until(lambda here: list(here.values()) == [(None, 49)])
        bob.ws.send('{"type":"pull","ref":1}')
        bob.ws.send('{"type":"pull","ref":2}')
        bob.ws.send('{"type":"pull","ref":3}')
        bob.ws.send('{"type":"pull","ref":4}')
        assert [recv(bob.ws)["type"] for _ in range(4)][-1] == "error"


# Spaces that end or rest


def test_a_suspended_space_shows_nobody(server, home, people):
    ann, bob, _ = people
    ref = bob.say("first")
    ann.sees(bob="first")
    change(server, home.space, suspended=True)
    assert bob.error()["code"] == "space_suspended"
    ref = bob.say("meanwhile")
    error = bob.error()
    assert (error["code"], error["ref"]) == ("space_suspended", ref)
    change(server, home.space, suspended=False)
    bob.say("back")
    with home.comes("late") as late:
        late.ask()
        late.sees(bob="back")


def test_a_deleted_space_says_so(server, home, people):
    ann, _, _ = people
    ann.pong()
    assert administer(server, "DELETE", f"/v1/spaces/{home.space}").status == 200
    assert ann.error()["code"] in ("space_deleted", "unknown_space")


def test_the_end_of_the_server_ends_sessions_that_only_listen(serve):
    server = serve(open=True)
    with visitor(server, "s", "a") as ann:
        ann.ask()
        server.send()
        assert ann.error()["code"] == "shutting_down"
    assert server.stop() == 0
    assert "failed" not in server.log()


def test_presence_is_for_sockets(server, home):
    answer = server.request("GET", f"/v1/spaces/{home.space}/presence", headers=bearer(key(server, home.space)))
    assert answer.code == "not_found"
