"""Stores: where logs are kept. Two seams, each with an adapter in memory, which is the one to read.

``EventStore`` is one space's log on a server: it numbers what it accepts; a ``LogStore`` is one that a server can run
on, and ``Logs`` is where a server has those of its spaces. ``ReplicaStore`` (in ``replicas``) is one replica's: entries
come with their seqs, and local events wait in the outbox until a server has answered. All are synchronous and
thread-safe.
``syncline.testing`` ships their contract suites.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import NodeState, Outcome, Submission
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import Head, Row
from syncline.core.quotas import UNLIMITED, Quotas
from syncline.stores.bases import BaseStore
from syncline.stores.digests import DigestStore
from syncline.stores.replicas import (
    EVERYTHING,
    OF_OTHERS,
    ON_ITS_WAY,
    Change,
    Outboxed,
    Part,
    ReplicaState,
    ReplicaStore,
    are_late,
    is_on_its_way,
    lost,
)

__all__ = [
    "Appended",
    "Change",
    "EVERYTHING",
    "EventStore",
    "Gathered",
    "LogStore",
    "Logs",
    "OF_OTHERS",
    "ON_ITS_WAY",
    "Outboxed",
    "Part",
    "ReplicaState",
    "ReplicaStore",
    "SharedLogs",
    "Slice",
    "are_late",
    "is_on_its_way",
    "load",
    "lost",
    "rewrite",
]


class Appended(NamedTuple):
    """What an append did: the outcomes of each submission, the rows stored, the head and the access after them."""

    outcomes: list[list[Outcome]]
    rows: list[Row]
    head: Head
    access: Access


REWRITTEN = 200
"""Entries that are rewritten in one transaction."""
_entries = msgspec.json.Decoder(list[Entry])


class Slice(NamedTuple):
    """A stretch of a log: encoded entries joined by commas, how many, and the place (seq, tail) where it ends.

    ``more`` tells that the log goes on; a slice may be empty and have more when no entry of a stretch was asked for.
    """

    encoded: bytes
    length: int
    seq: int
    tail: bytes
    more: bool

    @property
    def entries(self) -> list[Entry]:
        """The entries, decoded. Raises ``msgspec.MsgspecError`` if one does not read."""
        return _entries.decode(b"[" + self.encoded + b"]")


class EventStore(Protocol):
    """One space's log. Every method may be called from any thread."""

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """Judges and stores events in one durable transaction. Events already held answer the seq they have.

        ``access`` is who may do what as of the log's head, ``quotas`` how much it may hold. If anything but a judgement
        goes wrong, nothing of all submissions is stored and the error is raised.
        """

    def slice(
        self,
        since: int = 0,
        *,
        view: View = FULL_VIEW,
        until: int | None = None,
        limit: int = 1_000,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Slice:
        """At most ``limit`` entries that ``view`` shows and about ``max_bytes``, at least one if there is one.

        They come after the seq ``since`` and, if given, not after ``until``. The work is bounded.
        """

    def head(self) -> Head:
        """The end of the log."""

    def size(self) -> int:
        """The bytes of its events in canonical form."""

    def tail(self, seq: int) -> bytes | None:
        """The tail at a seq; None beyond the head, or where it is no longer kept."""

    def node(self, node: str) -> NodeState | None:
        """What the log knows of a node."""

    def close(self) -> None:
        """Closes the store; closing twice does nothing. Other calls then raise StoreClosed."""


class Gathered(NamedTuple):
    """Entries of some items: encoded, and the place (item, seq) of the last if there is more to come."""

    entries: list[bytes]
    stopped: tuple[str, int] | None


class LogStore(EventStore, BaseStore, DigestStore, Protocol):
    """A space's log that a server runs on: it writes there itself, answers by item, and may share it with others."""

    is_shared: bool
    """Whether other servers append to this log, too."""

    def refresh(self) -> Head:
        """The end of the log as it is committed now, whoever did it; from then on ``head`` and ``slice`` know it."""

    def reached(self) -> int:
        """How far a reader sees just now: perhaps to the end of a commit from which ``append`` has not returned."""

    def last_id(self) -> str:
        """The greatest id in the log; the nil id if it is empty."""

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """The entries of those of these ids that the log holds with their content."""

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """The first items after one, in order, that fit a pattern; of those to which something came ``until`` then.

        The work grows with ``limit``, not with the log.
        """

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """The first entries of these items up to a seq, item by item, in order; of the first item those ``since``."""

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """Takes over entries of another log as they are, in one durable transaction; the end of this log after that.

        They lead there to the epoch, seq and tail of ``then``, and go on where this log ends; an empty log takes the
        epoch, too. Nothing is judged. Raises EpochChanged, CursorReset if they do not go on here, or StoreDamaged if
        they do not lead there; then nothing is stored. Only for a log that no server has open.
        """

    def rewrite(self, entries: Sequence[Entry], *, more: bool = False) -> None:
        """Puts erased entries in place of those of the same seq and id, durably; with others nothing is done.

        What was erased is gone from the disk when the next call returns that has no ``more`` to follow it.
        """

    @property
    def wants_checkpoint(self) -> bool:
        """Whether ``checkpoint`` has something to do."""

    def checkpoint(self) -> None:
        """Housekeeping beside the writer, for another thread."""


class Logs(Protocol):
    """Where a server has the logs of its spaces. Every method may be called from any thread."""

    def open(self, space: str) -> LogStore:
        """The log of a space, made if there is none. Whoever opened it closes it."""

    def delete(self, space: str) -> None:
        """Deletes a space's log, which nobody has open here; one that is not there is deleted already."""

    def close(self) -> None:
        """Lets go of what the logs share; they were closed before."""


class SharedLogs(Logs, Protocol):
    """Logs to which other servers append, too."""

    def delete(self, space: str, *, seq: int | None = None) -> None:
        """See ``Logs.delete``. ``seq``: raises EpochChanged, and deletes nothing, if the log does not end there."""

    def heads(self, spaces: Sequence[str]) -> dict[str, int]:
        """The last seqs of those of these logs that are there, as they are committed now: one journey for all."""


def rewrite(store: LogStore, entries: Sequence[Entry]) -> None:
    """Puts erased entries in place of those they were, some at a time; in the end nothing of those is on the disk."""
    for start in range(0, len(entries), REWRITTEN):
        store.rewrite(entries[start : start + REWRITTEN], more=start + REWRITTEN < len(entries))


def load(store: EventStore, since: int = 0, *, items: Sequence[str] = (), limit: int | None = None) -> Iterator[Entry]:
    """The entries after seq ``since``, in order, read slice by slice; ``items`` are item patterns, none means all."""
    view, more = View.everything(items), True
    while more and (limit is None or limit > 0):
        part = store.slice(since, view=view, limit=1_000 if limit is None else min(limit, 1_000))
        yield from part.entries
        since, more = part.seq, part.more
        limit = None if limit is None else limit - part.length
