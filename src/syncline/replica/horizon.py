"""What a replica does with bases: it takes a snapshot in place of entries, and knows what they stand for.

Up to its horizon a replica has bases and no entries. What it recorded itself and no server has answered stays, and
merges. What a server answers with a seq up to there is in a base: no entry of it will come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from syncline.core.beginning import Take
from syncline.core.events import Event
from syncline.core.messages import Page
from syncline.core.stamps import NIL_ID, from_key, key, maker, node_hash
from syncline.replica.clocks import saw
from syncline.stores import EVERYTHING, Change, Part, ReplicaState, ReplicaStore
from syncline.stores.digests import all_digests


def taken(store: ReplicaStore, take: Take) -> Change:
    """Keeps a part aside, or puts the snapshot in place of all that is held up to its seq."""
    state = store.state()
    part = Part(bases=take.part.bases, is_first=take.is_first, is_last=take.is_last)
    state = replace(state, stamp=max([state.stamp, *(base.last for base in part.bases)]))
    if not take.is_last:
        return Change(part=part, state=state)
    seq, cursor = take.part.seq, take.cursor
    acked = [each.event for each in store.outbox("acked") if (each.seq or 0) <= seq]
    mine = [event.id for event in acked if event.node == state.node]
    return Change(
        rewind=seq if state.seq > seq else None,
        forget=[EVERYTHING] if state.horizon or next(store.load(limit=1), None) else (),
        part=part,
        entries=take.entries,
        drop=[event.id for event in acked],
        state=replace(
            state,
            seq=seq,
            cursor=cursor,
            cursors=((seq, cursor),),
            stamp=max([state.stamp, *(entry.event.id for entry in take.entries)]),
            forgotten=max([state.forgotten, _newest_of(store, state.node), *mine]),
            horizon=seq,
        ),
    )


def _newest_of(store: ReplicaStore, node: str) -> str:
    """The greatest id among the entries that a node has made. Nothing is read but keys: there may be a million."""
    hash = node_hash(node)
    return from_key(max((each.key for each in all_digests(store) if maker(each.key) == hash), default=key(NIL_ID)))


def after_page(state: ReplicaState, page: Page) -> ReplicaState:
    """The state once a page's bases stand, and what it forgets is gone."""
    horizon = 0 if EVERYTHING in page.forget else state.horizon
    return replace(
        state,
        horizon=max([horizon, *(base.seq for base in page.bases)]),
        stamp=max([state.stamp, *(base.last for base in page.bases)]),
    )


def is_in_bases(state: ReplicaState, seq: int | None) -> bool:
    """Whether a base holds what the log has at a seq, so that its entry does not come."""
    return 0 < (seq or 0) <= min(state.horizon, state.seq)


def in_bases(store: ReplicaStore, events: Sequence[Event]) -> list[Event]:
    """Those of these events that a base holds, as their nodes' counters tell: true unless a file was copied."""
    if not events or not store.state().horizon:
        return []
    bases = {base.item: base for base in store.bases(sorted({event.item for event in events}))}
    return [event for event in events if event.item in bases and bases[event.item].covers(event.node, event.n)]


def covered(store: ReplicaStore) -> list[Event]:
    """Others' local events that are in a base: the log has them, and nobody need give or hear them any more.

    Not what a log has lost: later events of its node may have come back without it, so the log is asked.
    """
    return in_bases(store, [each.event for each in store.outbox("heard", "unvouched")] if store.state().horizon else [])


def newest_id(store: ReplicaStore, ids: Iterable[str]) -> str:
    """The greatest of some ids and of those in the log, as far as it is here."""
    entries = (entry.event.id for entry in store.load())
    return max([*ids, *entries, *(base.last for base in store.bases())])


def confirmed(store: ReplicaStore, node: str, items: set[str]) -> dict[str, dict[str, int]]:
    """The last counter of a node on each of several items, as a clock of that node alone."""
    chosen = sorted(items) if len(items) < 100 else ()
    clocks = {base.item: {node: base.clock[node]} for base in store.bases(chosen) if node in base.clock}
    for event in (entry.event for entry in store.load(items=chosen)):
        if event.node == node:
            saw(clocks.setdefault(event.item, {}), event)
    return {item: clock for item, clock in clocks.items() if item in items}
