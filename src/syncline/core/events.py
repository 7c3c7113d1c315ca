"""Events and entries: what is written, and what a log keeps of it.

``Event`` checks its shape when it is made from values; ``Event.body`` is its canonical form and ``Event.digest``
that form's SHA-256, computed once. ``Entry`` is an event in a log; it carries the event as the bytes it came
in and decodes them when somebody looks. Many events at once are decoded by ``core.batch``.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from syncline.core import canonical, stamps
from syncline.core.clocks import NODE, VectorClock
from syncline.core.documents.ops import AnyOp
from syncline.core.documents.ops import check as check_ops
from syncline.core.documents.ops import read as read_ops
from syncline.core.lazy import lazy
from syncline.core.limits import (
    MAX_ACTION_LENGTH,
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    MAX_ITEM_LENGTH,
    MAX_META_LENGTH,
    MAX_SAFE_INTEGER,
    MAX_USER_LENGTH,
)
from syncline.errors import EventTooLarge, InvalidEvent, TooDeep

DIGEST_BYTES = 32
NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~:/-"

ITEM = re.compile(rf"[A-Za-z0-9_.~:/-]{{1,{MAX_ITEM_LENGTH}}}")
ACTION = re.compile(rf"[A-Za-z0-9_.~:/-]{{1,{MAX_ACTION_LENGTH}}}")
USER = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_USER_LENGTH}}}")
META_TEXT = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_META_LENGTH}}}")

ERASED = ".erased"
"""The action of an event whose content was erased (``core.erasure``)."""

META_KEYS = frozenset({"schema", "salt", "tx", "group", "undoes", "traceparent"})


class Event(msgspec.Struct, frozen=True, dict=True, kw_only=True, omit_defaults=True):
    """One immutable event. Its fields stand in canonical order; the optional ones are UNSET when absent."""

    action: str
    clock: dict[str, int]
    id: str
    item: str
    meta: dict[str, Any] | UnsetType = UNSET
    node: str
    ops: list[dict[str, Any]] | UnsetType = UNSET
    payload: Any = UNSET
    user: str | UnsetType = UNSET

    @classmethod
    def of(cls, value: Any) -> Event:
        """The event of a decoded JSON value (see ``canonical.decode``). Raises an EventError."""
        _check_fields(value)
        event = cls(**value)
        _check_names(event)
        _check_clock(event)
        if event.meta is not UNSET:
            check_meta(event.meta)
        _check_body(event.body)
        event.check_ops()
        return event

    @classmethod
    def read(cls, body: bytes) -> Event:
        """The event of a canonical form that was checked when it entered the log; unknown fields are kept in it."""
        event = _reader.decode(body)
        if canonical.has_long_digits(body):  # msgspec would read a large double as an int
            event = msgspec.convert(canonical.decode(body, max_depth=MAX_DEPTH), cls)
        event.__dict__["body"] = body
        return event

    @classmethod
    def read_erased(cls, body: bytes, digest: str) -> Event:
        """The event of an erased form, with the digest (base64url) that it had. Raises InvalidEvent."""
        event = cls.read(body)
        event.__dict__["digest"] = _read_digest(digest)
        return event

    @lazy
    def body(self) -> bytes:
        """The canonical form (RFC 8785)."""
        members = zip(self.__struct_fields__, msgspec.structs.astuple(self), strict=True)
        return canonical.encode({name: value for name, value in members if value is not UNSET})

    @lazy
    def digest(self) -> bytes:
        """SHA-256 of the canonical form, 32 bytes."""
        return canonical.digest(self.body)

    @lazy
    def key(self) -> bytes:
        """The 16 bytes of the id."""
        return stamps.key(self.id)

    @lazy
    def changes(self) -> list[AnyOp | None]:
        """The ops, read; None for one that does not read."""
        return [] if self.ops is UNSET else read_ops(self.ops)

    def check_ops(self) -> None:
        """Raises BadOp unless all ops are well formed. What they name is looked at where the log is at hand."""
        if self.ops is not UNSET:
            self.__dict__["changes"] = check_ops(self.ops)

    @property
    def n(self) -> int:
        """The author's own counter."""
        return self.clock[self.node]

    @property
    def is_erased(self) -> bool:
        """Whether only its erased form is left."""
        return self.action == ERASED

    @property
    def tx(self) -> str | None:
        """The transaction this event belongs to, if any."""
        return self.meta.get("tx") if self.meta is not UNSET else None

    def with_user(self, user: str) -> Event:
        """The same event with its user filled in, which is the last member of the canonical form. Raises EventError."""
        named = msgspec.structs.replace(self, user=user)
        if self.user is UNSET:
            named.__dict__["body"] = self.body[:-1] + b',"user":' + canonical.encode(user) + b"}"
        if self.ops is not UNSET:
            named.__dict__["changes"] = self.changes
        _check_size(named.body)
        return named


class Entry(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """An event in a log: ``seq``, the server's time ``at`` in milliseconds, and its ``receipt``.

    That of an erased event carries its ``digest`` (base64url), which the erased form does not have.
    """

    seq: int
    at: int
    receipt: str
    digest: str | UnsetType = UNSET
    raw: Raw = msgspec.field(name="event")

    @classmethod
    def of(cls, seq: int, at: int, receipt: str, event: Event) -> Entry:
        """The entry of an event at hand."""
        digest = digest_text(event.digest) if event.is_erased else UNSET
        entry = cls(seq=seq, at=at, receipt=receipt, digest=digest, raw=Raw(event.body))
        entry.__dict__["event"] = event
        return entry

    @classmethod
    def read(cls, encoded: bytes) -> Entry:
        """The entry of its encoded form."""
        return _entry_reader.decode(encoded)

    @lazy
    def event(self) -> Event:
        """The event, decoded when it is first looked at."""
        body = bytes(self.raw)
        return Event.read(body) if self.digest is UNSET else Event.read_erased(body, self.digest)

    @property
    def encoded(self) -> bytes:
        """The form in which an entry is stored and sent: seq, at, receipt, and the event's canonical form last."""
        digest = b"" if self.digest is UNSET else b',"digest":"%b"' % self.digest.encode()
        return _ENTRY % (self.seq, self.at, self.receipt.encode(), digest, bytes(self.raw))


_ENTRY = b'{"seq":%d,"at":%d,"receipt":"%b"%b,"event":%b}'


def encode_entry(seq: int, at: int, receipt: bytes, body: bytes) -> bytes:
    """An entry as it is stored and sent, of an event that is not erased."""
    return _ENTRY % (seq, at, receipt, b"", body)


def digest_text(digest: bytes) -> str:
    """A digest as an erased entry carries it: base64url without padding, 43 characters."""
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _read_digest(text: str) -> bytes:
    """The 32 bytes of such a text. Raises InvalidEvent."""
    try:
        digest = urlsafe_b64decode(text.encode("ascii") + b"=")
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES or digest_text(digest) != text:
        raise InvalidEvent("digest: is not the base64url of 32 bytes.", field="digest")
    return digest


_reader = msgspec.json.Decoder(Event)
_entry_reader = msgspec.json.Decoder(Entry)


# The shape of an event, field by field

_REQUIRED = ("action", "clock", "id", "item", "node")
_TYPES: Mapping[str, tuple[type, str]] = {
    "action": (str, "a string"),
    "clock": (dict, "an object"),
    "id": (str, "a string"),
    "item": (str, "a string"),
    "meta": (dict, "an object"),
    "node": (str, "a string"),
    "ops": (list, "a list"),
    "user": (str, "a string"),
}


def _check_fields(value: Any) -> None:
    if not isinstance(value, dict):
        raise InvalidEvent("An event is a JSON object.")
    for field in _REQUIRED:
        if field not in value:
            raise InvalidEvent(f"{field}: missing.", field=field)
    for field, member in value.items():
        if field == "payload":
            continue
        if field not in _TYPES:
            raise InvalidEvent(f"{str(field)[:64]!r} is not a field of an event.", field=str(field)[:64])
        kind, name = _TYPES[field]
        if not isinstance(member, kind):
            raise InvalidEvent(f"{field}: must be {name}.", field=field)
    if not all(isinstance(op, dict) for op in value.get("ops", ())):
        raise InvalidEvent("ops: every op is an object.", field="ops")


def _check_names(event: Event) -> None:
    stamps.check_id(event.id)
    _match(ITEM, "item", event.item)
    _match(ACTION, "action", event.action)
    _match(NODE, "node", event.node)
    if event.user is not UNSET:
        _match(USER, "user", event.user)


def _match(pattern: re.Pattern[str], field: str, value: str) -> None:
    if not pattern.fullmatch(value):
        raise InvalidEvent(f"{field}: {value[:64]!r} does not match {pattern.pattern}.", field=field)


def _check_clock(event: Event) -> None:
    clock = VectorClock(event.clock)
    if event.node not in clock:
        raise InvalidEvent("clock: the author's own counter is missing.", field="clock")


def check_meta(meta: dict[str, Any]) -> None:
    """Raises InvalidEvent unless every member of ``meta`` is known and well formed."""
    for name, value in meta.items():
        if name not in META_KEYS:
            raise InvalidEvent(f"meta: {name[:64]!r} is not known.", field="meta")
        if name == "schema" and type(value) is int and 0 <= value <= MAX_SAFE_INTEGER:
            continue
        if not isinstance(value, str) or not META_TEXT.fullmatch(value):
            raise InvalidEvent(f"meta: {name} must be a string of 1 to {MAX_META_LENGTH}.", field="meta")


def _check_size(body: bytes) -> None:
    if len(body) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"The event has {len(body)} bytes; {MAX_EVENT_BYTES} are allowed.")


def _check_body(body: bytes) -> None:
    """Raises EventTooLarge or TooDeep for a canonical form beyond the limits."""
    _check_size(body)
    if canonical.depth(body) > MAX_DEPTH:
        raise TooDeep(f"The event nests deeper than {MAX_DEPTH}.")
