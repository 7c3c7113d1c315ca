"""The messages of a session: one class each, told apart by ``type``; ``spec/PROTOCOL.md`` shows examples.

Every request carries a ``ref``, any number the sender likes; its answer carries the same. Messages with a ``ref`` of
their own (pages of a live session, pings) need no answer to match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from syncline.core import canonical, stamps
from syncline.core.access.rules import Rule
from syncline.core.bases import Base
from syncline.core.clocks import NODE
from syncline.core.events import ITEM, Entry, Event
from syncline.core.limits import (
    MAX_DEPTH,
    MAX_FETCH_IDS,
    MAX_ITEM_LENGTH,
    MAX_NODE_LENGTH,
    MAX_PAGE_ENTRIES,
    MAX_PRESENCE_BYTES,
    MAX_PRESENCE_KEY_LENGTH,
    MAX_PRESENCE_MESSAGE_BYTES,
    MAX_SAFE_INTEGER,
    MAX_SUMMARIES,
    MAX_TREE_SUMMARIES,
    Limits,
)
from syncline.errors import BadJson, BadRequest, InternalError, InvalidEvent, SynclineError, TooLarge, from_wire

PROTOCOL = 1
ENVELOPE_DEPTH = 8
NULL = Raw(b"null")
PRESENCE_KEY = re.compile(rf"[^\x00-\x1f\x7f]{{0,{MAX_PRESENCE_KEY_LENGTH}}}")
EPOCH = re.compile("[0-9a-f]{32}")


class Message(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all messages."""


# From a replica to its server


class Hello(Message, frozen=True, kw_only=True, omit_defaults=True, tag="hello"):
    """The first message: who is there, in which space, and by what right."""

    protocol: int = msgspec.field(default_factory=lambda: PROTOCOL)
    node: str
    space: str = "default"
    token: str | None = None


class Push(Message, frozen=True, kw_only=True, omit_defaults=True, tag="push"):
    """Events to store, as canonical bytes in one JSON array."""

    ref: int = 0
    events: Raw

    @classmethod
    def of(cls, events: Sequence[Event], *, ref: int = 0) -> Push:
        """A push of these events."""
        return cls(ref=ref, events=Raw(b"[" + b",".join(event.body for event in events) + b"]"))


class Pull(Message, frozen=True, kw_only=True, omit_defaults=True, tag="pull"):
    """Asks for the entries after a cursor (from the start without one), up to ``limit``, of these items."""

    ref: int = 0
    cursor: str | None = None
    limit: int = 1_000
    items: tuple[str, ...] = ()


class Live(Message, frozen=True, kw_only=True, omit_defaults=True, tag="live"):
    """Asks for the entries after a cursor, and for those to come. A session has one live subscription."""

    cursor: str | None = None
    items: tuple[str, ...] = ()


class Auth(Message, frozen=True, kw_only=True, omit_defaults=True, tag="auth"):
    """Shows other credentials of the same user on an open session, before those in use expire."""

    ref: int = 0
    token: str


class Presence(Message, frozen=True, kw_only=True, omit_defaults=True, tag="presence"):
    """Who is here, and where: the state of one presence of this session, told apart by ``key``. Null: gone.

    ``item`` is what it is about; None: the space. The first one of a session also asks who else is here.
    """

    ref: int = 0
    key: str = ""
    item: str | None = None
    state: Raw = NULL


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """What somebody holds below a prefix of ids, as a node of a Merkle tree (``core.merkle``).

    ``within`` is the longest prefix that all of it has. A leaf has ``mask`` 0 and its ``ids`` in order; an inner node
    has a bit for each digit (1 << digit) under which there is something. ``hashes``: base64 of 12 bytes each, of the
    ids' digests or of the children that are there, in order.
    """

    at: str
    within: str
    mask: int
    hashes: str
    ids: tuple[str, ...] = ()


class Merkle(Message, frozen=True, kw_only=True, omit_defaults=True, tag="merkle"):
    """Says what one holds of these items after a seq, and asks where the other end holds something else."""

    ref: int = 0
    items: tuple[str, ...] = ()
    since: int = 0
    summaries: list[Summary]


class Fetch(Message, frozen=True, kw_only=True, omit_defaults=True, tag="fetch"):
    """Asks for events by their ids."""

    ref: int = 0
    ids: list[str]


class Give(Message, frozen=True, kw_only=True, omit_defaults=True, tag="give"):
    """Gives entries of a log of this epoch to one that may have lost them, or lacks them; encoded, one JSON array.

    Events that are no entry of any log the giver knows have seq 0 and no receipt.
    """

    ref: int = 0
    epoch: str
    entries: Raw


class AskSnapshot(Message, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot"):
    """Asks for the bases of these items: the newest, or of those at ``seq`` what comes ``after`` an item."""

    ref: int = 0
    items: tuple[str, ...] = ()
    seq: int | None = None
    after: str = ""


class Ping(Message, frozen=True, kw_only=True, omit_defaults=True, tag="ping"):
    """Asks for a ``pong``, in either direction."""

    ref: int = 0


class Pong(Message, frozen=True, kw_only=True, omit_defaults=True, tag="pong"):
    """Answers a ``ping``."""

    ref: int = 0


# From a server to its replica


class Welcome(Message, frozen=True, kw_only=True, omit_defaults=True, tag="welcome"):
    """Answers ``hello``: which log this is, where it ends, and what the server knows of the replica."""

    epoch: str
    head: int
    time: int
    """The server's time in milliseconds."""
    user: str
    own: str | None = None
    """The greatest id the server holds from this node."""
    limits: Limits = msgspec.field(default_factory=Limits)
    rules: list[Rule] | None = None
    """The rules that concern this user; None from a server that does not tell them."""
    actions: tuple[str, ...] = ()
    """Patterns of the actions that the credentials are limited to, whatever the rules say; none: not limited."""
    items: tuple[str, ...] = ()
    """The same of items."""
    expires: int | None = None
    """When the session ends unless other credentials are shown, by the server's clock; None: not by itself."""
    erasable: tuple[str, ...] = ()
    """Patterns of the items whose events are to carry a random ``meta.salt``, which goes when they are erased."""
    peer: bool = False
    """Whether this is a replica as well: it has no authority and numbers nothing. Its epoch is empty if it has none."""


class Authenticated(Message, frozen=True, kw_only=True, omit_defaults=True, tag="authenticated"):
    """Answers ``auth``: the session goes on with these credentials."""

    ref: int = 0
    user: str
    time: int
    """The server's time in milliseconds."""
    expires: int | None = None
    """As in ``welcome``."""


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer for one pushed event: its seq, or an error object. ``id`` is None if the event had none."""

    id: str | None = None
    seq: int | None = None
    error: dict[str, Any] | None = None


class Ack(Message, frozen=True, kw_only=True, omit_defaults=True, tag="ack"):
    """Answers ``push``: a result for each event, in order, and the head after them."""

    ref: int = 0
    results: list[Result]
    head: int


class Page(Message, frozen=True, kw_only=True, omit_defaults=True, tag="page"):
    """Entries in order of seq, and the cursor after them; ``more`` says that there are more already.

    ``forget`` names items to delete (``*``: all, when the server cannot tell which), ``late`` holds older entries that
    became visible; both come first.
    """

    ref: int | None = None
    entries: list[Entry]
    late: list[Entry] = []
    forget: list[str] = []
    bases: list[Base] = []
    """Of items that became visible, or are meant instead of ``late`` entries that are not kept any more."""
    cursor: str
    more: bool = False


class Tree(Message, frozen=True, kw_only=True, omit_defaults=True, tag="tree"):
    """Answers ``merkle``: the tree of what the asker may see at a seq (``root``: 64 hex digits), and where it differs.

    Of a summary that is equal, nothing; of one that differs, each child that does, or itself if it begins elsewhere.
    """

    ref: int = 0
    seq: int
    root: str
    count: int
    summaries: list[Summary]


class Found(Message, frozen=True, kw_only=True, omit_defaults=True, tag="found"):
    """Answers ``fetch``: the entries of those ids that are held and may be seen, in the order they were asked for.

    ``more``: they were too many for one answer; the rest can be asked for again.
    """

    ref: int = 0
    entries: list[Entry]
    more: bool = False


class Snapshot(Message, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot"):
    """Answers ``snapshot``: bases at ``seq``, in order of their items, and the cursor from which to go on after all.

    Items of the system have no bases: their ``entries`` up to ``seq`` come as they are, item by item in the same order,
    because policies and rules are made of them. ``after``: the last item here, when there are more; None: these were
    the last. A log without a snapshot answers the one at seq 0, which is empty.
    """

    ref: int = 0
    seq: int
    at: int
    cursor: str
    bases: list[Base]
    entries: list[Entry] = []
    after: str | None = None


class Peer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody's presence: whose it is, what it is about (None: the space), and its state as JSON; null: gone."""

    user: str
    node: str
    key: str = ""
    item: str | None = None
    state: Raw = NULL


class Peers(Message, frozen=True, kw_only=True, tag="peers"):
    """Tells of the presences of others: of everyone at first, then of what changes."""

    peers: list[Peer]


class ErrorMessage(Message, frozen=True, kw_only=True, omit_defaults=True, tag="error"):
    """Answers a request that failed as a whole, or (without ``ref``) says why the session ends."""

    ref: int | None = None
    code: str
    message: str
    retryable: bool = False
    details: dict[str, Any] = {}

    @classmethod
    def of(cls, error: SynclineError, ref: int | None = None) -> ErrorMessage:
        """The message for an error."""
        return cls(
            ref=ref, code=error.code, message=error.message, retryable=error.retryable, details=dict(error.details)
        )

    @property
    def error(self) -> SynclineError:
        """The error as an exception."""
        return from_wire({**self.details, "code": self.code, "message": self.message, "retryable": self.retryable})


Inquiry = Merkle | Fetch | Give | AskSnapshot
"""What heals: requests that a transport carries alike."""
Reply = Tree | Found | Ack | Snapshot
"""The answers to these."""
ReplyKind = TypeVar("ReplyKind", Tree, Found, Ack, Snapshot)
Request = Hello | Push | Pull | Live | Auth | Presence | Ping | Pong | Inquiry
Answer = Welcome | Authenticated | Ack | Page | Peers | ErrorMessage | Ping | Pong | Tree | Found | Snapshot

_request = msgspec.json.Decoder(Request)
_answer = msgspec.json.Decoder(Answer)
_encode = msgspec.json.Encoder().encode


def encode(message: Message) -> bytes:
    """The message as JSON."""
    return _encode(message)


def type_of(message: Message) -> str:
    """The ``type`` of a message, by which addresses and subjects are called as well."""
    return str(message.__struct_config__.tag)


def decode_request(text: bytes) -> Request:
    """What a server may receive. Raises BadJson, BadRequest or TooLarge.

    The events of a push are not looked into, and ``state_of`` looks at a presence.
    """
    try:
        request: Request = _request.decode(text)
        if isinstance(request, Presence):
            _check_size(text, MAX_PRESENCE_MESSAGE_BYTES)
        elif _encode(request) != text:
            _check_strictly(text, request)
        return checked(request)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Not a message of this protocol: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        canonical.decode(text, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
        raise BadJson("Not JSON.") from None  # pragma: no cover (what msgspec cannot read, the strict decoder refuses)


def _check_strictly(text: bytes, request: Request) -> None:
    """Finds a key that stands twice, which the quick decoder takes; what is pushed or given is not looked into."""
    if isinstance(request, Push | Give):
        text = text.replace(bytes(request.events if isinstance(request, Push) else request.entries), b"[]", 1)
    canonical.decode(text, max_depth=MAX_DEPTH)


Checked = TypeVar("Checked", bound=Message)


def checked(request: Checked) -> Checked:
    """The request itself if its members are within their limits. Raises BadRequest or TooLarge."""
    if isinstance(request, Hello) and not NODE.fullmatch(request.node):
        raise BadRequest(f"node: {request.node[:80]!r} is not a node of 1 to {MAX_NODE_LENGTH} characters.")
    if isinstance(request, Pull) and not 1 <= request.limit <= MAX_PAGE_ENTRIES:
        raise BadRequest(f"limit: must be between 1 and {MAX_PAGE_ENTRIES}.")
    if isinstance(request, Presence):
        _check_presence(request)
    if isinstance(request, Inquiry):
        _check_inquiry(request)
    return request


def _check_inquiry(inquiry: Inquiry) -> None:
    """What summaries and entries say is for those to check who look into them."""
    match inquiry:
        case Merkle():
            _check_count("summaries", inquiry.summaries, MAX_SUMMARIES)
            _check_answer(inquiry.summaries)
            _check_seq("since", inquiry.since)
        case Fetch():
            _check_count("ids", inquiry.ids, MAX_FETCH_IDS)
            _check_ids(inquiry.ids)
        case Give():
            if not EPOCH.fullmatch(inquiry.epoch):
                raise BadRequest(f"epoch: {inquiry.epoch[:80]!r} is not one of 32 hex digits.")
        case _:
            _check_seq("seq", inquiry.seq or 0)
            if inquiry.after and (inquiry.seq is None or not ITEM.fullmatch(inquiry.after)):
                raise BadRequest("after: must be an item, and comes with the seq of the snapshot that it is of.")


def _check_count(name: str, several: Sequence[object], most: int) -> None:
    if not 1 <= len(several) <= most:
        raise BadRequest(f"{name}: must be between 1 and {most:,}.")


def _check_answer(summaries: Sequence[Summary]) -> None:
    """Bounds what comes back: of a branch each child, of a leaf itself."""
    if sum(16 if summary.mask else 1 for summary in summaries) > MAX_TREE_SUMMARIES:
        raise BadRequest(f"summaries: their answer could have more than {MAX_TREE_SUMMARIES:,}.")


def _check_seq(name: str, seq: int) -> None:
    if not 0 <= seq <= MAX_SAFE_INTEGER:
        raise BadRequest(f"{name}: {seq} is no seq.")


def _check_ids(ids: Sequence[str]) -> None:
    try:
        for id in ids:
            stamps.check_id(id)
    except InvalidEvent as error:
        raise BadRequest(error.message) from None


def _check_presence(presence: Presence) -> None:
    if not PRESENCE_KEY.fullmatch(presence.key):
        raise BadRequest(f"key: must be 0 to {MAX_PRESENCE_KEY_LENGTH} characters, none of them control characters.")
    if presence.item is not None and not ITEM.fullmatch(presence.item):
        raise BadRequest(f"item: {presence.item[:80]!r} is not an item of 1 to {MAX_ITEM_LENGTH} characters.")
    _check_size(bytes(presence.state), MAX_PRESENCE_BYTES)


def _check_size(part: bytes, limit: int) -> None:
    if len(part) > limit:
        raise TooLarge(f"A presence has at most {MAX_PRESENCE_BYTES:,} bytes.")


def state_of(presence: bytes) -> bytes | None:
    """The state of an encoded presence that ``decode_request`` has taken, in canonical form; None if it has gone.

    Raises BadJson, TooDeep, NumberOutOfRange or TooLarge. It costs the more, so it is not asked of each that comes.
    """
    state = canonical.decode(presence, max_depth=MAX_DEPTH + 1).get("state")
    if state is None:
        return None
    body = canonical.encode(state)
    _check_size(body, MAX_PRESENCE_BYTES)
    return body


class _Reference(msgspec.Struct):
    ref: int | None = None


def ref_of(text: bytes) -> int | None:
    """The ref of a request that may be wrong elsewhere, so that the error finds who asked."""
    try:
        return msgspec.json.decode(text, type=_Reference).ref
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_answer(text: bytes) -> Answer:
    """What a replica may receive. Raises InternalError for what this version cannot read."""
    try:
        answer: Answer = _answer.decode(text)
        return answer
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InternalError(f"The server sent something that is not a message of this protocol: {error}") from None


AnswerKind = TypeVar("AnswerKind", Welcome, Authenticated, Ack, Page, Tree, Found, Snapshot)


def expect(text: bytes, kind: type[AnswerKind]) -> AnswerKind:
    """The answer of the kind that was asked for. Raises the server's error, or InternalError for another message."""
    answer = decode_answer(text)
    if isinstance(answer, ErrorMessage):
        raise answer.error
    if not isinstance(answer, kind):
        raise InternalError(f"The server answered {type(answer).__name__} where {kind.__name__} was expected.")
    return answer


def encode_page(
    encoded: bytes,
    cursor: str,
    *,
    more: bool,
    ref: int | None = None,
    late: bytes = b"",
    forget: Sequence[str] = (),
    bases: Sequence[Base] = (),
) -> bytes:
    """A page of entries that are encoded already; the same bytes as ``encode(Page(…))``, without the work."""
    head = b'{"type":"page",' if ref is None else b'{"type":"page","ref":%d,' % ref
    tail = b',"more":true}' if more else b"}"
    change = b""
    if late:
        change = b',"late":[%b]' % late
    if forget:
        change += b',"forget":%b' % msgspec.json.encode(forget)
    if bases:
        change += b',"bases":%b' % msgspec.json.encode(bases)
    return b'%b"entries":[%b]%b,"cursor":"%b"%b' % (head, encoded, change, cursor.encode(), tail)


def encode_ack(events: Sequence[Event | SynclineError], outcomes: Sequence[int | SynclineError], head: int) -> bytes:
    """The members ``results`` and ``head`` of an ``ack``, without the braces around them."""
    results = [_result(event, outcome) for event, outcome in zip(events, outcomes, strict=True)]
    return b'"results":[%b],"head":%d' % (b",".join(results), head)


def _result(event: Event | SynclineError, outcome: int | SynclineError) -> bytes:
    if isinstance(outcome, int):
        return b'{"id":"%b","seq":%d}' % (event.id.encode(), outcome)  # type: ignore[union-attr]
    id = event.id if isinstance(event, Event) else event.details.get("id")
    return _encode(Result(id=id, error=outcome.to_wire()))
