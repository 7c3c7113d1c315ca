"""Change events: what came to documents, with the patch that leads there and the one back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from syncline.core import canonical
from syncline.core.documents.revisions import Placed, Revision, replay
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.replica.documents.library import Library
from syncline.server.member import Member
from syncline.server.space import Space
from syncline.stores import Slice

REMEMBERED = 32
REMEMBERED_BYTES = 1024 * 1024
"""Changes that come to more are made for each subscriber anew."""


class Changed(NamedTuple):
    """A change event as JSON, and its seq."""

    seq: int
    encoded: bytes


class Stretch(NamedTuple):
    """Change events in order, the seq to go on after, and whether there is more."""

    changes: list[Changed]
    seq: int
    more: bool


def describe(item: str, revision: Revision, ref: int | None = None) -> dict[str, Any]:
    """A revision as a change event."""
    return {
        "type": f"document_{revision.kind}d",
        **({} if ref is None else {"ref": ref}),
        "document_id": item,
        "revision": revision.number,
        "seq": revision.seq,
        "at": revision.at,
        "user_id": revision.user,
        "node": revision.node,
        "action": revision.action,
        "event_ids": revision.ids,
        "forward_patch": revision.forward,
        "reverse_patch": revision.reverse,
        **({"undoes": revision.undoes} if revision.undoes else {}),
    }


async def changes_after(member: Member, since: int, items: Sequence[str], limit: int) -> Stretch:
    """The changes that the entries after a seq made, at most ``limit`` of these items; none means all items."""
    part = await member.slice(since, items, limit)
    by_item: dict[str, list[Placed]] = {}
    for placed in await member.space.run(_placed, part):
        if not placed.event.item.startswith("."):
            by_item.setdefault(placed.event.item, []).append(placed)
    found: list[Changed] = []
    for item, several in by_item.items():
        found += await member.look_or([], item, partial(_changes, member.space, item, since, several))
    return _bounded(Stretch(sorted(found), part.seq, part.more))


def _placed(part: Slice) -> list[Placed]:
    return [Placed.of(entry) for entry in part.entries]


def _changes(space: Space, item: str, since: int, several: Sequence[Placed], library: Library) -> list[Changed]:
    """The changes of one item, made once for all who stand at this place."""
    known: OrderedDict[Any, list[Changed]] = space.documents.remembered
    key = ("changes", item, since, several[-1].seq)
    if key not in known:
        found = [
            Changed(each.seq or 0, canonical.encode(describe(item, each)))
            for each in _walk(space, item, since, several, library)
        ]
        if sum(len(each.encoded) for each in found) > REMEMBERED_BYTES:
            return found
        known[key] = found
        if len(known) > REMEMBERED:
            known.popitem(last=False)
    return known[key]


def _walk(space: Space, item: str, since: int, several: Iterable[Placed], library: Library) -> Iterator[Revision]:
    shelf = library.back(item, seq=since)
    for placed in several:
        changes = list(replay(shelf.document, [placed], policy=lambda seq: space.documents.policies.of(item, seq)))
        shelf.add(placed, has_changed=bool(changes))
        yield from (replace(change, number=shelf.revision) for change in changes)


def _bounded(stretch: Stretch) -> Stretch:
    """As many of them as a page has bytes, and at least one."""
    size = 0
    for count, change in enumerate(stretch.changes, 1):
        size += len(change.encoded)
        if size > MAX_PAGE_BYTES and count < len(stretch.changes):
            return Stretch(stretch.changes[:count], change.seq, more=True)
    return stretch


async def revisions_after(member: Member, item: str, revision: int, limit: int) -> list[dict[str, Any]]:
    """The changes of one document after a revision."""
    return await member.look(item, partial(revisions_in, item, revision, limit))


def revisions_in(item: str, revision: int, limit: int, library: Library) -> list[dict[str, Any]]:
    """The same, for whoever is looking."""
    return [describe(item, each) for each in library.revisions(item, after=revision, limit=limit)]
