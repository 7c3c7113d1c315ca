"""Which edits of a document stand, and what to leave out of a fold to undo or redo one.

Every edit is a chain: itself, then the undos and redos that are about it. An undo names the edit or redo it takes back,
a redo the undo. Whether an edit stands is read from their clocks, so all replicas agree, and undoing on two devices
undoes once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET

from syncline.core.events import Event


def key_of(event: Event) -> str:
    """What an undo names: the group of an event, or else its id."""
    group = event.meta.get("group") if event.meta is not UNSET else None
    return group or event.id


def undone_by(event: Event) -> str | None:
    """What an event undoes (or, undoing an undo, redoes), if it is an undo."""
    return event.meta.get("undoes") if event.meta is not UNSET else None


class Step(NamedTuple):
    """One undo or redo to be made: what it undoes (for ``meta.undoes``), the events to leave out and to look at."""

    undoes: str
    once: str
    left_out: frozenset[str]
    touched: list[Event]


class History:
    """The edits of one document, in the order of their fold and as far back as they are given, and which of them stand.

    Every edit is a chain: itself, then undos and redos. It stands while there is a redo, or the edit itself, that no
    undo had seen.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._events: dict[str, list[Event]] = {}
        self._roots: dict[str, str] = {}
        self._chains: dict[str, list[str]] = {}
        for event in events:
            self._add(event)

    def _add(self, event: Event) -> None:
        key, target = key_of(event), undone_by(event)
        self._events.setdefault(key, []).append(event)
        if key not in self._roots:
            root = self._roots.get(target, target) if target else key
            self._roots[key] = root
            self._chains.setdefault(root, [])
            if target:
                self._chains[root].append(key)

    def undo(self, user: str | None) -> Step | None:
        """What undoes this user's last edit that stands; None if there is none."""
        for root in reversed(self._edits(user)):
            if standing := self._standing(root):
                return self._step(root, standing[-1], {root, *self._chains[root]})
        return None

    def redo(self, user: str | None) -> Step | None:
        """What redoes this user's last undo, if they have not edited since; None otherwise."""
        for key in reversed(self._roots):
            if not self._is_by(key, user):
                continue
            root = self._roots[key]
            if root == key:
                return None
            if root in self._events and not self._standing(root):
                return self._step(root, self._last_undo(root), set(self._chains[root]))
        return None

    def _edits(self, user: str | None) -> list[str]:
        return [key for key, root in self._roots.items() if key == root and self._is_by(key, user)]

    def _is_by(self, key: str, user: str | None) -> bool:
        author = self._events[key][0].user
        return (None if author is UNSET else author) == user and any(
            event.ops is not UNSET for event in self._events[key]
        )

    def _step(self, root: str, undoes: str, left_out: set[str]) -> Step:
        later = list(self._roots)[list(self._roots).index(root) + 1 :]
        undone = {
            key
            for other in later
            if self._roots[other] == other
            for key in ([] if self._standing(other) else [other]) + self._chains[other]
        }
        undone.update(
            *(chain for other, chain in self._chains.items() if other not in later and self._is_back(root, other))
        )
        touched = [event for key in [root, *self._chains[root]] for event in self._events[key]]
        ids = frozenset(event.id for key in left_out | undone for event in self._events[key])
        return Step(undoes, undoes, ids, touched)

    def _is_back(self, root: str, other: str) -> bool:
        """Whether an earlier edit was undone and redone after this one, which together changed nothing."""
        chain, order = self._chains[other], list(self._roots)
        undos = [key for key in chain if self._is_undo(other, key)]
        redos = [key for key in chain if key not in undos]
        is_after = all(order.index(key) > order.index(root) for key in chain)
        return other != root and is_after and any(not any(self._saw(undo, redo) for undo in undos) for redo in redos)

    def _standing(self, root: str) -> list[str]:
        """The edit itself and its redos, as far as no undo had seen them."""
        undos = [key for key in self._chains[root] if self._is_undo(root, key)]
        tokens = [root, *(key for key in self._chains[root] if key not in undos)]
        return [token for token in tokens if not any(self._saw(undo, token) for undo in undos)]

    def _last_undo(self, root: str) -> str:
        return next(key for key in reversed(self._chains[root]) if self._is_undo(root, key))

    def _is_undo(self, root: str, key: str) -> bool:
        """Whether a link of a chain undoes the edit or a redo, rather than an undo."""
        target = undone_by(self._events[key][0])
        return target == root or (target in self._events and not self._is_undo(root, target or ""))

    def _saw(self, key: str, other: str) -> bool:
        clock = self._events[key][0].clock
        return all(clock.get(event.node, 0) >= event.n for event in self._events[other])
