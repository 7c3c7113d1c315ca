"""A server in memory: the core's session and admission around a log, without files, threads, ports or an event loop.

It is synchronous inside, so that a simulation decides when anything happens; ``transport`` gives it to programs that
await. Credentials are the user's name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

from syncline.core import gifts, patterns
from syncline.core.access.views import View
from syncline.core.admission import Submission
from syncline.core.answers import encode_ack, encode_page
from syncline.core.batch import decode_events
from syncline.core.cursors import Cursor, CursorCodec, Stand, check_place
from syncline.core.events import Event
from syncline.core.gifts import Given
from syncline.core.limits import Limits
from syncline.core.log import NO_TAIL, Receipts
from syncline.core.merkle import Leaf, Tree, held_in
from syncline.core.messages import (
    ErrorMessage,
    Fetch,
    Found,
    Give,
    Hello,
    Inquiry,
    Live,
    Merkle,
    Pull,
    Welcome,
    encode,
)
from syncline.core.messages import Tree as TreeMessage
from syncline.core.server_session import Authenticate, Close, Commit, Deed, Follow, Inquire, Read, Send, ServerSession
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import EpochChanged, EventError, NotFound, SynclineError, Unauthorized
from syncline.stores import EventStore, load
from syncline.stores.memory import MemoryEventStore
from syncline.testing.seeded import ManualClock
from syncline.transports import Transport
from syncline.transports.memory import MemoryTransport

EPOCH = UUID(int=1).hex
KEY = b"a key that every test may know"
RECEIPTS = Receipts(KEY)


class LogServer:
    """One space's log and what answers from it. ``store`` may be replaced, as restoring a backup does."""

    def __init__(
        self,
        store: EventStore | None = None,
        *,
        now_ms: Callable[[], int] | None = None,
        receipts: Receipts = RECEIPTS,
    ) -> None:
        """``receipts``: whose receipts of what is given are believed."""
        self.receipts = receipts
        self.store = store or MemoryEventStore(EPOCH, receipts)
        self.codec = CursorCodec(KEY)
        self.now_ms = now_ms or ManualClock()
        self.limits = Limits()
        """What ``welcome`` tells; small ones make small pages and pushes."""
        self.news = asyncio.Event()
        """Set, and replaced by a new one, when the log has grown."""

    def connect(self) -> LogConnection:
        """A new conversation."""
        return LogConnection(self)

    def transport(self) -> Transport:
        """A new conversation, for whoever awaits."""
        return MemoryTransport(_Peer(self))

    def welcome(self, hello: Hello) -> Welcome:
        """The answer to a hello. Raises Unauthorized if it names nobody."""
        if not hello.token:
            raise Unauthorized("Credentials are missing.")
        state, head = self.store.node(hello.node), self.store.head()
        own = state.own if state is not None and state.user == hello.token else None
        return Welcome(
            epoch=head.epoch, head=head.seq, time=self.now_ms(), user=hello.token, own=own, limits=self.limits
        )

    def commit(self, commit: Commit, user: str) -> bytes:
        """Stores what may be stored, and the encoded ``ack``."""
        events = [_named(event, user) for event in decode_events(bytes(commit.events))]
        appended = self.store.append([self.pushed(events, user)], now_ms=self.now_ms())
        self._tell()
        return b'{"type":"ack","ref":%d,%b}' % (commit.ref, encode_ack(events, appended.outcomes[0], appended.head.seq))

    def pushed(self, events: Sequence[Event | EventError], user: str) -> Submission:
        """What the log is asked to store of what somebody pushes."""
        return Submission(events, user)

    def reply(self, inquiry: Inquiry, user: str) -> bytes:
        """The encoded reply to what heals. Raises NotFound for what this server does not do."""
        match inquiry:
            case Fetch():
                return encode(self._found(inquiry))
            case Merkle():
                return encode(self._tree(inquiry))
            case Give():
                return self.give(inquiry, user)
            case _:
                raise NotFound("A server in memory has no snapshots.")

    def _found(self, asked: Fetch) -> Found:
        held = {entry.event.id: entry for entry in load(self.store)}
        return Found(ref=asked.ref, entries=[held[id] for id in dict.fromkeys(asked.ids) if id in held])

    def _tree(self, asked: Merkle) -> TreeMessage:
        events = [entry.event for entry in load(self.store, asked.since, items=patterns.check(asked.items))]
        leaves = sorted(Leaf(event.key, event.digest) for event in events)
        tree, seq = Tree.of(leaves), self.store.head().seq
        nodes = tree.describe(nodes_of(asked.summaries), held_in(leaves))
        return TreeMessage(
            ref=asked.ref, seq=seq, root=tree.root.hex(), count=tree.count, summaries=summaries_of(nodes)
        )

    def give(self, gift: Give, user: str) -> bytes:
        """Takes back what the log may have lost, and the encoded ``ack``. Raises EpochChanged.

        Nobody has the right ``.give`` here: what no receipt vouches for is its own user's, or ``unvouched``.
        """
        if gift.epoch != self.store.head().epoch:
            raise EpochChanged("What is given was in another log.")
        given, vouched = self.read_gift(gift)
        events = [each.event for each in given]
        submission = Submission(events, user, is_gift=True, vouched=vouched)
        appended = self.store.append([submission], now_ms=self.now_ms())
        self._tell()
        return b'{"type":"ack","ref":%d,%b}' % (gift.ref, encode_ack(events, appended.outcomes[0], appended.head.seq))

    def read_gift(self, gift: Give) -> tuple[Sequence[Given], frozenset[bytes]]:
        """The entries of a gift, and the digests of those that receipts vouch for."""
        given = gifts.decode(bytes(gift.entries))
        return given, gifts.vouched(self.receipts, gift.epoch, given)

    def _tell(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()

    def page(self, pull: Pull | Live) -> tuple[bytes, str]:
        """An encoded page, and its cursor."""
        items = patterns.check(pull.items)
        view, head = View.everything(items), self.store.head()
        stand = Stand(view.digest, items=items)
        forget: tuple[str, ...] = ()
        cursor = self.codec.decode(pull.cursor) if pull.cursor else Cursor(head.epoch, 0, NO_TAIL, stand)
        check_place(cursor, head, self.store.tail)
        if cursor.stand != stand:  # other items: everything is forgotten, and comes again
            cursor, forget = Cursor(head.epoch, 0, NO_TAIL, stand), ("*",)
        limit, ref = (pull.limit, pull.ref or None) if isinstance(pull, Pull) else (1_000, None)
        part = self.store.slice(cursor.seq, view=view, limit=limit)
        text = self.codec.encode(Cursor(head.epoch, part.seq, part.tail, stand))
        return encode_page(part.encoded, text, more=part.more, ref=ref, forget=forget), text


class LogConnection:
    """The server's end of one conversation: texts in, texts out."""

    def __init__(self, server: LogServer) -> None:
        self.is_over = False
        self._server = server
        self._session = ServerSession()
        self._user = ""
        self._live: Live | None = None

    def receive(self, text: bytes) -> list[bytes]:
        """The encoded answers to an encoded message."""
        return self._carry_out(self._session.receive(text))

    def _carry_out(self, deeds: list[Deed]) -> list[bytes]:
        answers: list[bytes] = []
        for deed in deeds:
            try:
                answers += self._carry_out_one(deed)
            except SynclineError as error:
                if isinstance(deed, Authenticate):
                    answers += self._carry_out(self._session.reject(error))
                else:
                    ref = deed.pull.ref if isinstance(deed, Read) else getattr(deed, "ref", None)
                    answers.append(encode(ErrorMessage.of(error, ref)))
        return answers

    def _carry_out_one(self, deed: Deed) -> list[bytes]:
        match deed:
            case Authenticate(hello):
                welcome = self._server.welcome(hello)
                self._user = welcome.user
                return self._carry_out(self._session.welcome(welcome))
            case Commit():
                return [self._server.commit(deed, self._user)]
            case Read(pull):
                return [self._server.page(pull)[0]]
            case Inquire(inquiry):
                return [self._server.reply(inquiry, self._user)]
            case Follow(live):
                return self._follow(live)
            case Send(text):
                return [text]
            case Close():
                self.is_over = True
        return []

    def _follow(self, live: Live) -> list[bytes]:
        try:
            text, cursor = self._server.page(live)
        except SynclineError:
            self._session.unfollow()
            raise
        self._live = Live(cursor=cursor, items=live.items)
        return [text]

    def news(self) -> list[bytes]:
        """The pages that a live conversation has not been sent yet."""
        if self._live is None:
            return []
        try:
            text, cursor = self._server.page(self._live)
        except SynclineError as error:
            self._live = None
            self._session.unfollow()
            return [encode(ErrorMessage.of(error))]
        if cursor == self._live.cursor:
            return []
        self._live = Live(cursor=cursor, items=self._live.items)
        return [text]


class _Peer:
    """The other end of a ``MemoryTransport``."""

    def __init__(self, server: LogServer) -> None:
        self._server = server
        self._connection = server.connect()

    async def answer(self, request: bytes) -> bytes:
        if b'"type":"hello"' in request:  # after an error, a conversation may begin anew
            self._connection = self._server.connect()
        return self._connection.receive(request)[0]

    async def follow(self, live: Live) -> AsyncIterator[bytes]:
        connection = self._connection
        pages = connection.receive(encode(live))
        while True:
            for page in pages:
                yield page
            news = self._server.news
            pages = connection.news()
            if not pages:
                await news.wait()


def _named(event: Event | EventError, user: str) -> Event | EventError:
    if not isinstance(event, Event) or isinstance(event.user, str):
        return event
    return event.with_user(user)
