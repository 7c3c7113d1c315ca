"""A replica's files to damage, and ways to damage them. All that is random comes from a seed."""

import random
import shutil
import time
from contextlib import ExitStack, closing
from typing import NamedTuple

from syncline.core.log import Receipts
from syncline.replica import new_node
from syncline.stores import load
from syncline.stores.memory import MemoryEventStore, MemoryReplicaStore
from syncline.stores.sqlite import SqliteDocumentIndex, SqliteSnapshotStore
from syncline.stores.sqlite.mending import open_replica
from syncline.stores.sqlite.sealed import seal
from syncline.sync import SyncedReplica
from syncline.testing.log_server import EPOCH, KEY, LogServer

PAGE = 4_096
ITEMS = [f"task.{number}" for number in range(12)]


def now_ms():
    return time.time_ns() // 1_000_000


def serve(entries=(), head=None):
    """A server in memory, with a log that was copied."""
    store = MemoryEventStore(EPOCH, Receipts(KEY))
    if head is not None:
        store.adopt(entries, head)
    return LogServer(store, now_ms=now_ms)


def opened(path, server):
    """The replica in a file as ``syncline.open`` opens it, with a line to a server in memory."""
    with ExitStack() as stack:
        store = open_replica(path, new_node)
        stack.callback(store.close)
        snapshots = SqliteSnapshotStore(f"{path}.snapshots", checked=True)
        stack.callback(snapshots.close)
        index = SqliteDocumentIndex(f"{path}.documents", checked=True)
        stack.pop_all()
    return SyncedReplica(store, server.transport, token="ann", snapshots=snapshots, index=index)


class Shown(NamedTuple):
    """All that a replica answers."""

    documents: dict
    events: list
    pending: int
    counts: tuple


def shown(replica):
    """All that a replica answers."""
    documents = {item: replica.get(item).value for item in replica.items("task.*")}
    events = [event.id for event in replica.events()]
    counts = replica.status.pending, replica.status.refused, len(list(replica.entries())), len(documents)
    return Shown(documents, events, len(replica.pending()), counts)


class World:
    """A replica's files, older and newer, closed and as a crash leaves them; and what is true about them."""

    def __init__(self, directory, seed=7):
        self.random, self.directory = random.Random(seed), directory
        self.documents, server = {}, serve()
        self.views = [self.documents]
        """What the documents were after each event."""
        path = directory / "work" / "notes.db"
        path.parent.mkdir()
        with closing(opened(path, server)) as ann:
            self._write(ann, 60)
            ann.sync()
            self._write(ann, 10)
            self._copy(path, "older")
        with closing(opened(path, server)) as ann:
            ann.sync()
            for _ in range(3):
                self._write(ann, 20)
                ann.sync()
            self.log, self.head = list(load(server.store)), server.store.head()
            self._write(ann, 30, large=True)
            self._copy(path, "crashed")
            self.truth = shown(ann)
            self.node = ann.node
            self.unsent = {event.id: event for event in ann.pending()}
            found = content(path)
            self.pieces = {each.event.id: _pieces(seal(each), found) for each in ann._store.outbox("pending")}
        self._copy(path, "closed")

    def _write(self, replica, count, *, large=False):
        for number in range(count):
            item = self.random.choice(ITEMS)
            note = "".join(self.random.choices("abcdefgh ", k=6_000 if large and number % 8 == 0 else 60))
            if replica.get(item) is None:
                replica.create(item, {"title": item, "note": note, "done": False})
            else:
                replica.get(item)["note"] = note
            self.documents = self.documents | {item: replica.get(item).value}
            self.views.append(self.documents)

    def _copy(self, path, name):
        shutil.copytree(path.parent, self.directory / name, ignore=shutil.ignore_patterns("*.lock", "*-shm"))

    def server(self):
        """A server where the replica's was."""
        return serve(self.log, self.head)


def content(path):
    """All bytes of a replica's own files."""
    return b"".join(each.read_bytes() for each in (path, path.with_name(f"{path.name}-wal")) if each.exists())


def committed(path):
    """The bytes of a replica's own files, without what stands in the WAL after the last commit."""
    wal = path.with_name(f"{path.name}-wal")
    found = wal.read_bytes() if wal.exists() else b""
    salts, end = found[16:24], 0
    for start in range(32, len(found) - 24 - PAGE + 1, 24 + PAGE):
        if found[start + 4 : start + 8] != bytes(4) and found[start + 8 : start + 16] == salts:
            end = start + 24 + PAGE
    return path.read_bytes() + found[:end]


def _pieces(sealed, content):
    """A sealed event in pieces that stand in the file, large ones on several pages."""
    if sealed in content:
        return [sealed]
    pieces = [sealed[start : start + 256] for start in range(0, len(sealed), 256)]
    return [piece for piece in pieces if piece in content]


def shown_by_another(server):
    """What a replica of somebody else shows that knows nothing but what the server holds."""
    with closing(SyncedReplica(MemoryReplicaStore(new_node()), server.transport, token="bob")) as bob:
        assert bob.sync().ok
        return shown(bob)


def damage(world, chance):
    """A copy of a replica's files with one kind of damage; what was done to which of them."""
    state = chance.choice(["closed", "crashed", "crashed"])
    folder = world.directory / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.directory / state, folder)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.stat().st_size}
    name = chance.choice([*files, *["notes.db"] * 3, *["notes.db-wal"] * 2 * ("notes.db-wal" in files)])
    kind = chance.choice(list(KINDS))
    damaged = bytearray((folder / name).read_bytes())
    older = world.directory / "older" / name
    KINDS[kind](damaged, chance, older.read_bytes() if older.exists() else b"")
    (folder / name).write_bytes(damaged)
    return folder / "notes.db", f"{state} {name} {kind}"


def _flip(content, chance, older):
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _truncate(content, chance, older):
    del content[chance.randrange(len(content)) :]


def _cut_pages(content, chance, older):
    del content[chance.randrange(len(content) // PAGE + 1) * PAGE :]


def _zero(content, chance, older):
    start = chance.randrange(len(content) // PAGE + 1) * PAGE
    size = min(chance.choice([1, 1, 4]) * PAGE, len(content) - start)
    content[start : start + size] = bytes(size)


def _tear(content, chance, older):
    """Half of a page was not written: there stands what was there before."""
    start = chance.randrange(len(content) // PAGE + 1) * PAGE + chance.randrange(8) * 512
    size = min(chance.randrange(1, 8) * 512, max(len(content) - start, 0))
    content[start : start + size] = (older[start : start + size] + bytes(size))[:size]


def _age(content, chance, older):
    """Some pages were not written: there stands what was there before."""
    start = chance.randrange(len(content) // PAGE + 1) * PAGE
    size = chance.choice([1, 1, 2, 16]) * PAGE
    old = older[start : start + size]
    content[start : start + len(old)] = old


def _age_all(content, chance, older):
    """The whole file is an older one."""
    content[:] = older or content


def _garble(content, chance, older):
    start = chance.randrange(len(content))
    size = min(chance.randrange(1, 20_000), len(content) - start)
    content[start : start + size] = chance.randbytes(size)


def _append(content, chance, older):
    content += chance.randbytes(chance.randrange(1, 20_000))


KINDS = {
    "flip": _flip,
    "truncate": _truncate,
    "cut pages": _cut_pages,
    "zero": _zero,
    "tear": _tear,
    "age": _age,
    "age all": _age_all,
    "garble": _garble,
    "append": _append,
}
