"""``export`` and ``import``: whole, streaming, and going on where they were interrupted."""

import json

import pytest

import syncline as sdk
from tests.cli.terminals import Served, Terminal
from tests.processes import kill


@pytest.fixture
def filled(syncline):
    lines = [{"item": f"task.{n % 3}", "action": "update", "payload": {"n": n}} for n in range(30)]
    assert syncline("push", syncline.file("fill.jsonl", *lines)).code == 0
    return syncline


def more(terminal, count=5):
    terminal("push", "-", input="".join(f'{{"item":"more.{n}","action":"x"}}\n' for n in range(count)))


def seqs(path):
    return [json.loads(line)["seq"] for line in path.read_text().splitlines()]


def test_export_writes_what_pull_prints(filled):
    assert filled("export").out == filled("pull").out
    filled("export", "-o", "a.jsonl")
    assert (filled.directory / "a.jsonl").read_text() == filled("pull").out


@pytest.mark.parametrize("has_cursor", [True, False])
@pytest.mark.parametrize("cut", [0, 1, 500, 5_000])
def test_export_continues_after_the_last_complete_line(filled, cut, has_cursor):
    path = filled.directory / "a.jsonl"
    filled("export", "-o", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    if not has_cursor:
        (filled.directory / "a.jsonl.cursor").unlink()
    more(filled)
    done = filled("export", "-o", path, "--json")
    assert done.json["head"] == 35
    assert path.read_text() == filled("pull").out


def test_export_of_a_replica_continues_too(filled, server):
    path = filled.directory / "a.jsonl"
    with sdk.open(
        filled.directory / "a.db", server=server.url, token=server.key, space=filled.variables["SYNCLINE_SPACE"]
    ) as replica:
        replica.sync()
        filled("export", "a.db", "-o", path)
        replica.record("task.1", "update")
        assert replica.sync().pushed == 1
        replica.record("task.1", "update")
        done = filled("export", "a.db", "-o", path)
    assert seqs(path) == list(range(1, 32))
    assert "1 local event left out" in done.err


@pytest.mark.parametrize("content", ["no json\n", '{"item": "a"}\n', "x" * 200_000])
def test_export_leaves_other_files_alone(filled, content):
    path = filled.directory / "a.jsonl"
    path.write_text(content)
    done = filled("export", "-o", path)
    assert done.code == 5
    assert path.read_text() == content


def test_export_does_not_mix_logs(filled):
    path = filled.directory / "a.jsonl"
    filled("export", "-o", path)
    before = path.read_bytes()
    filled("spaces", "create", "other")
    (filled.directory / "a.jsonl.cursor").unlink()
    done = filled("export", "-o", path, "--space", "other")
    assert done.code == 5
    assert "not in this log" in done.err
    assert path.read_bytes() == before


def test_export_does_not_mix_items(filled):
    filled("export", "-o", "a.jsonl", "--items", "task.1")
    done = filled("export", "-o", "a.jsonl")
    assert done.code == 5
    assert "task.1" in done.err


def test_import_into_another_space_and_again(filled):
    filled("export", "-o", "a.jsonl")
    target = ("--space", f"copy-{filled.variables['SYNCLINE_SPACE']}")
    first = filled("import", "a.jsonl", *target, "--json").json
    assert first == {"stored": 30, "known": 0, "refused": 0, "waiting": 0, "head": 30, "skipped": 0}
    more(filled)
    filled("export", "-o", "a.jsonl")
    assert filled("import", "a.jsonl", *target, "--json").json["skipped"] == 30
    again = filled("import", "a.jsonl", *target, "--again", "--json").json
    assert (again["stored"], again["known"], again["skipped"]) == (0, 35, 0)
    events = [line["event"] for line in filled("pull", *target).lines]
    assert events == [line["event"] for line in filled("pull").lines]


def test_import_begins_anew_for_a_changed_file_and_another_space(filled):
    filled("export", "-o", "a.jsonl")
    lines = (filled.directory / "a.jsonl").read_text().splitlines()
    copy = f"copy-{filled.variables['SYNCLINE_SPACE']}"
    filled("import", "a.jsonl", "--space", copy)
    assert filled("import", "a.jsonl", "--space", f"{copy}-2", "--json").json["skipped"] == 0
    filled.file("a.jsonl", *lines[:10], *lines[20:])
    assert filled("import", "a.jsonl", "--space", f"{copy}-2", "--json").json["skipped"] == 0


def test_import_after_the_server_died_in_between(tmp_path):
    """What was answered before is not sent again."""
    served = Served(tmp_path)
    terminal = Terminal(tmp_path, SYNCLINE_TOKEN=served.key)
    lines = [
        {"item": "a", "action": "b", "node": "n", "clock": {"n": n}, "payload": "x" * 500} for n in range(1, 2_001)
    ]
    events = [{**line, "id": f"01a1fd48-29bc-7000-801c-78fdff31{n:04x}"} for n, line in enumerate(lines)]
    file = terminal.file("a.jsonl", *events[:1_000])
    assert terminal("import", file, "--server", served.url).code == 0
    kill(served.process)
    terminal.file("a.jsonl", *events)
    assert terminal("import", file, "--server", served.url).code == 3
    served = Served(tmp_path, "--port", served.url.rpartition(":")[2])
    done = terminal("import", file, "--server", served.url, "--json").json
    assert done == {"stored": 1_000, "known": 0, "refused": 0, "waiting": 0, "head": 2_000, "skipped": 1_000}
    served.stop()


def test_import_tells_what_is_refused_and_why(filled):
    filled("export", "-o", "a.jsonl")
    data = filled("status", "--json")
    assert data.code == 0
    event = json.loads((filled.directory / "a.jsonl").read_text().splitlines()[0])
    event["event"]["user"] = "anna"
    event["event"]["id"] = event["event"]["id"][:-1] + ("0" if event["event"]["id"][-1] != "0" else "1")
    file = filled.file("b.jsonl", event, {"item": "a", "action": "b"})
    done = filled("import", file, "--json")
    assert done.code == 1
    assert [(line["line"], line["code"]) for line in done.lines[:-1]] == [(2, "invalid_event"), (1, "user_mismatch")]
