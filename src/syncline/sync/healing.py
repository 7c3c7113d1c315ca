"""Healing: a replica finds and mends every difference between what it holds and what its server shows it.

What it lacks, or holds otherwise, it gets as it stands in the log; what the server lacks, it offers: that is believed
for its receipt, or judged as a push.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from syncline.core.events import Entry
from syncline.core.limits import MAX_FETCH_IDS
from syncline.core.lots import lots
from syncline.core.messages import Ack, Fetch, Found, Give, Merkle, Tree
from syncline.core.peering import Peering, Share, batches
from syncline.errors import SynclineError
from syncline.replica import Replica
from syncline.sync.options import SyncOptions
from syncline.transports import Transport

__all__ = ["Healed", "heal"]


class Healed(NamedTuple):
    """What was mended."""

    mended: int
    """Entries that this replica lacked, or held otherwise."""
    given: int
    """Entries that the server's log lacked."""
    errors: list[SynclineError]
    """Why it did not take others."""


async def heal(replica: Replica, transport: Transport, options: SyncOptions) -> Healed:
    """Compares with a server that everything was pulled from before. What came there since comes with the next pull."""
    items, since = tuple(options.items), replica.horizon
    tree, read = replica.tree(items, since, local=False)
    wants = {"fetch": not options.push_only, "give": not options.pull_only}
    healing = Peering(tree, read, items=items, since=since, yields=True, **wants)
    mended, given, errors = 0, 0, list[SynclineError]()
    while (step := healing.next()) is not None:
        match step:
            case Merkle():
                healing.receive(await transport.ask(step, Tree))
            case Fetch():
                mended += replica.mend(_chosen(healing.receive(await transport.ask(step, Found)), options))
            case Share(ids):
                given, errors = await _offer(replica, transport, ids)
    return Healed(mended, given, errors)


def _chosen(entries: Sequence[Entry], options: SyncOptions) -> Sequence[Entry]:
    return [entry for entry in entries if options.filter is None or options.filter(entry.event)]


async def _offer(replica: Replica, transport: Transport, ids: Sequence[str]) -> tuple[int, list[SynclineError]]:
    """Gives entries, in their order; what the log has where it was is only not shown, and counts for nothing."""
    given, errors = 0, list[SynclineError]()
    entries = [entry for lot in lots(ids, MAX_FETCH_IDS) for entry in replica.kept(lot)]
    for batch in batches(sorted(entries, key=lambda entry: (entry.event.item[0] != ".", entry.seq))):
        ack = await transport.ask(Give.of(replica.epoch or "", batch), Ack)
        errors += ack.errors
        given += sum(result.seq not in (None, entry.seq) for entry, result in zip(batch, ack.results, strict=True))
    return given, errors
