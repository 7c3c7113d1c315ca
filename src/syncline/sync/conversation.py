"""One conversation of a replica with a server: the shell that carries out a ``ClientSession``'s steps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from msgspec.structs import replace

from syncline.core.clocks import VectorClock
from syncline.core.events import Event
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.core.messages import Ack, ErrorMessage, Hello, Live, Page, Pull, Push, Welcome
from syncline.core.session import Apply, ClientSession, Effect, Local, Restamp, Settle
from syncline.core.versions import Ordering
from syncline.errors import LogChanged, RequestError, SynclineError, Withdrawn
from syncline.replica import Draft, Replica
from syncline.sync.options import ConflictResolver, SyncOptions, SyncResult
from syncline.transports import Transport


class Conversation:
    """A session, the replica it serves, and what carries it. ``result`` counts what was done."""

    def __init__(
        self,
        replica: Replica,
        transport: Transport,
        options: SyncOptions,
        session: ClientSession,
    ) -> None:
        self.session = session
        self.result = SyncResult()
        self._replica, self._transport, self._options = replica, transport, options
        self._coming: tuple[Pull, asyncio.Task[Page]] | None = None

    async def run(self) -> None:
        """Carries out the session's steps until it has none. Raises what ends it before."""
        while (step := self.session.next(self._local())) is not None:
            if isinstance(step, Restamp):
                self._replica.perform(step)
                continue
            try:
                answer = await self._carry(step)
            except (LogChanged, RequestError) as error:
                self._receive(ErrorMessage.of(error))
            else:
                self._receive(answer)

    async def follow(self) -> None:
        """Applies pages as they come. Returns when the session has to begin anew; raises what ends it."""
        live = Live(cursor=self._replica.local(0).cursor, items=tuple(self._options.items))
        try:
            async with aclosing(self._transport.subscribe(live)) as pages:
                async for page in pages:
                    self._receive(page)
        except (LogChanged, RequestError) as error:
            self._receive(ErrorMessage.of(error))

    async def _carry(self, step: Hello | Push | Pull) -> Welcome | Ack | Page:
        match step:
            case Hello():
                welcome = await self._transport.hello(step)
                self._replica.set_connection("syncing")
                return welcome
            case Push():
                return await self._transport.push(step)
            case Pull():
                return await self._pull(step)

    async def _pull(self, step: Pull) -> Page:
        """A page; if there are more, the next is asked for already, and arrives while this one is stored."""
        expected, coming = self._coming or (None, None)
        self._coming = None
        if coming is not None and expected != step:
            coming.cancel()
        page = await (coming if coming is not None and expected == step else self._transport.pull(step))
        if page.more and not self.session.live:
            following = replace(step, cursor=page.cursor)
            self._coming = following, asyncio.create_task(self._transport.pull(following))
            await asyncio.sleep(0)  # lets the request go out before the page is stored
        return page

    async def end(self) -> None:
        """Drops a page that was asked for and is not wanted any more."""
        if self._coming is not None:
            (_, coming), self._coming = self._coming, None
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    def _local(self) -> Local:
        if not self.session.wants_pending:
            return self._replica.local(0)
        chosen = self._options.filter
        everything = chosen is not None or self.session.holds_back
        local = self._replica.local(None if everything else MAX_PUSH_EVENTS + 1)
        return local._replace(pending=list(filter(chosen, local.pending))) if chosen else local

    def _receive(self, answer: Welcome | Ack | Page | ErrorMessage) -> None:
        for effect in self.session.receive(answer):
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Settle):
            self.result.pushed += sum(isinstance(answer, int) for _, answer in effect.answers)
            self.result.errors += [answer for _, answer in effect.answers if isinstance(answer, SynclineError)]
        if isinstance(effect, Apply):
            effect = effect._replace(page=self._chosen(effect.page))
            self.result.pulled += len(effect.page.entries) + len(effect.page.late)
            self._meet(effect.page)
        self._replica.perform(effect)

    def _chosen(self, page: Page) -> Page:
        """The page without what the filter leaves out; the replica's own events always come back."""
        chosen, node = self._options.filter, self._replica.node
        if chosen is None:
            return page
        return replace(page, entries=[each for each in page.entries if each.event.node == node or chosen(each.event)])

    def _meet(self, page: Page) -> None:
        """Counts the items on which pending events meet concurrent ones, and asks the resolver about each."""
        if not self._replica.status.pending:
            return
        node = self._replica.node
        remote = _by_item([entry.event for entry in page.entries if entry.event.node != node])
        if not remote:
            return
        local = _by_item([event for event in self._replica.pending() if event.item in remote])
        for item in local.keys() & remote.keys():
            if _are_concurrent(local[item], remote[item]):
                self.result.conflicts += 1
                if self._options.resolver is not None:
                    self._resolve(self._options.resolver, local[item], remote[item])

    def _resolve(self, resolver: ConflictResolver, local: Sequence[Event], remote: Sequence[Event]) -> None:
        standing = resolver.resolve(local, remote)
        kept = {event.id for event in standing if isinstance(event, Event)}
        lost = [event for event in local if event.id not in kept]
        self._replica.withdraw(lost, Withdrawn("A conflict resolver chose another event."))
        self._replica.record_many([draft for draft in standing if isinstance(draft, Draft)])


def _by_item(events: Sequence[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.item, []).append(event)
    return found


def _are_concurrent(local: Sequence[Event], remote: Sequence[Event]) -> bool:
    """Whether some event of one side had not seen some of the other, and the other way round."""
    mine = [VectorClock(event.clock) for event in local]
    theirs = [VectorClock(event.clock) for event in remote]
    return any(one.compare(other) is Ordering.CONCURRENT for one in mine for other in theirs)
