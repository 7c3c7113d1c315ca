"""A text typed, taken in elsewhere, saved and loaded: Syncline, or pycrdt and Loro in the peers' environment.

`replay` types the recorded keystrokes into a text, a number of them to an event (a transaction, a commit), and keeps
the bytes that would be sent for each event; then another document takes these in, one after the other. The last
document's snapshot is written to a file. `load` reads it, in a new process, and looks at its text.
"""

import gc
import json
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from bench.editing import Keystroke, keystrokes, recorded, result, together

LOADS = 5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Task:
    library: str
    work: str
    keystrokes: int  # 0: all
    together: int
    file: str
    paper: str


class Library(Protocol):
    """One text document of a library."""

    def write(self, batches: list[list[Keystroke]]) -> list[bytes]: ...  # types, and returns what is to be sent
    def take(self, updates: list[bytes]) -> None: ...
    def save(self) -> bytes: ...
    def load(self, data: bytes) -> None: ...
    def text(self) -> str: ...


class Syncline:
    def __init__(self) -> None:
        from syncline.core.documents.document import Document

        self.document = Document("paper.text")

    def write(self, batches: list[list[Keystroke]]) -> list[bytes]:
        from syncline.core.documents.edit import Editor
        from syncline.core.events import Event
        from syncline.core.stamps import StampClock

        stamps, updates = StampClock("bench"), []
        for n, batch in enumerate(batches, 1):
            editor = Editor(self.document, stamps.next(time.time_ns() // 1_000_000, random.getrandbits(32)))
            text: Any = editor.ensure_root("text")
            for position, deleted, inserted in batch:
                editor.splice(text, position, deleted, inserted)
            clock = self.document.clock = {"bench": n}
            value = {"action": "edit", "clock": clock, "id": editor.event, "item": "paper.text", "node": "bench"}
            updates.append(Event.of({**value, "ops": editor.wire(), "user": "alice"}).body)
        return updates

    def take(self, updates: list[bytes]) -> None:
        from syncline.core.events import Event

        for update in updates:
            self.document.fold(Event.read(update))

    def save(self) -> bytes:
        from syncline.core.documents import snapshots

        return snapshots.pack(snapshots.encode(self.document))

    def load(self, data: bytes) -> None:
        from syncline.core.documents import snapshots

        self.document = snapshots.decode("paper.text", snapshots.unpack(data))

    def text(self) -> str:
        text: str = self.document.plain()
        return text


class Pycrdt:
    def __init__(self) -> None:
        import pycrdt

        self.document: Any = pycrdt.Doc()
        self.content = self.document.get("text", type=pycrdt.Text)

    def write(self, batches: list[list[Keystroke]]) -> list[bytes]:
        updates: list[bytes] = []
        subscription = self.document.observe(lambda event: updates.append(event.update))
        for batch in batches:
            with self.document.transaction():
                for position, deleted, inserted in batch:
                    if deleted:
                        del self.content[position : position + deleted]
                    if inserted:
                        self.content.insert(position, inserted)
        self.document.unobserve(subscription)
        return updates

    def take(self, updates: list[bytes]) -> None:
        for update in updates:
            self.document.apply_update(update)

    def save(self) -> bytes:
        data: bytes = self.document.get_update()
        return data

    def load(self, data: bytes) -> None:
        self.take([data])

    def text(self) -> str:
        return str(self.content)


class Loro:
    def __init__(self) -> None:
        import loro

        self.document: Any = loro.LoroDoc()
        self.content = self.document.get_text("text")

    def write(self, batches: list[list[Keystroke]]) -> list[bytes]:
        updates: list[bytes] = []
        subscription = self.document.subscribe_local_update(lambda update: updates.append(update) or True)
        for batch in batches:
            for position, deleted, inserted in batch:
                if deleted:
                    self.content.delete(position, deleted)
                if inserted:
                    self.content.insert(position, inserted)
            self.document.commit()
        del subscription
        return updates

    def take(self, updates: list[bytes]) -> None:
        for update in updates:
            self.document.import_(update)

    def save(self) -> bytes:
        import loro

        data: bytes = self.document.export(loro.ExportMode.Snapshot())
        return data

    def load(self, data: bytes) -> None:
        self.take([data])

    def text(self) -> str:
        text: str = self.content.to_string()
        return text


LIBRARIES: dict[str, type[Library]] = {"syncline": Syncline, "pycrdt": Pycrdt, "loro": Loro}


def replay(task: Task) -> dict[str, float]:
    paper = recorded(task.paper)
    strokes = keystrokes(paper, task.keystrokes)
    batches = together(strokes, task.together)
    writer, reader = LIBRARIES[task.library](), LIBRARIES[task.library]()
    gc.disable()
    started = time.monotonic()
    updates = writer.write(batches)
    written = time.monotonic()
    reader.take(updates)
    taken = time.monotonic()
    if writer.text() != result(paper, task.keystrokes) or reader.text() != writer.text():
        raise ValueError("the text is not the one that was recorded")
    Path(task.file).write_bytes(reader.save())
    return {"keystrokes": len(strokes), "local": written - started, "remote": taken - written}


def load(task: Task) -> dict[str, float]:
    data = Path(task.file).read_bytes()
    LIBRARIES[task.library]().text()  # imports what it needs
    before, seconds, kept = resident(), [], []
    for _ in range(LOADS):
        document = LIBRARIES[task.library]()
        started = time.monotonic()
        document.load(data)
        document.text()
        seconds.append(time.monotonic() - started)
        kept.append(document)
    return {"bytes": len(data), "load": median(seconds), "memory": (resident() - before) / LOADS}


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    task = Task(**json.loads(sys.argv[1]))
    print(json.dumps({"replay": replay, "load": load}[task.work](task)))
