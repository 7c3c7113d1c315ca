"""Many events at once: the fast way through ``Event.of``, with the same answers.

Replicas push canonical bytes, and most batches hold nothing unusual. So a batch is decoded in one call,
encoded again and compared with what came: equal bytes prove that there was no duplicate key, no odd number and no
needless escape, and the checks of each field run over the whole batch at once. Whatever does not pass
this way takes the readable one, event by event, which also finds the words for what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from syncline.core import canonical
from syncline.core.canonical import digest
from syncline.core.events import NAME_CHARACTERS, USER, Event, check_meta
from syncline.core.limits import (
    MAX_ACTION_LENGTH,
    MAX_CLOCK_NODES,
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    MAX_ITEM_LENGTH,
    MAX_NODE_LENGTH,
    MAX_PUSH_EVENTS,
    MAX_SAFE_INTEGER,
)
from syncline.errors import BadRequest, EventError, SynclineError, TooManyEvents

ENVELOPE_DEPTH = 8
"""Room for what surrounds an event, so that one that nests too deep is refused alone."""

ROOMY = 2 * MAX_DEPTH + len('{"action":"a","clock":{"n":1},"id":"","item":"i","node":"n"}')
"""A shorter event has no room for so many brackets, beside what every event holds, that it nests too deep."""

_BEYOND_SURROGATES = bytes(range(0xEE, 0xF5))
_NAME = NAME_CHARACTERS.encode()


class _Unusual(Exception):
    """The batch has to be read event by event."""


def decode_events(array: bytes) -> list[Event | EventError]:
    """The events of a JSON array, or for each one that is refused its error. Raises if the array itself is wrong."""
    try:
        return list(_decode_canonical(array))
    except (_Unusual, msgspec.MsgspecError, UnicodeError, RecursionError, SynclineError):
        return _decode_each(array)


def _decode_each(array: bytes) -> list[Event | EventError]:
    try:
        texts = _split(array)
    except (msgspec.MsgspecError, RecursionError):
        canonical.decode(array, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
        raise BadRequest("The events must be a list.") from None
    _check_count(texts)
    return [_read(bytes(text)) for text in texts]


def _check_count(events: Sequence[Any]) -> None:
    if len(events) > MAX_PUSH_EVENTS:
        raise TooManyEvents(f"{len(events)} events in one push; {MAX_PUSH_EVENTS} are allowed.")


def _read(text: bytes) -> Event | EventError:
    try:
        return Event.of(canonical.decode(text, max_depth=MAX_DEPTH))
    except EventError as error:
        with suppress(msgspec.MsgspecError, RecursionError, UnicodeError):
            named = _named(text)
            error.details.update({"id": named.id[:64]} if isinstance(named.id, str) else {})
            error.tx = named.meta.get("tx") if isinstance(named.meta, dict) else None
        return error


class _Named(msgspec.Struct):
    id: Any = None
    meta: Any = None


_split = msgspec.json.Decoder(list[Raw]).decode
_named = msgspec.json.Decoder(_Named).decode


def _canonical_float(literal: str) -> float:
    value = float(literal)
    if value - value != 0.0 or canonical.number(value) != literal:
        raise ValueError(literal)
    return value


_decoder = msgspec.json.Decoder(list[Event], float_hook=_canonical_float)
_encode = msgspec.json.Encoder(order="deterministic").encode


def _decode_canonical(array: bytes) -> list[Event]:
    events = _decoder.decode(array)
    _check_count(events)
    bodies = list(map(_encode, events))
    _require(b"[" + b",".join(bodies) + b"]" == array)
    _require(not canonical.has_long_digits(array))
    _require(array.isascii() or len(array.translate(None, _BEYOND_SURROGATES)) == len(array))
    _require(max(map(len, bodies), default=0) <= MAX_EVENT_BYTES)
    _require(not any(len(body) > ROOMY and body.count(b"{") + body.count(b"[") > MAX_DEPTH for body in bodies))
    _check_clocks(events)
    _check_texts(events)
    for event in events:
        event.check_ops()
    for event, body, key in zip(events, bodies, _keys([event.id for event in events]), strict=True):
        cache = event.__dict__
        cache["body"], cache["key"], cache["digest"] = body, key, digest(body)
    return events


def _require(condition: bool) -> None:  # noqa: FBT001
    if not condition:
        raise _Unusual


def _check_clocks(events: Sequence[Event]) -> None:
    clocks = [event.clock for event in events]
    _require(all(event.node in event.clock for event in events))
    _require(max(map(len, clocks), default=0) <= MAX_CLOCK_NODES)
    counters = list(chain.from_iterable(clock.values() for clock in clocks))
    _require(min(counters, default=1) >= 1 and max(counters, default=1) <= MAX_SAFE_INTEGER)
    _check_names({node for clock in clocks for node in clock}, MAX_NODE_LENGTH)


def _check_texts(events: Sequence[Event]) -> None:
    _check_names([event.item for event in events], MAX_ITEM_LENGTH)
    _check_names([event.action for event in events], MAX_ACTION_LENGTH)
    _require(all(map(USER.fullmatch, {event.user for event in events if event.user is not UNSET})))
    for event in events:
        if event.meta is not UNSET:
            check_meta(event.meta)


def _check_names(names: Iterable[str], longest: int) -> None:
    """All names at once: each 1 to ``longest`` long, and none with a character outside the set."""
    names = list(names)
    joined = "".join(names).encode()
    _require(not joined.translate(None, _NAME))
    lengths = list(map(len, names))
    _require(min(lengths, default=1) >= 1 and max(lengths, default=1) <= longest)


def _keys(ids: Sequence[str]) -> list[bytes]:
    """The 16 bytes of every id, after a check that all are lowercase UUIDv7."""
    joined, count = "".join(ids), len(ids)
    _require(set(map(len, ids)) <= {36} and joined == joined.lower())
    _require(all(joined[place::36] == "-" * count for place in (8, 13, 18, 23)))
    _require(joined[14::36] == "7" * count and not joined[19::36].strip("89ab"))
    try:
        keys = bytes.fromhex(joined.replace("-", ""))
    except ValueError:
        raise _Unusual from None
    _require(len(keys) == 16 * count)
    return [keys[place : place + 16] for place in range(0, len(keys), 16)]
