"""Pushes: how many events one carries, and what became of each of them."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.core.events import Event
from syncline.core.messages import Ack
from syncline.errors import ClockDrift, NodeConflict, SynclineError, TxRefused

ENVELOPE_BYTES = 64
"""Of a message, beside its events."""


def batch(pending: Sequence[Event], most: int, max_bytes: int) -> Sequence[Event]:
    """The first events, as many as one push may carry; a transaction goes whole, even if it is larger than that."""
    first: list[Event] = []
    size = ENVELOPE_BYTES
    groups: dict[str, list[Event]] = {}
    for event in pending:
        groups.setdefault(event.tx or event.id, []).append(event)
    for group in groups.values():
        size += sum(len(event.body) + 1 for event in group)
        if first and (len(first) + len(group) > most or size > max_bytes):
            break
        first += group
    return first


def errors(pushed: Sequence[Event], ack: Ack) -> list[SynclineError | None]:
    """Each event's error. A transaction has one fate: refused if one of its events is, or else postponed if one is."""
    errors = [result.refusal for result in ack.results]
    fates: dict[str | None, SynclineError] = {}
    for event, error in zip(pushed, errors, strict=True):
        if error is not None and not isinstance(error, TxRefused) and (event.tx not in fates or not _may_pass(error)):
            fates[event.tx] = error
    return [
        error if error is None or event.tx is None else _shared(error, fates.get(event.tx, error))
        for event, error in zip(pushed, errors, strict=True)
    ]


def _shared(error: SynclineError, fate: SynclineError) -> SynclineError:
    if _may_pass(fate):
        return fate
    return TxRefused("Another event of the same transaction was refused.") if _may_pass(error) else error


def _may_pass(error: SynclineError) -> bool:
    """Whether the event may be stored yet, as it is or under another id."""
    return error.retryable or isinstance(error, NodeConflict | ClockDrift)
