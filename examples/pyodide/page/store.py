"""A replica's store whose commits go to IndexedDB: in memory at once, on the disk soon after."""

import asyncio
import json
from collections.abc import Mapping

import disk
import msgspec

from syncline.core.events import Entry, Event
from syncline.stores import Change, Outboxed, ReplicaState
from syncline.stores.memory import MemoryReplicaStore

_state = msgspec.json.Decoder(ReplicaState)
_entry = msgspec.json.Decoder(Entry)


class IndexedDbReplicaStore(MemoryReplicaStore):
    """See ``ReplicaStore``; but a commit is durable when ``saved`` returns."""

    def __init__(self, database, node: str) -> None:
        super().__init__(node)
        self._database = database
        self._writing: asyncio.Future[None] | None = None
        self._writes: list[tuple[str, str | int | None, str | None]] = []

    def commit(self, change: Change) -> Mapping[str, int]:
        moved = super().commit(change)
        self._writes += self._everything() if change.forget or change.rewind is not None else self._rows(change)
        self._writing = self._writing or asyncio.ensure_future(self._write())
        return moved

    def _rows(self, change: Change):
        """What one change writes."""
        yield "state", "state", msgspec.json.encode(self.state()).decode()
        for entry in change.entries:
            yield "entries", entry.seq, bytes(entry.encoded).decode()
        for id in [*(entry.event.id for entry in change.entries), *change.drop]:
            yield "outbox", id, None
        for outboxed in change.outbox:
            yield "outbox", outboxed.event.id, _written(outboxed)

    def _everything(self):
        """After a change that took much away: all that is left."""
        yield from (("entries", None, None), ("outbox", None, None))
        yield from self._rows(Change(entries=list(self.load()), outbox=self.outbox()))

    async def _write(self) -> None:
        while self._writes:
            writes, self._writes = self._writes, []
            await disk.write(self._database, json.dumps(writes))
        self._writing = None

    async def saved(self) -> None:
        """Returns when everything that was committed is on the disk."""
        if self._writing is not None:
            await self._writing


def _written(outboxed: Outboxed) -> str:
    event, *rest = outboxed
    return json.dumps([event.body.decode(), *rest])


def _read(text: str) -> Outboxed:
    body, *rest = json.loads(text)
    return Outboxed(Event.of(json.loads(body)), *rest)


async def open_store(name: str, node: str) -> IndexedDbReplicaStore:
    """The store of a name as it was left; ``node`` is for a new one."""
    database = await disk.openDisk(name)
    states, entries, outbox = [list(await disk.read(database, each)) for each in ("state", "entries", "outbox")]
    store = IndexedDbReplicaStore(database, node)
    if states:
        rows = [_entry.decode(text) for text in entries]
        change = Change(entries=rows, outbox=[_read(text) for text in outbox], state=_state.decode(states[0]))
        MemoryReplicaStore.commit(store, change)
    return store
