"""The log: how events become entries.

Accepted events get the next seqs, the server's time, a link of the hash chain and a receipt. It all happens
here, for a whole batch, and the same way in every store.

    tail(0) = 8 zero bytes
    tail(n) = the first 8 bytes of SHA-256(tail(n-1) + digest(n))

So the tail at a seq names the whole history up to it, and two logs that differ anywhere before differ there.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from syncline.core.events import Entry, Event, encode_entry

TAIL_BYTES = 8
RECEIPT_BYTES = 18
RECEIPT_LENGTH = 24
NO_TAIL = bytes(TAIL_BYTES)


class Head(NamedTuple):
    """The end of a log: its ``epoch`` (32 hex digits), last ``seq`` (0: empty), ``tail`` there, and last ``at``."""

    epoch: str
    seq: int = 0
    tail: bytes = NO_TAIL
    at: int = 0


class Row(NamedTuple):
    """What a log keeps of one event."""

    seq: int
    tail: bytes
    event: Event
    encoded: bytes


class Receipts:
    """Keyed BLAKE2b (RFC 7693) over epoch, seq and digest: proof that this server once gave a digest this seq."""

    def __init__(self, key: bytes) -> None:
        self._base = hashlib.blake2b(key=key, digest_size=RECEIPT_BYTES, person=b"syncline-receipt")

    def issue(self, epoch: str, first_seq: int, digests: Sequence[bytes]) -> list[str]:
        """A receipt (24 characters, base64url) for each of several consecutive seqs."""
        return [receipt.decode() for receipt in self.seal(epoch, first_seq, digests)]

    def seal(self, epoch: str, first_seq: int, digests: Sequence[bytes]) -> list[bytes]:
        """The same, as the bytes that go into entries."""
        return self._seals(epoch, enumerate(digests, first_seq))

    def _seals(self, epoch: str, places: Iterable[tuple[int, bytes]]) -> list[bytes]:
        """The receipts of seqs and digests."""
        prefix = bytes.fromhex(epoch)
        macs = []
        for seq, digest in places:
            mac = self._base.copy()
            mac.update(prefix + seq.to_bytes(8, "big") + digest)
            macs.append(mac.digest())
        text = urlsafe_b64encode(b"".join(macs))
        return [text[start : start + RECEIPT_LENGTH] for start in range(0, len(text), RECEIPT_LENGTH)]

    def verify(self, epoch: str, seq: int, digest: bytes, receipt: str) -> bool:
        """Whether this server gave this receipt."""
        return bool(self.vouched(epoch, [(seq, digest, receipt)]))

    def vouched(self, epoch: str, entries: Sequence[tuple[int, bytes, str]]) -> frozenset[bytes]:
        """The digests of those of these entries (seq, digest, receipt) whose receipt this server gave."""
        seals = self._seals(epoch, ((seq, digest) for seq, digest, _ in entries))
        return frozenset(
            digest
            for seal, (_, digest, receipt) in zip(seals, entries, strict=True)
            if hmac.compare_digest(seal, receipt.encode("utf-8", "surrogatepass"))
        )


def chain(tail: bytes, digests: Sequence[bytes]) -> list[bytes]:
    """The tails after each of several digests."""
    tails = []
    for digest in digests:
        tail = hashlib.sha256(tail + digest).digest()[:TAIL_BYTES]
        tails.append(tail)
    return tails


def chain_end(tail: bytes, digests: Sequence[bytes]) -> bytes:
    """The tail after all of several digests; of none, the one before."""
    return [tail, *chain(tail, digests)][-1]


def extend(head: Head, events: Sequence[Event], at: int, receipts: Receipts) -> tuple[Head, list[Row]]:
    """The log after ``events``: its new head, and a row for each. ``at`` never falls below the head's."""
    if not events:
        return head, []
    at = max(at, head.at)
    digests = [event.digest for event in events]
    tails = chain(head.tail, digests)
    seqs = range(head.seq + 1, head.seq + 1 + len(events))
    seals = receipts.seal(head.epoch, seqs[0], digests)
    encoded = [_encoded(seq, at, seal, event) for seq, seal, event in zip(seqs, seals, events, strict=True)]
    return Head(head.epoch, seqs[-1], tails[-1], at), list(map(Row, seqs, tails, events, encoded))


def _encoded(seq: int, at: int, seal: bytes, event: Event) -> bytes:
    if event.is_erased:
        return Entry.of(seq, at, seal.decode(), event).encoded
    return encode_entry(seq, at, seal, event.body)
