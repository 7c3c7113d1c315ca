"""A thousand revocations in the midst of pushing and reading: nothing of the revoked is stored or sent after them."""

import asyncio
import random
from contextlib import asynccontextmanager
from itertools import count

import pytest

from syncline.core.access.rules import ALLOW, DENY, READ
from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import ACL_ITEM, ADD_RULE, REMOVE_RULE, REVOKE_KEY, ROOT, SUSPEND_USER, user_item
from syncline.core.admission import Submission
from syncline.server.app import create_app
from syncline.server.auth.identity import Identity
from syncline.server.service import Caller
from syncline.stores import load
from syncline.testing import Author
from tests.server.inprocess import Exchange

RACES = 1_000
AT_ONCE = 20


def who(caller: Caller) -> Identity:
    user = caller.token or "nobody"
    return Identity(user, "default", f"host:{user}")


@asynccontextmanager
async def running(data):
    app = create_app(data=str(data), authenticate=who)
    app.start()
    async with app.service.spaces.use("default", create=True) as space:
        yield app, space
    await app.end_sessions()
    await app.stop()


class Race:
    """One user who reads live over two channels and pushes over a third, until something is taken away."""

    def __init__(self, app, space, number: int, lot: random.Random) -> None:
        self.app, self.space, self.lot = app, space, lot
        self.user, self.item, self.open = f"user{number}", f"task.{number}", f"open.{number}"
        self.root, self.author = Author(f"r{number}", ROOT), Author(f"n{number}", self.user)
        self.granted = ""
        self.kind = [self.hide, self.take_back, self.freeze, self.suspend, self.revoke][number % 5]

    async def system(self, item: str, action: str, payload: object) -> int:
        event = self.root.event(item, action, payload)
        ((seq,), _) = await self.space.submit(Submission([event], ROOT, is_system=True, rights=TRUSTED))
        assert isinstance(seq, int), seq
        self.granted = event.id
        return seq

    async def rule(self, action: str, type: str, item: str) -> int:
        return await self.system(ACL_ITEM, ADD_RULE, {"user": self.user, "item": item, "action": action, "type": type})

    # What is taken away

    async def hide(self) -> int:
        return await self.rule(READ, DENY, self.item)

    async def take_back(self) -> int:
        return await self.system(ACL_ITEM, REMOVE_RULE, {"rule": self.granted})

    async def freeze(self) -> int:
        return await self.rule("update", DENY, self.item)

    async def suspend(self) -> int:
        return await self.system(user_item(self.user), SUSPEND_USER, {})

    async def revoke(self) -> int:
        return await self.system(user_item(self.user), REVOKE_KEY, {"credential": f"host:{self.user}"})

    # The race

    async def run(self) -> int:
        if self.kind == self.take_back:
            await self.rule("*", DENY, "task.*")
            await self.rule("*", ALLOW, self.item)
        socket = Exchange(self.app, "websocket", "/ws")
        socket.say({"type": "hello", "node": "reader", "token": self.user})
        socket.say({"type": "live", "items": [self.item, self.open]})
        stream = Exchange(self.app, "http", "/v1/live", token=self.user, query=f"items={self.item},{self.open}")
        readers = [socket, stream]
        for reader in readers:
            await reader.until(lambda reader=reader: reader.messages)
        over = asyncio.Event()
        pushing = [asyncio.create_task(self.write(over)), asyncio.create_task(self.push(over))]
        for _ in range(self.lot.randrange(60)):
            await asyncio.sleep(0)
        seq = await self.kind()
        for _ in range(self.lot.randrange(30)):
            await asyncio.sleep(0)
        over.set()
        await asyncio.gather(*pushing)
        last = await self.system(self.open, "end", {})
        for reader in readers:
            await reader.until(lambda reader=reader: self.has_ended(reader, last))
            self.check(reader, seq)
            await reader.close()
        return seq

    async def write(self, over: asyncio.Event) -> None:
        """Somebody else writes the item all the time."""
        while not over.is_set():
            event = self.root.event(self.item)
            await self.space.submit(Submission([event], ROOT, rights=TRUSTED))

    async def push(self, over: asyncio.Event) -> None:
        """The user does, too."""
        while not over.is_set():
            body = b'{"events":[%b]}' % self.author.event(self.item).body
            await Exchange(self.app, "http", "/v1/push", method="POST", token=self.user, body=body).answer()

    @staticmethod
    def has_ended(reader: Exchange, last: int) -> bool:
        messages = reader.messages[-3:]
        return any(
            message["type"] == "error" or any(entry["seq"] >= last for entry in message.get("entries", ()))
            for message in messages
        )

    def check(self, reader: Exchange, seq: int) -> None:
        after = [entry["event"]["item"] for entry in reader.entries if entry["seq"] > seq]
        if self.kind in (self.suspend, self.revoke):
            assert after == []
            assert reader.messages[-1]["code"] == "unauthorized"
        elif self.kind == self.freeze:
            assert self.open in after
        else:
            assert self.item not in after
            forgotten = [item for message in reader.messages for item in message.get("forget", ())]
            assert self.item in forgotten or self.item not in {entry["event"]["item"] for entry in reader.entries}


def stored(space, race: Race) -> list[int]:
    """Where the user's own events are in the log."""
    return [entry.seq for entry in load(space.store, items=[race.item]) if entry.event.user == race.user]


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_of_the_revoked_comes_after_the_revocation(tmp_path, seed):
    lot, numbers = random.Random(seed), count()
    won = 0
    async with running(tmp_path / "data") as (app, space):
        for _ in range(RACES // 2 // AT_ONCE):
            races = [Race(app, space, next(numbers), lot) for _ in range(AT_ONCE)]
            for race, seq in zip(races, await asyncio.gather(*[race.run() for race in races]), strict=True):
                if race.kind != race.hide:
                    assert max(stored(space, race), default=0) <= seq
                won += bool(stored(space, race))
        assert won > RACES // 20, "hardly anybody pushed before the revocation: this is no race"
