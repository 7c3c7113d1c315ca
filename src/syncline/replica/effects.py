"""What a replica does about what a session says: for each effect the one atomic ``Change`` of its store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from syncline.core import effects as steps
from syncline.core.access.rules import READ
from syncline.core.beginning import Take
from syncline.core.cursors import thin
from syncline.core.events import Event
from syncline.core.limits import MAX_DRIFT_MS
from syncline.core.messages import Page, Welcome
from syncline.core.patterns import matcher
from syncline.core.stamps import StampClock
from syncline.errors import EpochChanged, NodeConflict, SynclineError, UserMismatch
from syncline.replica.foresight import may
from syncline.replica.horizon import after_page, confirmed, covered, is_in_bases, newest_id, taken
from syncline.stores import EVERYTHING, ON_ITS_WAY, Change, Outboxed, ReplicaState, ReplicaStore, lost


class Surroundings(NamedTuple):
    """What is not in the store: the local time, randomness, and new names."""

    now_ms: int
    entropy: Callable[[], int]
    make_node: Callable[[], str]


def change_for(effect: steps.Effect, store: ReplicaStore, around: Surroundings) -> Change:
    """The change an effect means. Raises if this cannot be this replica's log or user."""
    match effect:
        case steps.Greet(welcome):
            return _greet(store, welcome, around.now_ms)
        case steps.Settle(answers):
            return _settle(store, answers)
        case steps.Given(answers):
            return _given(store, answers)
        case steps.Apply(page, items):
            return _apply(store, page, items, around.now_ms)
        case Take():
            return taken(store, effect)
        case steps.Rewind(head):
            return _rewind(store, head)
        case steps.Restamp(now_ms):
            return _restamp(store, now_ms, around)
        case steps.MarkCopied(event):
            return _mark_copied(store, event)


def _greet(store: ReplicaStore, welcome: Welcome, now_ms: int) -> Change:
    """Adopts what the server says. Events recorded before the first welcome get their user now; events that were
    acknowledged beyond the server's head were lost with it and are pushed again.

    A replica is one user's for good: what it holds is what that user may read, and what is pending is that user's word.
    """
    state = store.state()
    if state.epoch not in (None, welcome.epoch):
        if not is_blank(store):
            raise EpochChanged("The server's log is not the one this replica knows; a person has to decide.")
        state = replace(state, seq=0, cursor=None, cursors=())
    if state.user not in (None, welcome.user):
        raise UserMismatch(
            f"This replica is {state.user}'s, and these credentials are {welcome.user}'s: nothing was exchanged. "
            f"Sign in as {state.user}, or open another file for {welcome.user}."
        )
    pending = store.outbox("pending") if state.user is None else ()
    named = [each._replace(event=each.event.with_user(welcome.user)) for each in pending if each.event.user is UNSET]
    gone = [lost(each) for each in store.outbox("acked") if (each.seq or 0) > welcome.head]
    state = replace(
        state,
        user=welcome.user,
        epoch=welcome.epoch,
        skew_ms=_skew(welcome.time, now_ms),
        copied=state.copied or _is_strange(store, [welcome.own] if welcome.own else [], state.forgotten),
        rules=None if welcome.rules is None else tuple(welcome.rules),
        actions=welcome.actions,
        items=welcome.items,
        erasable=welcome.erasable,
    )
    return Change(outbox=[*named, *gone], state=state)


def is_blank(store: ReplicaStore) -> bool:
    """Whether a replica holds nothing that was in a log, so that it may begin with another one."""
    kept = (
        store.state().seq
        or store.state().horizon
        or next(iter(store.load(limit=1)), None)
        or store.outbox("acked", "heard", "orphan", "unvouched", limit=1)
    )
    return not kept


def _is_strange(store: ReplicaStore, ids: Sequence[str], forgotten: str) -> bool:
    """Whether this node would know one of its own events, and does not."""
    ids = [id for id in ids if id > forgotten]
    return bool(ids) and len(store.holds(ids)) < len(ids)


def _skew(server_ms: int, now_ms: int) -> int:
    """What to add to the local clock: nothing unless it is so far off that ids could be refused."""
    skew = server_ms - now_ms
    return skew if abs(skew) > MAX_DRIFT_MS // 2 else 0


def _settle(store: ReplicaStore, answers: Sequence[tuple[Event, int | SynclineError]]) -> Change:
    """Refused events go to the inbox, with every pending event that names one of them, and its whole transaction.

    What the log has had since before the horizon is settled: its entry does not come.
    """
    state = store.state()
    known = [event.id for event, answer in answers if isinstance(answer, int) and is_in_bases(state, answer)]
    refused = {event.id: answer for event, answer in answers if not isinstance(answer, int)}
    local = store.outbox("pending", "heard") if refused else []
    waiting = [each.event for each in local if each.status == "pending" or each.event.id in refused]
    strange = {each.event.id for each in local if each.status == "heard" and each.event.user != state.user}
    gone: dict[str, Outboxed] = {}
    torn: dict[str | None, SynclineError] = {}
    is_settled = False
    while not is_settled:  # a transaction's first events may go because of its last one, and others with them
        for event in waiting:
            named = next((refused[id] for id in refused if id.encode() in event.body), None)
            reason = refused.get(event.id) or torn.get(event.tx) or named
            if reason is not None:
                refused[event.id] = reason
                status = "unvouched" if event.id in strange else "refused"
                gone[event.id] = Outboxed(event, status, None, reason.to_wire())
                torn.update({event.tx: reason} if event.tx else {})
        is_settled = all(event.id in gone for event in waiting if event.tx in torn)
    if not known:
        return Change(outbox=list(gone.values()))
    state = replace(state, forgotten=max([state.forgotten, *known]))
    return Change(drop=known, outbox=list(gone.values()), state=state)


def _given(store: ReplicaStore, answers: Sequence[tuple[Event, int | SynclineError]]) -> Change:
    """What was taken back is on its way again, but for what this replica has read past without being shown it.

    One's own that was refused goes to the inbox, as if it had been pushed. Another's stays as it was, ``unvouched``.
    """
    state, outbox = store.state(), {each.event.id: each for each in store.outbox("orphan")}
    found = [(outbox[event.id], answer) for event, answer in answers if event.id in outbox]
    taken = [each._replace(status="acked", seq=answer) for each, answer in found if isinstance(answer, int)]
    passed = [each.event.id for each in taken if (each.seq or 0) <= state.seq]
    refused = [(each, answer) for each, answer in found if isinstance(answer, SynclineError)]
    mine = [(each.event, answer) for each, answer in refused if each.event.user == state.user]
    change = _settle(store, mine)
    strange = [
        each._replace(status="unvouched", error=answer.to_wire())
        for each, answer in refused
        if each.event.user != state.user
    ]
    inbox = [Outboxed(event, "refused", None, answer.to_wire()) for event, answer in mine]
    coming = [each for each in taken if each.event.id not in passed]
    return replace(change, drop=[*change.drop, *passed], outbox=[*change.outbox, *coming, *strange, *inbox])


def _apply(store: ReplicaStore, page: Page, items: Sequence[str], now_ms: int) -> Change:
    """Stores a page. An entry of this node that it never made shows that its file was copied."""
    state, entries = _other_view(store, page), [*page.late, *page.entries]
    mine = [entry.event.id for entry in entries if entry.event.node == state.node]
    seq = max((entry.seq for entry in page.entries), default=state.seq)
    if seq < state.seq:  # overtaken by a live page: its cursor would lead back
        page, seq = replace(page, cursor=state.cursor), state.seq
    state = replace(
        state,
        seq=seq,
        cursor=page.cursor,
        cursors=_keep_cursor(state.cursors, seq, page.cursor),
        stamp=max([state.stamp, *(entry.event.id for entry in entries)]),
        copied=state.copied or _is_strange(store, mine, state.forgotten),
        synced_at=state.synced_at if page.more else now_ms,
    )
    change = Change(forget=page.forget, bases=page.bases, entries=entries, state=state, more=page.more)
    return change if page.more else _without_overdue(store, change, state, items)


def _other_view(store: ReplicaStore, page: Page) -> ReplicaState:
    """The state that a page goes on from, if it forgets items or brings some that became visible.

    Older cursors tell nothing then of what is held; and what was this node's own may come again as if it were strange.
    """
    state = after_page(store.state(), page)
    if page.forget or page.late or page.bases:
        state = replace(state, cursors=())
    if not page.forget:
        return state
    is_all = EVERYTHING in page.forget
    gone = (entry.event for entry in store.load(items=() if is_all else page.forget))
    forgotten = max([state.forgotten, *(event.id for event in gone if event.node == state.node)])
    return replace(state, forgotten=forgotten, seq=0 if is_all else state.seq)


def _without_overdue(store: ReplicaStore, change: Change, state: ReplicaState, items: Sequence[str]) -> Change:
    """Settles acknowledged events whose entries should have come by now, or never will.

    What may not be read never comes, nor what is in a base: it is let go of, since the log has it. The others were lost
    by the log, and are pushed again.
    """
    arrived, in_view = {entry.event.id for entry in change.entries}, matcher(items)
    waiting = [each for each in store.outbox("acked") if each.event.id not in arrived]
    passed = [each for each in waiting if may(state, each.event.item, READ) is False or is_in_bases(state, each.seq)]
    settled = [*(each.event for each in passed), *covered(store)]
    hidden = [event.id for event in settled]
    overdue = [
        lost(each)
        for each in waiting
        if each.event.id not in hidden and (each.seq or 0) <= state.seq and in_view(each.event.item)
    ]
    forgotten = max([state.forgotten, *(event.id for event in settled if event.node == state.node)])
    return replace(change, drop=hidden, outbox=overdue, state=replace(state, forgotten=forgotten))


def _keep_cursor(cursors: tuple[tuple[int, str], ...], seq: int, cursor: str) -> tuple[tuple[int, str], ...]:
    known = {**dict(cursors), seq: cursor}
    return tuple((each, known[each]) for each in thin(sorted(known)))


def _rewind(store: ReplicaStore, head: int) -> Change:
    """Back to the next older cursor that is not beyond the log's head, nor before the horizon: there only a new
    snapshot helps.

    What came after it is kept until it comes again, or is given back.
    """
    state = store.state()
    older = tuple(each for each in state.cursors if each[1] != state.cursor and state.horizon <= each[0] <= head)
    seq, cursor = older[-1] if older else (state.horizon, None)
    acked = [lost(each) for each in store.outbox("acked")]
    return Change(rewind=seq, outbox=acked, state=replace(state, seq=seq, cursor=cursor, cursors=older))


def _restamp(store: ReplicaStore, now_ms: int, around: Surroundings) -> Change:
    """New ids for the pending events, in their order, and a new node id if this one was copied.

    What a log has held (it has a seq) keeps its id, because others may give it back too. What is kept may be named.
    """
    state, local = store.state(), store.outbox(*ON_ITS_WAY)
    pending = [each.event for each in local if _is_ours_alone(each)]
    kept = [each.event.id for each in local if not _is_ours_alone(each)]
    node = around.make_node() if state.copied else state.node
    clocks = confirmed(store, state.node, {event.item for event in pending}) if state.copied else {}
    clock = StampClock(node, newest_id(store, [state.forgotten, *kept]))
    renamed: dict[str, str] = {}
    outbox = []
    first = 1 if state.copied else state.n + 1
    for n, event in enumerate(pending, first):
        renamed[event.id] = clock.next(now_ms, around.entropy())
        others = {each: count for each, count in event.clock.items() if each != event.node}
        seen = others | clocks.get(event.item, {})
        outbox.append(Outboxed(_renamed(event, renamed, node, {**seen, node: n})))
    state = replace(
        state,
        node=node,
        n=first - 1 + len(pending),
        stamp=clock.last,
        copied=False,
        skew_ms=_skew(now_ms, around.now_ms),
    )
    return Change(drop=[event.id for event in pending], outbox=outbox, state=state)


def _is_ours_alone(each: Outboxed) -> bool:
    """Whether nobody else knows the id of a local event, so that it may get another."""
    return each.status == "pending" and each.seq is None


def _mark_copied(store: ReplicaStore, event: Event) -> Change:
    """The event gets a new id with the next re-stamping, even if a log has held it: it cannot go back as it is.

    What was heard is not ours to rename: it is refused, and tells nothing of this node.
    """
    found = [each for each in store.outbox("pending", "heard", items=[event.item]) if each.event.id == event.id]
    if any(each.status == "heard" for each in found):
        return _settle(store, [(event, NodeConflict("The server has later events of the node that made this one."))])
    lost = [Outboxed(each.event) for each in found]
    return Change(outbox=lost, state=replace(store.state(), copied=True))


def _renamed(event: Event, renamed: Mapping[str, str], node: str, clock: dict[str, int]) -> Event:
    """The event under its new id; its ops and meta name the new ids of what was renamed before it."""
    value = msgspec.to_builtins(event) | {"id": renamed[event.id], "node": node, "clock": clock}
    for field in {"ops", "meta"} & set(value):
        text = msgspec.json.encode(value[field]).decode()
        for old, new in renamed.items():
            text = text.replace(old, new)
        value[field] = msgspec.json.decode(text)
    return Event.of(value)
