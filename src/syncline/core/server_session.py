"""A server's half of a sync session, as a state machine without I/O.

Its shell feeds ``ServerSession.receive`` with what arrives and carries out what it returns.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Raw

from syncline.core.messages import (
    PROTOCOL,
    AskSnapshot,
    Auth,
    ErrorMessage,
    Fetch,
    Give,
    Hello,
    Inquiry,
    Live,
    Merkle,
    Message,
    Ping,
    Pong,
    Presence,
    Pull,
    Push,
    Welcome,
    encode,
)
from syncline.core.requests import decode_request, ref_of
from syncline.errors import BadRequest, HelloRequired, SynclineError, UnsupportedProtocol

# What its shell must do


class Authenticate(NamedTuple):
    """Check the credentials; answer with ``ServerSession.welcome`` or ``ServerSession.reject``."""

    hello: Hello


class Reauthenticate(NamedTuple):
    """Check other credentials of the same user; answer with ``authenticated`` of this ref, or an error."""

    ref: int
    token: str


class Commit(NamedTuple):
    """Store what may be stored of a JSON array of events; answer with an ``ack`` of this ref."""

    ref: int
    events: Raw


class Read(NamedTuple):
    """Answer a pull with one page."""

    pull: Pull


class Follow(NamedTuple):
    """Send pages from a cursor on, for as long as the session lasts."""

    live: Live


class Inquire(NamedTuple):
    """Answer what heals with its reply."""

    inquiry: Inquiry

    @property
    def ref(self) -> int:
        """For the error, if there is one."""
        return self.inquiry.ref


class Announce(NamedTuple):
    """Show a presence to others, and this session theirs; ``text`` is the message, for ``state_of``."""

    presence: Presence
    text: bytes

    @property
    def ref(self) -> int:
        """For the error, if there is one."""
        return self.presence.ref


class Send(NamedTuple):
    """Send these bytes as one text message."""

    text: bytes


class Close(NamedTuple):
    """End the session with a WebSocket close code of the private range."""

    code: int
    reason: str


Deed = Authenticate | Reauthenticate | Commit | Read | Follow | Inquire | Announce | Send | Close

CLOSE_CODES = {
    "unauthorized": 4401,
    "token_expired": 4401,
    "forbidden": 4403,
    "space_suspended": 4403,
    "unknown_space": 4404,
    "rate_limited": 4429,
    "too_many_connections": 4429,
    "request_timeout": 4408,
    "shutting_down": 1012,
}
CLOSE_OTHERWISE = 4400


class ServerSession:
    """A server's half of one conversation with a replica."""

    def __init__(self) -> None:
        self.is_open = False
        self._greeted = False
        self._follows = False

    def receive(self, text: bytes) -> list[Deed]:
        """What to do about a message. Whatever is wrong with it is answered, never raised."""
        try:
            request = decode_request(text)
            if isinstance(request, Hello):
                return [self._greet(request)]
            if not self.is_open:
                raise HelloRequired("The first message of a session is hello.")
            return self._dispatch(request, text)
        except SynclineError as error:
            return [Send(encode(ErrorMessage.of(error, ref_of(text))))] if self.is_open else self.reject(error)

    def _greet(self, hello: Hello) -> Deed:
        if self._greeted:
            raise HelloRequired("A session has one hello.")
        if hello.protocol != PROTOCOL:
            raise UnsupportedProtocol(f"This server speaks protocol {PROTOCOL}, not {hello.protocol}.")
        self._greeted = True
        return Authenticate(hello)

    def _dispatch(self, request: Message, text: bytes) -> list[Deed]:
        match request:
            case Push():
                return [Commit(request.ref, request.events)]
            case Pull():
                return [Read(request)]
            case Live():
                if self._follows:
                    raise BadRequest("This session is live already.")
                self._follows = True
                return [Follow(request)]
            case Auth():
                return [Reauthenticate(request.ref, request.token)]
            case Merkle() | Fetch() | Give() | AskSnapshot():
                return [Inquire(request)]
            case Presence():
                return [Announce(request, text)]
            case Ping():
                return [Send(encode(Pong(ref=request.ref)))]
            case _:
                return []

    def welcome(self, welcome: Welcome) -> list[Deed]:
        """The credentials are good: the session is open."""
        self.is_open = True
        return [Send(encode(welcome))]

    def reject(self, error: SynclineError) -> list[Deed]:
        """The session ends because of an error."""
        self.is_open = False
        code = CLOSE_CODES.get(error.code, CLOSE_OTHERWISE)
        return [Send(encode(ErrorMessage.of(error))), Close(code, error.code)]

    def unfollow(self) -> None:
        """The live subscription ended with an error; another may begin."""
        self._follows = False
