"""The other servers that share this one's logs: told over a bus what happens here, and heard.

That a log has grown, or that the register has changed, is a hint: what depends on it is looked up, and once a second
without one. What was spent, and who is here, is told by the bus alone: a lost message costs a moment of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from secrets import token_hex

from syncline.errors import SynclineError
from syncline.server.bus import Bus
from syncline.server.bus.messages import Expense, Message, Present, Reached, Registered, Seal, Spent, batches
from syncline.server.limits import SPACE_EVENTS, Limits
from syncline.server.spaces import Spaces
from syncline.server.visitors import Visitors
from syncline.stores import SharedLogs

log = logging.getLogger("syncline.others")

HINT_SECONDS = 0.005
"""Between two messages about how far logs reach; what comes between goes with the second."""
LOOK_SECONDS = 1.0
"""How often the heads of open spaces are looked at, whatever was heard."""
TELL_SECONDS = 0.1
"""How often it is told who is here and what was spent."""
SAYINGS = 3
"""How often in ``away_seconds`` it is said again who is here."""


class Others:
    """Start and stop it in one event loop."""

    def __init__(
        self,
        bus: Bus | None,
        seal: Seal,
        logs: SharedLogs,
        spaces: Spaces,
        limits: Limits,
        on_registered: Callable[[], None],
        away_seconds: float,
    ) -> None:
        """``on_registered`` is called when the register may have changed. Without a bus all is looked up in time."""
        self._bus, self._seal, self._logs, self._spaces, self._limits = bus, seal, logs, spaces, limits
        self._on_registered, self._away_seconds = on_registered, away_seconds
        self._name = token_hex(8)
        self._heads: dict[str, int] = {}
        self._pace: asyncio.TimerHandle | None = None
        self._visitors: dict[str, Visitors] = {}
        self._gap = asyncio.Event()
        self._say_again_at = 0.0
        self._is_blind = self._has_warned = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """From now on it tells and hears."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._watch())]
        if self._bus is not None:
            self._spaces.on_stored = self._note_head
            self._limits.note_spending()
            self._bus.start(self._hear, self._on_gap)
            self._tasks.append(asyncio.create_task(self._tell()))

    async def stop(self) -> None:
        """Tells what is left, and ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._bus is not None:
            self._tell_now()
            if self._pace is not None:
                self._pace.cancel()
            await self._bus.stop()

    # Told

    def registered(self) -> None:
        """This server has changed the register."""
        self._send(Registered(server=self._name))

    def _send(self, message: Message) -> None:
        if self._bus is not None:
            self._bus.send(self._seal.encode(message))

    def _note_head(self, space: str, seq: int) -> None:
        self._heads[space] = seq
        if self._pace is None:
            self._tell_heads()

    def _tell_heads(self) -> None:
        heads, self._heads, self._pace = self._heads, {}, None
        for lot in batches(heads.items()):
            self._send(Reached(server=self._name, heads=dict(lot)))
        if heads:
            self._pace = self._loop.call_later(HINT_SECONDS, self._tell_heads)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            try:
                self._tell_now()
            except Exception:  # what is told next may go well
                log.exception("the other servers could not be told what happens here")

    def _tell_now(self) -> None:
        expenses = [Expense(policy, key, cost) for policy, key, cost in self._limits.spent()]  # type: ignore[arg-type]
        for lot in batches(expenses):
            self._send(Spent(server=self._name, expenses=lot))
        now = self._loop.time()
        if is_again := now >= self._say_again_at:
            self._say_again_at = now + self._away_seconds / SAYINGS
        for space, visitors in self._attended().items():
            visitors.expire(now - self._away_seconds)
            for peers in batches(visitors.all() if is_again else visitors.news()):
                self._send(Present(server=self._name, space=space, peers=peers))

    def _attended(self) -> dict[str, Visitors]:
        """The open spaces, each with those who are there at other servers; it is asked who is in new ones."""
        known, self._visitors = self._visitors, {}
        for name, space in self._spaces.open.items():
            visitors = known.get(name)
            if visitors is None or visitors.table is not space.presences:
                visitors = Visitors(space.presences)
                self._send(Present(server=self._name, space=name, asks=True))
            self._visitors[name] = visitors
        return self._visitors

    # Heard

    def _on_gap(self) -> None:
        """Something may have been missed."""
        self._say_again_at = 0.0
        for space in self._visitors:
            self._send(Present(server=self._name, space=space, asks=True))
        self._gap.set()
        self._on_registered()

    def _hear(self, text: bytes) -> None:
        message = self._seal.decode(text)
        if message is None:
            level = logging.DEBUG if self._has_warned else logging.WARNING
            log.log(level, "a message on the bus is not of a server of this version and database; it is ignored")
            self._has_warned = True
        elif message.server != self._name:
            self._take(message)

    def _take(self, message: Message) -> None:
        match message:
            case Reached():
                self._reach(message.heads)
            case Registered():
                self._on_registered()
            case Spent():
                self._charge(message.expenses)
            case Present():
                self._meet(message)

    def _reach(self, heads: dict[str, int]) -> None:
        for name, seq in heads.items():
            if (space := self._spaces.open.get(name)) is not None:
                space.hear(seq)

    def _charge(self, expenses: list[Expense]) -> None:
        for policy, key, cost in ((each.policy, each.key, each.cost) for each in expenses):
            if policy != SPACE_EVENTS:
                self._limits.charge(policy, key, cost)
            elif isinstance(key, str) and (space := self._spaces.open.get(key)) is not None and space.rate is not None:
                space.rate.buckets.charge(key, cost, self._limits.now())

    def _meet(self, message: Present) -> None:
        visitors = self._visitors.get(message.space)
        if visitors is None:
            return
        visitors.take(message.server, message.peers, self._loop.time())
        if message.asks:
            for peers in batches(visitors.all()):
                self._send(Present(server=self._name, space=message.space, peers=peers))

    # Looked at

    async def _watch(self) -> None:
        while True:
            await self._look()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._gap.wait()
            except TimeoutError:
                pass
            self._gap.clear()

    async def _look(self) -> None:
        """Looks how far the open spaces reach by now."""
        try:
            heads = await asyncio.to_thread(self._logs.heads, list(self._spaces.open))
            self._is_blind = False
            for name, seq in heads.items():
                space = self._spaces.open.get(name)
                if space is not None and space.hub.head.seq != seq:  # also if it was put back from a copy
                    space.look()
        except SynclineError as error:
            if not self._is_blind:
                log.warning("what other servers have stored cannot be seen: %s", error.message)
            self._is_blind = True
        except Exception:  # the next look may go well
            log.exception("it could not be looked at what other servers have stored")
