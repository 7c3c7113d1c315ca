"""``init`` and ``serve --demo``: data directories made before anything is served, and ones that do not stay."""

import json
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.cli.terminals import Served
from tests.processes import rest_of


def test_a_directory_is_made_once(terminal):
    made = terminal("init", "--data", "d", "--json").json
    assert made["data"] == "d"
    assert made["key"].startswith("sk_")
    assert len(made["setup_token"]) == 9
    again = terminal("init", "--data", "d", "--json").json
    assert again == {"data": "d", "key": None, "setup_token": None}
    assert "ready already" in terminal("init", "--data", "d").err


def test_what_people_are_shown(terminal):
    done = terminal("init", "--data", "d")
    assert done.code == 0
    assert done.out.startswith("sk_")
    assert done.out.count("\n") == 1
    assert "syncline login --setup" in done.err


def test_the_key_opens_the_server_that_is_started_there(tmp_path, terminal):
    key = terminal("init", "--data", tmp_path / "data", "--json").json["key"]
    served = Served(tmp_path)
    assert served.key is None
    request = urllib.request.Request(f"{served.url}/v1/spaces", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request) as response:
        assert json.load(response) == {"spaces": ["default"]}
    refused = terminal("init", "--data", tmp_path / "data")
    assert (refused.code, "(store_locked)" in refused.err) == (5, True)
    assert served.stop() == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_leaves_nothing(terminal, number):
    process = terminal.begin("serve", "--demo", "--port", "0", "--json")
    ready = json.loads(process.stdout.readline())
    data = Path(ready["data"])
    assert (data / "server.db").exists()
    assert ready["key"] is None
    with urllib.request.urlopen(f"{ready['url']}/v1/pull") as response:
        assert response.headers["X-Syncline-Demo"] == "true"
    process.send_signal(number)
    _, logged = rest_of(process)
    assert (process.returncode, logged) == (0, "")
    assert not data.exists()
    assert not (terminal.directory / "syncline-data").exists()


def test_a_demo_says_that_it_is_one(terminal):
    process = terminal.begin("serve", "--demo", "--port", "0")
    shown = "".join(process.stdout.readline() for _ in range(4))
    process.terminate()
    rest_of(process)
    assert "DEMO" in shown
    assert "deleted at the end" in shown


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--demo", "--host", "0.0.0.0"], "demo: refused on 0.0.0.0"),
        (["--demo", "--data", "d"], "demo: what it stores is deleted at its end"),
        (["--origins", "https://a.example,b"], "origins: 'b' is no origin"),
        (["--trusted-proxies", "10.0.0.1/8"], "trusted_proxies: 10.0.0.1/8 has host bits set"),
    ],
)
def test_what_is_refused(terminal, flags, words):
    done = terminal("serve", *flags)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_lists_are_set_by_variables_and_files(terminal):
    (terminal.directory / "syncline.toml").write_text('trusted_proxies = ["10.0.0.0/8"]\n')
    shown = terminal("config", "show", "--json", SYNCLINE_ORIGINS="https://a.example, https://b.example").json
    assert shown["origins"]["value"] == ["https://a.example", "https://b.example"]
    assert shown["trusted_proxies"]["value"] == ["10.0.0.0/8"]
    assert "https://a.example" in terminal("config", "show", SYNCLINE_ORIGINS="https://a.example").out


def test_a_directory_that_was_there_is_still_nobody_elses_to_read(tmp_path, terminal):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    assert terminal("init", "--data", "data").code == 0
    served = Served(tmp_path)
    modes = {
        path.name: path.stat().st_mode & 0o077 for path in data.iterdir() if path.name.startswith(("server.db", "sp"))
    }
    assert modes.keys() >= {"server.db", "server.db-wal", "spaces"}
    assert set(modes.values()) == {0}
    assert served.stop() == (0, "")
