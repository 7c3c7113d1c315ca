"""``syncline serve --nats``: a server that answers there, too, and what is said where it cannot."""

import json
import os
from urllib.request import urlopen

import syncline
from tests.cli.terminals import Served
from tests.nats import nats_server
from tests.server.running import eventually


def test_a_server_answers_over_nats(tmp_path):
    with nats_server() as nats:
        served = Served(tmp_path, "--nats", nats.url)
        assert served.ready["nats"] == nats.url
        eventually(lambda: json.loads(urlopen(f"{served.url}/readyz").read())["nats"] == "connected")
        with syncline.open(None, server=nats.url, token=served.key) as one:
            one.record("note.a", "write", {})
            assert one.sync().pushed == 1
        assert served.stop()[0] == 0


def test_nats_without_its_library(terminal):
    (terminal.directory / "nats.py").write_text("raise ImportError\n")
    path = f"{terminal.directory}:{os.environ.get('PYTHONPATH', '')}"
    done = terminal("serve", "--port", "0", "--nats", "nats://127.0.0.1:1", PYTHONPATH=path)
    assert (done.code, done.out) == (2, "")
    assert "pip install 'syncline[nats]'" in done.err
    assert done.err.count("\n") == 1


def test_a_url_that_is_none(terminal):
    done = terminal("serve", "--port", "0", "--nats", "nats://user:secret@")
    assert (done.code, done.out) == (2, "")
    assert "nats://localhost:4222" in done.err
    assert "secret" not in done.err
