"""``give``: what a replica's file has kept of a log, back to a server that has lost it, or all of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import typer

from syncline.cli.failures import REFUSED, UNREACHABLE, misused
from syncline.cli.files import File, looking_at
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Remote, Server, Space, Token, insist
from syncline.cli.terminal import Json, complain, count, emit, note, progress, say
from syncline.core import gifts
from syncline.core.gifts import Offer, Voucher
from syncline.core.limits import MAX_BODY_BYTES, MAX_PUSH_EVENTS
from syncline.core.messages import Ack, Give, Result
from syncline.errors import SynclineError
from syncline.stores import ReplicaStore
from syncline.transports import Transport

SYSTEM = (".*",)
ADVICE = {
    "unvouched": "No receipt of this server vouches for these: it takes a rule for .give, or an administrator's key.",
    "reserved_action": "What the system wrote takes a key that names it: --action .give --item '*' --item '.policies'.",
}


class Report:
    """What became of what was given."""

    def __init__(self, head: int) -> None:
        self._head = head
        self.given = self.known = 0
        self.refused: Counter[str] = Counter()
        self.waiting: SynclineError | None = None

    def note(self, results: Sequence[Result]) -> None:
        """The results of one gift. What stands up to the head there was before was there."""
        for result in results:
            error = result.refusal
            if error is None:
                self.given += (result.seq or 0) > self._head
                self.known += (result.seq or 0) <= self._head
            else:
                self.refused[error.code] += 1
                self.waiting = error if error.retryable else self.waiting

    def close(self, path: Path, *, json: bool) -> None:
        """Tells it. Exits with 1 if something was refused, with 3 if it may be taken later."""
        if json:
            emit({"replica": str(path), "given": self.given, "known": self.known, "refused": dict(self.refused)})
        else:
            refused = f"{self.refused.total():,} refused"
            say(f"{count(self.given, 'entry', 'entries')} given, {self.known:,} already there, {refused}.")
            for code, times in self.refused.items():
                complain(f"{times:,} × {code}")
                note(ADVICE.get(code, "The server's rules and limits decide about this."))
        if self.refused:
            raise typer.Exit(REFUSED if self.waiting is None else UNREACHABLE)


def give(
    file: File,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Give a server back what its log has lost, from a replica's file, which is only read.

    What the server's own receipts vouch for it takes from everybody; the rest from whoever may .give it. A log that
    holds nothing yet becomes the one that is given, if all of it may be. What is there already stays as it is.
    """
    asyncio.run(_give(file, Remote(server, space, token), json=json))


async def _give(path: Path, remote: Remote, *, json: bool) -> None:
    with looking_at(path) as store:
        epoch = store.state().epoch
        if epoch is None:
            misused(f"{path} has met no log yet: there is nothing to give.")
        if horizon := store.state().horizon:
            note(f"{path} began from a snapshot: it has no entries up to seq {horizon:,}, and gives none of these.")
        await insist(lambda: _agree_on_epoch(remote, epoch))
        async with remote.talk() as (transport, welcome):
            report = Report(welcome.head)
            await _send(transport, report, _offers(store, epoch), store.state().seq)
    report.close(path, json=json)


async def _agree_on_epoch(remote: Remote, epoch: str) -> None:
    """Has an empty log take the epoch; that ends the conversation, and the next one finds it done.

    Raises EpochChanged if the log is another one that is not empty, SpaceDeleted, or Overloaded.
    """
    async with remote.talk() as (transport, welcome):
        if welcome.epoch != epoch:
            await transport.ask(Give(epoch=epoch, entries=gifts.NOTHING), Ack)


async def _send(transport: Transport, report: Report, offers: Iterator[Offer], expected: int) -> None:
    """Gives them, as many at a time as one message may carry; about so many are expected."""
    with progress("Giving", expected) as advance:
        done, left = 0, list(islice(offers, MAX_PUSH_EVENTS))
        while left:
            several = gifts.batch(left, MAX_PUSH_EVENTS, MAX_BODY_BYTES)
            message = gifts.message(several)
            ack = await insist(lambda message=message: transport.ask(message, Ack))  # type: ignore[misc]
            report.note(ack.results)
            done += len(several)
            advance(min(done, expected))
            left = [*left[len(several) :], *islice(offers, len(several))]


def _offers(store: ReplicaStore, epoch: str) -> Iterator[Offer]:
    """The entries of the log, what the system wrote first, and then what it has lost since."""
    entries = chain(store.load(items=SYSTEM), (each for each in store.load() if each.event.item[0] != "."))
    yield from (Offer(entry.event, Voucher.of(epoch, entry)) for entry in entries)
    lost = [each for each in store.outbox("orphan", "unvouched") if each.voucher and each.voucher.epoch == epoch]
    yield from gifts.in_order(Offer(each.event, each.voucher) for each in lost if each.voucher)
