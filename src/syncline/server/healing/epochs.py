"""Epochs: how a log that holds nothing but what the system wrote becomes the one that somebody gives back.

The log is made anew, with the same few entries under receipts of the new epoch. They are in the register until then,
so whatever breaks off here is finished when the log is opened next. Call all of it in a thread, while the space is
closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from typing import cast

import msgspec

from syncline.core.events import Entry
from syncline.core.log import NO_TAIL, Head, Receipts, chain_end
from syncline.errors import EpochChanged
from syncline.server.register.epochs import Begun
from syncline.server.registry import Registry
from syncline.stores import Logs, LogStore, SharedLogs, load

MOST_ENTRIES = 10_000
"""A log with more is not empty, whoever wrote them."""

_entries = msgspec.json.Decoder(list[Entry])


def check_empty(store: LogStore) -> Sequence[Entry]:
    """The entries of an empty log: all are the system's. Raises EpochChanged."""
    entries = list(islice(load(store), MOST_ENTRIES + 1))
    if len(entries) > MOST_ENTRIES or any(entry.event.item[0] != "." for entry in entries):
        raise EpochChanged("What is given was in another log, and this one is not empty.", epoch=store.head().epoch)
    return entries


def check_free(registry: Registry, epoch: str, space: str) -> None:
    """Raises SpaceDeleted if it is the epoch of a deleted space's log, EpochChanged if it is another's."""
    owner = registry.epochs.owner(epoch)
    if owner not in (None, space):
        registry.space_table.state(owner)
        raise EpochChanged("What is given is in the log of another space.")


def take(logs: Logs, registry: Registry, receipts: Receipts, space: str, epoch: str) -> None:
    """The space's log is the one with this epoch from now on. Raises EpochChanged or SpaceDeleted."""
    check_free(registry, epoch, space)
    with closing(logs.open(space)) as store:
        head, entries = store.head(), check_empty(store)
    if head.epoch != epoch:
        registry.epochs.begin(epoch, space, _array(entries))
        _delete(logs, space, store, head)
        finish(logs, registry, receipts, space)


def finish(logs: Logs, registry: Registry, receipts: Receipts, space: str) -> None:
    """Finishes what was begun, if anything was."""
    begun = registry.epochs.begun(space)
    if begun is None:
        return
    with closing(logs.open(space)) as store:
        head = store.head()
    if head.seq and head.epoch != begun.epoch:  # it broke off before the old log was gone
        _delete(logs, space, store, head)
    with closing(logs.open(space)) as store:
        if store.head().seq == 0:
            _put_back(store, begun, receipts)
    registry.epochs.finish(space)


def _delete(logs: Logs, space: str, store: LogStore, head: Head) -> None:
    """Deletes a log that has not grown since its head was read. Raises EpochChanged if it has, by another server."""
    if store.is_shared:
        cast(SharedLogs, logs).delete(space, seq=head.seq)
    else:
        logs.delete(space)


def _put_back(store: LogStore, begun: Begun, receipts: Receipts) -> None:
    """The entries as they were, under receipts of the new epoch."""
    entries = _entries.decode(begun.entries)
    digests = [entry.event.digest for entry in entries]
    sealed = zip(entries, receipts.issue(begun.epoch, 1, digests), strict=True)
    kept = [Entry.of(seq, entry.at, receipt, entry.event) for seq, (entry, receipt) in enumerate(sealed, 1)]
    tail = chain_end(NO_TAIL, digests)
    store.adopt(kept, Head(begun.epoch, len(kept), tail, kept[-1].at if kept else 0))


def _array(entries: Sequence[Entry]) -> str:
    return (b"[" + b",".join(entry.encoded for entry in entries) + b"]").decode()
