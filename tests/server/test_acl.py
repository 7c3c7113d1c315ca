"""The rules of a space over HTTP: made and removed by those who may, and explained by the one that decides."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from syncline.server.registry import open_registry
from tests.server.rest import Client
from tests.server.running import Author, new_id

PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```rules\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FIELDS = ("user", "item", "action", "type")


@pytest.fixture
def root(server, space):
    return Client(server, space, key=server.key)


@pytest.fixture
def somebody(server, space):
    """Makes users of the space, each with a key."""
    registry = open_registry(server.data, "", lambda: 1)
    yield lambda user, **scope: Client(server, space, key=registry.create_key("laptop", user, space, **scope))
    registry.close()


def rule(*values):
    return dict(zip(FIELDS, values, strict=True))


def add(client, *rules):
    answer = client.ask("POST", "acl", {"rules": [rule(*each) for each in rules]})
    assert answer.status == 201, answer
    return answer.json["rules"]


def explain(client, item, action, user=None):
    answer = client.ask("POST", "acl/explain", {"item": item, "action": action} | ({"user": user} if user else {}))
    assert answer.status == 200, answer
    return answer.json


def push(client, *events):
    answer = client.ask("POST", "push", {"events": list(events)})
    assert answer.status == 200, answer
    return [result.get("error", {}).get("code") for result in answer.json["results"]]


# The examples of the documentation


@pytest.mark.parametrize("place", range(len(EXAMPLES)))
def test_the_worked_examples_come_out_as_they_say(root, somebody, place):
    lines = [line.split() for line in EXAMPLES[place].splitlines()]
    shapes = [line for line in lines if line[0] != "?"]
    made = add(root, *(shape[1:] for shape in shapes)) if shapes else []
    ids = {shape[0]: each["id"] for shape, each in zip(shapes, made, strict=True)} | {"A": "", "B": ""}
    questions = [line[1:] for line in lines if line[0] == "?"]
    users = {user: somebody(user) for user, *_ in questions}
    for user, item, action, answer, *by in questions:
        for asked in (explain(root, item, action, user), explain(users[user], item, action)):
            assert asked["allowed"] == (answer == "allow"), (user, item, action)
            assert asked["reason"] == ("rule" if by else "nothing matches")
            assert (asked["rule"] and asked["rule"]["id"]) == (ids[by[1]] if by else None)
        if action[0] != "." and item[0] != ".":
            pushed = push(users[user], Author().event(item, action=action))
            assert pushed == [None if answer == "allow" else "forbidden"]


def test_there_are_six_examples():
    assert len(EXAMPLES) == 6


# Making and removing


def test_a_space_begins_with_two_rules(root):
    found = root.ask("GET", "acl").json["rules"]
    assert [tuple(each[field] for field in FIELDS) for each in found] == [
        ("*", "*", "*", "allow"),
        ("*", ".policies", ".read", "allow"),
    ]
    assert {each["id"] for each in found} == {""}


def test_one_rule_is_given_as_it_is(root):
    made = root.ask("POST", "acl", rule("ann", "task.*", "*", "deny"))
    assert made.status == 201
    (one,) = made.json["rules"]
    assert one == {"id": one["id"], "seq": 1, **rule("ann", "task.*", "*", "deny")}
    assert root.ask("GET", "acl").json["rules"][-1] == one


def test_a_rule_holds_at_once_and_ends_when_it_is_removed(root, somebody, author):
    ann = somebody("ann")
    assert push(ann, author.event("task.1")) == [None]
    (made,) = add(root, ("ann", "task.*", "*", "deny"))
    assert push(ann, author.event("task.1")) == ["forbidden"]
    assert ann.ask("GET", "docs/task.1").code == "not_found"
    assert root.ask("DELETE", f"acl/{made['id']}").json == {"removed": [made["id"]]}
    assert push(ann, author.event("task.1")) == [None]
    assert root.ask("DELETE", f"acl/{made['id']}").code == "not_found"


def test_several_are_removed_in_one_commit(root):
    made = add(root, *(("ann", f"task.{n}", "*", "deny") for n in range(3)))
    ids = [each["id"] for each in made]
    query = "&".join(f"rule={id}" for id in ids)
    assert root.ask("DELETE", f"acl?{query}&rule={new_id()}").code == "not_found"
    assert len(root.ask("GET", "acl").json["rules"]) == 5
    assert root.ask("DELETE", f"acl?{query}").json == {"removed": ids}
    assert len(root.ask("GET", "acl").json["rules"]) == 2


def test_rules_are_events_of_the_log(root):
    (made,) = add(root, ("ann", "task.*", ".read", "deny"))
    root.ask("DELETE", f"acl/{made['id']}")
    entries = root.ask("GET", "pull").json["entries"]
    assert [(each["seq"], each["event"]["item"], each["event"]["action"]) for each in entries] == [
        (1, ".acl", ".acl.addRule"),
        (2, ".acl", ".acl.removeRule"),
    ]
    first, second = (each["event"] for each in entries)
    assert (first["id"], first["user"], first["payload"]) == (
        made["id"],
        ".root",
        rule("ann", "task.*", ".read", "deny"),
    )
    assert second["payload"] == {"rule": made["id"]}


def test_rules_stay_when_the_server_starts_again(serve, author):
    server = serve()
    root = Client(server, "default", key=server.key)
    (made,) = add(root, ("*", "secret.*", "*", "deny"))
    server.stop()
    server.start()
    assert explain(root, "secret.plan", ".read", "ann")["rule"] == made


def test_a_thousand_rules(root, somebody):
    for start in range(0, 1_000, 100):
        add(root, *(("ann", f"task.{n}", "*", "deny" if n % 2 else "allow") for n in range(start, start + 100)))
    assert len(root.ask("GET", "acl").json["rules"]) == 1_002
    ann = somebody("ann")
    assert push(ann, *Author().events(2, "task.998"), *Author().events(1, "task.999")) == [None, None, "forbidden"]
    found = explain(root, "task.777", "edit", "ann")
    assert (found["allowed"], found["rule"]["item"]) == (False, "task.777")


def test_rules_that_concern_a_user_are_listed_by_specificity(root):
    add(root, ("bob", "task.*", "*", "deny"), ("an*", "t*", "*", "deny"), ("ann", "task.milk", "*", "deny"))
    found = root.ask("GET", "acl?user=ann").json["rules"]
    assert [each["item"] for each in found] == [".policies", "task.milk", "t*", "*"]


def test_rules_come_from_many_at_once(root, somebody):
    add(root, ("ann", ".acl", ".acl.*", "allow"))
    clients = [root, somebody("ann")] * 4

    def make(client):
        for n in range(5):
            add(client, ("bob", f"task.{n}", "*", "deny"), ("bob", f"task.{n}", "*", "allow"))
            assert client.put(f"doc{n}", {"n": n}).status in (200, 201)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(make, clients))
    rules = root.ask("GET", "acl").json["rules"]
    assert len(rules) == 2 + 1 + 8 * 5 * 2
    pairs = list(zip(rules[3::2], rules[4::2], strict=True))
    assert all((one["item"], one["seq"] + 1) == (two["item"], two["seq"]) for one, two in pairs)


# Who may


def test_members_may_not_look_at_rules_or_change_them(root, somebody):
    (made,) = add(root, ("bob", "task.*", "*", "deny"))
    ann = somebody("ann")
    assert ann.ask("GET", "acl").code == "forbidden"
    assert ann.ask("POST", "acl", rule("ann", ".acl", "*", "allow")).code == "forbidden"
    assert ann.ask("DELETE", f"acl/{made['id']}").code == "forbidden"
    assert ann.ask("DELETE", f"acl/{new_id()}").code == "forbidden"
    assert root.head() == 1


def test_somebody_is_let_in_to_look_after_the_rules(root, somebody):
    ann, bob = somebody("ann"), somebody("bob")
    (grant,) = add(root, ("ann", ".acl", ".acl.*", "allow"))
    (made,) = add(ann, ("bob", "task.*", "*", "deny"))
    assert ann.ask("GET", "acl").code == "forbidden"
    assert not explain(bob, "task.1", "edit")["allowed"]
    assert ann.ask("DELETE", f"acl/{made['id']}").status == 200
    root.ask("DELETE", f"acl/{grant['id']}")
    assert ann.ask("POST", "acl", rule("ann", "*", "*", "allow")).code == "forbidden"


def test_a_request_that_takes_its_own_right_away_does_nothing(root, somebody):
    add(root, ("ann", ".acl", ".acl.*", "allow"))
    both = [rule("ann", ".acl", ".acl.*", "deny"), rule("ann", "task.*", "*", "allow")]
    assert somebody("ann").ask("POST", "acl", {"rules": both}).code == "forbidden"
    assert root.head() == 1
    assert somebody("ann").ask("POST", "acl", {"rules": both[::-1]}).status == 201


def test_one_who_may_read_the_rules_explains_others(root, somebody):
    add(root, ("ann", ".acl", ".read", "allow"))
    ann, bob = somebody("ann"), somebody("bob")
    assert explain(ann, "task.1", "edit", "bob")["allowed"]
    assert len(ann.ask("GET", "acl").json["rules"]) == 3
    assert bob.ask("POST", "acl/explain", {"user": "ann", "item": "x", "action": "y"}).code == "forbidden"
    assert explain(bob, "task.1", "edit", "bob")["allowed"]


@pytest.mark.parametrize("item", [".acl", "task.milk"])
@pytest.mark.parametrize("action", [".acl.addRule", ".acl.removeRule"])
def test_rules_are_not_submitted_as_ordinary_events(root, author, item, action):
    event = author.event(item, action=action, payload=rule("*", "*", "*", "deny"), user=".root")
    assert push(root, event) == ["reserved_action"]
    assert len(root.ask("GET", "acl").json["rules"]) == 2


def test_another_space_has_other_rules(server, root, space):
    other = Client(server, f"{space}-other", key=server.key)
    (made,) = add(root, ("*", "task.*", "*", "deny"))
    assert explain(other, "task.1", "edit", "ann")["allowed"]
    assert other.ask("DELETE", f"acl/{made['id']}").code == "not_found"


# Why


def test_the_administrator_and_the_credentials_are_reasons_too(root, somebody):
    assert explain(root, ".acl", ".read") == {"allowed": True, "reason": "root", "rule": None}
    sensor = somebody("sensor", actions=["measure"], items=["room.*"])
    assert explain(sensor, "room.1", "measure")["reason"] == "rule"
    for item, action in (("room.1", "edit"), ("task.1", "measure")):
        assert explain(sensor, item, action) == {"allowed": False, "reason": "scope", "rule": None}
    assert explain(root, "task.1", "measure", "sensor")["allowed"]


def test_a_suspension_is_a_reason_too(root):
    assert root.ask("POST", "users", {"name": "bob"}).status == 201
    root.ask("POST", "users/bob/suspend")
    assert explain(root, "task.1", "edit", "bob") == {"allowed": False, "reason": "suspended", "rule": None}
    root.ask("POST", "users/bob/resume")
    assert explain(root, "task.1", "edit", "bob")["allowed"]


# What is not possible

BAD_RULES = [
    ({}, "type"),
    ([], "object"),
    ("ann", "object"),
    ({**rule("a", "b", "c", "allow"), "why": "so"}, "why"),
    (rule("a", "b", "c", "maybe"), "type"),
    (rule("a", "b*c", "c", "allow"), "item"),
    (rule("a", "b**", "c", "allow"), "item"),
    (rule("a", "b c", "c", "allow"), "item"),
    (rule("a", "b", "", "allow"), "action"),
    (rule("", "b", "c", "allow"), "user"),
    (rule("a\n", "b", "c", "allow"), "user"),
    (rule(1, "b", "c", "allow"), "user"),
    (rule("jose\u0301", "b", "c", "deny"), "NFC"),
    (rule("ann\u200b*", "b", "c", "deny"), "NFC"),
    (rule("a", "b" * 300, "c", "allow"), "item"),
]


@pytest.mark.parametrize(("bad", "word"), BAD_RULES)
def test_what_is_no_rule_is_refused_with_the_others_of_its_request(root, bad, word):
    for body in (bad, {"rules": [rule("a", "b", "c", "allow"), bad]}):
        answer = root.ask("POST", "acl", body)
        assert answer.code == "bad_request", answer
        assert word in answer.json["detail"]
    assert root.ask("POST", "acl", {"rules": [rule("a", "b", "c", "allow"), bad]}).json["index"] == 1
    assert root.head() == 0


def test_so_many_at_once_and_no_more(root):
    assert root.ask("POST", "acl", {"rules": [rule("a", "b", "c", "allow")] * 101}).code == "bad_request"
    assert root.ask("POST", "acl", {"rules": []}).code == "bad_request"
    assert root.ask("DELETE", "acl").code == "bad_request"
    assert root.head() == 0
    assert [each["seq"] for each in add(root, *[("a", "b", "c", "allow")] * 100)] == list(range(1, 101))


def test_the_rules_from_the_start_cannot_be_removed(root):
    assert root.ask("DELETE", "acl?rule=").code in ("bad_request", "not_found")
    assert len(root.ask("GET", "acl").json["rules"]) == 2


@pytest.mark.parametrize(
    "question",
    [
        {"item": "task.1"},
        {"action": "edit"},
        {"item": "task *", "action": "edit"},
        {"item": "task.1", "action": ""},
        {"item": "task.1", "action": "edit", "user": ""},
        {"item": "task.1", "action": "edit", "user": "x" * 300},
        {"item": "task.1", "action": "edit", "why": 1},
        [],
    ],
)
def test_what_is_no_question_is_refused(root, question):
    assert root.ask("POST", "acl/explain", question).code == "bad_request"
