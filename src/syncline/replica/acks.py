"""Acknowledgements: which pending events are in the log, whose entries have not come back yet.

Most are followed by the entry at once, so they are kept in memory until a conversation ends; one that a crash forgets
costs another push, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncline.core.events import Event
from syncline.errors import SynclineError
from syncline.replica.horizon import is_in_bases
from syncline.stores import Change, Outboxed, ReplicaStore


class Acks:
    """The acknowledged events of a conversation, by id."""

    def __init__(self, store: ReplicaStore) -> None:
        self._store = store
        self._acked: dict[str, int] = {}
        self._early: set[str] = set()

    def __contains__(self, id: str) -> bool:
        return id in self._acked

    def __len__(self) -> int:
        return len(self._acked)

    def note(self, answers: Sequence[tuple[Event, int | SynclineError]]) -> None:
        """Events have their answers."""
        for event, answer in answers:
            if event.id in self._early:
                self._early.discard(event.id)
            elif isinstance(answer, int) and not is_in_bases(self._store.state(), answer):
                self._acked[event.id] = answer

    def arrived(self, ids: Iterable[str]) -> None:
        """Entries of one's own events came; live, one may arrive before the answer to its push."""
        self._early.update(id for id in ids if self._acked.pop(id, None) is None)

    def written(self) -> Change:
        """What writes down those that wait for their entries."""
        local = self._store.outbox("pending", "heard")
        waiting = [each.event for each in local if each.event.id in self._acked]
        return Change(outbox=[Outboxed(event, "acked", self._acked[event.id]) for event in waiting])

    def clear(self) -> None:
        """The conversation is over."""
        self._acked.clear()
        self._early.clear()
