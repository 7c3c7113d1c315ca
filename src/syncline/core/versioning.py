"""Version managers: who says which version the next event has, for a store that versions its events.

Three ship, one for each kind of version: ``SequenceManager`` where one log says the order, ``StampManager`` for hybrid
logical time, and ``VectorClockManager`` where several nodes write apart. An event carries its version itself, so
nothing needs to be kept beside the log: a manager says how (``fields``), and reads it back (``version_of``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self, TypeVar

from syncline.core.clocks import VectorClock
from syncline.core.events import Entry
from syncline.core.stamps import NIL_ID, StampClock
from syncline.core.versions import Ordering, SequenceVersion, StampVersion, Version
from syncline.errors import InvalidEvent

__all__ = ["SequenceManager", "StampManager", "VectorClockManager", "VersionManager"]

V = TypeVar("V", bound=Version)


class VersionManager(Protocol[V]):
    """What a store has seen, as a version, and what comes next. Not thread-safe: its store holds a lock."""

    def current_version(self) -> V:
        """The version that has seen everything."""

    def next_version(self, node: str) -> V:
        """The version of the next event of a node. Nothing is changed: the event may yet fail to be stored."""

    def update_from_version(self, version: V) -> None:
        """Takes note of the version of an event that was stored, here or elsewhere."""

    def clone(self) -> Self:
        """A manager of its own that has seen the same."""

    def fields(self, version: V) -> Mapping[str, Any]:
        """The fields of an event that has this version; none if its place in the log is its version."""

    def version_of(self, entry: Entry) -> V:
        """The version of a stored event."""


class SequenceManager:
    """Versions are places in one log, which gives them itself."""

    def __init__(self, current: SequenceVersion | None = None) -> None:
        self._current = current or SequenceVersion()

    def current_version(self) -> SequenceVersion:
        """See ``VersionManager``."""
        return self._current

    def next_version(self, node: str) -> SequenceVersion:
        """See ``VersionManager``."""
        return SequenceVersion(self._current.seq + 1)

    def update_from_version(self, version: SequenceVersion) -> None:
        """See ``VersionManager``."""
        self._current = max(self._current, version)

    def clone(self) -> SequenceManager:
        """See ``VersionManager``."""
        return SequenceManager(self._current)

    def fields(self, version: SequenceVersion) -> Mapping[str, Any]:
        """See ``VersionManager``. Raises InvalidEvent unless it is the next version."""
        if version != self.next_version(""):
            raise InvalidEvent(f"The next event of this log has the version {self.next_version('')}, not {version}.")
        return {}

    def version_of(self, entry: Entry) -> SequenceVersion:
        """See ``VersionManager``."""
        return SequenceVersion(entry.seq)


class StampManager:
    """Versions are event ids: hybrid logical time, a total order in which what was seen comes before."""

    def __init__(self, now_ms: Callable[[], int], entropy: Callable[[], int], last: str = NIL_ID) -> None:
        """``entropy``: 32 random bits at each call."""
        self._now_ms, self._entropy, self._last = now_ms, entropy, last

    def current_version(self) -> StampVersion:
        """See ``VersionManager``."""
        return StampVersion(self._last)

    def next_version(self, node: str) -> StampVersion:
        """See ``VersionManager``."""
        return StampVersion(StampClock(node, self._last).next(self._now_ms(), self._entropy()))

    def update_from_version(self, version: StampVersion) -> None:
        """See ``VersionManager``."""
        self._last = max(self._last, version.id)

    def clone(self) -> StampManager:
        """See ``VersionManager``."""
        return StampManager(self._now_ms, self._entropy, self._last)

    def fields(self, version: StampVersion) -> Mapping[str, Any]:
        """See ``VersionManager``."""
        return {"id": version.id}

    def version_of(self, entry: Entry) -> StampVersion:
        """See ``VersionManager``."""
        return StampVersion(entry.event.id)


class VectorClockManager:
    """Versions are vector clocks over the whole store, of at most 1,000 nodes: the only ones that say *concurrent*."""

    def __init__(self, current: VectorClock | None = None) -> None:
        self._current = current or VectorClock()

    def current_version(self) -> VectorClock:
        """See ``VersionManager``."""
        return self._current

    def next_version(self, node: str) -> VectorClock:
        """See ``VersionManager``. Raises InvalidEvent if the clock would name more nodes than a clock may."""
        return self._current.with_node(node, self._current.get(node, 0) + 1)

    def update_from_version(self, version: VectorClock) -> None:
        """See ``VersionManager``."""
        if version.compare(self._current) not in (Ordering.BEFORE, Ordering.EQUAL):
            self._current = self._current.merge(version)

    def clone(self) -> VectorClockManager:
        """See ``VersionManager``."""
        return VectorClockManager(self._current)

    def fields(self, version: VectorClock) -> Mapping[str, Any]:
        """See ``VersionManager``."""
        return {"clock": dict(version)}

    def version_of(self, entry: Entry) -> VectorClock:
        """See ``VersionManager``."""
        return VectorClock(entry.event.clock)
