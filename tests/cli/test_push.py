"""``push``: every line gets its answer, and pushing again changes nothing."""

import pytest

from tests.cli.terminals import Terminal

NODE = "node-1"
ID = "01a1fd48-29bc-7000-801c-78fdff31d{:03x}"


def event(n, **more):
    return {"id": ID.format(n), "item": f"task.{n}", "action": "create", "node": NODE, "clock": {NODE: n}, **more}


def draft(n, **more):
    return {"item": f"task.{n % 3}", "action": "update", "payload": {"n": n}, **more}


def pushed(done):
    return {name: done.lines[-1][name] for name in ("stored", "known", "refused", "head")}


@pytest.mark.parametrize("make", [event, draft])
def test_pushing_again_changes_nothing(syncline, make):
    file = syncline.file("a.jsonl", *map(make, range(1, 26)))
    first = syncline("push", file, "--json", "--batch-size", 10)
    assert pushed(first) == {"stored": 25, "known": 0, "refused": 0, "head": 25}
    again = syncline("push", file, "--json")
    assert pushed(again) == {"stored": 0, "known": 25, "refused": 0, "head": 25}
    assert (first.code, again.code) == (0, 0)


def test_entries_are_read_as_their_events(syncline):
    file = syncline.file("a.jsonl", {"seq": 7, "at": 1, "receipt": "x", "event": event(1)})
    assert pushed(syncline("push", file, "--json"))["stored"] == 1


def test_drafts_get_a_node_and_its_clock(syncline):
    syncline("push", syncline.file("a.jsonl", *map(draft, range(5))))
    events = [entry["event"] for entry in syncline("pull").lines]
    (node,) = {each["node"] for each in events}
    assert [each["clock"] for each in events] == [{node: n} for n in range(1, 6)]
    assert [each["id"] for each in events] == sorted({each["id"] for each in events})
    assert [each["payload"]["n"] for each in events] == list(range(5))


def test_drafts_can_be_added_at_the_end(syncline):
    syncline("push", syncline.file("a.jsonl", draft(1), draft(2)))
    file = syncline.file("a.jsonl", draft(1), draft(2), draft(3))
    assert pushed(syncline("push", file, "--json")) == {"stored": 1, "known": 2, "refused": 0, "head": 3}


def test_drafts_that_were_changed_are_not_taken_for_new_ones(syncline):
    syncline("push", syncline.file("a.jsonl", draft(1), draft(2)))
    done = syncline("push", syncline.file("a.jsonl", draft(1), draft(7)), "--json")
    assert (done.code, done.out) == (5, "")
    assert "changed up to line 2" in done.err
    assert len(syncline("pull").lines) == 2


def test_standard_input(syncline):
    text = syncline.file("a.jsonl", draft(1), event(1)).read_text()
    assert pushed(syncline("push", "-", "--json", input=text))["stored"] == 2


def test_refused_lines_are_named(syncline):
    file = syncline.file(
        "a.jsonl", draft(1), "no json", {"item": "a b", "action": "x"}, "", draft(2, item=".acl"), draft(3)
    )
    done = syncline("push", file, "--json")
    assert done.code == 1
    assert pushed(done) == {"stored": 2, "known": 0, "refused": 3, "head": 2}
    assert [(line["line"], line["code"]) for line in done.lines[:-1]] == [
        (2, "bad_json"),
        (3, "invalid_event"),
        (5, "reserved_action"),
    ]
    told = syncline("push", file).err
    assert [f"line {n}:" in told for n in range(1, 7)] == [False, True, True, False, True, False]


def test_a_full_space_keeps_the_lines_for_later(syncline):
    name = syncline.variables["SYNCLINE_SPACE"]
    syncline("spaces", "create", name)
    assert syncline("spaces", "quota", name, "--events", 12).code == 0
    file = syncline.file("a.jsonl", *map(draft, range(1, 31)))
    done = syncline("push", file, "--json", "--batch-size", 10)
    assert done.code == 3
    assert {name: done.lines[-1][name] for name in ("stored", "refused", "waiting")} == {
        "stored": 12,
        "refused": 0,
        "waiting": 8,
    }
    assert [(line["line"], line["code"], line["retryable"]) for line in done.lines[:-1]] == [
        (n, "quota_exceeded", True) for n in range(13, 21)
    ]
    again = syncline("push", file, "--batch-size", 10)
    assert (again.code, "12 already there" in again.out) == (3, True)
    assert "syncline spaces quota" in again.err
    assert "Stopped at line 13" in again.err
    syncline("spaces", "quota", name, "--events", 100)
    assert pushed(syncline("push", file, "--json")) == {"stored": 18, "known": 12, "refused": 0, "head": 30}
    assert [entry["event"]["payload"]["n"] for entry in syncline("pull").lines] == list(range(1, 31))


def test_a_transaction_waits_as_a_whole_and_an_import_goes_on_there(syncline):
    name = syncline.variables["SYNCLINE_SPACE"]
    syncline("spaces", "create", name)
    assert syncline("spaces", "quota", name, "--events", 6).code == 0
    lines = [event(n, **({"meta": {"tx": "t"}} if n in (6, 7, 8) else {})) for n in range(1, 11)]
    lines[1]["user"] = "somebody"
    file = syncline.file("a.jsonl", *lines)
    done = syncline("import", file, "--json")
    assert done.code == 1
    assert [(line["line"], line["retryable"]) for line in done.lines[:-1]] == [
        (2, False),
        *((n, True) for n in (6, 7, 8)),
    ]
    syncline("spaces", "quota", name, "--events", 100)
    again = syncline("import", file, "--json")
    assert (again.code, again.lines[-1]["skipped"]) == (0, 5)
    assert len(syncline("pull").lines) == 9


def test_events_of_another_user_are_refused_with_advice(syncline):
    done = syncline("push", syncline.file("a.jsonl", event(1, user="somebody")))
    assert done.code == 1
    assert "(user_mismatch)" in done.err
    assert "with an API key of that user" in done.err


def test_a_transaction_is_not_torn_by_batches(syncline):
    lines = [event(n, meta={"tx": f"t{n // 4}"}) for n in range(1, 12)]
    lines[9]["user"] = "somebody"  # so the last three stand or fall together
    done = syncline("push", syncline.file("a.jsonl", *lines), "--json", "--batch-size", 5)
    assert [(line["line"], line["code"]) for line in done.lines[:-1]] == [
        (8, "tx_refused"),
        (9, "tx_refused"),
        (10, "user_mismatch"),
        (11, "tx_refused"),
    ]


def test_large_events_are_pushed_in_smaller_batches(syncline):
    big = [event(n, payload="x" * 60_000) for n in range(1, 41)]
    assert pushed(syncline("push", syncline.file("a.jsonl", *big), "--json"))["stored"] == 40


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_a_bar_that_goes_away(syncline, columns):
    file = syncline.file("a.jsonl", *map(draft, range(50)))
    shown = syncline.screen("push", file, "--batch-size", 10, columns=columns)
    assert "Pushing" in shown
    assert "━" in shown
    assert shown.rstrip().splitlines()[-1].endswith("s")
    assert "50 events stored" in shown.replace("\x1b[2K", "\n").splitlines()[-1]


def test_a_pipe_gets_none(syncline):
    done = syncline("push", syncline.file("a.jsonl", draft(1)))
    assert done.err == ""
    assert done.out.startswith("1 event stored, 0 already there, 0 refused")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.jsonl"], 5, "none.jsonl: No such file"),
        (["-", "--server", "http://127.0.0.1:1"], 3, "(connection_lost)"),
        (["-", "--token", "sk_wrong"], 4, "(unauthorized)"),
        (["-", "--space", "Not A Space"], 1, "space:"),
        (["-", "--server", "localhost"], 2, "is not a URL"),
        (["-", "--batch-size", "0"], 2, "batch-size"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_goes_wrong_has_its_exit_code(syncline: Terminal, arguments, code, words):
    done = syncline("push", *arguments, COLUMNS="200")
    assert (done.code, done.out) == (code, "")
    assert words in done.err
