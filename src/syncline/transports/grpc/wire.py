"""Messages as protobuf, and back; what is JSON in them stays the bytes it was. Both ends use this module.

Raises BadSettings when it is imported and protobuf is not installed.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from syncline.core.access.rules import Rule
from syncline.core.answers import expect
from syncline.core.bases import Base
from syncline.core.events import Entry
from syncline.core.limits import Limits
from syncline.core.messages import (
    Ack,
    Auth,
    Authenticated,
    Hello,
    Inquiry,
    Live,
    Page,
    Pull,
    Push,
    ReplyKind,
    Result,
    Welcome,
    encode,
)
from syncline.core.requests import checked, decode_request
from syncline.errors import BadRequest, BadSettings, InternalError
from syncline.transports.grpc import MISSING

try:
    from google.protobuf.message import DecodeError

    from syncline.transports.grpc import syncline_pb2 as pb
except ImportError:
    raise BadSettings(MISSING) from None

_Pb = TypeVar("_Pb", bound=Any)
_Json = TypeVar("_Json")

_AS_IT_IS = ("epoch", "head", "time", "user", "own", "actions", "items", "expires", "peer", "erasable")
"""What of a welcome protobuf says in the same words."""

_rules = msgspec.json.Decoder(list[Rule])
_results = msgspec.json.Decoder(list[Result])
_entries = msgspec.json.Decoder(list[Entry])
_bases = msgspec.json.Decoder(list[Base])


class _EncodedPage(msgspec.Struct):
    """A page as the server has it, encoded; its lists of entries are not looked into."""

    entries: Raw
    cursor: str
    late: Raw = Raw(b"")
    bases: Raw = Raw(b"")
    forget: list[str] = []
    more: bool = False


class _EncodedAck(msgspec.Struct):
    results: Raw
    head: int


_page = msgspec.json.Decoder(_EncodedPage)
_ack = msgspec.json.Decoder(_EncodedAck)


# Requests, from a client


def hello_request(hello: Hello) -> bytes:
    """The request for a hello; the node, the space and the token go in metadata."""
    return _written(pb.HelloRequest(protocol=hello.protocol))


def authenticate_request(auth: Auth) -> bytes:
    """The request for other credentials."""
    return _written(pb.AuthenticateRequest(token=auth.token))


def push_request(push: Push) -> bytes:
    """The request for a push."""
    return _written(pb.PushRequest(events=bytes(push.events)))


def pull_request(pull: Pull) -> bytes:
    """The request for a page. Raises BadRequest for a limit that protobuf cannot say."""
    try:
        return _written(pb.PullRequest(cursor=pull.cursor, limit=pull.limit, items=pull.items))
    except ValueError as error:
        raise BadRequest(f"limit: {error}") from None


def live_request(live: Live) -> bytes:
    """The request for pages as they come."""
    return _written(pb.LiveRequest(cursor=live.cursor, items=live.items))


def inquiry_request(inquiry: Inquiry) -> bytes:
    """The request for what heals."""
    return _written(pb.Inquiry(message=encode(inquiry)))


# Requests, at a server: all raise BadRequest


def read_hello(data: bytes, node: str) -> Hello:
    """A hello from this node."""
    return checked(Hello(protocol=_read(pb.HelloRequest, data).protocol, node=node))


def read_authenticate(data: bytes) -> str:
    """The token that is shown."""
    token: str = _read(pb.AuthenticateRequest, data).token
    return token


def read_push(data: bytes) -> bytes:
    """The JSON array of events; nobody has looked at it."""
    events: bytes = _read(pb.PushRequest, data).events
    return events


def read_pull(data: bytes) -> Pull:
    """A request for a page."""
    asked = _read(pb.PullRequest, data)
    return checked(Pull(cursor=asked.cursor or None, limit=asked.limit or 1_000, items=tuple(asked.items)))


def read_live(data: bytes) -> Live:
    """A request for pages as they come."""
    asked = _read(pb.LiveRequest, data)
    return Live(cursor=asked.cursor or None, items=tuple(asked.items))


def read_inquiry(data: bytes) -> Inquiry:
    """A request for what heals. Raises BadJson as well."""
    message = decode_request(_read(pb.Inquiry, data).message)
    if not isinstance(message, Inquiry):
        raise BadRequest("Not a merkle, fetch, give or snapshot message.")
    return message


# Answers, from a server


def welcome(message: Welcome) -> bytes:
    """A welcome."""
    given = {name: getattr(message, name) for name in _AS_IT_IS}
    limits = pb.Limits(**msgspec.structs.asdict(message.limits))
    rules = None if message.rules is None else msgspec.json.encode(message.rules)
    return _written(pb.Welcome(**given, limits=limits, rules=rules))


def authenticated(message: Authenticated) -> bytes:
    """That other credentials are good."""
    return _written(pb.Authenticated(user=message.user, time=message.time, expires=message.expires))


def ack(members: bytes) -> bytes:
    """An ack, from its members as ``encode_ack`` makes them."""
    encoded = _ack.decode(b"{%b}" % members)
    return _written(pb.Ack(results=bytes(encoded.results), head=encoded.head))


def page(encoded: bytes | str) -> bytes:
    """A page, from what ``encode_page`` makes."""
    found = _page.decode(encoded)
    return _written(
        pb.Page(
            entries=bytes(found.entries),
            late=bytes(found.late),
            bases=bytes(found.bases),
            forget=found.forget,
            cursor=found.cursor,
            more=found.more,
        )
    )


def reply(encoded: bytes) -> bytes:
    """The reply to what heals, from its encoded message."""
    return _written(pb.Reply(message=encoded))


# Answers, at a client: all raise InternalError for what this version cannot read


def read_welcome(data: bytes) -> Welcome:
    """A welcome."""
    found = _answer(pb.Welcome, data)
    return Welcome(
        epoch=found.epoch,
        head=found.head,
        time=found.time,
        user=found.user,
        own=found.own if found.HasField("own") else None,
        limits=Limits(**{name: getattr(found.limits, name) for name in Limits.__struct_fields__}),
        rules=_json(_rules, found.rules) if found.HasField("rules") else None,
        actions=tuple(found.actions),
        items=tuple(found.items),
        expires=found.expires if found.HasField("expires") else None,
        peer=found.peer,
        erasable=tuple(found.erasable),
    )


def read_authenticated(data: bytes, ref: int) -> Authenticated:
    """That other credentials are good."""
    found = _answer(pb.Authenticated, data)
    expires = found.expires if found.HasField("expires") else None
    return Authenticated(ref=ref, user=found.user, time=found.time, expires=expires)


def read_ack(data: bytes, ref: int) -> Ack:
    """An ack."""
    found = _answer(pb.Ack, data)
    return Ack(ref=ref, results=_json(_results, found.results), head=found.head)


def read_page(data: bytes) -> Page:
    """A page."""
    found = _answer(pb.Page, data)
    return Page(
        entries=_json(_entries, found.entries),
        late=_json(_entries, found.late) if found.late else [],
        bases=_json(_bases, found.bases) if found.bases else [],
        forget=list(found.forget),
        cursor=found.cursor,
        more=found.more,
    )


def read_reply(data: bytes, kind: type[ReplyKind]) -> ReplyKind:
    """The reply to what heals."""
    return expect(_answer(pb.Reply, data).message, kind)


def _written(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _read(kind: type[_Pb], data: bytes) -> _Pb:
    try:
        return kind.FromString(data)  # type: ignore[no-any-return]
    except DecodeError:
        raise BadRequest(f"No {kind.__name__} message of syncline.proto.") from None


def _answer(kind: type[_Pb], data: bytes) -> _Pb:
    try:
        return kind.FromString(data)  # type: ignore[no-any-return]
    except DecodeError:
        raise InternalError(f"The server's answer is no {kind.__name__} message of syncline.proto.") from None


def _json(decoder: msgspec.json.Decoder[_Json], data: bytes) -> _Json:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InternalError(f"The server's answer cannot be read: {error}") from None
