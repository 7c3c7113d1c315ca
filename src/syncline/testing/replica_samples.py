"""What the contract suite of replica stores works with: a store to be tested, and what is put into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.stores import Change, Outboxed, ReplicaStore
from syncline.testing.seeded import START_MS, Author, eager_threads

RECEIPT = "r" * 24
MANY = 3_000


class ReplicaCase:
    """An adapter that is tested."""

    persists = True
    """Whether ``make`` in the same directory opens the same data again."""

    def make(self, directory: Path, node: str) -> ReplicaStore:
        """A store in a directory; ``node`` is for one that is made anew."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> ReplicaStore:
        """An empty store of the node ``node``."""
        return self.make(tmp_path, "node")

    @pytest.fixture
    def eager_threads(self) -> Iterator[None]:
        """Threads that take turns as often as they can, so that what is not guarded is seen."""
        yield from eager_threads()

    def reopened(self, store: ReplicaStore, directory: Path) -> ReplicaStore:
        if not self.persists:
            pytest.skip("this store keeps nothing")
        store.close()
        return self.make(directory, "another name, which is ignored")


def a_base(item: str, seq: int = 3) -> Base:
    return Base(
        item=item,
        seq=seq,
        at=START_MS,
        count=2,
        revision=1,
        clock={"far": seq, "ann": 1},
        last=Author("far").event().id,
        schema=2,
        group="far/g",
        state="eJw=",
    )


def an_entry(seq: int, event: Event) -> Entry:
    return Entry.of(seq, START_MS + seq, RECEIPT, event)


def entries_of(events: Sequence[Event]) -> list[Entry]:
    return [an_entry(seq, event) for seq, event in enumerate(events, 1)]


def encoded(entries: Iterable[Entry]) -> list[bytes]:
    return [entry.encoded for entry in entries]


def moved_by(store: ReplicaStore, change: Change) -> Mapping[str, int]:
    """What a commit answers, without the statuses that did not change."""
    return {status: count for status, count in store.commit(change).items() if count}


def in_each_status(events: Sequence[Event]) -> list[Outboxed]:
    pending, acked, refused, orphan = events
    return [
        Outboxed(pending),
        Outboxed(acked, "acked", 7),
        Outboxed(refused, "refused", None, {"code": "forbidden", "message": "No."}),
        Outboxed(orphan, "orphan"),
    ]


def filled(store: ReplicaStore, count: int) -> list[Entry]:
    """Entries of three items in turn, stored in three commits."""
    author = Author("far", "bob")
    entries = entries_of([author.event(("task.1", "task.2", "note.0")[place % 3]) for place in range(count)])
    for start in range(0, count, count // 3):
        store.commit(Change(entries=entries[start : start + count // 3]))
    return entries


def all_of(store: ReplicaStore) -> tuple[object, ...]:
    return store.state(), encoded(store.load()), store.outbox()
