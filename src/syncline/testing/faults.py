"""A network that fails on purpose: any transport, whose messages are lost, repeated, late, overtaken, or cut off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from enum import Enum
from itertools import chain, repeat
from typing import TypeVar

from syncline.core.messages import (
    Ack,
    Auth,
    Authenticated,
    Hello,
    Inquiry,
    Live,
    Page,
    Pull,
    Push,
    ReplyKind,
    Welcome,
)
from syncline.errors import ConnectionLost, SynclineError
from syncline.testing.seeded import ManualClock
from syncline.transports import Transport

T = TypeVar("T")


class Fault(Enum):
    """What happens to one request, or to one page of a subscription."""

    NONE = "none"
    DROP_REQUEST = "drop request"
    """It never arrives."""
    DROP_ANSWER = "drop answer"
    """It is carried out, but the answer never arrives."""
    REPEAT = "repeat"
    """It is carried out twice; the second answer arrives."""
    DELAY = "delay"
    """It is carried out later: other tasks run before, or the time moves on that ``delay`` says."""
    REORDER = "reorder"
    """It is given up as lost, and arrives after the next one."""


def random_faults(chance: random.Random, rate: float, kinds: Iterable[Fault] = tuple(Fault)[1:]) -> Iterator[Fault]:
    """Faults for ever: each request fails with probability ``rate``, in one of ``kinds``. The same from one seed."""
    choices = tuple(kinds)
    while True:
        yield chance.choice(choices) if chance.random() < rate else Fault.NONE


async def a_few_turns() -> None:
    """The default delay: some turns of the event loop, and no time."""
    for _ in range(10):
        await asyncio.sleep(0)


def ticking(clock: ManualClock, ms: int) -> Callable[[], Awaitable[None]]:
    """A delay of some milliseconds of a clock that is moved by hand: nobody waits for it."""

    async def delay() -> None:
        clock.advance(ms)
        await a_few_turns()

    return delay


class FaultyTransport:
    """A ``Transport`` around another. ``faults`` is a script, one for each request; after its end all goes well.

    Set ``partitioned`` to cut the line, and unset it to heal it.
    """

    def __init__(
        self,
        transport: Transport,
        faults: Iterable[Fault] = (),
        *,
        delay: Callable[[], Awaitable[None]] = a_few_turns,
    ) -> None:
        self.partitioned = False
        self._transport = transport
        self._faults = chain(faults, repeat(Fault.NONE))
        self._delay = delay
        self._overtaken: list[Callable[[], Awaitable[object]]] = []

    def fail(self, *faults: Fault) -> None:
        """Lets the next requests fail so; what was to follow follows after."""
        self._faults = chain(faults, self._faults)

    async def hello(self, hello: Hello) -> Welcome:
        """See ``Transport.hello``."""
        return await self._carry(lambda: self._transport.hello(hello))

    async def authenticate(self, auth: Auth) -> Authenticated:
        """See ``Transport.authenticate``."""
        return await self._carry(lambda: self._transport.authenticate(auth))

    async def push(self, push: Push) -> Ack:
        """See ``Transport.push``."""
        return await self._carry(lambda: self._transport.push(push))

    async def pull(self, pull: Pull) -> Page:
        """See ``Transport.pull``."""
        return await self._carry(lambda: self._transport.pull(pull))

    async def ask(self, inquiry: Inquiry, kind: type[ReplyKind]) -> ReplyKind:
        """See ``Transport.ask``."""
        return await self._carry(lambda: self._transport.ask(inquiry, kind))

    async def _carry(self, request: Callable[[], Awaitable[T]]) -> T:
        fault = await self._meet()
        if fault is Fault.REORDER:
            self._overtaken.append(request)
        if fault in (Fault.DROP_REQUEST, Fault.REORDER):
            raise ConnectionLost("The request was lost, on purpose.")
        answer = await request()
        if fault is Fault.REPEAT:
            answer = await request()
        await self._arrive()
        if fault is Fault.DROP_ANSWER or self.partitioned:
            raise ConnectionLost("The answer was lost, on purpose.")
        return answer

    async def _arrive(self) -> None:
        """What was overtaken arrives. Nobody waits for the answer, which may be an error by now."""
        overtaken, self._overtaken = self._overtaken, []
        for request in overtaken:
            with suppress(SynclineError):
                await request()

    async def subscribe(self, live: Live) -> AsyncGenerator[Page, None]:
        """See ``Transport.subscribe``. A page that is lost takes the connection with it, as it would in TCP."""
        self._check_line()
        async for page in self._transport.subscribe(live):
            fault = await self._meet()
            if fault in (Fault.DROP_REQUEST, Fault.DROP_ANSWER, Fault.REORDER):
                raise ConnectionLost("A page was lost, on purpose.")
            if fault is Fault.REPEAT:
                yield page
            yield page

    async def close(self) -> None:
        """See ``Transport.close``."""
        await self._transport.close()

    async def _meet(self) -> Fault:
        fault = next(self._faults)
        if fault is Fault.DELAY:
            await self._delay()
        self._check_line()
        return fault

    def _check_line(self) -> None:
        if self.partitioned:
            raise ConnectionLost("The line is cut, on purpose.")
