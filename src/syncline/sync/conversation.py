"""One conversation of a replica with a server: the shell that carries out a ``ClientSession``'s steps."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from syncline.core.beginning import Take
from syncline.core.effects import Apply, Effect, Given, Meet, Restamp, Settle, Wait, retry_seconds
from syncline.core.events import Event
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.core.messages import (
    Ack,
    AskSnapshot,
    Auth,
    Authenticated,
    ErrorMessage,
    Give,
    Hello,
    Live,
    Page,
    Pull,
    Push,
    Snapshot,
    Welcome,
)
from syncline.core.session import ClientSession, Local, Step
from syncline.errors import LogChanged, RateLimited, RequestError, SynclineError
from syncline.replica import Conflict, Replica
from syncline.sync.healing import heal
from syncline.sync.options import SyncOptions, SyncResult
from syncline.sync.peers import agree
from syncline.sync.renewal import Renewal
from syncline.sync.rulings import Ruling, ask_about, both_stand, failed
from syncline.transports import Transport

ASKED_TIMES = 10
"""How often a resolver is asked about one item of a page, if something is recorded on it each time."""


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
        self.renewal = Renewal(session)
        self.result = SyncResult()
        self._replica, self._transport, self._options = replica, transport, options
        self._deciding = asyncio.Lock()
        self._unmet: list[Event] = []
        self._coming: tuple[Pull, asyncio.Task[Page]] | None = None

    async def run(self) -> None:
        """Carries out the session's steps until it has none. Raises what ends it before."""
        refusals = 0
        while (step := await self._next()) is not None:
            try:
                answer = await self._carry(step)
            except RateLimited as error:
                refusals += 1
                if refusals > self._options.attempts or retry_seconds(error) > self._options.max_backoff_seconds:
                    raise
                await self._receive(ErrorMessage.of(error))
            except (LogChanged, RequestError) as error:
                await self._receive(ErrorMessage.of(error))
            else:
                refusals = 0
                await self._receive(answer)
        if self.session.peer is not None:
            await self._agree(self.session.peer)

    async def _agree(self, peer: Welcome) -> None:
        """There is no server at the other end: both replicas compare what they hold."""
        agreed = await agree(self._replica, self._transport, peer, self._options)
        self.result.pushed += agreed.given
        self.result.pulled += agreed.heard
        self.result.errors += agreed.errors

    async def heal(self) -> None:
        """Once all is pulled: finds every other difference from the server's log, and mends it. Peers always do."""
        if self.session.peer is None:
            healed = await heal(self._replica, self._transport, self._options)
            self.result.mended += healed.mended
            self.result.given += healed.given
            self.result.errors += healed.errors
            self.session.caught_up = not healed.given
            await self.run()

    async def follow(self, on_hint: Callable[[], None]) -> None:
        """Applies pages as they come. Returns when the session has to begin anew; raises what ends it.

        A peer sends none, but calls: ``on_hint``.
        """
        if self.session.peer is not None:
            async with aclosing(self._transport.subscribe(Live())) as hints:
                async for _ in hints:
                    on_hint()
            return
        live = Live(cursor=self._replica.local(0).cursor, items=tuple(self._options.items))
        try:
            async with aclosing(self._transport.subscribe(live)) as pages:
                async for page in pages:
                    async with self._deciding:
                        await self._receive(page)
        except (LogChanged, RequestError) as error:
            await self._receive(ErrorMessage.of(error))

    async def _next(self) -> Step | None:
        """The next step. Nothing is pushed while a resolver still decides about it."""
        async with self._deciding:
            await self._make_up()
            while isinstance(step := self.session.next(self._local()), Restamp):
                self._replica.perform(step)
            return step

    async def _carry(self, step: Step) -> Welcome | Authenticated | Ack | Page | Snapshot:
        match step:
            case Hello():
                welcome = await self._transport.hello(step)
                self._replica.set_connection("syncing")
                return welcome
            case Push():
                return await self._transport.push(step)
            case Pull():
                return await self._pull(step)
            case Auth():
                return await self._transport.authenticate(step)
            case Give():
                return await self._transport.ask(step, Ack)
            case AskSnapshot():
                return await self._transport.ask(step, Snapshot)

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

    async def _receive(self, answer: Welcome | Authenticated | Ack | Page | Snapshot | ErrorMessage) -> None:
        effects = self.session.receive(answer)
        if isinstance(answer, Welcome | Authenticated):
            self.renewal.note()
        for effect in effects:
            if isinstance(effect, Apply):
                await self._apply(effect._replace(page=self._chosen(effect.page)))
            elif isinstance(effect, Wait):
                await asyncio.sleep(effect.seconds)
            elif not isinstance(effect, Meet):  # that has a way of its own
                self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Settle):
            self.result.pushed += sum(isinstance(answer, int) for _, answer in effect.answers)
            self.result.errors += [answer for _, answer in effect.answers if isinstance(answer, SynclineError)]
            self._tell_of_postponed()
        if isinstance(effect, Given):
            self.result.given += sum(isinstance(answer, int) for _, answer in effect.answers)
            self.result.errors += [answer for _, answer in effect.answers if isinstance(answer, SynclineError)]
            self._tell_of_postponed()
        if isinstance(effect, Take):
            self.result.bases += len(effect.part.bases)
        self._replica.perform(effect)

    def _tell_of_postponed(self) -> None:
        """That events could not be stored yet is told once for each reason: thousands may wait for the same."""
        told = {error.code for error in self.result.errors}
        self.result.errors += [error for code, error in self.session.postponed.errors.items() if code not in told]

    def _chosen(self, page: Page) -> Page:
        """The page without what the filter leaves out; the replica's own events always come back."""
        chosen, node = self._options.filter, self._replica.node
        if chosen is None:
            return page
        return replace(page, entries=[each for each in page.entries if each.event.node == node or chosen(each.event)])

    # Conflicts

    async def _apply(self, effect: Apply) -> None:
        """Stores a page, with what is decided about the conflicts it brings."""
        arriving = [entry.event for entry in (*effect.page.late, *effect.page.entries)]
        if self.session.under_way and self._options.resolver is not None:
            self._unmet += arriving
        await self._store(effect, arriving)
        self.result.pulled += len(arriving)

    async def _make_up(self) -> None:
        """Decides about events that were under way when others arrived, if they came back unanswered."""
        arriving, self._unmet = self._unmet, []
        if self._replica.conflicts(arriving):
            nothing = Page(entries=[], cursor=self._replica.local(0).cursor or "", more=True)
            await self._store(Apply(nothing, ()), arriving)

    async def _store(self, effect: Apply, arriving: Sequence[Event]) -> None:
        """Stores a page as soon as every conflict is decided; again, if more was recorded while a resolver thought."""
        rulings: dict[str, Ruling] = {}
        asked = Counter[str]()
        under_way = {event.id for event in self.session.under_way}
        while conflicts := self._replica.apply(
            effect, arriving, [ruling.verdict for ruling in rulings.values()], under_way=under_way
        ):
            for conflict in conflicts:
                asked[conflict.item] += 1
                rulings[conflict.item] = await self._rule(conflict, asked[conflict.item])
        failures = [ruling.error for ruling in rulings.values() if ruling.error is not None]
        self.result.conflicts += len(rulings) - len(failures)
        self.result.errors += failures

    async def _rule(self, conflict: Conflict, times: int) -> Ruling:
        resolver, chosen = self._options.resolver, self._options.filter
        mine = tuple(filter(chosen, conflict.local)) if chosen else conflict.local
        if resolver is None or not mine:
            return both_stand(conflict)
        if times > ASKED_TIMES:
            return failed(conflict, "Something was recorded each time the resolver decided.")
        ruling = await ask_about(conflict._replace(local=mine), resolver, self._replica.check)
        judged = ruling.verdict.judged | {event.id for event in conflict.local}
        return ruling._replace(verdict=ruling.verdict._replace(judged=judged))
