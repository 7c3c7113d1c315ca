"""The history of a document over HTTP: its entries, its revisions, who wrote what, what lost, and what comes."""

from __future__ import annotations

from typing import Any

import msgspec

from syncline.core import canonical, pointers
from syncline.core.documents.document import Document
from syncline.core.documents.objects import List, Map, Ref, SetObject
from syncline.core.documents.revisions import Revision, blame
from syncline.core.limits import MAX_PAGE_BYTES, MAX_PAGE_ENTRIES, MAX_SAFE_INTEGER
from syncline.errors import BadPatch, BadRequest, NotFound, PatchFailed
from syncline.replica.documents.library import Library
from syncline.server import streams
from syncline.server.following import follow
from syncline.server.http import Request
from syncline.server.shown import encode_revision
from syncline.server.space import Space
from syncline.server.standing import missing

MAX_REVISIONS = 1_000


async def show_ops(request: Request) -> None:
    """``GET docs/{id}/ops``: the entries of a document after the seq ``since``, and the seq to go on after."""
    since = request.number("since", 0, low=0, high=MAX_SAFE_INTEGER)
    limit = request.number("limit", 1_000, low=1, high=MAX_PAGE_ENTRIES)
    async with request.enter() as member:
        part = await member.slice(since, (request.document,), limit)
    more = b"true" if part.more else b"false"
    await request.answer(b'{"entries":[%b],"seq":%d,"more":%b}' % (part.encoded, part.seq, more))


async def show_revisions(request: Request) -> None:
    """``GET docs/{id}/revisions``: the revisions beyond the number ``after``, with forward and reverse patches."""
    item = request.document
    after = request.number("after", 0, low=0, high=MAX_SAFE_INTEGER)
    limit = request.number("limit", 100, low=1, high=MAX_REVISIONS)

    def look(library: Library) -> list[Revision]:
        _check_made(library, item)
        return library.revisions(item, after=after, limit=limit + 1)

    async with request.enter() as member:
        found = await member.look(item, look)
        body = await member.space.run(_page_of, found, limit)
    await request.answer(body)


def _page_of(revisions: list[Revision], limit: int) -> bytes:
    """At most so many revisions, and about as many bytes as a page has."""
    encoded: list[bytes] = []
    size = 0
    for revision in revisions[:limit]:
        encoded.append(encode_revision(revision))
        size += len(encoded[-1])
        if size > MAX_PAGE_BYTES:
            break
    more = b"true" if len(encoded) < len(revisions) else b"false"
    return b'{"revisions":[%b],"more":%b}' % (b",".join(encoded), more)


async def show_blame(request: Request) -> None:
    """``GET docs/{id}/blame``: the events that put what shows at ``path``, a JSON Pointer."""
    item = request.document
    tokens = _tokens(request.parameter("path") or "")
    async with request.enter() as member:
        answer = await member.look(item, lambda library: _blamed(member.space, library, item, tokens))
    await request.answer(msgspec.json.encode({"blame": answer}))


def _tokens(path: str) -> tuple[str, ...]:
    try:
        return pointers.parse(path)
    except BadPatch as error:
        raise BadRequest(f"path: {error.message}") from None


def _blamed(space: Space, library: Library, item: str, tokens: tuple[str, ...]) -> list[dict[str, Any]]:
    _check_made(library, item)
    document = library.document(item)
    try:
        found = blame(document, _steps(document, tokens))
    except (LookupError, PatchFailed):
        raise NotFound("Nothing shows at this path of the document.") from None
    entries = {entry.event.id: entry for entry in space.store.find(each.event for each in found)}
    return [
        {
            **each._asdict(),
            **(
                {"seq": entry.seq, "at": entry.at, "user": entry.event.user}
                if (entry := entries.get(each.event))
                else {}
            ),
        }
        for each in found
    ]


def _steps(document: Document, tokens: tuple[str, ...]) -> list[str | int]:
    """The keys and indexes of a pointer into a document."""
    steps: list[str | int] = []
    value: Any = document.root
    for token in tokens:
        target = document.objects[value] if type(value) is Ref else None
        step: str | int = token
        if isinstance(target, Map):
            value = target.shows(token)
        elif isinstance(target, List):
            step = pointers.element(len(target.sequence), token)
            value = target.sequence.content_at(step).value
        elif isinstance(target, SetObject):
            step, value = pointers.element(len(target.members), token), None
        steps.append(step)
    return steps


async def show_conflicts(request: Request) -> None:
    """``GET docs/{id}/conflicts``: what people do not agree on: values of one slot, and edits without effect."""
    item = request.document
    async with request.enter() as member:
        answer = await member.look(item, lambda library: _conflicts(library, item))
    await request.answer(answer)


def _conflicts(library: Library, item: str) -> bytes:
    _check_made(library, item)
    found = library.conflicts(item)
    slots = [
        {
            "path": pointers.format(conflict.path),
            "shown": conflict.shown,
            "others": [{"name": name, "value": value} for name, value in conflict.others],
        }
        for conflict in found.values
    ]
    edits = {"overruled": found.overruled, "unseen": found.unseen}
    return canonical.encode({"in_conflict": found.is_marked, "values": slots, **msgspec.to_builtins(edits)})


def _check_made(library: Library, item: str) -> None:
    if not library.document(item).is_made and not library.document(item).overruled:
        raise missing(item)


async def follow_document(request: Request) -> None:
    """``GET docs/{id}/live``: a document as server-sent events: itself, then each revision as it comes."""
    last = request.header(b"last-event-id") or request.parameter("since")
    item = request.document
    async with request.enter() as member:
        with member.connected():
            await streams.serve(request, follow(member, item, last))
