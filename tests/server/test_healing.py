"""What heals, as a program without the SDK asks for it: trees and entries by id, and nothing of what is hidden."""

import asyncio
import gzip
import json
import random

import msgspec
import pytest

from syncline.core.access.rules import DENY, READ
from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import ACL_ITEM, ADD_RULE, ROOT
from syncline.core.admission import Submission
from syncline.core.canonical import digest
from syncline.core.limits import MAX_FETCH_IDS, MAX_SUMMARIES
from syncline.core.merkle import Leaf, Tree, Walk, held_in
from syncline.core.messages import Summary
from syncline.core.summaries import nodes_of, summaries_of
from syncline.testing import Author as Writer
from tests.server.accounts import Somebody
from tests.server.inprocess import Exchange
from tests.server.inquiries import NOTHING, TYPES, UNKNOWN_ID, inquiry
from tests.server.running import Author, canonical, recv
from tests.server.tenants import key, make
from tests.server.test_access_races import running

SECRET, OPEN = "secret.plan", "task.milk"


def ask(who, type, *, code=None, **members):
    """The reply to one of them, or the code it is refused with."""
    answer = who.ask("POST", type, inquiry(type, **members), Content_Type="application/json")
    assert answer.code == code, answer
    return answer.json


def rule(root, item, action=".read", user="ann", type="deny"):
    root.post("acl", {"user": user, "item": item, "action": action, "type": type}, 201)


@pytest.fixture
def root(server, space):
    make(server, space)
    return Somebody(server, server.key, space)


@pytest.fixture
def ann(server, space, root):
    return root.with_(key(server, space))


def entries_of(root):
    return root.get("pull?limit=10000")["entries"]


def leaves_of(entries):
    """The leaves of a tree of some entries, in order."""
    return sorted(
        Leaf(bytes.fromhex(each["event"]["id"].replace("-", "")), digest(canonical(each["event"]))) for each in entries
    )


def push(somebody, *events):
    results = somebody.post("push", {"events": list(events)})["results"]
    return [result["seq"] for result in results]


# Entries by id


def test_entries_come_as_they_are_in_the_log_in_the_order_of_the_ids(root, ann):
    events = Author().events(5)
    push(ann, *events)
    held = {entry["event"]["id"]: entry for entry in entries_of(root)}
    ids = [events[place]["id"] for place in (4, 0, 2, 0)]
    found = ask(ann, "fetch", ids=[*ids, UNKNOWN_ID], ref=7)
    assert found == {"type": "found", "ref": 7, "entries": [held[id] for id in ids[:3]]}
    assert ask(ann, "fetch") == {"type": "found", "entries": []}


def test_as_many_ids_as_the_limit_says(ann):
    event = Author().event()
    push(ann, event)
    ids = [event["id"]] + [UNKNOWN_ID] * (MAX_FETCH_IDS - 1)
    assert len(ask(ann, "fetch", ids=ids)["entries"]) == 1
    ask(ann, "fetch", ids=[*ids, UNKNOWN_ID], code="bad_request")


# What is hidden


def test_nothing_hidden_is_in_an_answer(root, ann):
    rule(root, "secret.*")
    author = Author()
    hidden, shown = author.events(40, SECRET), author.events(40, OPEN)
    push(root, *(event for pair in zip(hidden, shown, strict=True) for event in pair))
    ids = [event["id"] for event in [*hidden, *shown]]
    found = ask(ann, "fetch", ids=ids)["entries"]
    assert [entry["event"]["id"] for entry in found] == ids[40:]
    visible = ann.get("pull?limit=10000")["entries"]
    leaves, tree = leaves_of(visible), ask(ann, "merkle")
    assert (tree["count"], tree["root"]) == (len(visible), Tree.of(leaves).root.hex())
    assert tree["seq"] == len(entries_of(root)) > len(visible)  # seqs tell that there is more
    for event in hidden:  # below its own prefix there is nothing for who may not see it
        at = event["id"].replace("-", "")
        assert ask(ann, "merkle", summaries=[[at, at, 0, "", []]]).get("summaries") == []
        assert ask(root, "merkle", summaries=[[at, at, 0, "", []]])["summaries"][0][4] == [event["id"]]
    assert not set(ids[:40]) & set(walked(ann, []))


def walked(who, entries, **members):
    """The ids that a server shows and these entries have not."""
    leaves = leaves_of(entries)
    walk = Walk(Tree.of(leaves), held_in(leaves))
    while questions := walk.questions():
        told = ask(who, "merkle", summaries=json.loads(msgspec.json.encode(summaries_of(questions))), **members)
        walk.take(nodes_of(Summary(*each[:4], tuple(each[4])) for each in told["summaries"]))
    assert (walk.mine_only, walk.differing) == (set(), set())
    return walk.theirs_only


def test_a_rule_counts_from_when_it_is_there(root, ann):
    event = Author().event(SECRET)
    push(ann, event)
    assert len(ask(ann, "fetch", ids=[event["id"]])["entries"]) == 1
    before = ask(ann, "merkle")
    rule(root, SECRET)
    assert ask(ann, "fetch", ids=[event["id"]])["entries"] == []
    after = ask(ann, "merkle")
    assert (before["count"], after["count"]) == (1, 0)
    assert event["id"] not in json.dumps(after)


@pytest.mark.parametrize(
    ("scope", "seen"), [({"items": ["task.*"]}, 1), ({"actions": ["update"]}, 0), ({"actions": [".read"]}, 2)]
)
def test_a_key_shows_what_it_is_limited_to(root, ann, scope, seen):
    author = Author()
    events = [author.event(SECRET), author.event(OPEN)]
    push(ann, *events)
    limited = ann.with_(ann.post("keys", {"name": "some", **scope}, 201)["key"])
    assert len(ask(limited, "fetch", ids=[event["id"] for event in events])["entries"]) == seen
    tree = ask(limited, "merkle")
    assert tree["count"] == seen == sum(len(summary[4]) for summary in tree["summaries"])
    assert ask(limited, "merkle", items=["secret.*"])["count"] == (1 if seen == 2 else 0)


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_shown_after_a_rule_that_hides_it(tmp_path, seed):
    """Somebody reads while an item is written and then hidden: what came after the rule is in no answer."""
    lot, writer = random.Random(seed), Writer("root", ROOT)
    events = [writer.event("task.race") for _ in range(40)]
    ids = json.dumps(inquiry("fetch", ids=[event.id for event in events])).encode()
    asked = {"fetch": ids, "merkle": json.dumps(inquiry("merkle")).encode()}
    shown, seqs, over = set(), {}, asyncio.Event()
    async with running(tmp_path) as (app, space):

        async def read(type):
            while not over.is_set():
                exchange = Exchange(app, "http", f"/v1/{type}", method="POST", token="ann", body=asked[type])
                status, reply = await exchange.answer()
                assert status == 200
                shown.update(entry["event"]["id"] for entry in reply.get("entries", []))
                shown.update(id for summary in reply.get("summaries", []) for id in summary[4])

        async def write(event, **more):
            ((seq,), _) = await space.submit(Submission([event], ROOT, rights=TRUSTED, **more))
            return seq

        reading = [asyncio.create_task(read(type)) for type in (*asked, *asked)]
        hidden = 0
        for place, event in enumerate(events):
            seqs[event.id] = await write(event)
            if place == 20:
                rule = {"user": "ann", "item": "task.race", "action": READ, "type": DENY}
                hide = writer.event(ACL_ITEM, ADD_RULE, rule)
                hidden = asyncio.create_task(write(hide, is_system=True))
            for _ in range(lot.randrange(8)):
                await asyncio.sleep(0)
        over.set()
        await asyncio.gather(*reading)
        last = await hidden
    assert shown
    assert max(seqs[id] for id in shown if id in seqs) < last


# Trees


def test_a_walk_finds_what_one_lacks(root, ann):
    push(ann, *Author().events(700, OPEN))
    entries = entries_of(root)
    lacking = random.Random(1).sample(entries, 60)
    held = [entry for entry in entries if entry not in lacking]
    assert walked(ann, held) == {entry["event"]["id"] for entry in lacking}
    assert walked(ann, entries) == set()


def test_trees_of_some_items_and_of_what_came_since(root, ann):
    author = Author()
    push(ann, *(author.event(item) for item in ("task.a", "note.b", "task.c", "task.d")))
    entries = [entry for entry in entries_of(root) if entry["event"]["item"].startswith("task.") and entry["seq"] > 1]
    tree = ask(ann, "merkle", items=["task.*"], since=1, ref=3)
    root_hash = Tree.of(leaves_of(entries)).root.hex()
    assert (tree["ref"], tree["seq"], tree["count"], tree["root"]) == (3, 4, 2, root_hash)
    assert walked(ann, [], items=["task.*"], since=1) == {entry["event"]["id"] for entry in entries}
    assert ask(ann, "merkle", since=9)["count"] == 0


def test_a_tree_grows_with_its_log(ann):
    author, counts = Author(), []
    for _ in range(3):
        push(ann, *author.events(300))
        counts.append(ask(ann, "merkle")["count"])
    assert counts == [300, 600, 900]


# The requests


@pytest.mark.parametrize(
    ("type", "members"),
    [
        ("merkle", {"summaries": []}),
        ("merkle", {"summaries": [NOTHING] * (MAX_SUMMARIES + 1)}),
        ("merkle", {"summaries": [["", "", 1, "", []]]}),
        ("merkle", {"summaries": [["", "", 0, "=", []]]}),
        ("merkle", {"items": ["a*b"]}),
        ("merkle", {"since": -1}),
        ("fetch", {"ids": []}),
        ("fetch", {"ids": ["x"]}),
        ("fetch", {"ids": [UNKNOWN_ID.upper()]}),
        ("give", {"epoch": "e"}),
        ("snapshot", {"items": ["a*b"]}),
        ("snapshot", {"after": "task.a"}),
    ],
)
def test_what_has_another_shape_is_refused(ann, type, members):
    ask(ann, type, code="bad_request", **members)


@pytest.mark.parametrize("type", TYPES)
def test_each_address_takes_its_own_message(ann, type):
    other = inquiry("fetch" if type != "fetch" else "merkle")
    body = {"type": "push", "events": []}
    for wrong in (other, body, {}, []):
        answer = ann.ask("POST", type, wrong, Content_Type="application/json")
        assert (answer.status, answer.code) == (400, "bad_request")
    assert ann.ask("POST", type, b"{", Content_Type="application/json").code == "bad_json"
    assert ann.ask("POST", type, inquiry(type), Content_Type="text/plain").code == "unsupported_media_type"
    assert ann.ask("GET", type).code == "method_not_allowed"


def test_a_body_may_be_packed_and_large(root, ann):
    push(ann, *Author().events(900))
    ids = [entry["event"]["id"] for entry in entries_of(root)]
    body = gzip.compress(json.dumps(inquiry("fetch", ids=ids)).encode())
    headers = {"Content_Type": "application/json", "Content_Encoding": "gzip", "Accept_Encoding": "gzip"}
    answer = ann.ask("POST", "fetch", body, **headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.body))["entries"]) == 900


def test_a_snapshot_that_is_not_there_any_more(ann):
    push(ann, *Author().events(2))
    assert ask(ann, "snapshot")["seq"] == 0
    ask(ann, "snapshot", seq=2, code="snapshot_gone")


def test_a_session_goes_on_after_an_error(server, space, ann):
    event = Author().event()
    push(ann, event)
    with server.session(space, token=ann.token) as ws:
        for message, type in [
            (inquiry("fetch", ref=1, ids=["x"]), "error"),
            (inquiry("merkle", ref=2, items=["a*b"]), "error"),
            (inquiry("fetch", ref=3, ids=[event["id"]]), "found"),
            (inquiry("merkle", ref=4), "tree"),
            (inquiry("snapshot", ref=5), "snapshot"),
        ]:
            ws.send(json.dumps(message))
            answer = recv(ws)
            assert (answer["type"], answer["ref"]) == (type, message["ref"])


def test_what_heals_counts_as_requests(serve):
    server = serve(open=True, credential_requests_per_second=1, user_requests_per_second=1)
    answers = [
        server.request("POST", "/v1/fetch", json.dumps(inquiry("fetch")), {"Content-Type": "application/json"})
        for _ in range(40)
    ]
    assert "rate_limited" in {answer.code for answer in answers}


async def test_who_waits_long_for_a_tree_hears_that_the_server_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr("syncline.server.api.websocket.PING_SECONDS", 0.01)
    async with running(tmp_path) as (app, space):
        socket = Exchange(app, "websocket", "/ws")
        socket.say({"type": "hello", "node": "n", "token": "ann"})
        async with space.trees._making:  # somebody else's tree is being made
            socket.say({"type": "merkle", "ref": 7, "summaries": [["", "", 0, ""]]})
            await socket.until(lambda: [each["type"] for each in socket.messages].count("ping") > 1)
        await socket.until(lambda: socket.messages[-1]["type"] == "tree")
        assert socket.messages[-1]["ref"] == 7
        await socket.close()
