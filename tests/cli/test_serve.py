"""``serve``: ready when it says so, a key once, a clean end, and one clear line when it cannot."""

import json
import os
import signal
import urllib.request

import pytest

from syncline.server.settings import Settings
from tests.cli.terminals import Served
from tests.processes import rest_of


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path, number):
    served = Served(tmp_path)
    with urllib.request.urlopen(f"{served.url}/readyz") as response:
        assert response.status == 200
    assert served.stop(number) == (0, "")


def test_the_key_is_told_at_the_first_start_alone(tmp_path):
    first = Served(tmp_path)
    assert first.key.startswith("sk_")
    first.stop()
    second = Served(tmp_path)
    assert second.key is None
    second.stop()


def test_what_people_read_can_be_pasted(terminal):
    process = terminal.begin("serve", "--port", "0")
    shown = []
    while not shown or "Authorization" not in shown[-1]:
        shown.append(process.stdout.readline())
        assert shown[-1], shown
    process.terminate()
    rest_of(process)
    text = "".join(shown)
    url = text.partition("ready at ")[2].split()[0]
    assert f'server="{url}"' in text
    assert f"curl {url}/v1/pull" in text
    assert f"A demo is at {url}/demo/\n" in text
    assert "with syncline.open(" in text
    assert max(len(line.rstrip()) for line in shown) <= 80


def test_an_address_that_is_taken(terminal, server):
    done = terminal("serve", "--port", server.url.rpartition(":")[2])
    assert (done.code, done.out) == (5, "")
    assert done.err == f"error: {server.url.removeprefix('http://')}: Address already in use.\n"


def test_where_grpc_is_told(terminal, tmp_path):
    served = Served(tmp_path, "--grpc-port", "0")
    assert served.ready["grpc"].startswith("grpc://127.0.0.1:")
    done = terminal("serve", "--port", "0", "--grpc-port", served.ready["grpc"].rpartition(":")[2], "--data", "other")
    served.stop()
    assert (done.code, done.out) == (5, "")
    assert done.err == f"error: {served.ready['grpc'].removeprefix('grpc://')}: Address already in use.\n"


def test_without_grpc_nobody_listens_for_it(server):
    assert server.ready["grpc"] is None


@pytest.mark.parametrize("library", ["grpc", "google"])
def test_grpc_without_its_libraries(terminal, library):
    blocker = terminal.directory / f"{library}.py"
    blocker.write_text("raise ModuleNotFoundError(name=__name__)\n")
    done = terminal(
        "serve",
        "--port",
        "0",
        "--grpc-port",
        "0",
        PYTHONPATH=f"{terminal.directory}:{os.environ.get('PYTHONPATH', '')}",
    )
    assert (done.code, done.out) == (2, "")
    assert "pip install 'syncline[grpc]'" in done.err
    assert done.err.count("\n") == 1


def test_a_start_that_failed_leaves_the_first_key_to_the_next(terminal):
    blocker = terminal.directory / "lmdb.py"
    blocker.write_text("raise ModuleNotFoundError(name=__name__)\n")
    path = f"{terminal.directory}:{os.environ.get('PYTHONPATH', '')}"
    failed = terminal("init", "--data", "data", SYNCLINE_STORE="lmdb", PYTHONPATH=path)
    assert (failed.code, failed.out) == (2, "")
    assert "pip install 'syncline[lmdb]'" in failed.err
    assert terminal("init", "--data", "data", "--json").json["key"].startswith("sk_")


def test_a_data_directory_that_cannot_be(terminal):
    (terminal.directory / "file").touch()
    result = terminal("serve", "--port", "0", "--data", "file/data")
    assert result.code == 5, result
    assert "Not a directory" in result.err


def test_a_data_directory_that_is_taken(terminal, server):
    done = terminal("serve", "--port", "0", "--data", server.ready["data"])
    assert (done.code, done.out) == (5, "")
    assert done.err.count("\n") == 1
    assert "(store_locked)" in done.err


@pytest.mark.parametrize(
    ("flags", "variables", "words"),
    [
        (["--open", "--host", "0.0.0.0"], {}, "open: refused on 0.0.0.0"),
        (["--log-level", "loud"], {}, "log_level: 'loud'"),
        ([], {"SYNCLINE_PORT": "many"}, "environment SYNCLINE_PORT"),
        (["--config", "none.toml"], {}, "none.toml cannot be read"),
        (["--grpc-port", "65536"], {}, "grpc_port: 65536 is not between -1 and 65535"),
        (["--idle-seconds", "0"], {}, "idle_seconds: must be greater than 0"),
    ],
)
def test_settings_that_do_not_fit(terminal, flags, variables, words):
    done = terminal("serve", *flags, **variables)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_every_setting_is_a_flag(terminal):
    shown = terminal("serve", "--help", COLUMNS="200").out
    missing = [name for name in Settings.__struct_fields__ if f"--{name.replace('_', '-')}" not in shown]
    assert missing == []


def test_the_file_in_this_directory_counts_unless_overruled(terminal):
    (terminal.directory / "syncline.toml").write_text('port = 0\ndata = "from-file"\n')
    process = terminal.begin("serve", "--json", "--data", "from-flag")
    ready = json.loads(process.stdout.readline())
    process.terminate()
    rest_of(process)
    assert ready["data"] == "from-flag"
    assert not ready["url"].endswith(":8080")
