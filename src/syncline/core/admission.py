"""Admission: which of the pushed events enter the log, and under which seq.

A store opens its transaction, hands a ``Ledger`` what it holds, and stores what the ledger accepted. All judging is
here, pure and in the order of the protocol: known id, drift, access, quota, node, dependencies. (Credentials and
shape come before, where a request is read.) Every event gets its answer; events with the same ``meta.tx`` stand or
fall together.

What a log has held before, and gets back, was judged then: a receipt that vouches for it spares it all but the first
and the last of these questions (decision 0026).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import lt
from types import MappingProxyType
from typing import NamedTuple

from msgspec import UNSET

from syncline.core import stamps
from syncline.core.access.rules import GIVE
from syncline.core.access.scope import MEMBER, Rights
from syncline.core.access.state import OPEN, Access
from syncline.core.documents import dependencies
from syncline.core.documents.dependencies import Held
from syncline.core.events import Event
from syncline.core.log import Head
from syncline.core.quotas import UNLIMITED, Room
from syncline.errors import (
    ClockDrift,
    DocumentChanged,
    EventError,
    EventIdConflict,
    Forbidden,
    NodeConflict,
    QuotaExceeded,
    ReservedAction,
    SynclineError,
    TxRefused,
    Unauthorized,
    Unvouched,
    UserMismatch,
)


class Placed(NamedTuple):
    """An event and the seq it is given."""

    seq: int
    event: Event


Outcome = int | SynclineError
"""The answer for one event: its seq, or why it was refused."""


class Submission(NamedTuple):
    """What one user pushed in one request, in order; a malformed event is there as its error."""

    events: Sequence[Event | EventError]
    user: str
    expects: Mapping[str, int] = MappingProxyType({})
    """Of items: the seq after which nothing may have come to them. If anything has, no event is taken."""
    is_system: bool = False
    """Whether it came through the interfaces of the system: items and actions with a leading dot are theirs alone."""
    rights: Rights = MEMBER
    """What the user's credentials say."""
    is_vouched: bool = False
    """Whether they are entries of a log that this one follows: judged there, and here only for what they name."""
    is_gift: bool = False
    """Whether they are entries that this log may have lost, or lacks, and not what their giver has just made."""
    vouched: frozenset[bytes] = frozenset()
    """The digests of those of them for which a receipt of this server vouches: they were in this log before."""
    hold: EventError | None = None
    """Why nothing is stored now but what is vouched for and what the system writes; None: it may be."""

    @property
    def good(self) -> list[Event]:
        """The events without the malformed ones."""
        return [event for event in self.events if isinstance(event, Event)]

    def vouches(self, event: Event | EventError) -> bool:
        """Whether it is known of an event that it was lawful when it was stored."""
        return isinstance(event, Event) and (self.is_vouched or event.digest in self.vouched)


class NodeState(NamedTuple):
    """What a log knows of a node: whose it is, its greatest counter, and its greatest id (``own``)."""

    user: str
    n: int
    own: str


Known = Mapping[bytes, tuple[int, bytes]]
"""Of ids, by their 16 bytes, that a log holds: the seq and the digest."""

LastN = Callable[[str, str], int | None]
"""``last_n(item, node)``: the node's last counter on an item, 0 if none; None if finding out would take too long."""

LastSeq = Callable[[str, int], int | None]
"""``last_seq(item, since)``: the seq of the item's last entry, if that comes after ``since``."""


def needed(events: Sequence[Event], known: Known) -> set[str]:
    """The ids that a log has to look up, because new ones among these events need them."""
    new = [event for event in events if event.key not in known]
    ids: set[str] = set()
    for event in new:
        if event.ops is not UNSET:
            ids |= dependencies.names_of(event)
    return ids.difference(event.id for event in new) if ids else ids


class Ledger:
    """One transaction's view of a log: what it holds, and what this transaction has accepted so far."""

    def __init__(
        self,
        head: Head,
        *,
        known: Known,
        held: Mapping[str, Held],
        nodes: Mapping[str, NodeState],
        last_n: LastN,
        last_seq: LastSeq,
        now_ms: int,
        access: Access = OPEN,
        room: Room | None = None,
    ) -> None:
        """``known`` and ``held`` are what the log holds of the pushed ids, and of those that are ``needed``.

        ``room`` is what its quotas leave; None: as much as one likes.
        """
        self.access = access
        """Who may do what after what was accepted so far."""
        self.accepted: list[Event] = []
        self.nodes = dict(nodes)
        self._known = dict(known)
        self._held = held
        self._room = room or Room(UNLIMITED, events=0, bytes=0)
        self._last_n, self._last_seq = last_n, last_seq
        self._next_seq = head.seq + 1
        self._now_ms = now_ms
        self._too_far = stamps.drift_limit(now_ms)

    def submit(self, submission: Submission) -> list[Outcome]:
        """The outcome of each event of a submission, in order."""
        events, user = submission.events, submission.user
        self._room.begin()
        if not submission.rights.is_trusted and self.access.is_barred(user, submission.rights.credential):
            return [Unauthorized("These credentials were revoked.")] * len(events)
        if (changed := self._change(submission.expects)) is not None:
            return [changed] * len(events)
        good = submission.good
        if len(good) == len(events) and self._is_ordinary(good, submission):
            return self._accept_all(good, user)
        if all(event.tx is None or submission.vouches(event) for event in events):  # a part of it may be back already
            return [self._judge(event, submission) for event in events]
        outcomes: list[Outcome] = []
        for tx, neighbours in groupby(events, key=lambda event: event.tx):
            group = list(neighbours)
            outcomes += self._together(group, submission) if tx else [self._judge(event, submission) for event in group]
        return outcomes

    def _change(self, expects: Mapping[str, int]) -> DocumentChanged | None:
        """What has come to an item to which nothing may have come."""
        for item, since in expects.items():
            if any(event.item == item for event in self.accepted) or self._last_seq(item, since) is not None:
                return DocumentChanged(f"Something has come to {item} since: look at it again.")
        return None

    def _is_ordinary(self, events: Sequence[Event], submission: Submission) -> bool:
        """Whether every single judgement is sure to accept: one look at the whole instead of one at each event."""
        user = submission.user
        keys = {event.key for event in events}
        counters = [event.clock[event.node] for event in events]
        node = events[0].node if events else ""
        state = self.nodes.get(node) or NodeState(user, 0, "")
        return (
            submission.hold is None
            and len(keys) == len(events)
            and self._known.keys().isdisjoint(keys)
            and {(event.node, event.user, event.meta is UNSET) for event in events} <= {(node, user, True)}
            and "." not in {event.action[0] for event in events} | {event.item[0] for event in events}
            and max((event.id for event in events), default=self._too_far) < self._too_far
            and state.user == user
            and all(map(lt, [state.n, *counters], counters))
            and all(self._may(submission, event) for event in {(e.item, e.action): e for e in events}.values())
            and (all(event.ops is UNSET for event in events) or self._are_held(events))
            and self._room.holds(events)
        )

    def _are_held(self, events: Sequence[Event]) -> bool:
        """Whether all that these events need is held when their turn comes."""
        before: dict[str, Event] = {}

        def find(id: str) -> Held | None:
            return before.get(id) or self._find(id)

        for event in events:
            if dependencies.refusal(event, find) is not None:
                return False
            before[event.id] = event
        return True

    def _find(self, id: str) -> Held | None:
        """What the log holds of an id, or this transaction has accepted before."""
        seq, _ = self._known.get(stamps.key(id), (0, b""))
        return self.accepted[seq - self._next_seq] if seq >= self._next_seq else self._held.get(id)

    def _accept_all(self, events: Sequence[Event], user: str) -> list[Outcome]:
        """What accepting one event after the other comes to, for events of one node."""
        first = self._next_seq + len(self.accepted)
        seqs = range(first, first + len(events))
        places = zip(seqs, (event.digest for event in events), strict=True)
        self._known.update(zip((event.key for event in events), places, strict=True))
        node, last = events[0].node, events[-1]
        own = max(event.id for event in events)
        state = self.nodes.get(node)
        self.nodes[node] = NodeState(user, last.clock[node], max(own, state.own) if state else own)
        self.accepted += events
        self._room.take(events)
        return list(seqs)

    def _together(self, events: Sequence[Event | EventError], submission: Submission) -> list[Outcome]:
        """All of a transaction's events, or none of them."""
        before = len(self.accepted), self.access, dict(self.nodes), dict(self._known)
        mark = self._room.mark()
        outcomes = [self._judge(event, submission) for event in events]
        if not any(isinstance(outcome, SynclineError) for outcome in outcomes):
            return outcomes
        del self.accepted[before[0] :]
        self.access, self.nodes, self._known = before[1:]
        self._room.back(mark)
        self._room.close([event for event in events if isinstance(event, Event)])
        refused = TxRefused("Another event of the same transaction was refused.")
        return [self._unless_known(event, outcome, refused) for event, outcome in zip(events, outcomes, strict=True)]

    def _unless_known(self, event: Event | EventError, outcome: Outcome, refused: SynclineError) -> Outcome:
        if isinstance(outcome, SynclineError) or isinstance(event, EventError) or event.key in self._known:
            return outcome
        return refused

    def _judge(self, event: Event | EventError, submission: Submission) -> Outcome:
        if isinstance(event, EventError):
            return event
        held = self._known.get(event.key)
        if held is not None:
            return held[0] if held[1] == event.digest else EventIdConflict("This id is taken by another event.")
        refusal = self._refusal(event, submission)
        return refusal or self._accept(event, "" if event.user is UNSET else event.user)

    def _refusal(self, event: Event, submission: Submission) -> EventError | None:
        if submission.vouches(event):
            return dependencies.refusal(event, self._find)
        if submission.hold is not None and not submission.is_system:
            return submission.hold
        if event.id >= self._too_far:
            return ClockDrift("The id is more than five minutes ahead of the server.", time=self._now_ms)
        if event.user != submission.user and not self._is_given(event, submission):
            return _strange(submission)
        if _is_reserved(event) and not (submission.is_system or self._is_given_by_name(event, submission)):
            return ReservedAction("Actions and items with a leading dot are written by the system alone.")
        if not self._may(submission, event):
            return Forbidden(f"{event.user} may not {event.action} {event.item}.", item=event.item, action=event.action)
        return (
            self._quota_refusal(event, submission)
            or self._node_refusal(event, is_given=self._is_from_a_log(event, submission))
            or dependencies.refusal(event, self._find)
        )

    def _quota_refusal(self, event: Event, submission: Submission) -> QuotaExceeded | None:
        """What the system writes is not refused: a full space can still be administered."""
        return None if submission.is_system else self._room.refusal(event)

    def _may(self, submission: Submission, event: Event) -> bool:
        """Whether the author may do this with what was shown, or may do it and whoever shows that may give it."""
        rights, may = submission.rights, self.access.may
        if _is_own(event, submission):
            return rights.is_trusted or rights.is_own or may(submission.user, event.item, event.action)
        return self._is_given(event, submission) and may(str(event.user), event.item, event.action)

    def _is_given(self, event: Event, submission: Submission) -> bool:
        """Whether it is believed whose this event is: the right to give its item, which an administrator has with
        credentials that name it.
        """
        user, scope = submission.user, submission.rights.scope
        may = GIVE in scope.actions if user.startswith(".") else self.access.may(user, event.item, GIVE)
        return may and scope.allows(event.item, GIVE) and isinstance(event.user, str)

    def _is_from_a_log(self, event: Event, submission: Submission) -> bool:
        """Whether its author's counter was looked at when it came into a log, and rises in the order of that."""
        return not _is_own(event, submission) or (submission.is_gift and self._is_given(event, submission))

    def _is_given_by_name(self, event: Event, submission: Submission) -> bool:
        """Whether what the system wrote is taken from somebody who gives it: by a right that says it is meant.

        Rules do so by their patterns; so does an administrator's key that names items and does not leave them out.
        """
        is_named = bool(submission.rights.scope.items) or not submission.user.startswith(".")
        return submission.is_gift and event.item[0] == "." and is_named and self._is_given(event, submission)

    def _node_refusal(self, event: Event, *, is_given: bool) -> NodeConflict | None:
        """A node belongs to one user, and on each item its counter rises; otherwise its file was copied.

        What is given was counted by another log, where a server may write for the same people as this one does.
        """
        state = self.nodes.get(event.node)
        if state is None:
            return None
        if state.user and state.user != event.user:
            return NodeConflict("This node belongs to another user. Take a new node id.")
        if event.n > state.n or is_given:
            return None
        here = [each.n for each in self.accepted if each.item == event.item and each.node == event.node]
        last = here[-1] if here else self._last_n(event.item, event.node)
        if last is not None and event.n > last:
            return None
        return NodeConflict(
            "This node's counter did not rise on this item: its replica was copied. Take a new node id."
        )

    def _accept(self, event: Event, user: str) -> int:
        seq = self._next_seq + len(self.accepted)
        state = self.nodes.get(event.node)
        if state is None:
            self.nodes[event.node] = NodeState(user, event.n, event.id)
        else:
            self.nodes[event.node] = NodeState(user or state.user, max(state.n, event.n), max(state.own, event.id))
        self._known[event.key] = seq, event.digest
        self.accepted.append(event)
        self._room.take([event])
        if event.item[0] == ".":
            self.access = self.access.after([Placed(seq, event)])
        return seq


def may_give_all(user: str, rights: Rights, access: Access) -> bool:
    """Whether somebody may give all items but those of the system: such a one is believed about a whole log."""
    scope = rights.scope
    if scope.items and "*" not in scope.items:
        return False
    return GIVE in scope.actions if user.startswith(".") else scope.allows_action(GIVE) and access.may_all(user, GIVE)


def _strange(submission: Submission) -> EventError:
    """The refusal of another user's event."""
    if submission.is_gift:
        return Unvouched("No receipt of this server vouches for this entry, and it is not yours to give.")
    return UserMismatch("The event names another user than the credentials do.")


def _is_reserved(event: Event) -> bool:
    return event.action[0] == "." or event.item[0] == "."


def _is_own(event: Event, submission: Submission) -> bool:
    """Whether whoever pushes an event is its author, with credentials for doing this."""
    return event.user == submission.user and submission.rights.scope.allows(event.item, event.action)
