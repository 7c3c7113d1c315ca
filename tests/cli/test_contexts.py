"""Contexts: which server, space and credentials a command goes by, and the file that says so."""

import stat
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from syncline.sync.contexts import Book, Context, Contexts
from tests.processes import rest_of

EVENT = '{"item":"task.a","action":"create"}\n'


@pytest.fixture
def home(terminal, server):
    """A place where the server is not named, but a context with the administrator's key is in use."""
    assert terminal("context", "add", "home", "--server", server.url, "--token", server.key).code == 0
    return terminal


def file_of(terminal):
    return terminal.directory / ".config" / "syncline" / "contexts.toml"


def test_contexts_are_added_listed_used_and_removed(terminal):
    assert terminal("context", "list", "--json").json == {"current": None, "contexts": []}
    assert (
        terminal("context", "add", "one", "--server", "http://one.example/", "--token-stdin", input="sk_1\n").code == 0
    )
    two = terminal("context", "add", "two", "--server", "https://two.example", "--space", "garden", "--json").json
    assert (two["current"], two["space"], two["credentials"]) == ("one", "garden", "none")
    assert terminal("context", "use", "two", "--json").json["current"] == "two"
    listed = terminal("context", "list", "--json")
    assert [each["name"] for each in listed.json["contexts"]] == ["one", "two"]
    assert listed.json["contexts"][0]["credentials"] == "API key"
    assert "sk_1" not in listed.out + terminal("context", "list").out
    assert tomllib.loads(file_of(terminal).read_text())["contexts"]["one"]["key"] == "sk_1"
    assert terminal("context", "remove", "two", "--json").json == {"name": "two", "removed": True}
    assert terminal("context", "list", "--json").json["current"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("use", "nowhere"), "home"),
        (("remove", "nowhere"), "home"),
        (("add", "home", "--server", "http://x.example"), "already"),
        (("add", "a b", "--server", "http://x.example"), "cannot be"),
        (("add", "b", "--server", "x.example"), "not a URL"),
    ],
)
def test_contexts_that_cannot_be(home, arguments, words):
    before = file_of(home).read_bytes()
    done = home("context", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in " ".join(done.err.split())
    assert file_of(home).read_bytes() == before


def test_only_its_owner_reads_the_file(home):
    assert stat.S_IMODE(file_of(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(home).parent.stat().st_mode) == 0o700
    file_of(home).chmod(0o644)
    home("context", "add", "other", "--server", "http://other.example")
    assert stat.S_IMODE(file_of(home).stat().st_mode) == 0o600


def test_a_file_that_is_none_is_told_in_a_line(home):
    for text in ("current = ", 'current = 1\n[contexts.a]\nserver = "x"', "[contexts.a]\nspace = 'x'"):
        file_of(home).write_text(text)
        done = home("pull")
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "contexts.toml" in done.err
        assert home("version").code == 0


def test_every_command_goes_by_the_context(home, server):
    assert home("push", "-", input=EVENT).code == 0
    assert home("pull").lines[0]["event"]["item"] == "task.a"
    assert home("log", "--json").out
    assert home("export", "--json").code == 0
    assert home("status", "--json").json["server"] == server.url
    assert "default" in home("spaces", "list").out
    assert home("keys", "list", "--json").json["keys"]
    assert home("doc", "create", "task.b", "title=B", "--database", "a.db").code == 0
    assert home("pull").lines[-1]["event"]["item"] == "task.b"
    assert home("doc", "set", "task.b", "title=C", "--database", "a.db", "--offline").code == 0
    assert home("status", "a.db", "--json").json["pending"] == 1


def test_flags_and_variables_win(home, server):
    home("context", "add", "garden", "--server", server.url, "--space", "garden", "--token", server.key)
    home("push", "-", "--space", "garden", input=EVENT)
    said = home("whoami", "--json").json
    assert said["from"] == {"server": "context home", "space": "context home", "token": "context home"}
    assert (said["user"], said["asked_space"], said["context"]) == (".root", "default", "home")
    assert home("whoami", "--json", "--space", "garden").json["from"]["space"] == "flag"
    assert home("whoami", "--json", SYNCLINE_SPACE="garden").json["from"]["space"] == "environment SYNCLINE_SPACE"
    for chosen in (
        home("--context", "garden", "whoami", "--json"),
        home("whoami", "--json", SYNCLINE_CONTEXT="garden"),
    ):
        assert (chosen.json["context"], chosen.json["asked_space"]) == ("garden", "garden")
    assert home("--context", "nowhere", "pull").code == 2
    wrong = home("whoami", SYNCLINE_TOKEN="sk_wrong")
    assert (wrong.code, wrong.out) == (4, "")
    home("users", "create", "ann")
    key = home("keys", "create", "ann", "--json").json["key"]
    ann = home("whoami", "--json", "--token", key).json
    assert (ann["user"], ann["from"]["token"], ann["from"]["server"]) == ("ann", "flag", "context home")
    assert "does not count" in home("whoami", "--token", key).err
    for place in ("context home", "flag"):
        assert place in home("whoami", "--token", key).out


class Eavesdropper(HTTPServer):
    """A server that is not the context's, and notes what it is told."""

    def __init__(self):
        told = self.told = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                told.append((self.path, self.headers.get("Authorization"), self.headers.get("X-Tenant-ID")))
                self.send_error(404)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def eavesdropper():
    found = Eavesdropper()
    thread = Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.mark.parametrize(
    "verb", [("pull",), ("whoami",), ("users", "list"), ("spaces", "list"), ("push", "-"), ("status",)]
)
def test_another_server_hears_nothing_of_a_context(terminal, server, eavesdropper, verb):
    terminal("context", "add", "home", "--server", server.url, "--space", "garden", "--token", server.key)
    other = f"http://127.0.0.1:{eavesdropper.server_port}"
    assert terminal(*verb, "--server", other).code != 0
    assert terminal(*verb, SYNCLINE_SERVER=other).code != 0
    assert eavesdropper.told
    assert {authorization for _, authorization, _ in eavesdropper.told} == {None}
    assert "garden" not in str(eavesdropper.told)


def test_many_write_at_once(terminal):
    adding = [terminal.begin("context", "add", f"c{n}", "--server", f"http://c{n}.example") for n in range(6)]
    for process in adding:
        rest_of(process)
    assert [process.returncode for process in adding] == [0] * 6
    assert len(terminal("context", "list", "--json").json["contexts"]) == 6


def test_a_reader_sees_all_or_nothing_of_a_change(tmp_path):
    contexts = Contexts(tmp_path / "contexts.toml")
    long = Context(server="http://x.example", key="k" * 20_000)
    contexts.put("a", long, use=True)
    writing = Thread(target=lambda: [contexts.put(f"c{n}", long, use=False) for n in range(30)])
    writing.start()
    counts = []
    while writing.is_alive():
        counts.append(len(contexts.read().contexts))
    writing.join()
    assert counts == sorted(counts)
    assert len(contexts.read().contexts) == 31
    assert not list(tmp_path.glob(".contexts*"))


def test_whatever_a_context_says_comes_back(tmp_path):
    contexts = Contexts(tmp_path / "contexts.toml")
    odd = Context(server="http://x.example", user='a"\\\n\t\x7f\x00é😀', expires_ms=2**52)
    book = contexts.put("a.b-c_1", odd, use=True)
    assert contexts.read() == book == Book("a.b-c_1", {"a.b-c_1": odd})
