"""``pull``, ``tail`` and ``log``: entries for machines and for people, from a server and from a replica's file."""

import json
import re
import signal

import pytest

import syncline as sdk
from syncline.core.access.rules import DEFAULTS, Rule
from syncline.core.effects import Greet
from syncline.core.messages import Welcome
from tests.cli.terminals import Terminal
from tests.processes import rest_of


@pytest.fixture(scope="module")
def library(tmp_path_factory, server):
    """A space with 6 entries, by two actions on three items; to be read only."""
    space = {"SYNCLINE_SERVER": server.url, "SYNCLINE_TOKEN": server.key, "SYNCLINE_SPACE": "library"}
    return fill(Terminal(tmp_path_factory.mktemp("library"), **space))


@pytest.fixture
def filled(syncline):
    """A space like it, to be written to."""
    return fill(syncline)


def fill(terminal):
    lines = [
        {"item": f"task.{n % 3}", "action": "create" if n < 3 else "update", "payload": {"n": n}} for n in range(6)
    ]
    assert terminal("push", terminal.file("fill.jsonl", *lines)).code == 0
    return terminal


@pytest.fixture
def replica(filled, server):
    """A replica of it, open, with an event of its own that is pending."""
    variables = filled.variables
    with sdk.open(
        filled.directory / "a.db", server=server.url, token=server.key, space=variables["SYNCLINE_SPACE"]
    ) as opened:
        assert opened.sync().ok
        opened.record("note.1", "create", {"text": "offline"})
        yield opened


def numbers(done):
    return [line["event"]["payload"]["n"] for line in done.lines]


def test_pull_prints_entries(library):
    done = library("pull")
    assert [line["seq"] for line in done.lines] == [1, 2, 3, 4, 5, 6]
    assert numbers(library("pull", "--items", "task.1,task.2", "--limit", 3)) == [1, 2, 4]


def test_pull_goes_on_from_a_cursor(library):
    first = library("pull", "--limit", 4, "--json").json
    assert (len(first["entries"]), first["more"]) == (4, True)
    rest = library("pull", "--since", first["cursor"], "--json").json
    assert [entry["seq"] for entry in rest["entries"]] == [5, 6]
    assert rest["more"] is False
    assert f"--since {first['cursor']}" in library("pull", "--limit", 4).err


def test_a_misspelled_space_is_not_made(library):
    for verb in ("pull", "tail", "log", "export", "status"):
        done = library(verb, "--space", "mispelled")
        assert (done.code, done.out) == (4, ""), verb
        assert "(unknown_space)" in done.err
    assert "mispelled" not in library("spaces", "list", "--json").json["spaces"]


def test_tail_begins_with_the_last_and_goes_on_until_interrupted(filled):
    process = filled.begin("tail", "--json", "--last", 2)
    assert [json.loads(process.stdout.readline())["seq"] for _ in range(2)] == [5, 6]
    filled("push", "-", input='{"item": "task.9", "action": "create"}\n')
    assert json.loads(process.stdout.readline())["event"]["item"] == "task.9"
    process.send_signal(signal.SIGINT)
    assert rest_of(process) == ("", "")
    assert process.returncode == 0


def test_log_shows_a_table(library):
    shown = library("log").out
    head, _, *rows = shown.splitlines()
    assert head.split() == ["seq", "time", "item", "action", "user", "node", "content"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    ("filters", "seqs"),
    [
        (["--limit", "2"], [5, 6]),
        (["--limit", "0"], [1, 2, 3, 4, 5, 6]),
        (["--item", "task.1"], [2, 5]),
        (["--item", "task.1", "--item", "task.2", "--action", "upd*"], [5, 6]),
        (["--action", "create"], [1, 2, 3]),
        (["--user", "nobody"], []),
        (["--user", ".r*", "--item", "*"], [1, 2, 3, 4, 5, 6]),
        (["--node", "-"], []),
        (["--since", "1h"], [1, 2, 3, 4, 5, 6]),
        (["--until", "1h"], []),
        (["--since", "2020-01-01", "--until", "2020-02-01T12:00"], []),
    ],
)
def test_log_filters(library, filters, seqs):
    assert [line["seq"] for line in library("log", "--json", *filters).lines] == seqs


@pytest.mark.parametrize("columns", [80, 120])
def test_log_fits_the_terminal(filled, columns):
    filled("push", "-", input=json.dumps({"item": "task.long", "action": "x", "payload": "y" * 300}) + "\n")
    shown = filled.screen("log", columns=columns).rpartition("\x1b[2K")[2]
    assert "…" in shown
    assert "task.long" in shown


def test_a_replica_is_shown_while_it_is_open(filled, replica):
    rows = filled("log", "a.db", "--json").lines
    assert [row.get("seq") for row in rows] == [1, 2, 3, 4, 5, 6, None]
    assert rows[-1]["status"] == "pending"
    assert "pending" in filled("log", "a.db").out


def test_status_of_a_replica_while_it_is_open(filled, replica):
    status = filled("status", "a.db", "--json").json
    assert status["node"] == replica.node
    assert (status["user"], status["head"], status["pending"], status["refused"]) == (".root", 6, 1, 0)
    assert status["last_synced"] == replica.status.last_synced
    assert "pending" in filled("status", "a.db").out


def test_status_foresees_what_would_be_refused(terminal, tmp_path):
    with sdk.open(tmp_path / "a.db") as replica:
        rules = [*DEFAULTS, Rule("ann", "diary.*", "*", "deny")]
        replica.perform(Greet(Welcome(epoch="e", head=0, time=0, user="ann", rules=rules)))
        replica.record("task.milk", "write")
        assert terminal("status", "a.db", "--json").json["doomed"] == 0
        assert "would be refused" not in terminal("status", "a.db").err
        replica.record("diary.1", "write")
        assert terminal("status", "a.db", "--json").json["doomed"] == 1
        assert "1 pending would be refused" in terminal("status", "a.db").err


def test_status_of_a_server(library):
    status = library("status", "--json").json
    assert (status["health"], status["space"]["head"]) == ("ready", 6)
    assert re.fullmatch("[0-9a-f]{64}", status["space"]["root"])
    assert status["space"]["root"] in library("status").out
    assert library.variables["SYNCLINE_SPACE"] in status["spaces"]


@pytest.mark.parametrize("verb", ["status", "log", "export"])
@pytest.mark.parametrize(
    ("name", "words"), [("none.db", "No such file"), ("text.db", "(foreign_file)"), (".", "is a directory")]
)
def test_files_that_are_no_replica(terminal, verb, name, words):
    (terminal.directory / "text.db").write_text("text " * 1000)
    done = terminal(verb, name)
    assert (done.code, done.out) == (5, "")
    assert words in done.err


def test_a_reader_that_leaves_early_is_no_error(filled):
    filled("push", "-", input="".join('{"item":"a","action":"b","payload":"%s"}\n' % ("x" * 9_000) for _ in range(50)))
    with filled.begin("pull") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
