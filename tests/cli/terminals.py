"""The command as its users meet it: a process of its own, on pipes or on a pseudo-terminal."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.forked import run
from tests.processes import DEADLINE, kill, rest_of

COMMAND = (sys.executable, "-m", "syncline")


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would name a server, and with a wide plain terminal."""
    ours = ("SYNCLINE_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "TERM": "xterm-256color", "TZ": "UTC", "PYTHONUNBUFFERED": "1", **more}


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Typed(NamedTuple):
    """What somebody types when a question has come that ends so; a function is asked with what was shown before."""

    question: str
    answer: str | Callable[[str], str]
    is_hidden: bool = False

    def type(self, terminal: int, shown: str) -> None:
        limit = time.monotonic() + DEADLINE
        while self.is_hidden and termios.tcgetattr(terminal)[3] & termios.ECHO:
            assert time.monotonic() < limit, f"{self.question} would be answered for all to see"
            time.sleep(0.005)
        answer = self.answer if isinstance(self.answer, str) else self.answer(shown)
        os.write(terminal, answer.encode() + b"\n")


class Terminal:
    """A place to type commands: a directory, and the variables that are set."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self.directory, self.variables = directory, variables
        self._begun: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: object, input: str = "", **variables: str) -> Done:
        """Runs a command to its end, on pipes: forked, unless a variable says where to import from."""
        carry_out = start if "PYTHONPATH" in variables else run
        done = Done(*carry_out([*map(str, arguments)], input, self.directory, self.environment(**variables)))
        assert "Traceback" not in done.err, done.err
        return done

    def begin(self, *arguments: object, **more: Any) -> subprocess.Popen[str]:
        """Begins a command that goes on; ``close`` ends it if nothing else does."""
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self.environment(),
            **more,
        )
        self._begun.append(process)
        return process

    def close(self) -> None:
        """Nothing that was begun here goes on."""
        for process in self._begun:
            if process.poll() is None:
                kill(process)

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of a command; its contexts are this place's own."""
        contexts = str(self.directory / ".config")
        return environment(**{"XDG_CONFIG_HOME": contexts, **self.variables, **more})

    def screen(self, *arguments: object, columns: int = 80, typed: tuple[Typed, ...] = ()) -> str:
        """What a command shows on a terminal, every byte of it, while somebody answers its questions."""
        pid, terminal = pty.fork()
        if not pid:
            os.chdir(self.directory)
            os.execve(sys.executable, [*COMMAND, *map(str, arguments)], self.environment())
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        shown, waiting, asked = b"", list(typed), 0
        with suppress(OSError):  # Linux's word for the end of a terminal
            while part := os.read(terminal, 65_536):
                shown += part
                if waiting and shown[asked:].decode(errors="replace").rstrip().endswith(waiting[0].question):
                    asked = len(shown)
                    waiting.pop(0).type(terminal, shown.decode(errors="replace"))
        os.close(terminal)
        os.waitpid(pid, 0)
        return shown.decode()

    def file(self, name: str, *lines: object) -> Path:
        """A JSON Lines file; a text stands as it is."""
        path = self.directory / name
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return path


def start(arguments: list[str], input: str, directory: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    """What ``run`` does, in a process that imports everything itself."""
    pipes = {"input": input, "capture_output": True, "text": True, "timeout": DEADLINE}
    ended = subprocess.run([*COMMAND, *arguments], check=False, cwd=directory, env=variables, **pipes)
    return ended.returncode, ended.stdout, ended.stderr


class Served:
    """A server that ``syncline serve`` runs, and the key it told at its first start."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.terminal = Terminal(directory)
        self.flags = ("--port", "0", "--data", str(directory / "data"), "--json", *flags)
        self.process = self.terminal.begin("serve", *self.flags)
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.ready = json.loads(line)
        self.url, self.key = self.ready["url"], self.ready["key"]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Ends it; its exit code, and what it logged."""
        self.process.send_signal(number)
        _, logged = rest_of(self.process)
        return self.process.returncode, logged


@contextmanager
def serving(directory: Path) -> Iterator[Served]:
    """A server that has to end well."""
    served = Served(directory)
    yield served
    code, logged = served.stop()
    assert code == 0, logged
