"""Documents over HTTP: read, and written by those who keep no log of their own.

An id is one segment of the path, percent-encoded. A write answers the document as it is then, and its event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from syncline.core import patterns
from syncline.core.batch import ENVELOPE_DEPTH
from syncline.core.documents import patching, values
from syncline.core.documents.creation import create
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import MAP
from syncline.core.documents.undo import Difference
from syncline.core.limits import MAX_DEPTH, MAX_SAFE_INTEGER
from syncline.errors import BadOp, BadRequest, NotFound
from syncline.replica.documents.library import Library
from syncline.server.conditions import Conditions
from syncline.server.desk import Change, Desk, Written
from syncline.server.http import Request
from syncline.server.member import Member
from syncline.server.shown import Shown, show, show_past
from syncline.server.standing import missing

JSON_PATCH = b"application/json-patch+json"
MERGE_PATCH = b"application/merge-patch+json"
MAX_LISTED = 100


class Ops(msgspec.Struct, forbid_unknown_fields=True):
    """Ops that a client drafted itself, and what else its event says."""

    ops: list[dict[str, Any]]
    action: str = "update"
    payload: Any = UNSET


class Restore(msgspec.Struct, forbid_unknown_fields=True):
    """Which revision comes back; none: a document that was deleted."""

    revision: int | None = None


class Listed(msgspec.Struct):
    """A document in a list."""

    id: str
    revision: int
    seq: int
    at: int


class Listing(msgspec.Struct):
    """Some documents, in the order of their ids; ``after`` is where to go on, null at the end."""

    documents: list[Listed]
    after: str | None


# Reading


async def show_document(request: Request) -> None:
    """``GET docs/{id}``: a document as it is, or at ``rev``, ``seq`` or ``time``; ``view=plain``: without marks."""
    item, plain = request.document, _choice(request, "view", "wire", "plain") == "plain"
    bounds = _bounds(request)
    known = Conditions.read(None, request.header(b"if-none-match")).none_match
    async with request.enter() as member:
        documents = member.space.documents

        def look(library: Library) -> Shown:
            return show(documents, show_past(library, item, *bounds), plain=plain, known=known)

        shown = await member.look(item, look)
    if not shown.version.exists:
        raise gone(item, shown)
    if shown.version.is_one_of(known):
        await request.answer(b"", status=304, etag=shown.version.etag)
    else:
        await request.answer(shown.body, etag=shown.version.etag)


def _bounds(request: Request) -> tuple[int | None, int | None, int | None]:
    """The revision, seq or time that is asked for; at most one."""
    given = [request.optional_number(name, low=0, high=MAX_SAFE_INTEGER) for name in ("rev", "seq", "time")]
    if sum(each is not None for each in given) > 1:
        raise BadRequest("One of rev, seq and time says when.")
    return given[0], given[1], given[2]


def _choice(request: Request, name: str, *choices: str) -> str:
    """One of several words of the query; the first if it is not given."""
    given = request.parameter(name) or choices[0]
    if given not in choices:
        raise BadRequest(f"{name}: {given[:40]!r} is none of {', '.join(choices)}.")
    return given


def gone(item: str, shown: Shown) -> NotFound:
    """The error for a document that is not there; it tells where in its history, if it has one."""
    if not shown.version.seq:
        return missing(item)
    seq, revision = shown.version.seq, shown.revision
    return NotFound(f"There is no document {item} at this place of its history.", seq=seq, revision=revision)


async def list_documents(request: Request) -> None:
    """``GET docs``: the documents whose ids fit ``items``, in order, ``limit`` after ``after``; a page may be short."""
    pattern = request.parameter("items") or "*"
    patterns.check([pattern])
    limit = request.number("limit", MAX_LISTED, low=1, high=MAX_LISTED)
    after = request.parameter("after") or ""
    async with request.enter() as member:
        items = await member.items(pattern, after, limit)
        found = [await member.look_or(None, item, _lister(item)) for item in items if not item.startswith(".")]
    listing = Listing([each for each in found if each], items[-1] if len(items) == limit else None)
    await request.answer(msgspec.json.encode(listing))


def _lister(item: str) -> Callable[[Library], Listed | None]:
    def look(library: Library) -> Listed | None:
        shelf = library.shelf(item)
        return Listed(item, shelf.revision, shelf.seq, shelf.at) if shelf.document.exists else None

    return look


# Writing


async def put_document(request: Request) -> None:
    """``PUT docs/{id}``: makes the document show a value, doing the least; 201 if there was none."""
    value = await request.value()

    def draft(desk: Desk) -> None:
        try:
            values.check(value)
        except BadOp as error:
            raise BadRequest(f"The value is not one that travels: {error.message}") from None
        if desk.editor.document.exists or values.open_value(value)[0] != MAP:
            patching.apply(desk.editor, [{"op": "add", "path": "", "value": value}])
        else:
            create(desk.editor, values.open_value(value)[1])

    await _write(request, "put", draft)


async def patch_document(request: Request) -> None:
    """``PATCH docs/{id}``: a JSON Patch or a JSON Merge Patch; ``base``: the revision that its author saw."""
    patch = await request.value(JSON_PATCH, MERGE_PATCH, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
    base = request.optional_number("base", low=0, high=MAX_SAFE_INTEGER)
    apply = patching.apply if request.media == JSON_PATCH else patching.merge

    def draft(desk: Desk) -> None:
        _check_exists(desk)
        if base is None or base == desk.shelf.revision:
            apply(desk.editor, patch)
        else:
            desk.raw_ops = _drafted(desk, base, lambda editor: apply(editor, patch))

    await _write(request, "patch", draft)


def _drafted(desk: Desk, base: int, draft: Callable[[Editor], None]) -> list[Any]:
    """Ops against an older revision: they name what their author saw, and merge with what came since."""
    document, _ = desk.library.at(desk.item, revision=base)
    editor = Editor(document, desk.editor.event)
    draft(editor)
    return editor.wire()


async def delete_document(request: Request) -> None:
    """``DELETE docs/{id}``: deletes a document; its history stays."""

    def draft(desk: Desk) -> None:
        _check_exists(desk)
        desk.editor.delete_document()

    await _write(request, "delete", draft)


async def add_ops(request: Request) -> None:
    """``POST docs/{id}/ops``: an event with these ops, as a replica would draft them."""
    given = await request.message(Ops, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)

    def draft(desk: Desk) -> None:
        desk.raw_ops, desk.payload = given.ops, given.payload

    await _write(request, given.action, draft)


async def undo(request: Request) -> None:
    """``POST docs/{id}/undo``: undoes the user's last edit that stands, and leaves what others changed since."""
    await _write(request, "undo", lambda desk: _step(desk, desk.library.undo(desk.item, desk.user)))


async def redo(request: Request) -> None:
    """``POST docs/{id}/redo``: redoes the user's last undo, if they have not edited since."""
    await _write(request, "redo", lambda desk: _step(desk, desk.library.redo(desk.item, desk.user)))


def _step(desk: Desk, found: Any) -> None:
    _check_made(desk)
    if found is not None:
        step, target = found
        desk.meta["undoes"] = step.undoes
        Difference(desk.editor, target, step.once).touched(step.touched)


async def restore(request: Request) -> None:
    """``POST docs/{id}/restore``: back to a ``revision``; without one it brings a deleted document back."""
    revision = (await request.message(Restore, may_be_empty=True)).revision

    def draft(desk: Desk) -> None:
        _check_made(desk)
        if revision is None:
            desk.editor.restore_document()
        else:
            Difference(desk.editor, desk.library.at(desk.item, revision=revision)[0]).whole()

    await _write(request, "restore", draft)


def _check_exists(desk: Desk) -> None:
    if not desk.shelf.document.exists:
        raise missing(desk.item)


def _check_made(desk: Desk) -> None:
    if not desk.shelf.document.is_made:
        raise missing(desk.item)


async def _write(request: Request, action: str, draft: Callable[[Desk], None]) -> None:
    item, is_minimal = request.document, "return=minimal" in (request.header(b"prefer") or "")
    conditions = Conditions.read(request.header(b"if-match"), request.header(b"if-none-match"))
    change = Change(action, draft, request.node, conditions)
    async with request.enter() as member:
        written, shown = await _written(member, item, change, has_value=not is_minimal)
    event = b'{"id":"%b","seq":%d}' % (written.event[0].encode(), written.event[1]) if written.event else b"null"
    status = 201 if shown.version.exists and not written.did_exist else 200
    await request.answer(b'{"event":%b,%b}' % (event, shown.members), status=status, etag=shown.version.etag)


async def _written(member: Member, item: str, change: Change, *, has_value: bool) -> tuple[Written, Shown]:
    documents = member.space.documents
    return await member.write(item, change, lambda library: show(documents, library.shelf(item), has_value=has_value))
