"""How the task list of ``tasks.py`` looks and reads: tables, lines above the one that is being typed, and commands."""

from __future__ import annotations

import cmd
import sys
import time
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncline import LiveDocument, Status, SynclineError
from syncline.core.documents.revisions import Revision

try:
    import readline
except ImportError:  # Windows: what is being typed is not shown again
    readline = None

PRIORITIES = {"high": ("▲", "bold red"), "medium": ("■", "yellow"), "low": ("▽", "blue")}
STATES = {"live": ("●", "green"), "offline": ("○", "dim"), "needs_auth": ("✗", "red")}
BUSY = ("◐", "yellow")


class Screen:
    """The terminal; or a pipe, which gets the same without colours and prompt."""

    def __init__(self, name: str) -> None:
        width = None if sys.stdout.isatty() else 100
        self.console = Console(highlight=False, emoji=False, markup=False, width=width)
        self.prompt = f"{name}> " if sys.stdin.isatty() else ""
        self.is_typing = False
        self._connection = "offline"

    def say(self, *parts: str | Text | tuple[str, str]) -> None:
        """A line. If somebody is typing, that goes on below."""
        typed = readline.get_line_buffer() if self.is_typing and readline else ""
        self.console.file.write("\r\x1b[K" if self.is_typing else "")
        self.console.print(Text.assemble(*parts), soft_wrap=True)
        self.console.file.write(self.prompt + typed if self.is_typing else "")
        self.console.file.flush()

    def list(self, tasks: Sequence[tuple[str, LiveDocument, bool]]) -> None:
        """A table of tasks: number, task, and whether it has changes that wait for the server."""
        if not tasks:
            self.say(("No such tasks; add one: add Buy milk !high #shop", "dim"))
            return
        shown = Table(box=box.SIMPLE_HEAD, border_style="dim", expand=True)
        for name, ratio in (("", None), ("", None), ("", None), ("task", 3), ("tags", 2), ("", None)):
            shown.add_column(name, ratio=ratio, no_wrap=ratio is None)
        for number, task, waits in tasks:
            signs = ("⚠" if task.conflicts() else "") + ("↑" if waits else "")
            shown.add_row(*cells(number, task), Text(signs, style="yellow"))
        self.console.print(shown)

    def task(self, number: str, task: LiveDocument) -> None:
        """A task in a line."""
        self.say(Text(" ").join(cells(number, task)) if task.exists else f"{number} is deleted.")

    def history(self, task: LiveDocument, me: str) -> None:
        """The revisions of a task. Who did it is not known before the first sync: that was me."""
        shown = Table(box=box.SIMPLE_HEAD, border_style="dim")
        for name in ("", "when", "who", "action", "changed"):
            shown.add_column(name)
        for change in task.history():
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(change.at / 1000))
            shown.add_row(str(change.number), when, change.user or me, change.action, what(change))
        self.console.print(shown)

    def help(self, docstrings: Iterable[str]) -> None:
        """``usage: what it does``, for each command."""
        shown = Table.grid(padding=(0, 2))
        for docstring in docstrings:
            usage, _, words = docstring.partition(": ")
            shown.add_row(Text(usage, style="cyan"), words)
        self.console.print(shown)

    def status(self, status: Status, words: str = "") -> None:
        """The connection, and what else there is to say."""
        reason = f": {status.error['message']}" if status.error else ""
        self.say(STATES.get(status.state, BUSY), f" {status.state}{reason}{words}")

    def connection(self, status: Status) -> None:
        """Tells when the connection comes and goes; not of each attempt."""
        state = status.state if status.state in STATES else self._connection
        if state != self._connection:
            self._connection = state
            self.status(status)


class Commands(cmd.Cmd):
    """Reads lines and carries them out by methods ``do_…``."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen, self.prompt = screen, screen.prompt

    def do_help(self, line: str) -> None:
        """help: this"""
        methods = {**vars(type(self)), **vars(Commands)}
        self.screen.help(str(method.__doc__) for name, method in methods.items() if name.startswith("do_"))

    def do_quit(self, line: str) -> bool:
        """quit: the end; what the server does not know yet waits in the file"""
        return True

    def preloop(self) -> None:
        """A line is about to be typed."""
        self.screen.is_typing = bool(self.prompt)

    def precmd(self, line: str) -> str:
        """A line was typed."""
        self.screen.is_typing = False
        return line

    def postcmd(self, stop: bool, line: str) -> bool:
        """Its command is carried out."""
        self.screen.is_typing = bool(self.prompt) and not stop
        return stop

    def onecmd(self, line: str) -> bool:
        """Carries out a line. What goes wrong is told, and nothing else happens."""
        try:
            return line == "EOF" or bool(super().onecmd(line))
        except (ValueError, SynclineError) as error:
            self.screen.say((str(error), "red"))
            return False

    def emptyline(self) -> bool:
        """Enter lists what there is."""
        return self.onecmd("list")

    def default(self, line: str) -> None:
        """What is no command."""
        raise ValueError(f"There is no command {line.split()[0]}; help lists them.")


def cells(number: str, task: LiveDocument) -> tuple[Text, ...]:
    """Number, status, priority, title with the count of comments, tags."""
    sign, style = PRIORITIES.get(task["priority"], ("?", ""))
    is_done = task["done"]
    comments = f"  {task['comments'].value} ✎" if task["comments"].value else ""
    return (
        Text(number, style="dim"),
        Text("✓", style="green") if is_done else Text("○"),
        Text(sign, style="dim" if is_done else style),
        Text.assemble((str(task["title"]), "dim strike" if is_done else ""), (comments, "dim")),
        Text(" ".join(f"#{tag}" for tag in task["tags"]), style="cyan"),
    )


def what(change: Revision) -> str:
    """What a revision was about, in few words."""
    if change.kind != "update":
        return {"create": "made", "delete": "deleted"}[change.kind]
    values = {op["path"].split("/")[1]: op.get("value") for op in change.forward}
    names = {"done": "done" if values.get("done") else "reopened"}
    return ", ".join(names.get(key, key) for key in sorted(values))


def fits(task: LiveDocument, wanted: str) -> bool:
    """Whether a task is among those that ``list`` was asked for."""
    if wanted in ("open", "done"):
        return bool(task["done"] == (wanted == "done"))
    return wanted[1:] in task["tags"] if wanted.startswith("#") else wanted.lower() in task["title"].lower()
