"""Answers as they are written and read, without more work than there is to do; requests are read by ``requests``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from syncline.core.bases import Base
from syncline.core.events import Event
from syncline.core.messages import (
    Ack,
    Answer,
    Authenticated,
    ErrorMessage,
    Found,
    Page,
    Result,
    Snapshot,
    Tree,
    Welcome,
)
from syncline.errors import InternalError, SynclineError

_answer = msgspec.json.Decoder(Answer)

AnswerKind = TypeVar("AnswerKind", Welcome, Authenticated, Ack, Page, Tree, Found, Snapshot)


def decode_answer(text: bytes) -> Answer:
    """What a replica may receive. Raises InternalError for what this version cannot read."""
    try:
        answer: Answer = _answer.decode(text)
        return answer
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InternalError(f"The server sent something that is not a message of this protocol: {error}") from None


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
    return msgspec.json.encode(Result(id=id, error=outcome.to_wire()))
