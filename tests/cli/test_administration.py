"""``spaces``, ``keys``, ``config``, ``version``, ``bench``, and what all verbs have in common."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from syncline.cli import app

VERBS = (
    *("serve", "status", "bench", "version", "log", "tail", "pull", "push", "export", "import"),
    *("login", "logout", "whoami", "context list", "context use", "context add", "context remove"),
    *("users list", "users show", "users create", "users setup", "users suspend", "users resume", "users remove"),
    *("spaces list", "spaces create", "spaces show", "spaces delete"),
    *("spaces suspend", "spaces resume", "spaces quota"),
    *("spaces retention", "spaces snapshot", "spaces label", "spaces labels", "archives list", "archives verify"),
    *("keys list", "keys create", "keys revoke", "config show", "config check"),
    *("acl list", "acl add", "acl remove", "acl explain", "acl test", "audit"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_speaks_json(verb):
    done = CliRunner().invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "160", "TERM": "dumb"})
    assert done.exit_code == 0
    assert "--json" in done.output


def test_without_a_verb_there_is_help(terminal):
    done = terminal()
    assert done.code == 2
    assert all(verb.split()[0] in done.out + done.err for verb in VERBS)


def test_spaces_are_made_listed_shown_and_deleted(syncline):
    name = syncline.variables["SYNCLINE_SPACE"]
    assert syncline("spaces", "create", name, "--json").json == {"name": name, "created": True}
    assert syncline("spaces", "create", name, "--json").json == {"name": name, "created": False}
    assert name in syncline("spaces", "list").out.splitlines()
    assert syncline("spaces", "show", name, "--json").json["head"] == 0
    assert syncline("spaces", "delete", name).code == 2
    assert syncline("spaces", "delete", name, "--yes", "--json").json == {"name": name, "deleted": True}
    assert syncline("spaces", "show", name).code == 4
    assert syncline("spaces", "create", name).code == 4


def test_spaces_get_quotas(syncline):
    name = syncline.variables["SYNCLINE_SPACE"]
    syncline("spaces", "create", name)
    set_ = syncline("spaces", "quota", name, "--events", 1, "--events-per-second", 50, "--json").json
    assert (set_["quotas"]["events"], set_["quotas"]["events_per_second"]) == (1, 50)
    assert syncline("push", "-", input='{"item":"a","action":"b"}\n').code == 0
    shown = syncline("spaces", "show", name).out
    assert "1 of 1" in shown
    assert "50" in shown
    assert "no limit" in syncline("spaces", "quota", name).out
    assert syncline("push", "-", input='{"item":"a","action":"b"}\n').code != 0
    assert syncline("spaces", "quota", name, "--events", "default", "--json").json["quotas"]["events"] == 0
    assert syncline("push", "-", input='{"item":"a","action":"b"}\n').code == 0
    assert syncline("spaces", "quota", name, "--events", "many").code == 2
    assert syncline("spaces", "quota", f"{name}-none", "--events", 1).code == 4


def test_spaces_keep_what_they_are_told_to(syncline, server):
    """What is let go of can be listed, checked and read; what was changed since is found out."""
    name = syncline.variables["SYNCLINE_SPACE"]
    syncline("spaces", "create", name)
    assert "everything" in syncline("spaces", "retention", name).out
    pushed = "".join(f'{{"item":"task.a","action":"set","payload":{n}}}\n' for n in range(6))
    assert syncline("push", "-", input=pushed).code == 0
    before = [json.loads(line)["event"] for line in syncline("log", "--json").out.splitlines()]
    assert syncline("spaces", "label", name, "start", "--seq", 3).out == "start names seq 3.\n"
    assert syncline("spaces", "labels", name, "--json").json == {"labels": {"start": 3}}
    assert syncline("spaces", "label", name, "start", "--remove").code == 0
    kept = syncline("spaces", "retention", name, "--revisions", 2, "--now", "--json").json
    assert (kept["retention"], kept["horizon"]) == ({"revisions": 2}, 8)
    assert "2 revisions" in syncline("spaces", "show", name).out
    folder = Path(server.ready["data"]) / "archives" / name
    (listed,) = syncline("archives", "list", str(folder), "--json").json["archives"]
    assert (listed["first"], listed["last"]) == (1, 8)
    assert syncline("archives", "verify", str(folder), "--json").json["entries"] == 8
    assert syncline("archives", "verify", str(folder)).out == "8 entries in 1 archive: all as they were.\n"
    shown = syncline("archives", "show", str(folder)).out.splitlines()
    assert [json.loads(line)["event"] for line in shown][:6] == before
    assert syncline("archives", "show", str(folder), "--since", 2).out.splitlines() == shown[2:]
    archive = folder / listed["file"]
    archive.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes()).replace(b'"payload":4', b'"payload":5')))
    assert syncline("archives", "verify", str(folder)).code == 5
    assert syncline("spaces", "retention", name, "--keep-all", "--days", 3).code == 2
    assert syncline("spaces", "retention", name, "--keep-all", "--json").json["retention"] == {}
    assert syncline("archives", "list", str(folder / "none")).code == 2


def test_spaces_are_suspended_and_resumed(syncline, server):
    name = syncline.variables["SYNCLINE_SPACE"]
    syncline("spaces", "create", name)
    made = syncline(
        "keys", "create", "laptop", "--user", "anna", "--space", name, "--data", server.ready["data"], "--json"
    ).json
    assert syncline("spaces", "suspend", name).out == f"{name} is suspended.\n"
    refused = syncline("push", "-", "--token", made["key"], input='{"item":"a","action":"b"}\n')
    assert refused.code != 0
    assert "suspended" in refused.err
    assert "suspended" in syncline("spaces", "show", name).out
    assert syncline("export", "--space", name).code == 0
    assert syncline("spaces", "resume", name, "--json").json["suspended"] is False
    assert syncline("push", "-", "--token", made["key"], input='{"item":"a","action":"b"}\n').code == 0


def test_keys_are_made_and_revoked_while_the_server_runs(syncline, server):
    data = ("--data", server.ready["data"])
    made = syncline("keys", "create", "laptop", "--user", "anna", *data, "--json").json
    assert syncline("push", "-", "--token", made["key"], input='{"item":"a","action":"b"}\n').code == 0
    assert [line["event"]["user"] for line in syncline("pull", "--items", "a").lines] == ["anna"]
    listed = syncline("keys", "list", *data, "--json").json["keys"]
    id = made["id"]
    assert [(key["name"], key["user"]) for key in listed if key["id"] == id] == [("laptop", "anna")]
    assert made["key"] not in str(listed)
    assert syncline("spaces", "list", "--token", made["key"]).code == 4
    assert syncline("keys", "revoke", id, *data).code == 0
    assert syncline("keys", "revoke", id, *data).code == 1
    assert id not in syncline("keys", "list", *data).out


@pytest.mark.parametrize("whose", [["--user", "anna"], ["anna"]])
def test_a_key_alone_is_what_stdout_gets(syncline, server, whose):
    done = syncline("keys", "create", *whose, "--data", server.ready["data"])
    assert done.out.startswith("sk_")
    assert done.out.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["create"], 2),
        (["create", "x", "--user", ".root"], 2),
        (["create", "x", "--user", "anna", "--admin"], 2),
        (["list", "--data", "nowhere"], 5),
    ],
)
def test_keys_that_cannot_be(syncline, server, arguments, code):
    done = syncline("keys", *arguments, SYNCLINE_DATA=server.ready["data"])
    assert (done.code, done.out) == (code, "")
    assert not (syncline.directory / "nowhere").exists()


def test_config_shows_what_won_and_why(terminal):
    (terminal.directory / "syncline.toml").write_text("port = 1\nidle_seconds = 7\n")
    shown = terminal("config", "show", "--json", SYNCLINE_PORT="2").json
    assert shown["port"] == {"value": 2, "source": "environment SYNCLINE_PORT"}
    assert shown["idle_seconds"] == {"value": 7.0, "source": "file syncline.toml"}
    assert shown["host"]["source"] == "default"
    assert "SYNCLINE_PORT" in terminal("config", "show", SYNCLINE_PORT="2").out


@pytest.mark.parametrize(
    ("text", "code"), [("port = 1", 0), ("", 0), ("prot = 1", 2), ("port =", 2), ('port = "x"', 2), ("port = -1", 2)]
)
def test_config_is_checked(terminal, text, code):
    (terminal.directory / "a.toml").write_text(text)
    done = terminal("config", "check", "a.toml")
    assert done.code == code
    assert bool(done.err) == bool(code)


def test_version(terminal):
    about = terminal("version", "--json").json
    assert about["syncline"] in terminal("version").out


def test_bench_measures(terminal):
    figures = {figure["name"]: figure for figure in terminal("bench", "--events", 1_000, "--json").json["figures"]}
    assert len(figures) == 4
    assert figures["pull"]["rate"] > 0
    assert figures["live, from push to arrival"]["p99_ms"] > 0
    assert list(terminal.directory.iterdir()) == []
