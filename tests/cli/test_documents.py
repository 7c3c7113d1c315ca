"""``doc get``, ``set``, ``patch`` and their like: documents in a replica's file, offline and with a server."""

import json

import pytest

import syncline as sdk
from tests.cli.milk import KEPT, MILK


def test_a_document_is_shown_plain_or_as_it_travels(doc):
    assert doc("get").json == doc("get", "--json").json == KEPT
    assert doc("get", "--json").out.count("\n") == 1
    assert doc("get", "--wire").json == {
        "done": False,
        "notes": {"$text": "two pints"},
        "tags": {"$set": ["shop", "urgent"]},
        "title": "Milk",
        "votes": {"$counter": 1},
    }


@pytest.mark.parametrize(
    ("path", "value"), [("title", "Milk"), ("tags.1", "urgent"), ("/tags/0", "shop"), ("/title", "Milk")]
)
def test_a_path_leads_to_a_part(doc, path, value):
    assert doc("get", "--path", path).json == value


def test_a_terminal_gets_colours(doc, terminal):
    assert "\x1b[" in terminal.screen("doc", "get", "task.milk")
    assert "\x1b[" not in doc("get").out


def test_set_does_the_least(doc):
    doc("set", "done=true", "notes=two big pints", "votes=4", 'tags=["shop"]', "title=2 milks")
    assert doc("get", "--wire").json == {
        "done": True,
        "notes": {"$text": "two big pints"},
        "tags": {"$set": ["shop"]},
        "title": "2 milks",
        "votes": {"$counter": 4},
    }
    (_, change) = doc("history", "--json").lines
    assert {each["path"] for each in change["forward"]} == {
        "/done",
        "/notes/$text",
        "/tags/$set/1",
        "/title",
        "/votes/$counter",
    }


def test_set_makes_maps_on_the_way_and_lists(doc):
    doc("set", "owner.address.city=Bern", "steps=[1, 2]", "/a.b=3")
    doc("set", "steps.0=one", "steps.-=3", "owner.name=Ann")
    found = doc("get").json
    assert found["owner"] == {"address": {"city": "Bern"}, "name": "Ann"}
    assert (found["steps"], found["a.b"]) == (["one", 2, 3], 3)


def test_add_and_remove(doc):
    doc("set", "--add", "votes=2", "--add", "tags=cold", "--add", "notes=, please", "--remove", "tags=shop")
    doc("set", "--remove", "title", "steps=[1]")
    doc("set", "--add", "steps=2")
    assert doc("get").json == {
        "done": False,
        "notes": "two pints, please",
        "tags": ["cold", "urgent"],
        "votes": 3,
        "steps": [1, 2],
    }


def test_patch_and_merge_patch(doc, terminal):
    file = terminal.directory / "patch.json"
    file.write_text('[{"op": "test", "path": "/title", "value": "Milk"}, {"op": "remove", "path": "/done"}]')
    told = doc("patch", file, "--json").json
    assert (told["revision"], told["reverse"]) == (2, [{"op": "add", "path": "/done", "value": False}])
    doc("patch", "-", "--merge", input='{"title": null, "owner": {"name": "Ann"}}')
    assert doc("get").json == {**{key: KEPT[key] for key in ("notes", "tags", "votes")}, "owner": {"name": "Ann"}}


def test_a_change_is_told(doc):
    assert doc("set", "done=true", "--add", "votes=1").out == "task.milk · revision 2 · done = true, votes +1\n"
    assert doc("set", "done=true").out == "task.milk is as it was: revision 2.\n"


def test_documents_are_listed(doc, terminal):
    terminal("doc", "create", "note.1", "--text", "body=Hi")
    assert [line["item"] for line in terminal("doc", "list", "--json").lines] == ["note.1", "task.milk"]
    assert terminal("doc", "list", "task.*", "--json").json == {"item": "task.milk", "revision": 1, "value": KEPT}
    doc("delete")
    assert "task.milk" not in terminal("doc", "list").out
    assert "note.1" in terminal("doc", "list").out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["get", "task.mulk"], 1, "syncline doc list shows"),
        (["get", "task.milk", "--path", "nothing.there"], 1, "nothing.there: There is no member 'nothing'."),
        (["create", "task.milk"], 1, "(document_exists)"),
        (["create", "a b"], 1, "item"),
        (["set", "task.milk", "title"], 2, "'title' is not PATH=VALUE."),
        (["set", "task.milk", "--counter", "votes=many"], 2, "a whole number"),
        (["set", "task.milk", "title.first=M"], 1, "title.first:"),
        (["set", "task.milk", "--add", "title=M"], 1, "nothing can be added"),
        (["set", "task.milk", "--remove", "tags=none"], 1, "no set with the member none"),
        (["patch", "task.milk", "none.json"], 5, "none.json: No such file"),
        (["get", "task.milk", "--database", "none.db"], 5, "none.db: No such file"),
        (["set", "task.milk", "a=1", "--database", "none.db"], 5, "none.db: No such file"),
        (["get", "task.milk", "--server", "localhost"], 2, "is not a URL"),
    ],
)
def test_what_goes_wrong_has_its_exit_code(doc, terminal, arguments, code, words):
    done = terminal("doc", *arguments, COLUMNS="200")
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert doc("get").json == KEPT
    assert not (terminal.directory / "none.db").exists()


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ('[{"op": "test", "path": "/title", "value": "Bread"}]', "(patch_test_failed)"),
        ('[{"op": "remove", "path": "/none"}]', "(patch_failed)"),
        ("{}", "(bad_patch)"),
        ("no json", "(bad_json)"),
    ],
)
def test_a_patch_that_does_not_fit_changes_nothing(doc, patch, words):
    done = doc("patch", "-", input=patch)
    assert done.code == 1
    assert words in done.err
    assert doc("get").json == KEPT


def test_what_another_program_has_open_can_be_read_but_not_changed(doc, terminal):
    with sdk.open(terminal.directory / "a.db") as opened:
        opened.document("task.milk")["done"] = True
        assert doc("get", "--path", "done").json is True
        done = doc("set", "done=false")
        assert done.code == 5
        assert "(store_locked)" in done.err


# With a server


def test_what_one_changes_the_other_gets(two):
    a, b = two
    a("create", *MILK)
    assert b("get").json == KEPT
    b("set", "--add", "tags=cold", "--text", "notes=two pints please")
    a("set", "--add", "tags=dear", "done=true")
    assert a("get").json == b("get").json
    assert a("get", "--path", "tags").json == ["cold", "dear", "shop", "urgent"]


def test_offline_edits_merge_later(two):
    a, b = two
    a("create", *MILK)
    b("get")
    a("set", "--add", "votes=2", "--add", "notes= for Ann", "--offline")
    b("set", "--add", "votes=3", "title=Oat milk", "--offline")
    assert (a("get", "--offline", "-p", "votes").json, b("get", "--offline", "-p", "votes").json) == (3, 4)
    a("get"), b("get")
    expected = {**KEPT, "votes": 6, "title": "Oat milk", "notes": "two pints for Ann"}
    assert a("get").json == b("get").json == expected


def test_a_server_that_is_away_is_no_error(two):
    a, b = two
    a("create", *MILK)
    away = a("set", "done=true", "--server", "http://127.0.0.1:1")
    assert away.code == 0
    assert "Not synced" in away.err
    a("get")
    assert b("get", "-p", "done").json is True


def test_credentials_that_do_not_fit_are(two):
    a, _ = two
    a("create", *MILK)
    done = a("set", "done=true", "--token", "sk_wrong")
    assert (done.code, done.out) == (4, "")
    assert "(unauthorized)" in done.err
    assert json.loads(a("get", "--path", "done", "--offline").out) is False
