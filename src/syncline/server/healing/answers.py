"""What heals, as one user may see it: where two sets differ, and the entries that one of them lacks.

Trees are kept in ``trees``, gifts are judged in ``giving``, and snapshots come from ``snapshots``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from syncline.core import patterns
from syncline.core.access.views import View
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.lots import lots
from syncline.core.merkle import Node
from syncline.core.messages import AskSnapshot, Fetch, Found, Give, Inquiry, Merkle, Tree, encode
from syncline.core.summaries import nodes_of, summaries_of
from syncline.server.healing.giving import give
from syncline.server.healing.snapshots import snapshot
from syncline.server.healing.trees import Grown
from syncline.stores import LogStore

if TYPE_CHECKING:
    from syncline.server.member import Member

IDS = 50
"""Ids that are looked up at once; so many events of the greatest size are less than a page."""


async def answer(member: Member, inquiry: Inquiry) -> bytes:
    """The encoded reply. Raises what the whole request fails with."""
    match inquiry:
        case Fetch():
            return await fetch(member, inquiry)
        case AskSnapshot():
            return await snapshot(member, inquiry)
        case Merkle():
            return await merkle(member, inquiry)
        case Give():
            return await give(member, inquiry)


async def merkle(member: Member, asked: Merkle) -> bytes:
    """Where what the user may read differs from what they hold. Raises BadRequest, and what ``check`` raises."""
    items, questions = patterns.check(asked.items), nodes_of(asked.summaries)
    await member.catch_up()

    def view() -> View:
        member.check()  # the tree may have been waited for
        return member.view(items)

    grown = await member.space.trees.at(view, asked.since)
    return await member.space.run(_tree, grown, asked.ref, questions)


def _tree(grown: Grown, ref: int, questions: Sequence[Node]) -> bytes:
    found = summaries_of(grown.tree.describe(questions, grown.read))
    return encode(Tree(ref=ref, seq=grown.seq, root=grown.tree.root.hex(), count=grown.tree.count, summaries=found))


async def fetch(member: Member, asked: Fetch) -> bytes:
    """The entries of some ids that the user may read."""
    await member.catch_up()
    view, until = member.view(), member.space.hub.head.seq  # at once: nothing is judged by rules older than itself
    return await member.space.run(_found, member.space.store, asked, view, until)


def _found(store: LogStore, asked: Fetch, view: View, until: int) -> bytes:
    """As many of the entries as make an answer."""
    entries, left = list[Entry](), MAX_PAGE_BYTES
    for entry in _shown(store, list(dict.fromkeys(asked.ids)), view, until):
        left -= len(entry.encoded)
        if entries and left < 0:
            return encode(Found(ref=asked.ref, entries=entries, more=True))
        entries.append(entry)
    return encode(Found(ref=asked.ref, entries=entries))


def _shown(store: LogStore, ids: Sequence[str], view: View, until: int) -> Iterator[Entry]:
    """The entries that a view shows, up to a seq, in the order of these ids."""
    for lot in lots(ids, IDS):
        found = {entry.event.id: entry for entry in store.find(lot)}
        for entry in filter(None, map(found.get, lot)):
            if entry.seq <= until and view.shows(entry.event.item):
                yield entry
