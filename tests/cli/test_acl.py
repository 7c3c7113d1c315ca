"""``acl`` and ``audit``: rules made, removed, explained and tested from a terminal, and what was noted meanwhile."""

from pathlib import Path

import pytest

from syncline.server.registry import open_registry

RULES = """
# user  item      action  type
*       secret.*  *       deny
ann     secret.*  *       allow   # who keeps it
"the board"  secret.*  .read  allow
"""
EXPECTED = """\
# as agreed
ann          secret.plan  edit   allow
bob          secret.plan  .read  deny
"the board"  secret.plan  .read  allow

"the board"  secret.plan  edit   deny
bob          task.milk    edit   allow
"""


@pytest.fixture
def files(syncline):
    (syncline.directory / "rules.txt").write_text(RULES)
    (syncline.directory / "expected.txt").write_text(EXPECTED)
    return syncline.directory


def member(syncline, server, user):
    """The command with a user's key."""
    space = syncline.variables["SYNCLINE_SPACE"]
    syncline("spaces", "create", space)
    registry = open_registry(Path(server.ready["data"]), "", lambda: 1)
    key = registry.create_key("laptop", user, space)
    registry.close()
    return lambda *arguments: syncline(*arguments, SYNCLINE_TOKEN=key)


# Rules


def test_a_rule_is_added_listed_explained_and_removed(syncline):
    added = syncline("acl", "add", "ann", "task.*", "edit", "deny")
    id, *words = added.out.split()
    assert (added.code, words) == (0, ["ann", "task.*", "edit", "deny"])
    listed = syncline("acl", "list")
    assert [line.split() for line in listed.out.splitlines()][-1] == [id, "1", *words]
    assert "(default)" in listed.out
    explained = syncline("acl", "explain", "ann", "task.milk", "edit")
    assert (explained.code, explained.out) == (0, f"deny by ann task.* edit deny ({id})\n")
    removed = syncline("acl", "remove", id)
    assert (removed.code, removed.out) == (0, "1 rule removed.\n")
    assert syncline("acl", "explain", "ann", "task.milk", "edit").out == "allow by * * * allow (default)\n"
    assert syncline("acl", "remove", id).code == 1
    assert syncline("acl", "explain", "ann", ".acl", ".read").out == "deny (nothing matches)\n"


def test_the_same_for_machines(syncline):
    (rule,) = syncline("acl", "add", "ann", "task.*", "*", "deny", "--json").json["rules"]
    shape = {"user": "ann", "item": "task.*", "action": "*", "type": "deny"}
    assert rule == {"id": rule["id"], "seq": 1, **shape}
    assert syncline("acl", "list", "--json").json["rules"][2:] == [rule]
    assert syncline("acl", "list", "--user", "bob", "--json").json["rules"][2:] == []
    explained = syncline("acl", "explain", "ann", "task.milk", "edit", "--json").json
    assert explained == {"allowed": False, "reason": "rule", "rule": rule}
    assert syncline("acl", "remove", rule["id"], "--json").json == {"removed": [rule["id"]]}


def test_a_file_of_rules_is_added(syncline, files):
    made = syncline("acl", "add", "--from", "rules.txt", "--json").json["rules"]
    assert [(each["user"], each["seq"]) for each in made] == [("*", 1), ("ann", 2), ("the board", 3)]
    (files / "many.txt").write_text("".join(f"ann task.{n} edit deny\n" for n in range(250)))
    assert len(syncline("acl", "add", "-f", "many.txt", "--json").json["rules"]) == 250
    listed = syncline("acl", "list", "--json").json["rules"]
    assert len(listed) == 255
    assert syncline("acl", "remove", *(each["id"] for each in listed if each["id"])).out == "253 rules removed.\n"
    assert len(syncline("acl", "list", "--json").json["rules"]) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["ann", "task.*", "edit"], 2),
        (["ann", "task.*", "edit", "deny", "--from", "rules.txt"], 2),
        (["--from", "nowhere.txt"], 5),
        (["--from", "bad.txt"], 2),
        (["ann", "a*b", "edit", "deny"], 1),
        (["ann", "task.*", "edit", "perhaps"], 1),
    ],
)
def test_rules_that_cannot_be(syncline, files, arguments, code):
    (files / "bad.txt").write_text("ann task.* edit deny\nann a*b edit deny\n")
    done = syncline("acl", "add", *arguments)
    assert (done.code, done.out) == (code, "")
    assert len(syncline("acl", "list", "--json").json["rules"]) == 2
    if arguments == ["--from", "bad.txt"]:
        assert "bad.txt:2: item" in done.err


# Expectations


def test_expectations_that_hold(syncline, files):
    syncline("acl", "add", "--from", "rules.txt")
    for more in ([], ["--rules", "rules.txt"]):
        done = syncline("acl", "test", "expected.txt", *more)
        assert (done.code, done.out) == (0, "5 expectations, 0 differ.\n")
        assert syncline("acl", "test", "expected.txt", "--json", *more).json == {"expectations": 5, "differ": []}


def test_what_differs_is_shown_with_the_rule_that_decides(syncline, files):
    ids = [each["id"] for each in syncline("acl", "add", "--from", "rules.txt", "--json").json["rules"]]
    syncline("acl", "remove", ids[2])
    done = syncline("acl", "test", "expected.txt")
    assert done.code == 1
    assert done.out.splitlines() == [
        f"expected.txt:4: the board secret.plan .read should be allow, but it is deny by * secret.* * deny ({ids[0]})",
        "5 expectations, 1 differs.",
    ]
    done = syncline("acl", "test", "expected.txt", "--json")
    assert done.code == 1
    (one,) = done.json["differ"]
    assert (one["line"], one["expected"], one["allowed"], one["rule"]["id"]) == (4, "allow", False, ids[0])


def test_a_file_of_rules_is_tested_without_a_server(terminal):
    (terminal.directory / "rules.txt").write_text(RULES)
    (terminal.directory / "expected.txt").write_text("bob secret.plan edit allow\nann .acl .read deny\n")
    done = terminal("acl", "test", "expected.txt", "--rules", "rules.txt", SYNCLINE_SERVER="http://127.0.0.1:1")
    assert done.code == 1
    assert done.out.splitlines() == [
        "expected.txt:1: bob secret.plan edit should be allow, but it is deny by * secret.* * deny (rules.txt:3)",
        "2 expectations, 1 differs.",
    ]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ann task.milk edit", "four"),
        ("ann task.milk edit deny now", "four"),
        ("ann task.milk edit perhaps", "perhaps"),
        ("ann task.* edit deny", "item"),
        ('"ann task.milk edit deny', "quot"),
    ],
)
def test_lines_that_are_no_expectation(terminal, line, word):
    (terminal.directory / "expected.txt").write_text(f"ann task.milk edit allow\n{line}\n")
    done = terminal("acl", "test", "expected.txt", "--rules", "/dev/null")
    assert (done.code, done.out) == (2, "")
    assert "expected.txt:2: " in done.err
    assert word in done.err.lower()


# Who may, and what was noted


def test_a_member_explains_itself_and_no_more(syncline, server):
    ann = member(syncline, server, "ann")
    assert ann("acl", "explain", "ann", "task.milk", "edit").out == "allow by * * * allow (default)\n"
    assert ann("acl", "explain", "bob", "task.milk", "edit").code == 4
    assert ann("acl", "list").code == 4
    assert ann("acl", "add", "ann", "*", "*", "allow").code == 4
    assert ann("audit").code == 4


def test_the_audit_shows_refusals_and_rules_with_the_newest_last(syncline, server):
    syncline("acl", "add", "ann", "task.*", "*", "deny")
    assert syncline("pull", "--token", "sk_wrong").code == 4
    entries = syncline("audit", "--json").lines
    assert [(each["kind"], each["what"]) for each in entries] == [
        ("administration", ".acl.addRule"),
        ("unauthorized", "unauthorized GET /v1/spaces/{space}"),
    ]
    shown = syncline("audit").out
    assert shown.index(".acl.addRule .acl") < shown.index("unauthorized GET")
    assert "sk_wrong" not in shown
    assert [each["kind"] for each in syncline("audit", "--limit", 1, "--json").lines] == ["unauthorized"]
    assert [each["user"] for each in syncline("audit", "--user", ".root", "--json").lines] == [".root"]
    assert [each["seq"] for each in syncline("audit", "--kind", "administration", "--json").lines] == [1]
    assert len(syncline("audit", "--all-spaces", "--limit", 0, "--json").lines) >= 2
    assert "nothing" in syncline("audit", "--kind", "login").err
