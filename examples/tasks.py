"""A task list in the terminal. It works offline, and several people's lists are one while there is a server.

    python examples/tasks.py --database alice [--server http://localhost:8080 --token sk_…]

Open a second terminal with ``--database bob``: each tells what the other one does, as it happens. Say ``offline`` in
both, change the same task, say ``online``: nothing is lost. ``help`` lists the commands.

How it looks is in ``task_screen.py``; here is what there is to know about Syncline.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from task_screen import PRIORITIES, Commands, Screen, fits, what

import syncline
from syncline import Counter, LiveDocument, ORSet, SyncedReplica, Text


class TaskList:
    """The tasks of a replica: each is a document. Its number is for this session, in which it does not change."""

    def __init__(self, db: SyncedReplica) -> None:
        self.db = db
        self.numbers: list[str] = []

    def all(self) -> list[LiveDocument]:
        """The tasks that are there, the oldest first."""
        return self.db.query("task.*", order_by="created")

    def find(self, number: str) -> LiveDocument:
        """A task by its number, be it deleted. Raises ValueError."""
        if not number.isdigit() or not 0 < int(number) <= len(self.numbers):
            raise ValueError(f"There is no task {number or 'without a number'}; list shows them.")
        return self.db.document(self.numbers[int(number) - 1])

    def number(self, task: LiveDocument) -> str:
        """The number of a task; a new one if it was not seen before."""
        if task.item not in self.numbers:
            self.numbers.append(task.item)
        return str(self.numbers.index(task.item) + 1)

    def add(self, title: str, priority: str, tags: list[str]) -> LiveDocument:
        """A new task. Tags are a set, notes a text and comments a counter: what several people do to them merges."""
        task = {"title": title, "done": False, "priority": priority, "created": time.time()}
        kinds = {"tags": ORSet(tags), "notes": Text(), "comments": Counter()}
        return self.db.create(f"task.{uuid4().hex[:12]}", task | kinds)

    def tag(self, task: LiveDocument, words: list[str]) -> None:
        """Adds tags, and takes off those with a minus, in one event."""
        with task.edit("tag") as edit:
            for word in words:
                change = edit["tags"].discard if word.startswith("-") else edit["tags"].add
                change(word.lstrip("-#"))

    def comment(self, task: LiveDocument, who: str, words: str) -> None:
        """A line in the notes; in one event, so that nobody sees it without its count."""
        with task.edit("comment") as edit:
            edit["notes"].append(f"{who}: {words}\n")
            edit["comments"] += 1


class Shell(Commands):
    """The commands; the docstring of each is its help."""

    def __init__(self, db: SyncedReplica, name: str) -> None:
        super().__init__(Screen(name))
        self.db, self.name = db, name
        self.tasks = TaskList(db)
        self.last = ""
        self.told = {task.item: task.revision for task in self.tasks.all()}
        db.watch("task.*", self.tell_changes)
        db.watch_status(self.screen.connection)

    # Changing tasks

    def do_add(self, line: str) -> None:
        """add TITLE [!high] [#tag]: a new task; !high and !low are priorities, otherwise it is medium"""
        words = line.split()
        tags = [word[1:] for word in words if word[0] == "#"]
        priorities = [word[1:] for word in words if word[0] == "!" and word[1:] in PRIORITIES]
        title = " ".join(word for word in words if word[0] != "#" and word[1:] not in priorities)
        if not title:
            raise ValueError("A task needs a title: add Buy milk !high #shop")
        self.changed(self.tasks.add(title, (priorities or ["medium"])[-1], tags))

    def do_edit(self, line: str) -> None:
        """edit N TITLE: another title"""
        task, title = self.task_and(line, "a title")
        self.put(task, title=title)

    def do_done(self, line: str) -> None:
        """done N: it is completed"""
        self.put(self.task(line), done=True)

    def do_reopen(self, line: str) -> None:
        """reopen N: it is not completed after all"""
        self.put(self.task(line), done=False)

    def do_priority(self, line: str) -> None:
        """priority N high|medium|low: how much it matters"""
        task, priority = self.task_and(line, "a priority")
        if priority not in PRIORITIES:
            raise ValueError(f"A priority is {', '.join(PRIORITIES)}; not {priority}.")
        self.put(task, priority=priority)

    def do_tag(self, line: str) -> None:
        """tag N WORD -WORD: adds tags, and takes off those with a minus"""
        task, words = self.task_and(line, "tags")
        self.tasks.tag(task, words.split())
        self.changed(task)

    def do_note(self, line: str) -> None:
        """note N TEXT: adds a line to its notes"""
        task, words = self.task_and(line, "a text")
        task["notes"].append(f"{words}\n")
        self.changed(task)

    def do_comment(self, line: str) -> None:
        """comment N TEXT: the same with your name, and comments are counted"""
        task, words = self.task_and(line, "a text")
        self.tasks.comment(task, self.name, words)
        self.changed(task)

    def do_delete(self, line: str) -> None:
        """delete N: it is gone, until you undo that"""
        task = self.task(line)
        task.delete()
        self.changed(task)

    def put(self, task: LiveDocument, **members: object) -> None:
        """Changes some of a task."""
        task.update(members)
        self.changed(task)

    def do_undo(self, line: str) -> None:
        """undo [N]: takes back your last change of a task; what others changed since stays"""
        self.step(line, LiveDocument.undo)

    def do_redo(self, line: str) -> None:
        """redo [N]: takes back your last undo"""
        self.step(line, LiveDocument.redo)

    def step(self, number: str, action: Callable[[LiveDocument], bool]) -> None:
        """Undoes or redoes something of a task, or of the last one."""
        task = self.tasks.find(number or self.last)
        if not action(task):
            raise ValueError(f"There is nothing of yours to {action.__name__}.")
        self.changed(task)

    # Looking

    def do_list(self, line: str) -> None:
        """list [open|done|#tag|WORD]: the tasks; ↑ is not synced yet, ⚠ was set to two values at once"""
        waiting = {event.item for event in self.db.pending()}
        tasks = [(self.tasks.number(task), task, task.item in waiting) for task in self.tasks.all()]
        self.screen.list([row for row in tasks if fits(row[1], line)])
        self.do_status("")

    def do_show(self, line: str) -> None:
        """show N: a task with its notes, its conflicts and its history"""
        task = self.task(line)
        self.changed(task)
        self.screen.say((str(task["notes"]).rstrip() or "no notes", "" if len(task["notes"]) else "dim"))
        for conflict in task.conflicts().values:
            others = ", ".join(str(value) for _, value in conflict.others)
            self.screen.say(("⚠ ", "yellow"), f"{conflict.path[0]} was also set to: {others}")
        self.screen.history(task, self.name)

    def do_history(self, line: str) -> None:
        """history N: who changed what, and when"""
        self.screen.history(self.tasks.find(line), self.name)

    def do_status(self, line: str) -> None:
        """status: how the list and its connection are"""
        tasks, status = self.tasks.all(), self.db.status
        done = sum(task["done"] for task in tasks)
        waits = f" · {status.pending} not sent yet" if status.pending else ""
        refused = f" · {status.refused} refused" if status.refused else ""
        self.screen.status(status, f" · {self.name} · {len(tasks) - done} open, {done} done{waits}{refused}")

    # The server

    def do_online(self, line: str) -> None:
        """online: connects, and stays connected"""
        self.db.start()

    def do_offline(self, line: str) -> None:
        """offline: disconnects; everything goes on here"""
        self.db.stop()

    def do_sync(self, line: str) -> None:
        """sync: waits until this list and the server agree"""
        result = self.db.sync()
        self.screen.say(f"{result.pushed} sent, {result.pulled} received", *(f"\n{error}" for error in result.errors))

    def task(self, number: str) -> LiveDocument:
        """A task that is there, by its number."""
        if not (task := self.tasks.find(number)).exists:
            raise ValueError(f"{number} is deleted; undo {number} brings it back if it was you.")
        return task

    def task_and(self, line: str, missing: str) -> tuple[LiveDocument, str]:
        """A task, and what stands after its number."""
        number, _, rest = line.partition(" ")
        if not rest.strip():
            raise ValueError(f"This takes the number of a task and {missing}.")
        return self.task(number), rest.strip()

    def changed(self, task: LiveDocument) -> None:
        """Shows a task that was just changed here."""
        self.last = self.tasks.number(task)
        self.screen.task(self.last, task)

    def tell_changes(self, changed: list[LiveDocument]) -> None:
        """Tells what others did; called in the thread that syncs, too."""
        for task in changed:
            title = f"{self.tasks.number(task)} {task['title'] if task.exists else ''}"
            for change in task.history(after=self.told.get(task.item, 0)):
                if change.node != self.db.node:
                    self.screen.say(("↓ ", "cyan"), f"{change.user}: {what(change)} · {title}")
            self.told[task.item] = task.revision


def main() -> None:
    """Opens the list and reads commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", default="tasks", help="a name (in databases/), or a file")
    for flag, default in (("server", None), ("space", "default"), ("token", None)):
        parser.add_argument(f"--{flag}", default=os.environ.get(f"SYNCLINE_{flag.upper()}", default))
    options = parser.parse_args()
    path = Path(options.database)
    path = path if path.suffix else Path("databases", f"{path}.db")
    path.parent.mkdir(parents=True, exist_ok=True)
    with syncline.open(path, server=options.server, space=options.space, token=options.token) as db:
        shell = Shell(db, path.stem)
        shell.cmdqueue = ["list", "online"] if options.server else ["list"]
        with suppress(KeyboardInterrupt):
            shell.cmdloop()


if __name__ == "__main__":
    main()
