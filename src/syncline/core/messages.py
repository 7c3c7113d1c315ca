"""The messages of a session: one class each, told apart by ``type``; ``spec/PROTOCOL.md`` shows examples.

Every request carries a ``ref``, any number the sender likes; its answer carries the same. Messages with a ``ref`` of
their own (pages of a live session, pings) need no answer to match. How strictly requests are read: ``requests``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from syncline.core.access.rules import Rule
from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.core.limits import Limits
from syncline.errors import SynclineError, from_wire

PROTOCOL = 1
NULL = Raw(b"null")


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

    @classmethod
    def of(cls, epoch: str, entries: Iterable[Entry]) -> Give:
        """A gift of these entries."""
        return cls(epoch=epoch, entries=Raw(b"[" + b",".join(entry.encoded for entry in entries) + b"]"))


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

    @property
    def refusal(self) -> SynclineError | None:
        """The error as an exception; None if it was stored."""
        return None if self.error is None else from_wire(self.error)


class Ack(Message, frozen=True, kw_only=True, omit_defaults=True, tag="ack"):
    """Answers ``push``: a result for each event, in order, and the head after them."""

    ref: int = 0
    results: list[Result]
    head: int

    @property
    def errors(self) -> list[SynclineError]:
        """Why some were not stored."""
        return [error for result in self.results if (error := result.refusal) is not None]


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

_encode = msgspec.json.Encoder().encode


def encode(message: Message) -> bytes:
    """The message as JSON."""
    return _encode(message)


def type_of(message: Message) -> str:
    """The ``type`` of a message, by which addresses and subjects are called as well."""
    return str(message.__struct_config__.tag)
