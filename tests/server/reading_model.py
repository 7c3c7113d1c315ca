"""A space in this process whose rules change, what its users may see of it said plainly, and clients that read it."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from syncline.core.access.rules import ALLOW, DENY, READ, Rule
from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import (
    ACL_ITEM,
    ADD_RULE,
    REMOVE_RULE,
    RESUME_USER,
    ROOT,
    SUSPEND_USER,
    Access,
    user_item,
)
from syncline.core.admission import Submission
from syncline.core.cursors import CursorCodec
from syncline.core.events import Event
from syncline.core.log import Receipts
from syncline.core.messages import Pull
from syncline.errors import CursorReset
from syncline.server.auth.identity import Identity
from syncline.server.folds import read_access
from syncline.server.member import Member
from syncline.server.space import Crew, Space
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import Author, ManualClock
from tests.core.access import model

DEFAULTS = [Rule("*", "*", "*", ALLOW), Rule("*", ".policies", READ, ALLOW)]
CODEC = CursorCodec(b"of these tests")


class World:
    """A space, and the plain truth about it: what came to which item, and which rules stand."""

    def __init__(self, path: Path, *, index_run: int = 8_192) -> None:
        self.path, self._index_run = path, index_run
        self.clock = ManualClock()
        self.items: dict[int, str] = {}
        self.rules = list(DEFAULTS)
        self.suspended: set[str] = set()
        self._authors: dict[str, Author] = {}
        self._open()

    def _open(self) -> None:
        self.crew = Crew(*map(ThreadPoolExecutor, (1, 2, 1, 1)))
        store = SqliteEventStore(self.path, Receipts(b"of these tests"), index_run=self._index_run)
        self.space = Space("home", store, CODEC, self.crew, self.clock, read_access(store))

    def close(self) -> None:
        self.space.close()
        for executor in self.crew:
            executor.shutdown()

    def restore(self, copy: "Copy") -> None:
        """The log as it was at an earlier moment; its truth too."""
        self.close()
        for end in ("-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        self.path.write_bytes(copy.log)
        self.items, self.rules, self.suspended = dict(copy.items), list(copy.rules), set(copy.suspended)
        self._authors.clear()
        self._open()

    def copy(self) -> "Copy":
        """All that is needed to put the log back."""
        self.close()
        copy = Copy(self.path.read_bytes(), self.items, self.rules, self.suspended)
        self._open()
        return copy

    # Writing

    def author(self, user: str) -> Author:
        if user not in self._authors:
            node = f"{user.strip('.')}-{len(self.items)}-{id(self.space)}"
            self._authors[user] = Author(node, user, now_ms=self.clock)
        return self._authors[user]

    async def system(self, *events: Event) -> list[int]:
        submission = Submission(events, ROOT, is_system=True, rights=TRUSTED)
        seqs: Any = (await self.space.submit(submission)).outcomes
        self.items.update(zip(seqs, (event.item for event in events), strict=True))
        return seqs

    async def push(self, *items: str, user: str = ROOT) -> list[int]:
        """One event of a user on each of these items, judged by nobody."""
        return await self.system(*[self.author(user).event(item) for item in items])

    def rule_event(self, rule: Rule) -> Event:
        payload = {"user": rule.user, "item": rule.item, "action": rule.action, "type": rule.type}
        return self.author(ROOT).event(ACL_ITEM, ADD_RULE, payload)

    async def add(self, user: str, item: str, action: str = READ, type: str = DENY) -> Rule:
        event = self.rule_event(Rule(user, item, action, type))
        (seq,) = await self.system(event)
        self.rules.append(Rule(user, item, action, type, seq, event.id))
        return self.rules[-1]

    async def remove(self, rule: Rule) -> None:
        await self.system(self.author(ROOT).event(ACL_ITEM, REMOVE_RULE, {"rule": rule.id}))
        self.rules.remove(rule)

    async def turn(self, user: str) -> None:
        """Suspends a user, or lets a suspended one come back."""
        action = RESUME_USER if user in self.suspended else SUSPEND_USER
        await self.system(self.author(ROOT).event(user_item(user), action))
        self.suspended ^= {user}

    # The truth

    def may_see(self, user: str, item: str) -> bool:
        if user == ROOT:
            return True
        return user not in self.suspended and model.allows(self.rules, user, item, READ)

    def seen_by(self, user: str, asked: tuple[str, ...]) -> dict[int, str]:
        """What a user sees who asks for these items."""
        return {
            seq: item for seq, item in self.items.items() if model.is_asked(asked, item) and self.may_see(user, item)
        }

    def member(self, user: str, items: tuple[str, ...] = ()) -> Member:
        return Member(self.space, Identity(user, None if user == ROOT else "home", items=items))

    @property
    def access(self) -> Access:
        return self.space.access


class Copy:
    def __init__(self, log: bytes, items: dict[int, str], rules: list[Rule], suspended: set[str]) -> None:
        self.log, self.items, self.rules, self.suspended = log, dict(items), list(rules), set(suspended)


class Reader:
    """A client that keeps what it is sent, as ``spec/PROTOCOL.md`` says, and looks at each page with suspicion."""

    def __init__(self, world: World, user: str, asked: tuple[str, ...] = ()) -> None:
        self.world, self.user, self.asked = world, user, asked
        self.cursor: str | None = None
        self.seq = 0
        self.held: dict[int, str] = {}
        self.news = asyncio.Event()
        self.moved = 0
        """How many entries came late or were forgotten."""

    def twin(self) -> "Reader":
        """A copy of this client, as it is now."""
        other = Reader(self.world, self.user, self.asked)
        other.cursor, other.seq, other.held = self.cursor, self.seq, dict(self.held)
        return other

    async def pull(self, limit: int = 1_000) -> bool:
        """Takes one page; whether there is more."""
        request = Pull(cursor=self.cursor, limit=limit, items=self.asked)
        try:
            page = json.loads(await self.world.member(self.user).pull(request))
        except CursorReset:
            self.cursor, self.seq, self.held = None, 0, {}
            return True
        assert len(page["entries"]) + len(page.get("late", [])) <= limit
        self.apply(page)
        return page.get("more", False)

    def apply(self, page: dict[str, Any], *, is_suspicious: bool = True) -> None:
        forget, late = set(page.get("forget", [])), page.get("late", [])
        if forget == {"*"}:
            self.held, self.seq = {}, 0
        else:
            assert not is_suspicious or forget <= {*self.held.values()}, "names of what was never seen"
        before = len(self.held)
        self.held = {seq: item for seq, item in self.held.items() if item not in forget}
        self.moved += len(late) + before - len(self.held) + (forget == {"*"})
        for entry in late:
            assert entry["seq"] <= CODEC.decode(page["cursor"]).seq, "late entries are older ones"
        for entry in page["entries"]:
            assert entry["seq"] > self.seq, "entries come in order, each once"
            self.seq = entry["seq"]
        for entry in late + page["entries"]:
            assert not is_suspicious or self.world.may_see(self.user, entry["event"]["item"]), entry
            self.held[entry["seq"]] = entry["event"]["item"]
        self.cursor = page["cursor"]
        self.seq = max(self.seq, CODEC.decode(self.cursor).seq)

    async def catch_up(self, limit: int = 1_000) -> None:
        while await self.pull(limit):
            pass

    def check(self) -> None:
        assert self.held == self.world.seen_by(self.user, self.asked)
