"""Erasing what was said: events, items, or all of a user's, by acts on ``.erasures`` that every replica hears of.

An act is written down in the register, then in the log, then carried out: the entries it names are rewritten in their
erased form. Whatever breaks off in between is carried out when the space is opened again, and so is what a log that was
put back from an older copy does not know of. Erasing twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from syncline.core import patterns, stamps
from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import ROOT
from syncline.core.erasure import ERASE, ERASURES, MAX_ERASED, erased_entry, events_of, put_back_by
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_ITEM_PATTERNS
from syncline.errors import BadRequest, NotFound
from syncline.server.administration import Act, write
from syncline.server.member import Member
from syncline.server.register.erasures import ErasureTable
from syncline.server.space import Space
from syncline.stores import LogStore, load

T = TypeVar("T")

MAX_AT_ONCE = 10_000
"""Events that one request erases; then it is asked again."""
MAX_NAMED = 1_000
"""Events that one request names one by one."""


class Target(NamedTuple):
    """What is to be erased: events by id, all of some items (patterns), or all that some users wrote."""

    events: Sequence[str] = ()
    items: Sequence[str] = ()
    users: Sequence[str] = ()


async def erase(member: Member, target: Target, table: ErasureTable, *, dry_run: bool = False) -> list[Entry]:
    """Erases what a target names and this member may: the first ``MAX_AT_ONCE``, or with ``dry_run`` nothing.

    All entries that were found, as they were.

    Raises Forbidden if there is anything among it that the member may not ``.erase``: then nothing is. Raises NotFound
    for an event that is not there, and BadRequest for what the system wrote.
    """
    _check(target)
    await member.catch_up()
    space = member.space
    found = await space.run(_found, space.store, target)
    for item in {entry.event.item for entry in found}:
        member.check_may(item, ERASE)
    now = [] if dry_run else found[:MAX_AT_ONCE]
    for lot in _lots(now, MAX_ERASED):
        member.check()
        act = Act(ERASURES, ERASE, _payload(lot))
        await asyncio.to_thread(table.add, space.name, act.payload)
        await write(space, member.user, [act], TRUSTED)
        await carry_out(space, lot, more=lot[-1] is not now[-1])
    return found


def _check(target: Target) -> None:
    patterns.check(target.items)
    if len(target.events) > MAX_NAMED:
        raise BadRequest(f"events: at most {MAX_NAMED} in one request.")
    for id in target.events:
        stamps.check_id(id)
    if not any(target):
        raise BadRequest("Say what to erase: events, items or users.")


def _payload(entries: Sequence[Entry]) -> dict[str, Any]:
    events = [entry.event.id for entry in entries]
    return {"events": events, "items": sorted({entry.event.item for entry in entries})}


def _found(store: LogStore, target: Target) -> list[Entry]:
    """The entries that a target means and that still say something, in order of seq."""
    named = store.find(target.events)
    missing = set(target.events) - {entry.event.id for entry in named}
    if missing:
        raise NotFound(f"There is no event {min(missing)}.")
    if any(entry.event.item[0] == "." for entry in named):
        raise BadRequest("What the system wrote cannot be erased: it says who may do what.")
    users = set(target.users)
    found = {entry.seq: entry for entry in named}
    if target.items:
        found |= {entry.seq: entry for entry in load(store, items=patterns.check(target.items))}
    if users:
        found |= {entry.seq: entry for entry in load(store) if entry.event.user in users}
    speaking = {entry.seq: entry for entry in found.values() if _speaks(entry.event)}
    return [entry for _, entry in sorted(_with_copies(store, speaking).items())]


def _speaks(event: Event) -> bool:
    return not event.is_erased and event.item[0] != "."


def _with_copies(store: LogStore, found: dict[int, Entry]) -> dict[int, Entry]:
    """With those that put back what one of these had put: they hold its values, too."""
    ids = {entry.event.id for entry in found.values()}
    whole = {entry.event.item for entry in found.values()}
    for lot in _lots(sorted(whole), MAX_ITEM_PATTERNS):
        for entry in load(store, items=lot):  # in order of seq, so that copies of copies are found
            if entry.event.id not in ids and _speaks(entry.event) and not ids.isdisjoint(put_back_by(entry.event)):
                ids.add(entry.event.id)
                found[entry.seq] = entry
    return found


async def carry_out(space: Space, entries: Sequence[Entry], *, more: bool = False) -> None:
    """Rewrites entries in their erased form, and lets go of all that was made of them. ``more`` follow at once."""
    await space.run(partial(space.store.rewrite, [erased_entry(entry) for entry in entries], more=more))
    await space.documents.forget({entry.event.item for entry in entries})


async def make_up(space: Space, table: ErasureTable) -> None:
    """Erases again what the register knows of and the log does not, and carries out what broke off."""
    for payload in await asyncio.to_thread(table.of, space.name):
        if not space.erasures.keys.issuperset(map(stamps.key, payload["events"])):
            await write(space, ROOT, [Act(ERASURES, ERASE, payload)], TRUSTED)
            await _carry_out_again(space, payload["events"])
    if space.erasures.seqs:
        (last,) = await space.run(lambda: list(load(space.store, space.erasures.seqs[-1] - 1, items=[ERASURES])))
        await _carry_out_again(space, events_of(last.event))


async def _carry_out_again(space: Space, ids: Sequence[str]) -> None:
    held = await space.run(space.store.find, ids)
    if left := [entry for entry in held if not entry.event.is_erased]:
        await carry_out(space, left)


def _lots(listed: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(listed)
    while lot := list(islice(rest, size)):
        yield lot
