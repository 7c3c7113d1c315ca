"""A store that gives events their versions: ``VersionedStore``, around any event store.

    store = VersionedStore(base, "client-A", VectorClockManager())
    store.store(Draft("user.1", "created", {"name": "Ann"}))       # its version is {"client-A": 1}

It writes for one node and takes what others wrote. Opening it reads the log once, so that nothing has to be kept
beside it. What it leaves to others: syncing (see ``Replica``), and rules (whoever holds a store may do all).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import RLock
from typing import Any, NamedTuple, Protocol

from msgspec import UNSET

from syncline.core.access.scope import TRUSTED
from syncline.core.admission import Submission
from syncline.core.events import Entry, Event
from syncline.core.log import Head
from syncline.core.stamps import NIL_ID, StampClock
from syncline.core.versioning import SequenceManager, StampManager, VectorClockManager, VersionManager
from syncline.core.versions import Ordering, Version
from syncline.errors import InvalidEvent, SynclineError
from syncline.stores import EventStore, load

__all__ = ["Drafted", "Versioned", "VersionedStore", "stamp_manager"]

LOCAL = "local"


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def random_bits() -> int:
    """32 random bits."""
    return secrets.randbits(32)


def stamp_manager() -> StampManager:
    """A ``StampManager`` with this machine's time and randomness."""
    return StampManager(wall_clock_ms, random_bits)


class Drafted(Protocol):
    """An event to be, such as ``syncline.Draft``: what its author decides of it."""

    @property
    def item(self) -> str:
        """What it is about."""

    @property
    def action(self) -> str:
        """What happened."""

    @property
    def payload(self) -> Any:
        """Any JSON, or UNSET."""

    @property
    def ops(self) -> Any:
        """Changes of a document, or UNSET."""

    @property
    def meta(self) -> Mapping[str, Any] | None:
        """See ``Event``."""


class Versioned(NamedTuple):
    """A stored event and its version."""

    entry: Entry
    version: Any

    @property
    def event(self) -> Event:
        """The event."""
        return self.entry.event


class VersionedStore:
    """An event store whose events get their versions from a manager. Thread-safe; a ``node`` has one such store."""

    def __init__(
        self,
        store: EventStore,
        node: str,
        manager: VersionManager[Any] | None = None,
        *,
        user: str = LOCAL,
        now_ms: Callable[[], int] = wall_clock_ms,
        entropy: Callable[[], int] = random_bits,
    ) -> None:
        """``manager``: a ``VectorClockManager`` if there is none. ``user``: whose the node's events are."""
        self.node = node
        self.log = store
        """The store below; a ``SyncManager`` syncs it."""
        self._refresh: Callable[[], Head] = getattr(store, "refresh", store.head)
        self._manager: VersionManager[Any] = VectorClockManager() if manager is None else manager
        self._user, self._now_ms, self._entropy = user, now_ms, entropy
        self._seq, self._last = 0, NIL_ID
        self._lock = RLock()
        self._catch_up()

    def store(self, event: Drafted | Event, version: Version | None = None) -> Versioned:
        """Stores an event durably and returns it with its version.

        A draft becomes an event of this node; its version is the next one, unless one is given. An ``Event`` is one
        that another store made: it keeps its version (InvalidEvent if another is given), and storing it again changes
        nothing. Raises the SynclineError that says why the log refuses it.
        """
        with self._lock:
            self._catch_up()
            if not isinstance(event, Event):
                event = self._made(event, version)
            elif version is not None:
                self._check(event, version)
            entry = self._append(event)
            self._catch_up()
            return Versioned(entry, self._manager.version_of(entry))

    def load(self, since: Version | None = None) -> Iterator[Versioned]:
        """The events whose versions are not ``since`` or before it, in the order of the log."""
        return self._load(since, ())

    def load_item(self, item: str, since: Version | None = None) -> Iterator[Versioned]:
        """The same of one item (the seed's aggregate), or of a prefix with one trailing ``*``."""
        return self._load(since, (item,))

    def latest_version(self) -> Any:
        """The version that has seen all of the log."""
        with self._lock:
            self._catch_up()
            return self._manager.current_version()

    def close(self) -> None:
        """Closes the store below."""
        self.log.close()

    def _check(self, event: Event, version: Version) -> None:
        """Raises InvalidEvent unless this is the version that an event has, or would have as the next one."""
        found = self._manager.version_of(Entry.of(self._seq + 1, 0, "", event))
        if found != version:
            raise InvalidEvent(f"The event has the version {found}, not {version}.")

    def _load(self, since: Any, items: Sequence[str]) -> Iterator[Versioned]:
        start = since.seq if since is not None and isinstance(self._manager, SequenceManager) else 0
        for entry in load(self.log, start, items=items):
            version = self._manager.version_of(entry)
            if since is None or version.compare(since) not in (Ordering.BEFORE, Ordering.EQUAL):
                yield Versioned(entry, version)

    def _catch_up(self) -> None:
        """Takes note of what is new in the log, whoever wrote it."""
        if self._refresh().seq > self._seq:
            for entry in load(self.log, self._seq):
                self._manager.update_from_version(self._manager.version_of(entry))
                self._last, self._seq = max(self._last, entry.event.id), entry.seq

    def _made(self, draft: Drafted, version: Version | None) -> Event:
        """The event of a draft, under a version or the next one."""
        state = self.log.node(self.node)
        version = self._manager.next_version(self.node) if version is None else version
        members = {
            "id": StampClock(self.node, self._last).next(self._now_ms(), self._entropy()),
            "item": draft.item,
            "action": draft.action,
            "payload": draft.payload,
            "ops": draft.ops,
            "meta": draft.meta or UNSET,
            "user": state.user if state else self._user,
            "node": self.node,
            "clock": {self.node: state.n + 1 if state else 1},
            **self._manager.fields(version),
        }
        return Event.of({name: value for name, value in members.items() if value is not UNSET})

    def _append(self, event: Event) -> Entry:
        user = event.user if isinstance(event.user, str) else self._user
        named = event if event.user == user else event.with_user(user)
        is_system = "." in (event.item[0], event.action[0])
        submission = Submission([named], user, is_system=is_system, rights=TRUSTED)
        ((outcome,),) = self.log.append([submission], now_ms=self._now_ms()).outcomes
        if isinstance(outcome, SynclineError):
            raise outcome
        return next(load(self.log, outcome - 1, limit=1))
