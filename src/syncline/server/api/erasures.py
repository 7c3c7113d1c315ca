"""Erasing over HTTP. What it leaves, and what becomes of copies: ``core.erasure`` and ``server.erasing``."""

from __future__ import annotations

import msgspec

from syncline.core import patterns
from syncline.core.erasure import ERASE, ERASURES, SET_ERASABLE
from syncline.server.administration import record
from syncline.server.audit import SPACE
from syncline.server.history import erasing
from syncline.server.history.targets import Target
from syncline.server.http import Request


class Erase(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be erased: events by their ids, all of some items (patterns), all that some users wrote.

    ``dry_run``: it is only said what that would be.
    """

    events: list[str] = []
    items: list[str] = []
    users: list[str] = []
    dry_run: bool = False


class Erased(msgspec.Struct):
    """How many events were erased, or would be, and of which items (the first 1,000). ``left``: ask again for these."""

    events: int
    items: list[str]
    left: int = 0


class Erasable(msgspec.Struct, forbid_unknown_fields=True):
    """Patterns of the items whose events are salted from then on, so that nothing tells later what they said."""

    items: list[str]


MAX_SHOWN_ITEMS = 1_000


async def erase(request: Request) -> None:
    """``POST erase``: takes the content of events away, here and, as they sync, at every replica."""
    asked = await request.message(Erase)
    target = Target(asked.events, asked.items, asked.users)
    async with request.enter() as member:
        table = request.service.registry.erasures
        found = await erasing.erase(member, target, table, dry_run=asked.dry_run)
        now = found if asked.dry_run else found[: erasing.MAX_AT_ONCE]
        items = sorted({entry.event.item for entry in now})
        if now and not asked.dry_run:
            request.note_act(SPACE, f"events erased: {len(now)}, of items: {len(items)}")
        await request.answer(msgspec.json.encode(Erased(len(now), items[:MAX_SHOWN_ITEMS], len(found) - len(now))))


async def show_erasable(request: Request) -> None:
    """``GET erasable``: the items whose events are salted."""
    async with request.enter() as member:
        await request.answer(msgspec.json.encode(Erasable([*member.space.erasures.erasable])))


async def set_erasable(request: Request) -> None:
    """``PUT erasable``: has the events of these items, and of no others, salted from now on."""
    wanted = await request.message(Erasable)
    checked = [pattern for pattern in wanted.items if pattern == "*"] or [*patterns.check(wanted.items)]
    async with request.enter() as member:
        member.check_may(ERASURES, ERASE)
        if checked != [*member.space.erasures.erasable]:
            await record(member, ERASURES, SET_ERASABLE, {"items": checked})
        await request.answer(msgspec.json.encode(Erasable(checked)))
