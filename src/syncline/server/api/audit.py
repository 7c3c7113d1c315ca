"""The audit of a space over HTTP: what was noted, and the administrative events of its log, in one listing.

Who may read the item ``.audit`` sees it; there is no such item otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from syncline.core.access.state import READ, SYSTEM_ITEMS
from syncline.core.documents.settings import POLICIES_ITEM
from syncline.core.events import Entry
from syncline.errors import BadRequest, Forbidden
from syncline.server.http import Request
from syncline.server.register.audit import NEWEST, Noted
from syncline.server.space import Space
from syncline.stores import load

AUDIT_ITEM = ".audit"
ADMINISTRATION = "administration"
"""The kind of what stands in the log."""
DEFAULT_LISTED, MAX_LISTED = 100, 1_000
EVERY_SPACE = "all"
NOTE, EVENT = 0, 1
"""Where an entry comes from: of those of one millisecond, events are listed first."""
_AFTER = re.compile(r"([0-9]{1,15})-([01])-([0-9]{1,15})")


class Audited(msgspec.Struct, omit_defaults=True):
    """An entry: ``times`` is how often it happened from ``at`` until ``last`` (milliseconds since 1970)."""

    at: int
    kind: str
    what: str
    space: str
    user: str
    address: str = ""
    times: int = 1
    last: int | None = None
    item: str | None = None
    seq: int | None = None
    id: str | None = None
    """Of an event."""


class Audit(msgspec.Struct):
    """A page of the audit, the newest first; ``next`` is the ``after`` of the next one, if there is more."""

    entries: list[Audited]
    next: str | None


class Place(NamedTuple):
    """Where an entry stands among the others: its time, whence it comes, and its id or seq there."""

    at: int
    source: int
    number: int

    @property
    def text(self) -> str:
        """How it is written in ``after``."""
        return f"{self.at}-{self.source}-{self.number}"


class Wanted(NamedTuple):
    """What is asked for."""

    before: Place
    limit: int
    user: str | None
    kind: str | None


Found = list[tuple[Place, Audited]]


async def show_audit(request: Request) -> None:
    """``GET audit``: who logged in, was refused, or administered what; newest first, by ``user`` and ``kind``."""
    wanted, spaces = _wanted(request), request.parameter("spaces")
    if spaces not in (None, EVERY_SPACE):
        raise BadRequest(f"spaces: {EVERY_SPACE!r} or nothing.")
    async with request.enter() as member:
        member.check_may(AUDIT_ITEM, READ)
        if spaces and not member.rights.is_trusted:
            raise Forbidden("Only an administrator of the server sees all spaces.")
        notes = await _notes(request, None if spaces else member.space.name, wanted)
        events = await member.space.run(_events, member.space, wanted)
    found = sorted(notes + events, key=lambda each: each[0], reverse=True)
    shown, more = found[: wanted.limit], len(found) > wanted.limit
    page = Audit([entry for _, entry in shown], shown[-1][0].text if more else None)
    await request.answer(msgspec.json.encode(page))


def _wanted(request: Request) -> Wanted:
    limit = request.number("limit", DEFAULT_LISTED, low=1, high=MAX_LISTED)
    after = request.parameter("after")
    place = Place(NEWEST, EVENT, NEWEST)
    if after is not None:
        found = _AFTER.fullmatch(after)
        if found is None:
            raise BadRequest("after: must be what an answer gave as next.")
        place = Place(*map(int, found.groups()))
    return Wanted(place, limit, request.parameter("user"), request.parameter("kind"))


async def _notes(request: Request, space: str | None, wanted: Wanted) -> Found:
    at, source, number = wanted.before
    before = at, number if source == NOTE else NEWEST
    noted = await request.service.audit.newest(
        space, wanted.limit + 1, before=before, user=wanted.user, kind=wanted.kind
    )
    return [(Place(each.note.first, NOTE, each.id), _of_note(each)) for each in noted]


def _of_note(noted: Noted) -> Audited:
    note = noted.note
    last = note.last if note.times > 1 else None
    return Audited(note.first, note.kind, note.what, note.space, note.user, note.address, note.times, last)


def _events(space: Space, wanted: Wanted) -> Found:
    """The newest administrative events. Reads the log: called in a thread."""
    if wanted.kind not in (None, ADMINISTRATION):
        return []
    found = list(_administrative(space, wanted))[-wanted.limit - 1 :]
    return [(Place(entry.at, EVENT, entry.seq), _of_event(space, entry)) for entry in found]


def _administrative(space: Space, wanted: Wanted) -> Iterator[Entry]:
    for entry in load(space.store, items=(*SYSTEM_ITEMS, POLICIES_ITEM)):
        if Place(entry.at, EVENT, entry.seq) >= wanted.before:
            return
        if wanted.user in (None, entry.event.user):
            yield entry


def _of_event(space: Space, entry: Entry) -> Audited:
    event = entry.event
    return Audited(
        entry.at, ADMINISTRATION, event.action, space.name, str(event.user), item=event.item, seq=entry.seq, id=event.id
    )
