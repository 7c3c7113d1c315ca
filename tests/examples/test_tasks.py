"""The task list, as its users meet it: processes of their own, on pipes or on a terminal, with a real server."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from threading import Timer

import pytest

from tests.cli.terminals import Served, environment
from tests.processes import DEADLINE

COLOURS = re.compile(r"\x1b\[[0-9;]*[mK]")
TASKS = Path(__file__).parents[2] / "examples" / "tasks.py"


class Person:
    """Somebody at a task list, who says commands and hears lines."""

    def __init__(self, directory, name, *, on_terminal=False, **variables):
        self.name = name
        (read_in, self.input), (self.output, out) = ends(on_terminal)
        command = [sys.executable, str(TASKS), "--database", name]
        self.process = subprocess.Popen(
            command, stdin=read_in, stdout=out, stderr=out, cwd=directory, env=environment(**variables)
        )
        for place in {read_in, out}:
            os.close(place)
        self.heard = ""
        self.watchdog = Timer(DEADLINE, self.process.kill)
        self.watchdog.start()

    def types(self, text):
        os.write(self.input, text.encode())

    def says(self, *lines):
        self.types("".join(f"{line}\n" for line in lines))

    def hears(self, words):
        """What is heard up to these words; they are waited for."""
        while words not in self.heard:
            part = self._read()
            assert part, f"{self.name} never hears {words!r}, but: {self.heard}"
            self.heard = COLOURS.sub("", self.heard + part)
        before, _, self.heard = self.heard.partition(words)
        return before

    def settles(self):
        """Asks until everything was sent: an answer may be on its way when another hears of what was said."""
        waits = True
        while waits:
            self.says("status")
            self.hears(" open, ")
            waits = "not sent yet" in self.hears("\n")

    def leaves(self):
        """Says nothing more; all that was left to hear."""
        with suppress(OSError):
            self.says("quit")
        while part := self._read():
            self.heard += part
        code = self.process.wait(DEADLINE)
        assert code == 0, self.heard
        assert "Traceback" not in self.heard, self.heard
        return self.heard

    def goes(self):
        """Is gone, whatever happens."""
        self.process.kill()
        self.process.wait()
        self.watchdog.cancel()
        for place in {self.input, self.output}:
            os.close(place)

    def _read(self):
        try:
            return os.read(self.output, 65_536).decode()
        except OSError:  # Linux's word for the end of a terminal
            return ""


def ends(on_terminal):
    """Where a process reads and we write; where we read and it writes."""
    if not on_terminal:
        return os.pipe(), os.pipe()
    ours, theirs = pty.openpty()
    return (theirs, ours), (ours, theirs)


@pytest.fixture
def come(tmp_path):
    """``come("alice")`` opens her list."""
    came = []

    def one(name, **more):
        came.append(Person(tmp_path, name, **more))
        return came[-1]

    yield one
    for person in came:
        person.goes()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("server"))
    yield served
    code, logged = served.stop()
    assert code == 0, logged


@pytest.fixture
def people(come, server):
    """``people("alice")`` opens her list, which is live; the server's space is a fresh one."""
    space = f"space-{token_hex(6)}"

    def one(name, **more):
        key = server.terminal("keys", "create", name, "--data", "data", "--space", space, "--json").json["key"]
        person = come(name, SYNCLINE_SERVER=server.url, SYNCLINE_SPACE=space, SYNCLINE_TOKEN=key, **more)
        person.hears("● live")
        return person

    return one


def both(*people):
    """All of them have what all have said."""
    for person in (*people, *people):
        person.says("sync")
        person.hears("received")


def test_alone_and_offline(come):
    alice = come("alice")
    alice.says("add Buy milk !high #shop", "add Call [Ann] !low", "done 2", "comment 1 two pints", "tag 1 cold -shop")
    alice.says("undo", "list", "show 1", "delete 2", "undo", "priority 2 urgent", "edit 9 x", "dance", "online")
    shown = alice.leaves()
    for words in (
        "○ offline · alice · 1 open, 1 done · 6 not sent yet",
        "2 ✓ ▽ Call [Ann]",
        "1 ○ ▲ Buy milk  1 ✎ #cold\n1 ○ ▲ Buy milk  1 ✎ #shop\n",
        "alice: two pints",
        "2 is deleted.\n2 ✓ ▽ Call [Ann]",
        "A priority is high, medium, low; not urgent.",
        "There is no task 9; list shows them.",
        "There is no command dance; help lists them.",
        "no server",
    ):
        assert words in shown
    again = come("alice")
    assert "Buy milk" in again.leaves()


def test_help_lists_every_command(come):
    alice = come("alice")
    alice.says("help")
    shown = alice.leaves()
    for command in ("add TITLE", "done N", "undo [N]", "online", "help", "quit"):
        assert command in shown


def test_what_one_does_the_other_hears(people):
    alice, bob = people("alice"), people("bob")
    alice.says("add Buy milk !high #shop")
    bob.hears("↓ alice: made · 1 Buy milk")
    bob.says("done 1")
    alice.hears("↓ bob: done · 1 Buy milk")
    alice.says("comment 1 the cheap one")
    bob.hears("↓ alice: comments, notes · 1 Buy milk")
    bob.says("undo")
    alice.hears("↓ bob: reopened · 1 Buy milk")
    alice.says("list")
    assert "1 ✎" in alice.hears("1 open, 0 done")


def test_offline_changes_merge(people):
    alice, bob = people("alice"), people("bob")
    alice.says("add Buy milk #shop")
    bob.hears("↓ alice: made")
    alice.settles()
    for person in (alice, bob):
        person.says("offline")
        person.hears("○ offline")
    alice.says("tag 1 cold", "comment 1 from alice", "edit 1 Buy oat milk", "status")
    bob.says("tag 1 dear -shop", "comment 1 from bob", "edit 1 Buy soy milk", "done 1", "status")
    alice.hears("3 not sent yet")
    bob.hears("4 not sent yet")
    for person in (alice, bob):
        person.says("online")
    both(alice, bob)
    for person in (alice, bob):
        person.says("show 1", "status")
        shown = person.hears("0 open, 1 done")
        assert "2 ✎ #cold #dear" in shown
        assert "alice: from alice" in shown
        assert "bob: from bob" in shown
        assert "⚠ title was also set to: Buy " in shown


def test_what_is_being_typed_stays(people):
    alice, bob = people("alice", on_terminal=True), people("bob")
    alice.hears("alice> ")
    alice.types("add Bre")
    alice.hears("add Bre")
    bob.says("add Buy milk")
    alice.hears("↓")
    assert "bob: made · 1 Buy milk" in alice.hears("alice> add Bre")
    alice.types("ad\n")
    bob.hears("↓ alice: made · 2 Bread")
