"""The log over NATS: what is asked, as ``transports.nats_wire`` has it, and how each verb is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from functools import cached_property
from typing import TypeVar

from syncline.core.limits import MAX_BODY_BYTES, MAX_WAIT_SECONDS
from syncline.core.messages import (
    PROTOCOL,
    AskSnapshot,
    Auth,
    Fetch,
    Give,
    Hello,
    Inquiry,
    Live,
    Merkle,
    Pull,
    Push,
    encode,
)
from syncline.core.requests import decode_request
from syncline.errors import (
    BadRequest,
    SpaceMismatch,
    TooLarge,
    Unauthorized,
    UnsupportedProtocol,
)
from syncline.server.auth.credentials import bearer_of
from syncline.server.auth.identity import Identity
from syncline.server.auth.tickets import TICKET_PREFIX
from syncline.server.member import Member
from syncline.server.registry import DEFAULT_SPACE, check_space
from syncline.server.service import Caller, Service
from syncline.transports.nats_connection import Message
from syncline.transports.nats_wire import (
    AUTHORIZATION,
    WAIT,
    place_of,
)

Kind = TypeVar("Kind", Hello, Auth, Push, Pull, Live, Merkle, Fetch, Give, AskSnapshot)

Waiting = Callable[[float], AbstractAsyncContextManager[None]]
"""A block that may take so many seconds, and then ends in silence."""


class Asked:
    """One request: its headers, who asks, and what."""

    def __init__(self, service: Service, message: Message, waiting: Waiting) -> None:
        self.service, self.data, self.waiting = service, message.data, waiting
        self.named, self.verb = place_of(message.subject)
        self.headers = {name.lower(): value for name, value in message.headers.items()}
        self.identity: Identity | None = None
        """Whose request this is; known before anything else is looked at."""

    async def identify(self, token: str | None) -> Identity:
        """Who comes with these credentials. Raises Unauthorized."""
        if token and token.startswith(TICKET_PREFIX):
            raise Unauthorized("A ticket opens a WebSocket or a stream over HTTP, and nothing else.")
        return await self.service.identify(token, lambda: Caller(token, self.space, self.headers))

    @property
    def token(self) -> str | None:
        """The credentials in the header, if any."""
        return bearer_of(self.headers.get(AUTHORIZATION.lower(), "")) or None

    @cached_property
    def space(self) -> str:
        """The space. Raises BadRequest."""
        return check_space(self.named)

    def enter(self, *, catch_up: bool = True) -> AbstractAsyncContextManager[Member]:
        """The space as its user sees it; see ``Service.enter``. Raises UnknownSpace."""
        assert self.identity is not None
        return self.service.enter(self.identity, self.space, catch_up=catch_up)

    def message(self, kind: type[Kind]) -> Kind:
        """What is asked. Raises TooLarge, BadJson or BadRequest."""
        if len(self.data) > MAX_BODY_BYTES:
            raise TooLarge(f"A request may have {MAX_BODY_BYTES:,} bytes.")
        found = decode_request(self.data)
        if not isinstance(found, kind):
            raise BadRequest(f"This subject takes a {kind.__name__} message.")
        return found

    def number(self, name: str, default: int, high: int) -> int:
        """A whole number of a header. Raises BadRequest."""
        text = self.headers.get(name.lower(), "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= high):
            raise BadRequest(f"{name}: {text[:40]!r} is not a whole number between 0 and {high}.")
        return int(text)


async def hello(asked: Asked) -> bytes:
    """The welcome of a conversation whose requests follow one by one."""
    message = asked.message(Hello)
    if message.protocol != PROTOCOL:
        raise UnsupportedProtocol(f"This server speaks protocol {PROTOCOL}, not {message.protocol}.")
    if message.space not in (DEFAULT_SPACE, asked.space):
        raise SpaceMismatch("The hello names another space than the subject.")
    async with asked.enter() as member:
        return encode(await member.welcome(message.node))


async def auth(asked: Asked) -> bytes:
    """Whether other credentials may take the place of those that came with the request."""
    message = asked.message(Auth)
    identity = await asked.identify(message.token)
    async with asked.enter() as member:
        return encode(member.renew(identity, message.ref))


async def push(asked: Asked) -> bytes:
    """Stores events, and answers with a result for each."""
    message = asked.message(Push)
    async with asked.enter(catch_up=False) as member:
        return b'{"type":"ack","ref":%d,%b}' % (message.ref, await member.push(bytes(message.events)))


async def pull(asked: Asked) -> bytes:
    """A page."""
    message = asked.message(Pull)
    async with asked.enter() as member:
        return await member.pull(message)


async def live(asked: Asked) -> bytes:
    """The next page for who follows; an empty one if nothing has come for as long as they want to wait."""
    message, seconds = asked.message(Live), asked.number(WAIT, 0, MAX_WAIT_SECONDS)
    async with asked.enter() as member, aclosing(member.follow(message)) as frames:
        frame = await anext(frames)
        if frame.is_empty and seconds:
            with member.connected():
                async with asked.waiting(seconds):
                    frame = await anext(frames)
        return frame.text.encode()


async def merkle(asked: Asked) -> bytes:
    """Where what the asker holds differs from what is here."""
    return await _heal(asked, asked.message(Merkle))


async def fetch(asked: Asked) -> bytes:
    """Entries by their ids."""
    return await _heal(asked, asked.message(Fetch))


async def give(asked: Asked) -> bytes:
    """Takes entries that the log may have lost, or lacks."""
    return await _heal(asked, asked.message(Give))


async def snapshot(asked: Asked) -> bytes:
    """Bases, from which a replica may begin."""
    return await _heal(asked, asked.message(AskSnapshot))


async def _heal(asked: Asked, inquiry: Inquiry) -> bytes:
    async with asked.enter(catch_up=not isinstance(inquiry, Give)) as member:
        return await member.answer(inquiry)


METHODS: Mapping[str, Callable[[Asked], Awaitable[bytes]]] = {
    "hello": hello,
    "auth": auth,
    "push": push,
    "pull": pull,
    "live": live,
    "merkle": merkle,
    "fetch": fetch,
    "give": give,
    "snapshot": snapshot,
}
