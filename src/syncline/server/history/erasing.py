"""Erasing what was said: by acts on ``.erasures``, of which every replica hears.

What is to be erased is written down in the register first. Then entries are rewritten in their erased form, in the log
and in the archives, and all that was made of them is made again or let go of; only then the log tells of it, so whoever
hears of it finds nothing else. What breaks off is done again when the space is opened, and so is what a log that was
put back from an older copy does not know of. Erasing twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from syncline.core import stamps
from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import ROOT
from syncline.core.erasure import ERASE, ERASURES, MAX_ERASED, erased_entry, events_of
from syncline.core.events import Entry, Event
from syncline.core.lots import lots
from syncline.server.administration import Act, write
from syncline.server.history import targets
from syncline.server.history.archives import Archives
from syncline.server.history.keeping import Rewritten
from syncline.server.history.targets import Found, Target
from syncline.server.member import Member
from syncline.server.register.erasures import ErasureTable
from syncline.server.space import Space
from syncline.stores import LogStore, rewrite

MAX_AT_ONCE = 10_000
"""Events that one request erases; then it is asked again."""


async def erase(member: Member, target: Target, table: ErasureTable, *, dry_run: bool = False) -> list[Entry]:
    """Erases what a target names and this member may: the first ``MAX_AT_ONCE``, or with ``dry_run`` nothing.

    Returns all entries that were found, as they were. Raises Forbidden if there is anything among them that the member
    may read and not ``.erase``: then nothing is; and what ``targets`` raises.
    """
    targets.check(target)
    await member.catch_up()
    space = member.space
    shows = cache(lambda item: member.may(item, ERASE) or member.may_read(item))
    found = await space.run(targets.find, space.store, space.keeping.archives, target, shows)
    for item in {entry.event.item for entry in found.entries}:
        member.check_may(item, ERASE)
    member.check()
    if found.entries and not dry_run:
        await _erase(space, member.user, found.first(MAX_AT_ONCE), table)
    return found.entries


async def _erase(space: Space, user: str, found: Found, table: ErasureTable) -> None:
    for lot in lots(found.entries, MAX_ERASED):
        await asyncio.to_thread(table.add, space.name, _payload(lot, found))
    found = await carry_out(space, found)
    acts = [Act(ERASURES, ERASE, _payload(lot, found)) for lot in lots(found.entries, MAX_ERASED)]
    await write(space, user, acts, TRUSTED)
    if found.dropped:
        await space.keeping.keep_up()  # from which those go on who held it
    late = await space.run(targets.copies, space.store, space.keeping.archives, found)
    if late.entries:  # from now on there come no more: the log knows what was erased
        await _erase(space, user, late, table)


def _payload(entries: Sequence[Entry], found: Found) -> dict[str, Any]:
    events = [entry.event.id for entry in entries]
    deep = {"deep": True} if any(entry.seq in found.dropped for entry in entries) else {}
    return {"events": events, "items": sorted({entry.event.item for entry in entries}), **deep}


async def carry_out(space: Space, found: Found) -> Found:
    """Leaves of these entries their erased form, wherever they are, and nothing of what was made of them.

    Returns them with what has gone from the log since they were found. Raises Overloaded, before anything is done.
    """
    store, archives, now = space.store, space.keeping.archives, found

    def change() -> Rewritten:
        nonlocal now
        now = targets.since_found(store, found)
        _rewrite(store, archives, {entry.seq: erased_entry(entry) for entry in now.entries})
        return Rewritten(now.items, now.items_below)

    await space.keeping.rewrite(change)
    await space.documents.forget(now.items)
    return now


def _rewrite(store: LogStore, archives: Archives | None, entries: Mapping[int, Entry]) -> None:
    rewrite(store, list(entries.values()))
    if archives is not None:
        archives.rewrite({seq: entry.encoded for seq, entry in entries.items()})


async def make_up(space: Space, table: ErasureTable) -> None:
    """Erases again what the register knows of and the log does not."""
    payloads = await asyncio.to_thread(table.of, space.name)
    known = space.erasures.keys
    missing = [payload for payload in payloads if not known.issuperset(map(stamps.key, payload["events"]))]
    for payload in missing:
        found = await _again(space, payload["events"])
        deep = {"deep": True} if found.dropped else {}
        await write(space, ROOT, [Act(ERASURES, ERASE, {**payload, **deep})], TRUSTED)
    await renew(space)


async def erase_too(space: Space, acts: Sequence[Event], table: ErasureTable) -> None:
    """Erases what acts of another server name, which are about to be stored here."""
    for act in acts:
        ids = events_of(act)
        if not space.erasures.keys.issuperset(map(stamps.key, ids)):
            await asyncio.to_thread(table.add, space.name, act.payload)
            await _again(space, ids)


async def renew(space: Space) -> None:
    """Has a snapshot made if nobody goes on from the one there is, because of what was erased."""
    if space.erasures.deep > (await space.run(space.keeping.points)).covered:
        space.keeping.look(is_asked=True)


async def _again(space: Space, ids: Sequence[str]) -> Found:
    return await carry_out(space, await space.run(_held, space.store, space.keeping.archives, ids))


def _held(store: LogStore, archives: Archives | None, ids: Sequence[str]) -> Found:
    """What there is of some events, erased or not. Those that the log has lost are erased when they are given back."""
    held = store.find(ids)
    missing = set(ids) - {entry.event.id for entry in held}
    archived = archives.entries() if missing and archives is not None and store.points().horizon else ()
    gone = [entry for entry in archived if entry.event.id in missing]
    return Found([*gone, *held], {entry.seq for entry in gone})
