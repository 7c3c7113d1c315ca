"""``doc history``, ``undo``, ``at`` and their like: what a document was, and ways back."""

from datetime import UTC, datetime

import pytest

from tests.cli.milk import KEPT, MILK


@pytest.fixture
def past(doc):
    """Three revisions: made, done with one more vote, done with other notes."""
    doc("set", "done=true", "--add", "votes=1")
    doc("set", "notes=three pints")
    return doc


def test_history_has_patches_forward_and_back(past):
    made, done, noted = past("history", "--json").lines
    assert (made["number"], made["kind"], made["reverse"]) == (1, "create", None)
    assert made["forward"]["votes"] == {"$counter": 1}
    assert done["forward"] == [
        {"op": "replace", "path": "/done", "value": True},
        {"op": "replace", "path": "/votes/$counter", "value": 2},
    ]
    assert noted["reverse"] == [{"op": "replace", "path": "/notes/$text", "value": "two pints"}]
    assert past("history", "--json", "--limit", 1).json == noted


def test_history_says_in_short_what_changed(past):
    past("set", "--remove", "tags=shop", "--remove", "title")
    past("delete")
    head, _, *rows = past("history").out.splitlines()
    assert head.split() == ["revision", "time", "user", "node", "action", "change"]
    changes = [row.partition("create" if n == 0 else "update")[2].strip() for n, row in enumerate(rows[:-1])]
    assert changes[0].startswith('made {"done":false')
    assert changes[1:] == ["done = true, votes +1", 'notes − "wo" + "hree"', 'tags − "shop", − title']
    assert rows[-1].split()[-2:] == ["delete", "deleted"]


@pytest.mark.parametrize("columns", [80, 120])
def test_history_fits_the_terminal(past, terminal, columns):
    past("set", "--text", f"notes={'long ' * 100}")
    shown = terminal.screen("doc", "history", "task.milk", columns=columns)
    assert "…" in shown
    assert "\x1b[" in shown


@pytest.mark.parametrize(("when", "votes"), [(["--revision", "1"], 1), (["-r", "2"], 2), (["-r", "3"], 2)])
def test_at_a_revision(past, when, votes):
    assert past("at", *when, "--path", "votes").json == votes


def test_at_a_seq_and_a_time(two):
    a, b = two
    a("create", *MILK)
    a("set", "done=true")
    assert b("at", "--seq", 1).json == KEPT
    made, _ = b("history", "--json").lines
    then = datetime.fromtimestamp(made["at"] / 1000, UTC).isoformat(" ")
    assert b("at", "--time", then, "--path", "title").json == "Milk"
    assert b("at", "--time", "2000-01-01 10:00").code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Say when"),
        (["--revision", "1", "--seq", "1"], 2, "one of them"),
        (["--revision", "9"], 1, "there is no number 9"),
        (["--time", "soon"], 2, "neither a date or time"),
    ],
)
def test_a_time_that_is_none(past, arguments, code, words):
    done = past("at", *arguments, COLUMNS="200")
    assert (done.code, done.out) == (code, "")
    assert words in done.err


def test_diff_is_a_patch_or_lines(past, terminal):
    assert past("diff", 1, 2, "--json").json == past("history", "--json").lines[1]["forward"]
    assert past("diff", 0, 1, "--json").json[0]["op"] in ("add", "replace")
    lines = past("diff", 1).out.splitlines()
    assert lines[:2] == ["--- task.milk · revision 1", "+++ task.milk · revision 3"]
    assert {'-  "done": false,', '+  "done": true,', '+  "votes": 2'} <= set(lines)
    assert "\x1b[32m+" in terminal.screen("doc", "diff", "task.milk", "1")
    assert "show the same" in past("diff", 3).err


def test_undo_and_redo(past):
    assert past("undo").out == 'task.milk · revision 4 · notes − "hree" + "wo"\n'
    assert past("undo", "--json").json["forward"][0] == {"op": "replace", "path": "/done", "value": False}
    assert past("get").json == KEPT
    past("redo")
    assert past("get").json == {**KEPT, "done": True, "votes": 2}
    past("redo")
    done = past("redo")
    assert (done.code, done.out) == (6, "")
    assert "nothing to redo in task.milk" in done.err


def test_nothing_is_left_to_undo(doc):
    assert doc("undo").code == 0
    done = doc("undo")
    assert (done.code, done.out) == (6, "")
    assert "nothing to undo in task.milk: no edit of yours stands" in done.err


def test_undo_leaves_what_others_changed(two, server, syncline):
    a, b = two
    a("create", *MILK)
    a("set", "done=true", "--add", "votes=5")
    key = make_key(server, "ann", syncline.variables["SYNCLINE_SPACE"])
    b("set", "title=Oat milk", "--add", "votes=1", "--token", key)
    a("undo")
    expected = {**KEPT, "title": "Oat milk", "votes": 2}
    assert a("get").json == b("get", "--token", key).json == expected
    assert b("undo", "--token", key).code == 0
    assert b("undo", "--token", key).code == 6
    assert a("get").json == KEPT


def make_key(server, user, space):
    return server.terminal("keys", "create", user, "--data", "data", "--space", space, "--json").json["key"]


def test_restore_brings_back_a_revision_or_what_was_deleted(past):
    past("restore", 1)
    assert past("get").json == KEPT
    past("delete")
    gone = past("get")
    assert gone.code == 1
    assert "syncline doc restore task.milk brings it back" in gone.err
    past("restore")
    assert past("get").json == KEPT
    assert past("restore").code == 2


def test_blame_tells_who_put_what(past):
    lines = past("blame", "--json").lines
    made, done, noted = (line["ids"][0] for line in past("history", "--json").lines)
    assert [(line["path"], line["value"], line["event"]) for line in lines if line["path"][0] != "tags"] == [
        (["done"], True, done),
        (["notes", 0], "t", made),
        (["notes", 1], "hree", noted),
        (["notes", 5], " pints", made),
        (["title"], "Milk", made),
        (["votes"], 2, made),
    ]
    assert [line["value"] for line in past("blame", "--json", "--path", "tags").lines] == ["shop", "urgent"]
    assert "notes.1" in past("blame").out


def test_conflicts_are_shown_until_somebody_settles_them(two):
    a, b = two
    a("create", *MILK)
    b("get")
    a("set", "title=Oat milk", "--offline")
    b("set", "title=Soy milk", "--offline")
    a("get"), b("get"), a("get")
    (value,) = a("conflicts", "--json").json["values"]
    assert value[0] == ["title"]
    assert {value[2][0][1], a("get", "-p", "title").json} == {"Oat milk", "Soy milk"}
    assert "title" in b("conflicts").out
    a("set", "title=Milk")
    done = b("conflicts")
    assert (done.out, done.err) == ("", "No conflicts.\n")
