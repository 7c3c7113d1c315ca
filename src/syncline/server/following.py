"""Following one document: what it is, then each revision as it comes, and after a break from where one was.

The steps after a place are the same for everybody who stands there, and never change, so they are made once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from syncline.core.documents.revisions import Placed, replay
from syncline.core.log import NO_TAIL
from syncline.replica.documents.library import Library
from syncline.server import streams
from syncline.server.conditions import Version
from syncline.server.member import Member
from syncline.server.shown import encode_revision, show
from syncline.server.space import Space
from syncline.stores import load

STEP_ENTRIES = 256
"""Entries that are folded at a time."""
STEP_BYTES = 256 * 1024
"""Once they come to so many bytes, they are sent before others are made."""
REMEMBERED_STEPS = 32
REMEMBERED_BYTES = 1024 * 1024
"""Steps that come to more are made for each follower anew."""


class Steps(NamedTuple):
    """What came after a place in a document's history, as events of a stream, and the place it leads to."""

    events: list[bytes]
    end: int

    @property
    def is_small(self) -> bool:
        """Whether others may find them made."""
        return sum(map(len, self.events)) <= REMEMBERED_BYTES


async def follow(member: Member, item: str, last: str | None) -> AsyncGenerator[bytes, None]:
    """The events of a stream; ``last`` is the id of the last one that was received. Ends as ``Member.follow`` does."""
    space = member.space
    member.check_read(item)
    with space.documents.following(item):
        resumed = await _resume(member, item, last)
        if resumed is None:
            first, place = await member.look(item, lambda library: _whole(space, library, item))
        else:
            first, place = streams.BEGINNING, resumed
        yield first
        while True:
            steps = await member.look_again(item, partial(_steps, space, item, place))
            for event in steps.events:
                yield event
            if steps.end == place:
                await member.news(item, place)
            place = steps.end


async def _resume(member: Member, item: str, last: str | None) -> int | None:
    """The seq after which a follower goes on; None if that is not this log's, or what came then is not kept."""
    seq, _, tail = (last or "").partition("-")
    if not (seq.isascii() and seq.isdigit() and len(seq) <= 16):
        return None

    def look(_library: Library) -> bool:
        held, base = member.space.store.tail(int(seq)), member.space.store.base(item)
        is_kept = base is None or int(seq) >= base.seq
        return is_kept and held is not None and (not tail or tail == held.hex())

    return int(seq) if await member.look(item, look) else None


def _whole(space: Space, library: Library, item: str) -> tuple[bytes, int]:
    """The document as the first event, and its place."""
    shown = show(space.documents, library.shelf(item))
    return streams.event("document", shown.body.decode(), shown.version.id), shown.version.seq


def _steps(space: Space, item: str, place: int, library: Library) -> Steps:
    known: OrderedDict[tuple[str, int], Steps] = space.documents.remembered
    steps = known.get((item, place)) or _made(space, library, item, place)
    if steps.end > place and steps.is_small:
        known[item, place] = steps
        if len(known) > REMEMBERED_STEPS:
            known.popitem(last=False)
    return steps


def _made(space: Space, library: Library, item: str, place: int) -> Steps:
    if library.shelf(item).seq <= place:
        return Steps([], place)
    shelf = library.back(item, seq=place)
    events: list[bytes] = []
    end, size = place, 0
    for entry in load(space.store, place, items=[item], limit=STEP_ENTRIES):
        placed, end = Placed.of(entry), entry.seq
        changes = list(replay(shelf.document, [placed], policy=lambda seq: space.documents.policies.of(item, seq)))
        shelf.add(placed, has_changed=bool(changes))
        for change in changes:
            revision = replace(change, number=shelf.revision)
            version = Version(end, space.store.tail(end) or NO_TAIL, shelf.document.exists)
            events.append(streams.event("revision", encode_revision(revision, has_reverse=False).decode(), version.id))
            size += len(events[-1])
        if size > STEP_BYTES:
            break
    return Steps(events, end)
