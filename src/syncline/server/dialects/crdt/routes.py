"""``PUT docs/{id}`` and ``POST docs/{id}/ops``: handlers for the bodies of this dialect, which pass on others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import wraps
from typing import NamedTuple, TypeVar, cast

from syncline.core import canonical
from syncline.replica.documents.library import Library
from syncline.server.conditions import Conditions, Version
from syncline.server.desk import Change
from syncline.server.dialects.crdt import drafts, registers, sets
from syncline.server.dialects.crdt.documents import Client, Draft
from syncline.server.dialects.crdt.shapes import LWW, AnyOp, TypedOps, TypedValue, Write, read_ops, read_value
from syncline.server.http import INLINE_BYTES, Handler, Request
from syncline.server.member import Member
from syncline.server.space import Space

Found = TypeVar("Found")


def put_or(otherwise: Handler) -> Handler:
    """``PUT docs/{id}`` with a type and a value; any other body is for the handler that it wraps."""

    @wraps(otherwise)
    async def put(request: Request) -> None:
        given = await _read(request, read_value)
        if given is None:
            await otherwise(request)
            return
        async with request.enter() as member:
            client = Client(member, request.node)
            await _answer(request, member, "put", [_putting(client, given)], created=201)

    return put


def ops_or(otherwise: Handler) -> Handler:
    """``POST docs/{id}/ops`` with a type; any other body is for the handler that it wraps."""

    @wraps(otherwise)
    async def post(request: Request) -> None:
        read = await _read(request, read_ops)
        if read is None:
            await otherwise(request)
            return
        given, ops = read
        async with request.enter() as member:
            client = Client(member, request.node, given.since)
            client.check()
            await _answer(request, member, "update", _changing(client, given, ops), created=200)

    return post


async def _read(request: Request, read: Callable[[bytes], Found]) -> Found:
    """The body, if it is one of this dialect; only a body that belongs to somebody."""
    body = await request.body()
    return read(body) if len(body) <= INLINE_BYTES else await asyncio.to_thread(read, body)


def _putting(client: Client, given: TypedValue) -> Draft:
    if given.type == LWW:
        return registers.writing(client, [Write(given.value)], is_put=True)
    return drafts.putting(client, given)


def _changing(client: Client, given: TypedOps, ops: Sequence[AnyOp]) -> list[Draft]:
    if given.type == LWW:
        return [registers.writing(client, cast(Sequence[Write], ops))]
    if given.type == sets.ORSET:
        return sets.changing(client, cast(Sequence[sets.Change], ops))
    return [drafts.changing(client, given, ops)]


class _Shown(NamedTuple):
    version: Version
    body: bytes


async def _answer(request: Request, member: Member, action: str, steps: Sequence[Draft], *, created: int) -> None:
    """Carries out the steps, one event each at most, and answers the document as it is after them."""
    item, node = request.document, request.node
    conditions = Conditions.read(request.header(b"if-match"), request.header(b"if-none-match"))
    did_exist: bool | None = None
    for step in steps:
        change = Change(action, step, node, conditions)
        written, shown = await member.write(item, change, lambda library: _show(member.space, library, item))
        did_exist, conditions = written.did_exist if did_exist is None else did_exist, Conditions()
    status = created if shown.version.exists and not did_exist else 200
    await request.answer(shown.body, status=status, etag=shown.version.etag)


def _show(space: Space, library: Library, item: str) -> _Shown:
    shelf = library.shelf(item)
    version = space.documents.version(shelf)
    deleted = b',"deleted":true' if shelf.seq and not version.exists else b""
    return _Shown(
        version, b'{"version":%d,"snapshot":%b%b}' % (version.seq, canonical.encode(shelf.document.plain()), deleted)
    )
