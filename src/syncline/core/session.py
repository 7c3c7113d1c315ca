"""A replica's half of a sync session, as a state machine without I/O; a server's is in ``server_session``.

Its shell asks ``ClientSession.next`` for the next step and carries it out: a message goes over the transport, and its
answer comes back through ``receive``, which returns what the replica must do. It does not know what carries messages.

Invariants:

- one request is under way at a time, so pending events arrive in the order they were made;
- a replica that must give its pending events new ids (its file was copied, or its clock ran ahead) pulls everything
  first, so that an event which the server already holds is settled and never stored again under another id; a base does
  not tell which events are in it, so those that may be are pushed under their old ids first, and the answer tells;
- everything is pulled before anything is pushed, so that a replica need not remember many acknowledgements;
- what a restored log has lost is given back before what is new on the same items is pushed: otherwise the server would
  miss what its ops name, and find counters that do not rise;
- an event leaves ``pending`` by an answer of the server alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from syncline.core import gifts, pushes, stamps
from syncline.core.beginning import Beginning, Take
from syncline.core.effects import Apply, Effect, Greet, MarkCopied, Meet, Restamp, Rewind, Settle, Wait
from syncline.core.events import Event
from syncline.core.gifts import Offer
from syncline.core.giving import Giving
from syncline.core.limits import MAX_PUSH_EVENTS, MAX_SAFE_INTEGER, Limits
from syncline.core.messages import (
    Ack,
    Answer,
    AskSnapshot,
    Auth,
    Authenticated,
    ErrorMessage,
    Give,
    Hello,
    Page,
    Peers,
    Pull,
    Push,
    Snapshot,
    Welcome,
)
from syncline.core.postponed import Postponed
from syncline.errors import (
    BadCursor,
    BadJson,
    BadRequest,
    ClockDrift,
    ConnectionLost,
    CursorExpired,
    CursorReset,
    MissingDependency,
    NodeConflict,
    RateLimited,
    SnapshotGone,
    SpaceDeleted,
    SynclineError,
    TooLarge,
    TooManyEvents,
)

Step = Hello | Push | Pull | Auth | Give | AskSnapshot
"""What a replica asks of its server, one at a time."""

UNREADABLE = BadJson, BadRequest, TooLarge, TooManyEvents
"""What a server answers that cannot read a message as a whole: one of its events may be the reason."""
SPOILED = CursorExpired("What was erased is in the bases of this replica: they are taken anew.")


class Local(NamedTuple):
    """What a session has to know of its replica before each step."""

    node: str
    cursor: str | None
    copied: bool
    pending: Sequence[Event]
    offers: Sequence[Offer] = ()
    """What its log has lost, in the order in which it is to be given back."""
    epoch: str | None = None
    """Of the log whose entries it holds; None if it holds none, and would take any."""
    user: str | None = None
    horizon: int = 0
    """Up to this seq it holds bases instead of entries: states without their history."""
    takes_bases: bool = True
    """Whether it can begin from a snapshot at all."""
    doubtful: Callable[[], Sequence[Event]] = tuple
    """The pending events that the log may have up to the horizon: no entry will come and tell."""


class ClientSession:
    """A replica's half of one conversation with a server."""

    def __init__(
        self,
        *,
        space: str,
        token: str | None = None,
        items: tuple[str, ...] = (),
        push: bool = True,
        pull: bool = True,
        batch_size: int = MAX_PUSH_EVENTS,
        gives_all: bool = True,
        history: bool = True,
    ) -> None:
        """``history``: a replica that holds nothing reads the log from its beginning, and not from a snapshot.

        ``gives_all``: see ``Giving``."""
        self.token = token
        """The credentials that ``hello`` shows; they may be found out until then."""
        self.lasts_ms: int | None = None
        """For how long they are good from when the server said so; None: for as long as the session."""
        self.peer: Welcome | None = None
        """The other end, if it is no server but a replica: then this session has nothing to do (``core.peering``)."""
        self.live = False
        self.caught_up = False
        """Whether everything was pulled, and nothing was stored since."""
        self.giving = Giving(batch_size, gives_all=gives_all)
        self.postponed = Postponed()
        self._space, self._items, self._history = space, items, history
        self._may_push, self._may_pull = push, pull
        self._batch_size = batch_size
        # What is under way
        self._request: Step | None = None
        self._pushed: Sequence[Event] = ()
        self._fresh: str | None = None  # credentials that the server has not seen yet
        self._beginning: Beginning | None = None
        # What the server said
        self._limits, self._user, self._head = Limits(), "", MAX_SAFE_INTEGER
        self._server_ms: int | None = None
        self._is_just_told = False  # the server's time was told a moment ago
        self._foreign: Welcome | None = None  # of a log of another epoch, which may be empty
        self._answered: set[str] = set()
        # What the replica said, and did
        self._local: Local | None = None
        self._takes_bases, self._horizon = True, 0
        self._has_restamped = False

    @property
    def greeted(self) -> bool:
        """Whether the server has answered ``hello``."""
        return self._server_ms is not None

    @property
    def wants_pending(self) -> bool:
        """Whether the next step depends on what is pending: not before everything is pulled, if it may be."""
        return self.caught_up or self.live or not self._may_pull

    @property
    def under_way(self) -> Sequence[Event]:
        """The events of a push that has no answer yet."""
        return self._pushed if isinstance(self._request, Push) else ()

    def renew(self, token: str) -> None:
        """Shows other credentials of the same user on the open session, with the next step."""
        self.token = self._fresh = token

    def next(self, local: Local) -> Step | Restamp | None:
        """The next step; None when there is nothing to do until something is recorded or arrives."""
        if self._request is not None:
            return None
        self._pushed = ()
        step = self._step(local)
        self._request = None if isinstance(step, Restamp) else step
        return step

    def release(self) -> None:
        """Lets the items be pushed again whose events had a retryable answer."""
        self.postponed.clear()
        self._has_restamped = False

    @property
    def holds_back(self) -> bool:
        """Whether pending events wait for ``release``."""
        return bool(self.postponed.items)

    def _step(self, local: Local) -> Step | Restamp | None:
        """The next step, by what comes first: greeting, credentials, a snapshot, pulling, giving back, pushing."""
        if self._foreign is not None:
            return Give(epoch=local.epoch or "", entries=gifts.NOTHING)
        if self._server_ms is None:
            self._local, self._horizon = local, local.horizon
            return Hello(node=local.node, space=self._space, token=self.token)
        if self._fresh is not None:
            fresh, self._fresh = self._fresh, None
            return Auth(token=fresh)
        if self.peer is not None:
            return None
        if self._wants_snapshot(local):
            self._beginning = self._beginning or Beginning(self._items)
            return self._beginning.question()
        if not self.wants_pending:
            return self._pull(local)
        pending = self._free(local.pending)
        return self._gift(local, pending) or self._push(local, pending, self._server_ms)

    def _pull(self, local: Local) -> Pull:
        return Pull(cursor=local.cursor, limit=self._limits.page_entries, items=self._items)

    def _gift(self, local: Local, pending: Sequence[Event]) -> Give | None:
        offers = local.offers if self._may_push else ()
        free = [offer for offer in offers if offer.event.item not in self.postponed.items]
        return self.giving.next(free, self._user, {event.item for event in pending}, self._limits)

    def _push(self, local: Local, pending: Sequence[Event], server_ms: int) -> Step | Restamp | None:
        if not pending:
            self._is_just_told = False
            return None
        if local.copied or (self._is_just_told and self._ahead(pending, server_ms)):
            return self._restamp(local, server_ms)
        self._is_just_told = False
        self._pushed = self._first(pending)
        return Push.of(self._pushed)

    def _restamp(self, local: Local, server_ms: int) -> Step | Restamp | None:
        """Before events get other ids, all is pulled, and those that may be in bases are pushed as they are.

        A server knows those that it holds, and takes none of the others under the ids they have.
        """
        if not self.caught_up:
            return self._pull(local)
        if doubtful := [event for event in local.doubtful() if event.id not in self._answered]:
            self._pushed = self._first(self._free(doubtful))
            return Push.of(self._pushed) if self._pushed else None
        self._has_restamped, self._is_just_told = True, False
        return Restamp(server_ms)

    def _wants_snapshot(self, local: Local) -> bool:
        """Without a cursor the log is read from its beginning, unless the replica has no history or wants none."""
        self._takes_bases = local.takes_bases and self._may_pull
        is_lost = local.cursor is None and (local.horizon > 0 or not self._history)
        return self._takes_bases and (self._beginning is not None or is_lost)

    def _free(self, pending: Sequence[Event]) -> list[Event]:
        """Those that may be pushed now."""
        return [event for event in pending if event.item not in self.postponed.items] if self._may_push else []

    def _ahead(self, pending: Sequence[Event], server_ms: int) -> bool:
        return max(event.id for event in pending) >= stamps.drift_limit(server_ms, self._limits.drift_ms)

    def _first(self, pending: Sequence[Event]) -> Sequence[Event]:
        return pushes.batch(pending, min(self._batch_size, self._limits.push_events), self._limits.body_bytes)

    def receive(self, answer: Answer) -> Sequence[Effect | Wait | Meet]:
        """What the replica must do about an answer. Raises the server's error if the session cannot go on."""
        if isinstance(answer, Peers):
            return [Meet(answer)]
        request, pushed = self._request, self._pushed
        if not (self.live and isinstance(answer, Page)) or isinstance(request, Pull):
            self._request = None  # a live page answers no push
        match answer:
            case Welcome():
                return self._welcomed(answer)
            case Authenticated():
                self._take_expiry(answer)
                return []
            case Ack() if isinstance(request, Give):
                if self._foreign is not None:
                    raise ConnectionLost("The server's log has taken the epoch of this replica's: all begins anew.")
                self.caught_up = False
                return [self.giving.settle(answer, self.postponed)]
            case Ack():
                return self._settle(pushed, answer)
            case Page():
                return self._turned(request, pushed, answer)
            case Snapshot() if self._beginning is not None:
                self._horizon = answer.seq
                return [self._take(self._beginning.receive(answer))]
            case ErrorMessage():
                return self._failed(request, pushed, answer.error)
            case _:
                return []

    def _turned(self, request: Step | None, pushed: Sequence[Event], page: Page) -> Sequence[Effect | Wait]:
        if self.live and isinstance(request, Pull) and "*" in page.forget:
            raise ConnectionLost("All begins from the start, which the live pages would not.")
        if self._has_spoiled_bases(page):
            return self._failed(request, pushed, SPOILED)
        self.caught_up = not page.more
        return [Apply(page, self._items)]

    def _has_spoiled_bases(self, page: Page) -> bool:
        """Whether something was erased that this replica's bases still hold.

        What was erased before they were made is not told to it: the cursor of a snapshot sees to that. Raises
        CursorExpired if it is found in a live page: no other may be applied after it.
        """
        is_spoiled = any(entry.event.is_erased and entry.seq <= self._horizon for entry in page.late)
        if is_spoiled and self.live:
            raise SPOILED
        return is_spoiled

    def _welcomed(self, welcome: Welcome) -> list[Effect]:
        """An empty log may take the epoch of what this replica holds, if its user may give that; the server decides.

        Not of one that knows only how items stood: it cannot give them, and would lose them to a log without them.
        """
        self._limits, self._user, self._head = welcome.limits, welcome.user, welcome.head
        self._take_expiry(welcome)
        if welcome.peer:
            self.peer, self._server_ms = welcome, welcome.time
            return []
        local = self._local
        is_foreign = local and local.epoch not in (None, welcome.epoch) and not local.horizon
        if local and is_foreign and local.user == welcome.user and self._may_push:
            self._foreign = welcome
            return []
        self._server_ms, self._is_just_told = welcome.time, True
        return [Greet(welcome)]

    def _take(self, take: Take) -> Take:
        if take.is_last:
            self._beginning, self.caught_up = None, False
        return take

    def _take_expiry(self, answer: Welcome | Authenticated) -> None:
        self.lasts_ms = None if answer.expires is None else answer.expires - answer.time

    def _settle(self, pushed: Sequence[Event], ack: Ack) -> list[Effect]:
        if len(ack.results) != len(pushed):
            raise BadRequest("The server answered another number of events than were pushed.")
        self.caught_up = False
        answers: list[tuple[Event, int | SynclineError]] = []
        effects: list[Effect] = [Settle(answers)]
        copied: set[str] = set()
        for event, result, error in zip(pushed, ack.results, pushes.errors(pushed, ack), strict=True):
            if error is None or not error.retryable:
                self._answered.add(event.id)
            if error is None:
                answers.append((event, result.seq or 0))
            elif isinstance(error, NodeConflict):
                effects.append(MarkCopied(event))
                copied.add(event.id)
            elif isinstance(error, MissingDependency) and str(error.details.get("name"))[:36] in copied:
                copied.add(event.id)  # it gets another id with what it names
            elif isinstance(error, ClockDrift) and not self._has_restamped:
                self._server_ms = int(error.details["time"])  # the next step finds the event ahead of this
                self._is_just_told = True
            elif error.retryable or isinstance(error, ClockDrift):  # the server's clock itself may be behind
                self.postponed.add(event, error)
            else:
                answers.append((event, error))
        return effects

    def _failed(self, request: Step | None, pushed: Sequence[Event], error: SynclineError) -> Sequence[Effect | Wait]:
        if self._foreign is not None and not (error.retryable or isinstance(error, SpaceDeleted)):
            welcome, self._foreign = self._foreign, None
            return [Greet(welcome)]  # which says that it is another log
        if isinstance(error, CursorReset | BadCursor):
            self.caught_up = self.live = False
            return [Rewind(self._head if isinstance(error, CursorReset) else 0)]
        if isinstance(error, CursorExpired) and self._takes_bases:
            self._beginning, self.caught_up, self.live = Beginning(self._items), False, False
            return []
        if isinstance(error, SnapshotGone) and self._beginning is not None:
            self._beginning.begin_again(error)
            return []
        if isinstance(request, Give) and isinstance(error, UNREADABLE):
            return self.giving.halve(error)
        if isinstance(request, Push) and isinstance(error, UNREADABLE):
            return self._halve(pushed, error)
        if isinstance(error, RateLimited):
            return [Wait(error)]
        raise error

    def _halve(self, pushed: Sequence[Event], error: SynclineError) -> list[Settle]:
        """Fewer events at a time show which one the server cannot read, and that one is refused."""
        if len({event.tx or event.id for event in pushed}) == 1:
            return [Settle([(event, error) for event in pushed])]
        self._batch_size = len(pushed) // 2
        return []
