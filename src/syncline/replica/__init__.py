"""The local half: record events offline, read them, and carry out what a sync session says.

A ``Replica`` is a plain, thread-safe object over a ``ReplicaStore``. Everything it does is local and durable when it
returns; it never waits for a network. What the server says reaches it as effects (``perform``).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from threading import RLock
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from syncline.core import effects as steps
from syncline.core.beginning import Take
from syncline.core.erasure import is_erasable, salted
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.core.merkle import Read, Tree
from syncline.core.messages import Page
from syncline.core.patterns import matcher
from syncline.core.session import Local
from syncline.core.stamps import StampClock
from syncline.errors import InvalidEvent, SynclineError, UnknownEvent
from syncline.replica.acks import Acks
from syncline.replica.clocks import Clocks, saw
from syncline.replica.conflicts import Conflict, Verdict, conflicts_of, withdrawals
from syncline.replica.drafts import Draft, Refused
from syncline.replica.effects import Surroundings, change_for, is_blank
from syncline.replica.exchange import given, mending, sharing
from syncline.replica.foresight import doomed, may
from syncline.replica.hearing import Hearing, hearing
from syncline.replica.holdings import Holdings
from syncline.replica.listeners import Listeners
from syncline.replica.outgoing import NOTHING_HEARD, Waiting, outgoing
from syncline.replica.status import Status
from syncline.stores import ON_ITS_WAY, Change, Outboxed, ReplicaState, ReplicaStore

__all__ = ["Conflict", "Draft", "Refused", "Replica", "Status", "Verdict", "new_node"]

NOTHING = Change()
COUNTED = ("pending", "refused", "orphan", "unvouched")


def new_node() -> str:
    """A random node id."""
    return secrets.token_hex(10)


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Replica:
    """One replica of one space. ``now_ms``, ``entropy`` (32 random bits) and ``make_node`` can be given by tests."""

    def __init__(
        self,
        store: ReplicaStore,
        *,
        now_ms: Callable[[], int] = wall_clock_ms,
        entropy: Callable[[], int] = lambda: secrets.randbits(32),
        make_node: Callable[[], str] = new_node,
    ) -> None:
        self._store = store
        self._now_ms, self._entropy, self._make_node = now_ms, entropy, make_node
        self._lock = RLock()
        self._clocks = Clocks(self._read_clock)
        self._listeners = Listeners()
        self._connection = "offline"
        self._error: Mapping[str, Any] | None = None
        self._acks = Acks(store)
        self._holdings = Holdings(store)
        self._waiting = Waiting(store)
        self._counts = {status: len(store.outbox(status)) for status in COUNTED}

    # Writing

    def record(self, item: str, action: str, payload: Any = UNSET, **more: Any) -> Event:
        """Records one event; it is durable when this returns. Raises an EventError if it could never be accepted.

        ``more`` may hold ``ops`` and ``meta``, see ``Draft``.
        """
        return self.record_many([Draft(item, action, payload, **more)])[0]

    def record_many(self, drafts: Iterable[Draft], *, together: bool = False) -> list[Event]:
        """Records several events in one durable step. ``together``: the server stores all of them or none."""
        tx = self._make_node() if together else None
        with self._lock:
            state = self._state
            events, state = self._events(drafts, state, tx)
            if together and len(events) > MAX_PUSH_EVENTS:
                raise InvalidEvent(f"At most {MAX_PUSH_EVENTS} events can be stored together.")
            try:
                self._commit(Change(outbox=list(map(Outboxed, events)), state=state))
            except BaseException:
                self._clocks.clear()
                raise
        self._tell(events)
        return events

    def check(self, draft: Draft, after: Iterable[Event] = ()) -> None:
        """Raises an EventError if a draft could not be recorded, be it only once the events ``after`` have arrived."""
        with self._lock:
            seen = dict(self._clocks[draft.item])
            for event in after:
                saw(seen, event)
            self._made(draft, seen, StampClock(self._state.node, self._state.stamp), self._state.n + 1)

    def _events(
        self, drafts: Iterable[Draft], state: ReplicaState, tx: str | None = None
    ) -> tuple[list[Event], ReplicaState]:
        """The events that drafts become, and the state after them."""
        clock = StampClock(state.node, state.stamp)
        events = [self._event(draft, clock, n, tx) for n, draft in enumerate(drafts, state.n + 1)]
        return events, replace(state, n=state.n + len(events), stamp=clock.last)

    def _event(self, draft: Draft, clock: StampClock, n: int, tx: str | None = None) -> Event:
        seen = self._clocks[draft.item]
        event = self._made(draft, seen, clock, n, tx)
        saw(seen, event)
        return event

    def _made(self, draft: Draft, seen: Mapping[str, int], clock: StampClock, n: int, tx: str | None = None) -> Event:
        meta = {**(draft.meta or {}), **({"tx": tx} if tx else {})}
        if is_erasable(self._state.erasable, draft.item):
            meta = salted(meta, self._entropy)
        return draft.event(self._state, seen, id=self._id(draft, clock), n=n, meta=meta)

    def _id(self, draft: Draft, clock: StampClock) -> str:
        if draft.id is None:
            return clock.next(self._now_ms() + self._state.skew_ms, self._entropy())
        clock.receive(draft.id)
        return draft.id

    # Reading

    @property
    def node(self) -> str:
        """This replica's node id."""
        return self._state.node

    @property
    def epoch(self) -> str | None:
        """Of which log this is a replica, or what it heard is of; None if that is not known."""
        return self._state.epoch

    @property
    def user(self) -> str | None:
        """Whose replica this is; None before it first met its server."""
        return self._state.user

    def entries(self, since: int = 0, *, items: Sequence[str] = (), limit: int | None = None) -> Iterator[Entry]:
        """The confirmed entries after seq ``since``, in order of seq."""
        return self._store.load(since, items=items, limit=limit)

    def events(self, *, items: Sequence[str] = ()) -> Iterator[Event]:
        """All events: the confirmed ones in order of seq, then the local ones that are on their way."""
        wanted = matcher(items)
        for entry in self.entries(items=items):
            yield entry.event
        for outboxed in self._store.outbox(*ON_ITS_WAY):
            if wanted(outboxed.event.item):
                yield outboxed.event

    def pending(self, limit: int | None = None) -> list[Event]:
        """The events no server has answered, in the order they were recorded."""
        acked = self._acks
        limit = None if limit is None else limit + len(acked)
        return [each.event for each in self._store.outbox("pending", limit=limit) if each.event.id not in acked]

    @property
    def horizon(self) -> int:
        """Up to this seq it holds bases instead of entries: states without their history. 0: it holds all entries."""
        return self._state.horizon

    # What the server would say

    def may(self, item: str, action: str) -> bool | None:
        """Whether this user might do an action with an item, under the rules known last; None if none are known.

        A hint: they may have changed since. Recording works in any case, and the server decides when it is pushed.
        """
        return may(self._state, item, action)

    def doomed(self) -> list[Event]:
        """The pending events that the rules known last would refuse: a hint, like ``may``. They are pushed as usual."""
        return doomed(self._state, self.pending())

    # The refused inbox

    def refused(self) -> list[Refused]:
        """The events that were refused, with the reason."""
        return self._with_reasons("refused")

    def retry(self, id: str, **mended: Any) -> Event:
        """Records a refused event again, as a new one, with parts of its ``Draft`` changed; returns the new event."""
        old = self._find_refused(id)
        meta = None if old.meta is UNSET else {key: value for key, value in old.meta.items() if key != "tx"}
        event = self.record_many([Draft(old.item, old.action, old.payload, old.ops, meta)._replace(**mended)])[0]
        self.drop(id)
        return event

    def drop(self, id: str) -> None:
        """Forgets a refused event for good, or a heard one until a peer that has it brings it again."""
        with self._lock:
            if all(event.id != id for event in self.heard()):
                self._find_refused(id)
            self._commit(Change(drop=[id]))
        self._tell([])

    # What a log has lost

    def unvouched(self) -> list[Refused]:
        """Entries of others that the log had lost and did not take back, with the reason. They show as before."""
        return self._with_reasons("unvouched")

    def offer_again(self) -> int:
        """Offers them once more with the next sync, say after this user got the right to give; how many there are."""
        with self._lock:
            unvouched = self._store.outbox("unvouched")
            again = [each._replace(status="orphan" if each.voucher else "heard", error=None) for each in unvouched]
            if again:
                self._commit(Change(outbox=again))
        self._tell([])
        return len(again)

    def heard(self) -> list[Event]:
        """The events that came from peers and that no server has confirmed yet."""
        return [outboxed.event for outboxed in self._store.outbox("heard")]

    def _with_reasons(self, status: str) -> list[Refused]:
        return [Refused(each.event, each.error or {}) for each in self._store.outbox(status)]

    def _find_refused(self, id: str) -> Event:
        for refused in self.refused():
            if refused.event.id == id:
                return refused.event
        raise UnknownEvent(f"No event {id} is in the refused inbox.")

    # Watching

    @property
    def status(self) -> Status:
        """How this replica stands to its server."""
        return Status(state=self._connection, **self._counts, last_synced=self._state.synced_at, error=self._error)

    def set_connection(self, state: str, error: SynclineError | None = None) -> None:
        """For whoever syncs this replica: how the connection is."""
        wire = error.to_wire() if error else None
        if (state, wire) != (self._connection, self._error):
            self._connection, self._error = state, wire
            self._tell([])

    def watch_events(self, callback: Callable[[list[Event]], Any], *, items: Sequence[str] = ()) -> Callable[[], None]:
        """Calls back with events as they are recorded or arrive, in whose thread that is; returns the way to stop."""
        return self._listeners.on_events(callback, items)

    def watch_status(self, callback: Callable[[Status], Any]) -> Callable[[], None]:
        """Calls back whenever ``status`` may have changed; returns the way to stop."""
        return self._listeners.on_status(callback)

    def _tell(self, events: Sequence[Event]) -> None:
        self._listeners.tell(events, lambda: self.status)

    # Syncing: what a session asks and says

    def local(self, limit: int | None = None) -> Local:
        """What a session has to know before its next step."""
        state = self._state
        epoch = None if state.seq == 0 and is_blank(self._store) else state.epoch
        return Local(
            state.node,
            state.cursor,
            state.copied,
            self._to_push(limit),
            self._waiting.offers(),
            epoch,
            state.user,
            state.horizon,
            doubtful=self._waiting.doubtful,
        )

    def _to_push(self, limit: int | None) -> list[Event]:
        """What is pending, and of what was heard that which this user may push, as far as a server can take it yet."""
        heard = self._waiting.heard() if limit != 0 else NOTHING_HEARD
        if heard == NOTHING_HEARD:
            return self.pending(limit)
        free = heard._replace(ours=[event for event in heard.ours if event.id not in self._acks])
        return outgoing(self.pending(), free)[:limit]

    def perform(self, effect: steps.Effect) -> None:
        """Carries out what a session said."""
        with self._lock:
            news = self._carry_out(effect, [], [])
        self._tell(news)

    # Peers: what another replica asks and gives

    def tree(self, items: Sequence[str] = (), since: int = 0, *, local: bool = True) -> tuple[Tree, Read]:
        """The Merkle tree of what is here of these items, and what reads its entries; of entries, those after a seq.

        ``local``: as peers compare, with local events and without the system's; otherwise as a server: all entries.
        """
        with self._lock:
            return self._holdings.tree(items, since, local=local)

    def mend(self, entries: Sequence[Entry]) -> int:
        """Keeps entries that were missing here, or that the log has in another form; how many.

        Those that a base may hold already are left out.
        """
        with self._lock:
            change = mending(self._store, entries)
            self._commit(change)
            self._clocks.clear()
        self._tell([entry.event for entry in change.entries])
        return len(change.entries)

    def kept(self, ids: Sequence[str]) -> list[Entry]:
        """The entries of these ids, in order of their seqs."""
        return sorted((entry for entry in self._store.find(ids) if entry.seq), key=attrgetter("seq"))

    def give(self, ids: Sequence[str], chosen: Callable[[Event], bool] | None = None) -> list[Entry]:
        """The events of these ids, for a peer; only those ``chosen``. The pending ones keep their ids from then on."""
        with self._lock:
            found = given(self._store, ids, chosen)
            shared = sharing(self._store, found)
            if shared.outbox:
                self._commit(shared)
        return [Entry.of(0, 0, "", entry.event) for entry in found]

    def hear(self, events: Sequence[Event], epoch: str | None = None) -> Hearing:
        """Keeps events of a peer on top of what is here; see ``hearing``. ``epoch``: of the log that the peer knows."""
        with self._lock:
            heard = hearing(self._store, events, epoch, self._now_ms())
            if heard.change.outbox:
                self._commit(heard.change)
                self._clocks.note(heard.news)
            if heard.is_strange:
                self.leave_node()
        if heard.news:
            self._tell(heard.news)
        return heard

    def leave_node(self) -> None:
        """Another replica uses this node id: from now on this one has another.

        Events that were not shared get new ids under it. If a server may have some of them, that waits until all was
        pulled from it.
        """
        with self._lock:
            state = self._state
            if state.user is None:
                self._commit(Change(state=replace(state, copied=True)))
                self._carry_out(steps.Restamp(self._now_ms() + state.skew_ms), [], [])
            else:
                self._commit(Change(state=replace(state, node=self._make_node(), n=0, copied=True)))

    def conflicts(
        self, arriving: Sequence[Event], *, judged: Container[str] = (), under_way: Container[str] = ()
    ) -> list[Conflict]:
        """Where pending events meet arriving ones, on each side without knowing of the other.

        Leaves out what a log has held (others know it already) and what is ``under_way`` to the server, and conflicts
        whose events are all ``judged``.
        """
        if not self._counts["pending"] or all(event.node == self.node for event in arriving):
            return []
        with self._lock:
            mine = [each for each in self._unshared() if each.id not in under_way]
            return conflicts_of(arriving, mine, self.node, judged)

    def apply(
        self,
        effect: steps.Apply,
        arriving: Sequence[Event],
        verdicts: Sequence[Verdict],
        *,
        under_way: Container[str] = (),
    ) -> list[Conflict]:
        """Stores a page, and in the same durable step what was decided about its conflicts with ``arriving`` events.

        Does nothing if there are conflicts that the verdicts do not judge, and returns them.
        """
        judged = frozenset[str]().union(*(verdict.judged for verdict in verdicts))
        with self._lock:
            if conflicts := self.conflicts(arriving, judged=judged, under_way=under_way):
                return conflicts
            news = self._carry_out(effect, arriving, verdicts)
        self._tell(news)
        return []

    def _carry_out(self, effect: steps.Effect, arriving: Sequence[Event], verdicts: Sequence[Verdict]) -> list[Event]:
        """Commits what an effect means; returns what there is to tell the watchers."""
        news: list[Event] = []
        if isinstance(effect, steps.Settle):
            self._acks.note(effect.answers)
        if isinstance(effect, steps.Rewind | steps.Restamp | Take):
            self.keep_acks()
            self._clocks.clear()
        change = change_for(effect, self._store, Surroundings(self._now_ms(), self._entropy, self._make_node))
        try:
            if verdicts:
                change, news = self._decide(change, arriving, verdicts)
            if change != NOTHING:
                self._commit(change)
        except BaseException:
            self._clocks.clear()
            raise
        if isinstance(effect, steps.Apply):
            arrived = [entry.event for entry in (*effect.page.late, *effect.page.entries)]
            self._saw_page(effect.page, arrived)
            news = [*arrived, *news]
        return news

    def _decide(
        self, change: Change, arriving: Sequence[Event], verdicts: Sequence[Verdict]
    ) -> tuple[Change, list[Event]]:
        """The change with what was decided added; and the events made of the drafts, which have seen what arrives."""
        refused = {id: error for verdict in verdicts for id, error in verdict.refused.items()}
        drafts = [draft for verdict in verdicts for draft in verdict.drafts]
        if not refused and not drafts:
            return change, []
        items = {draft.item for draft in drafts}
        for event in arriving:
            if event.item in items:
                saw(self._clocks[event.item], event)
        settled = {event.id for event in arriving}
        gone = withdrawals(refused, [event for event in self._unshared() if event.id not in settled])
        made, state = self._events(drafts, change.state or self._state)
        return replace(change, outbox=[*change.outbox, *gone, *map(Outboxed, made)], state=state), made

    def _unshared(self) -> list[Event]:
        """The pending events that no log has held."""
        pending = self._store.outbox("pending")
        return [each.event for each in pending if each.seq is None and each.event.id not in self._acks]

    def keep_acks(self) -> None:
        """Writes down which pending events are acknowledged but have not come back as entries yet.

        Most acknowledgements are followed by the entry at once, so they are kept in memory until a conversation ends;
        one that a crash forgets costs another push, which changes nothing.
        """
        with self._lock:
            if len(self._acks):
                self._commit(self._acks.written())
            self._acks.clear()

    def _saw_page(self, page: Page, events: Sequence[Event]) -> None:
        self._clocks.note(events)
        self._acks.arrived(event.id for event in events if event.node == self.node)
        self._clocks.forget([*page.forget, *(base.item for base in page.bases)])

    # Small things

    @property
    def _state(self) -> ReplicaState:
        return self._store.state()

    def _read_clock(self, item: str) -> dict[str, int]:
        """The item's vector clock as this replica knows it; the nodes in the order in which they last wrote."""
        seen = {node: n for base in self._store.bases([item]) for node, n in base.clock.items()}
        for event in self.events(items=[item]):
            saw(seen, event)
        return seen

    def _commit(self, change: Change) -> None:
        try:
            moved = self._store.commit(change)
        finally:  # a commit that failed may have been carried out after all
            self._holdings.note(change)
        self._waiting.note(change, moved)
        self._counts.update({status: self._counts[status] + moved.get(status, 0) for status in self._counts})

    def close(self) -> None:
        """Closes the store."""
        self._store.close()
