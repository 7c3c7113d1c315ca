"""The local half: record events offline, read them, and carry out what a sync session says.

A ``Replica`` is a plain, thread-safe object over a ``ReplicaStore``. Everything it does is local and durable when it
returns; it never waits for a network. What the server says reaches it as effects (``perform``).
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from threading import RLock
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from syncline.core import effects as steps
from syncline.core.beginning import Take
from syncline.core.erasure import salted
from syncline.core.events import Entry, Event
from syncline.core.gifts import Offer
from syncline.core.limits import KEPT_CLOCK_NODES, MAX_PUSH_EVENTS
from syncline.core.merkle import Read, Tree
from syncline.core.messages import Page
from syncline.core.patterns import matcher
from syncline.core.session import Local
from syncline.core.stamps import StampClock
from syncline.errors import InvalidEvent, SynclineError, UnknownEvent
from syncline.replica.conflicts import Conflict, Verdict, conflicts_of, withdrawals
from syncline.replica.drafts import Draft, Refused
from syncline.replica.effects import Surroundings, change_for, is_blank, saw
from syncline.replica.foresight import doomed, may
from syncline.replica.hearing import Hearing, hearing, is_between_peers
from syncline.replica.holdings import Holdings
from syncline.replica.horizon import in_bases, is_in_bases
from syncline.replica.outgoing import Heard, outgoing
from syncline.stores import EVERYTHING, ON_ITS_WAY, Change, Outboxed, ReplicaState, ReplicaStore

__all__ = ["Conflict", "Draft", "Refused", "Replica", "Status", "Verdict", "new_node"]

CACHED_CLOCKS = 1_000
NOTHING = Change()
NOTHING_HEARD = Heard([], {})
COUNTED = ("pending", "refused", "orphan", "unvouched")


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica stands to its server."""

    state: str = "offline"
    """``offline``, ``connecting``, ``syncing``, ``live`` or ``needs_auth``."""
    pending: int = 0
    """Events that no server has answered, and, while a conversation lasts, those whose entries have not come back yet.

    ``Replica.pending`` gives the former alone.
    """
    refused: int = 0
    """Events in the refused inbox."""
    orphan: int = 0
    """Entries that the server's log has lost, and that are to be given back."""
    unvouched: int = 0
    """Such of others that the log did not take."""
    last_synced: int | None = None
    """When both last agreed, in milliseconds of the local clock."""
    error: Mapping[str, Any] | None = None
    """Why the last attempt failed, if it did."""


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
        self._clocks: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._watchers: list[tuple[Callable[[str], bool], Callable[[list[Event]], Any]]] = []
        self._status_watchers: list[Callable[[Status], Any]] = []
        self._connection = "offline"
        self._error: Mapping[str, Any] | None = None
        self._acked: dict[str, int] = {}
        self._early: set[str] = set()
        self._holdings = Holdings(store)
        self._lost: list[Offer] | None = None
        self._heard: Heard | None = None
        self._heard_for: Any = None
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
            clock = StampClock(state.node, state.stamp)
            events = [self._event(draft, clock, n, tx) for n, draft in enumerate(drafts, state.n + 1)]
            if together and len(events) > MAX_PUSH_EVENTS:
                raise InvalidEvent(f"At most {MAX_PUSH_EVENTS} events can be stored together.")
            change = Change(
                outbox=list(map(Outboxed, events)), state=replace(state, n=state.n + len(events), stamp=clock.last)
            )
            try:
                self._commit(change)
            except BaseException:
                self._clocks.clear()
                raise
        self._tell(events)
        return events

    def check(self, draft: Draft, after: Iterable[Event] = ()) -> None:
        """Raises an EventError if a draft could not be recorded, be it only once the events ``after`` have arrived."""
        with self._lock:
            seen = dict(self._seen(draft.item))
            for event in after:
                saw(seen, event)
            self._made(draft, seen, StampClock(self._state.node, self._state.stamp), self._state.n + 1)

    def _event(self, draft: Draft, clock: StampClock, n: int, tx: str | None = None) -> Event:
        seen = self._seen(draft.item)
        event = self._made(draft, seen, clock, n, tx)
        saw(seen, event)
        return event

    def _made(self, draft: Draft, seen: Mapping[str, int], clock: StampClock, n: int, tx: str | None = None) -> Event:
        meta = {**(draft.meta or {}), **({"tx": tx} if tx else {})}
        if (erasable := self._state.erasable) and matcher(erasable)(draft.item):
            meta = salted(meta, self._entropy)
        counters = {**dict(list(seen.items())[-KEPT_CLOCK_NODES + 1 :]), self.node: n}
        members = {"meta": meta or UNSET, "ops": draft.ops, "payload": draft.payload, "user": self._state.user or UNSET}
        return Event.of(
            {
                "id": self._id(draft, clock),
                "item": draft.item,
                "action": draft.action,
                "node": self.node,
                "clock": counters,
                **{name: value for name, value in members.items() if value is not UNSET},
            }
        )

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
        acked = self._acked
        limit = None if limit is None else limit + len(acked)
        return [each.event for each in self._store.outbox("pending", limit=limit) if each.event.id not in acked]

    @property
    def horizon(self) -> int:
        """Up to this seq it is known how items stood, and not how they came there; 0: nothing of the log is missing."""
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
        return [Refused(outboxed.event, outboxed.error or {}) for outboxed in self._store.outbox("refused")]

    def retry(self, id: str, **mended: Any) -> Event:
        """Records a refused event again, as a new one, with parts of its ``Draft`` changed; returns the new event."""
        old = self._find_refused(id)
        meta = None if old.meta is UNSET else {key: value for key, value in old.meta.items() if key != "tx"}
        event = self.record_many([Draft(old.item, old.action, old.payload, old.ops, meta)._replace(**mended)])[0]
        self.drop(id)
        return event

    def drop(self, id: str) -> None:
        """Forgets a refused event for good, or one that was heard: which comes again with a peer that has it."""
        with self._lock:
            if all(event.id != id for event in self.heard()):
                self._find_refused(id)
            self._commit(Change(drop=[id]))
        self._tell([])

    # What a log has lost

    def unvouched(self) -> list[Refused]:
        """Entries of others that the log had lost and did not take back, with the reason. They show as they did."""
        return [Refused(outboxed.event, outboxed.error or {}) for outboxed in self._store.outbox("unvouched")]

    def offer_again(self) -> int:
        """Has them offered once more with the next sync, say after somebody was given the right; how many there are."""
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
        watcher = (matcher(items), callback)
        self._watchers.append(watcher)
        return lambda: _remove(self._watchers, watcher)

    def watch_status(self, callback: Callable[[Status], Any]) -> Callable[[], None]:
        """Calls back whenever ``status`` may have changed; returns the way to stop."""
        self._status_watchers.append(callback)
        return lambda: _remove(self._status_watchers, callback)

    def _tell(self, events: Sequence[Event]) -> None:
        for wanted, callback in tuple(self._watchers):
            if found := [event for event in events if wanted(event.item)]:
                callback(found)
        for watcher in tuple(self._status_watchers):
            watcher(self.status)

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
            self._offers(),
            epoch,
            state.user,
            state.horizon,
            doubtful=self._doubtful,
        )

    def _to_push(self, limit: int | None) -> list[Event]:
        """What is pending, and of what was heard that which this user may push, as far as a server can take it yet."""
        heard = self._waiting() if limit != 0 else NOTHING_HEARD
        if heard == NOTHING_HEARD:
            return self.pending(limit)
        free = heard._replace(ours=[event for event in heard.ours if event.id not in self._acked])
        return outgoing(self.pending(), free)[:limit]

    def _waiting(self) -> Heard:
        """What was heard; read when it grows, or when other rules are known."""
        state = self._state
        known = state.user, state.rules, state.actions, state.items
        if self._heard is None or self._heard_for != known:
            self._heard, self._heard_for = Heard.of(self.heard(), state), known
        return self._heard

    def _offers(self) -> list[Offer]:
        """What the log has lost, in the order in which it is to be given back; read once, while it only shrinks."""
        if self._lost is None:
            orphans = self._store.outbox("orphan")
            offers = (Offer(each.event, each.voucher) for each in orphans if each.voucher is not None)
            self._lost = sorted(offers, key=attrgetter("order"))
        return self._lost

    def _doubtful(self) -> list[Event]:
        pending = [each.event for each in self._store.outbox("pending") if each.seq is None]
        return in_bases(self._store, pending)

    def perform(self, effect: steps.Effect) -> None:
        """Carries out what a session said."""
        with self._lock:
            news = self._carry_out(effect, [], [])
        self._tell(news)

    # Peers: what another replica asks and gives

    def tree(self, items: Sequence[str] = (), since: int = 0, *, local: bool = True) -> tuple[Tree, Read]:
        """What is here (of these items, and of entries after a seq), as a Merkle tree, and what reads its entries.

        ``local``: all that goes between peers, local events too; or else the entries, as a server compares them.
        """
        with self._lock:
            return self._holdings.tree(items, since, local=local)

    def mend(self, entries: Sequence[Entry]) -> int:
        """Keeps entries that were missing below, or stand otherwise in the log; how many, as some may be in a base."""
        with self._lock:
            state = self._state
            known = {event.id for event in in_bases(self._store, [entry.event for entry in entries])}
            lacking = [each for each in entries if each.seq <= state.seq and each.event.id not in known]
            events = [entry.event for entry in lacking]
            mine = [event.n for event in events if event.node == state.node]
            stamp = max([state.stamp, *(event.id for event in events)])
            self._commit(Change(entries=lacking, state=replace(state, stamp=stamp, n=max([state.n, *mine]))))
            self._clocks.clear()
        self._tell(events)
        return len(lacking)

    def kept(self, ids: Sequence[str]) -> list[Entry]:
        """The entries of these ids, in order of their seqs."""
        return sorted((entry for entry in self._store.find(ids) if entry.seq), key=attrgetter("seq"))

    def give(self, ids: Sequence[str], chosen: Callable[[Event], bool] | None = None) -> list[Entry]:
        """What there is of these ids (and is chosen), for a peer. What is pending keeps its id from then on."""
        with self._lock:
            found = [entry for entry in self._store.find(ids) if is_between_peers(entry.event.item)]
            found = [each for each in found if not each.event.is_erased and (chosen is None or chosen(each.event))]
            self._share({entry.event.id: entry.event.item for entry in found if not entry.seq})
        return [Entry.of(0, 0, "", entry.event) for entry in found]

    def _share(self, local: Mapping[str, str]) -> None:
        """Writes down that others know these local events."""
        pending = self._store.outbox("pending", items=sorted(set(local.values()))) if local else []
        shared = [each._replace(seq=0) for each in pending if each.event.id in local and each.seq is None]
        if shared:
            self._commit(Change(outbox=shared))

    def hear(self, events: Sequence[Event], epoch: str | None = None) -> Hearing:
        """Keeps what a peer gives, which knows the log of this epoch, on top of what is here; see ``hearing``."""
        with self._lock:
            heard = hearing(self._store, events, epoch, self._now_ms())
            if heard.change.outbox:
                self._commit(heard.change)
                self._saw(heard.news)
            if heard.is_strange:
                self.leave_node()
        if heard.news:
            self._tell(heard.news)
        return heard

    def leave_node(self) -> None:
        """Another replica uses this node id: from now on this one has another.

        What was not shared moves there; if a server may have some of that, only after all was pulled from it.
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
            self._note_acks(effect.answers)
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
                saw(self._seen(event.item), event)
        settled = {event.id for event in arriving}
        gone = withdrawals(refused, [event for event in self._unshared() if event.id not in settled])
        state = change.state or self._state
        clock = StampClock(state.node, state.stamp)
        made = [self._event(draft, clock, n) for n, draft in enumerate(drafts, state.n + 1)]
        outbox = [*change.outbox, *gone, *map(Outboxed, made)]
        state = replace(state, n=state.n + len(made), stamp=clock.last)
        return replace(change, outbox=outbox, state=state), made

    def _unshared(self) -> list[Event]:
        """The pending events that no log has held."""
        pending = self._store.outbox("pending")
        return [each.event for each in pending if each.seq is None and each.event.id not in self._acked]

    def keep_acks(self) -> None:
        """Writes down which pending events are acknowledged but have not come back as entries yet.

        Most acknowledgements are followed by the entry at once, so they are kept in memory until a conversation ends;
        one that a crash forgets costs another push, which changes nothing.
        """
        with self._lock:
            if self._acked:
                local = self._store.outbox("pending", "heard")
                waiting = [each.event for each in local if each.event.id in self._acked]
                self._commit(Change(outbox=[Outboxed(event, "acked", self._acked[event.id]) for event in waiting]))
            self._acked.clear()
            self._early.clear()

    def _note_acks(self, answers: Sequence[tuple[Event, int | SynclineError]]) -> None:
        for event, answer in answers:
            if event.id in self._early:
                self._early.discard(event.id)
            elif isinstance(answer, int) and not is_in_bases(self._state, answer):
                self._acked[event.id] = answer

    def _saw_page(self, page: Page, events: Sequence[Event]) -> None:
        node = self.node
        self._saw(events)
        for event in events:
            if event.node == node and self._acked.pop(event.id, None) is None:
                self._early.add(event.id)  # live, an entry may arrive before the answer to its push
        changed = [*page.forget, *(base.item for base in page.bases)]
        for item in list(self._clocks) if EVERYTHING in page.forget else changed:
            self._clocks.pop(item, None)

    def _saw(self, events: Sequence[Event]) -> None:
        """Notes events in the clocks of their items, where these are at hand."""
        for event in events:
            if event.item in self._clocks:
                saw(self._clocks[event.item], event)

    # Small things

    @property
    def _state(self) -> ReplicaState:
        return self._store.state()

    def _seen(self, item: str) -> dict[str, int]:
        """The item's vector clock as this replica knows it; the nodes in the order in which they last wrote."""
        if item not in self._clocks:
            self._clocks[item] = self._read_clock(item)
            if len(self._clocks) > CACHED_CLOCKS:
                self._clocks.popitem(last=False)
        self._clocks.move_to_end(item)
        return self._clocks[item]

    def _read_clock(self, item: str) -> dict[str, int]:
        seen = {node: n for base in self._store.bases([item]) for node, n in base.clock.items()}
        for event in self.events(items=[item]):
            saw(seen, event)
        return seen

    def _commit(self, change: Change) -> None:
        try:
            moved = self._store.commit(change)
        finally:  # a commit that failed may have been carried out after all
            self._holdings.note(change)
        if moved.get("heard"):
            only_shrank = moved["heard"] < 0 and not change.forget
            self._heard = self._heard.after(change) if self._heard is not None and only_shrank else None
        if moved.get("orphan"):
            self._lost = None if moved["orphan"] > 0 or change.forget else _without(self._lost, change)
        self._counts.update({status: self._counts[status] + moved.get(status, 0) for status in self._counts})

    def close(self) -> None:
        """Closes the store."""
        self._store.close()


def _without(offers: list[Offer] | None, change: Change) -> list[Offer] | None:
    """Offers without those that a change settles."""
    settled = {*change.drop, *(entry.event.id for entry in change.entries)}
    settled.update(each.event.id for each in change.outbox if each.status != "orphan")
    return None if offers is None else [offer for offer in offers if offer.event.id not in settled]


def _remove(listeners: list[Any], listener: Any) -> None:
    with suppress(ValueError):
        listeners.remove(listener)
