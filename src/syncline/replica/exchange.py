"""What a replica gives to a peer, and takes from one, or from a server that heals it, into its log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from syncline.core.events import Entry, Event
from syncline.replica.hearing import is_between_peers
from syncline.replica.horizon import in_bases
from syncline.stores import Change, Outboxed, ReplicaStore

__all__ = ["given", "mending", "sharing"]


def mending(store: ReplicaStore, entries: Sequence[Entry]) -> Change:
    """What stores entries that were missing here, or are otherwise in the log; not those that may be in a base.

    Other events that stood here under their seqs are offered to the log, like whatever a log has lost.
    """
    state = store.state()
    known = {event.id for event in in_bases(store, [entry.event for entry in entries])}
    lacking = [each for each in entries if each.seq <= state.seq and each.event.id not in known]
    mine = [entry.event.n for entry in lacking if entry.event.node == state.node]
    stamp = max([state.stamp, *(entry.event.id for entry in lacking)])
    displaced = [Outboxed.lost(each, state.epoch) for each in _in_place_of(store, lacking)]
    return Change(entries=lacking, outbox=displaced, state=replace(state, stamp=stamp, n=max([state.n, *mine])))


def _in_place_of(store: ReplicaStore, entries: Sequence[Entry]) -> list[Entry]:
    """The entries of other events that are held under the seqs of these."""
    arriving = {entry.event.id for entry in entries}
    held = [each for entry in entries for each in store.load(entry.seq - 1, limit=1) if each.seq == entry.seq]
    return [each for each in held if each.event.id not in arriving]


def given(store: ReplicaStore, ids: Sequence[str], chosen: Callable[[Event], bool] | None) -> list[Entry]:
    """What there is of these ids (and is chosen) for a peer; local events with seq 0."""
    found = [entry for entry in store.find(ids) if is_between_peers(entry.event.item)]
    return [each for each in found if not each.event.is_erased and (chosen is None or chosen(each.event))]


def sharing(store: ReplicaStore, found: Sequence[Entry]) -> Change:
    """What writes down that others know the local events among these, which keep their ids from then on."""
    local = {entry.event.id: entry.event.item for entry in found if not entry.seq}
    pending = store.outbox("pending", items=sorted(set(local.values()))) if local else []
    return Change(outbox=[each._replace(seq=0) for each in pending if each.event.id in local and each.seq is None])
