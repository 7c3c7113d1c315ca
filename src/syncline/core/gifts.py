"""Gifts: entries that were in a log once, given back to it by who has kept them.

A replica keeps of each entry that a log has lost the *voucher*: where it stood, and the receipt it had. The server that
made the receipt believes it, whoever gives the entry. What is decided about a gift: ``admission``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from syncline.core import canonical
from syncline.core.batch import decode_events
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_DEPTH, MAX_PUSH_EVENTS
from syncline.core.log import Receipts
from syncline.core.messages import Give
from syncline.errors import BadRequest, EventError, InvalidEvent, SynclineError, TooManyEvents

NOTHING = Raw(b"[]")
"""The entries of a gift that only asks whether a log takes the epoch."""
ENVELOPE_BYTES = 128
"""Of a message, beside its entries."""


class Voucher(NamedTuple):
    """What is kept of an entry when its log has lost it: epoch and seq it had there, its time, and its receipt."""

    epoch: str
    seq: int
    at: int
    receipt: str
    digest: str = ""
    """Of an erased event, whose form does not tell it; base64url."""

    @classmethod
    def of(cls, epoch: str | None, entry: Entry) -> Voucher:
        """What is to be kept of an entry of a log."""
        digest = "" if entry.digest is UNSET else entry.digest
        return cls(epoch or "", entry.seq, entry.at, entry.receipt, digest)

    def event(self, body: bytes) -> Event:
        """The event of the entry, from its canonical form."""
        return Event.read_erased(body, self.digest) if self.digest else Event.read(body)


class Offer(NamedTuple):
    """An event that a replica would give back."""

    event: Event
    voucher: Voucher

    @property
    def entry(self) -> Entry:
        """The entry that it was."""
        return Entry.of(self.voucher.seq, self.voucher.at, self.voucher.receipt, self.event)

    @property
    def order(self) -> tuple[bool, int]:
        """A sort key: what the system wrote first, then as they stood in the log."""
        return self.event.item[0] != ".", self.voucher.seq


def in_order(offers: Iterable[Offer]) -> list[Offer]:
    """Offers in the order of giving them: see ``Offer.order``.

    If a log was put back twice, some got their seqs there before the first time and some after it, so seqs alone do not
    tell. Therefore what an event has seen always goes before it.
    """
    placed = sorted(offers, key=attrgetter("order"))
    unseen: defaultdict[tuple[str, str], list[Offer]] = defaultdict(list)  # by item and node, the last first
    for offer in sorted(placed, key=lambda each: each.event.n, reverse=True):
        unseen[offer.event.item, offer.event.node].append(offer)
    given: dict[str, Offer] = {}
    for offer in placed:
        if offer.event.id not in given:
            given.update((each.event.id, each) for each in _seen_by(offer.event, unseen))
    return list(given.values())


def _seen_by(event: Event, unseen: Mapping[tuple[str, str], list[Offer]]) -> list[Offer]:
    """Takes out what an event has seen, and itself, in the order of their ids: they rise."""
    seen = []
    for node, n in event.clock.items():
        queue = unseen.get((event.item, node), [])
        while queue and queue[-1].event.n <= n:
            seen.append(queue.pop())
    return sorted(seen, key=lambda each: each.event.id)


def due(offers: Iterable[Offer], user: str, items: Collection[str]) -> list[Offer]:
    """Those that are given without waiting whether somebody else does: this user's own, and the system's.

    And with them what they may build on: whatever else is on the same items, or on the ``items`` where something waits
    to be pushed.
    """
    offers = list(offers)
    mine = {offer.event.item for offer in offers if offer.event.user == user or offer.event.item[0] == "."}
    return [offer for offer in offers if offer.event.item in mine or offer.event.item in items]


def batch(offers: Sequence[Offer], most: int, max_bytes: int) -> Sequence[Offer]:
    """The first offers, as many as one message may carry; at least one."""
    size = ENVELOPE_BYTES
    for count, offer in enumerate(offers[:most]):
        size += len(offer.event.body) + ENVELOPE_BYTES
        if count and size > max_bytes:
            return offers[:count]
    return offers[:most]


def message(offers: Sequence[Offer]) -> Give:
    """The message that gives these, which are of one log."""
    return Give.of(offers[0].voucher.epoch, [offer.entry for offer in offers])


# What a server reads


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    seq: int
    at: int
    receipt: str
    digest: str | UnsetType = UNSET
    event: Raw


class Given(NamedTuple):
    """An entry as it was given: its event, or what is wrong with that, and where a receipt says that it stood."""

    seq: int
    receipt: str
    event: Event | EventError


_split = msgspec.json.Decoder(list[Raw]).decode
_read = msgspec.json.Decoder(_Given).decode
_read_all = msgspec.json.Decoder(list[_Given]).decode


def decode(array: bytes) -> list[Given]:
    """The entries of a JSON array. Raises BadRequest, BadJson or TooManyEvents if the array itself is wrong."""
    try:
        entries = _entries(array)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise BadRequest("entries: a list of objects with seq, at, receipt and event.") from None
    whole = [bytes(entry.event) for entry in entries if entry.digest is UNSET]
    named = map(_with_user, decode_events(b"[" + b",".join(whole) + b"]"))
    events = [next(named) if entry.digest is UNSET else _erased(bytes(entry.event), entry.digest) for entry in entries]
    return [Given(entry.seq, entry.receipt, event) for entry, event in zip(entries, events, strict=True)]


def _entries(array: bytes) -> list[_Given]:
    """All at once if they come as servers write them, otherwise one after the other."""
    texts = _split(array)
    if len(texts) > MAX_PUSH_EVENTS:
        raise TooManyEvents(f"{len(texts)} entries in one gift; {MAX_PUSH_EVENTS} are allowed.")
    entries = _read_all(array)
    return entries if msgspec.json.encode(entries) == array else [_entry(bytes(text)) for text in texts]


def _entry(text: bytes) -> _Given:
    entry = _read(text)
    if msgspec.json.encode(entry) != text:
        canonical.decode(text.replace(bytes(entry.event), b"null", 1), max_depth=MAX_DEPTH)  # a key that stands twice
    return entry


def _erased(body: bytes, digest: str) -> Event | EventError:
    """An event in its erased form, if it is one; its ops are looked at when they are folded."""
    try:
        value = canonical.decode(body, max_depth=MAX_DEPTH)
        shape = Event.of({name: member for name, member in value.items() if name != "ops"})
        event = Event.read_erased(body, digest)
    except (SynclineError, msgspec.MsgspecError, AttributeError) as error:
        return InvalidEvent(f"It is no erased event: {error}")
    if not shape.is_erased or canonical.encode(value) != body:
        return InvalidEvent("It is no erased event.", id=shape.id)
    return event


def _with_user(event: Event | EventError) -> Event | EventError:
    """Whose an event is, is never guessed."""
    if isinstance(event, Event) and event.user is UNSET:
        return InvalidEvent("user: missing.", field="user", id=event.id)
    return event


def vouched(receipts: Receipts, epoch: str, given: Iterable[Given]) -> frozenset[bytes]:
    """The digests of those events whose receipts these keys have made."""
    proofs = [
        (each.seq, each.event.digest, each.receipt)
        for each in given
        if isinstance(each.event, Event) and 0 < each.seq < 1 << 63
    ]
    with suppress(ValueError):  # an epoch that is none vouches for nothing
        return receipts.vouched(epoch, proofs)
    return frozenset()
