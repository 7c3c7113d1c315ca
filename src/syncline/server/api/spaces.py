"""Spaces and the server's health over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from syncline.core import patterns
from syncline.core.access.scope import Scope
from syncline.core.access.state import READ
from syncline.core.access.views import View
from syncline.core.limits import MAX_SAFE_INTEGER, MAX_WAIT_SECONDS
from syncline.core.log import Head
from syncline.core.quotas import Quotas
from syncline.core.retention import Retention
from syncline.errors import BadRequest, Forbidden, ShuttingDown
from syncline.server.audit import SPACE
from syncline.server.http import Request, address_of
from syncline.server.member import Member
from syncline.server.registry import check_space
from syncline.server.space import Space

MAX_DAYS = 100_000


class CreateSpace(msgspec.Struct, forbid_unknown_fields=True):
    """The body that asks for a new space."""

    name: str


class ChangeSpace(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a space. A quota of 0 is no limit, and null the server's default.

    ``retention``: what of its history it keeps, in place of what was said before; ``{}``: all.
    """

    quotas: dict[str, int | None] = {}
    suspended: bool | None = None
    retention: Retention | None = None


async def list_spaces(request: Request) -> None:
    """``GET spaces``: the names of all spaces."""
    check_administrator(request, READ)
    found = await asyncio.to_thread(request.service.registry.spaces)
    await request.answer(msgspec.json.encode({"spaces": found}))


async def create_space(request: Request) -> None:
    """``POST spaces``: makes a space; 201, or 200 if it was there."""
    check_administrator(request)
    name = check_space((await request.message(CreateSpace)).name)
    is_new = await asyncio.to_thread(request.service.registry.create_space, name)
    if is_new:
        _note(request, name, "create")
    await request.answer(msgspec.json.encode({"name": name}), status=201 if is_new else 200)


async def show_space(request: Request) -> None:
    """``GET spaces/{space}``: its epoch and head, and a cursor ``back`` entries before the head (0), for ``items``.

    With ``root``, if it is 1: the hash of all that the user may see of these items at the head.
    """
    back = request.number("back", 0, low=0, high=MAX_SAFE_INTEGER)
    wants_root = request.number("root", 0, low=0, high=1)
    async with request.enter(create=False) as member:
        space = member.space
        cursor = await member.cursor_back(back, request.items)
        head, root = await _rooted(member, request.items) if wants_root else (space.hub.head, None)
        answer = {"name": space.name, "epoch": head.epoch, "head": head.seq, "tail": head.tail.hex(), "at": head.at}
        terms = await _terms(space) if request.identity.space is None else {}
    await request.answer(msgspec.json.encode({**answer, "root": root, "cursor": cursor, **terms}))


async def _rooted(member: Member, items: Sequence[str]) -> tuple[Head, str]:
    """The head of now, and the root there of what a user may see of these items."""
    heads = list[Head]()

    def view() -> View:
        heads[:] = [member.space.hub.head]
        return member.view(patterns.check(items))

    grown = await member.space.trees.at(view)
    return heads[0], grown.tree.root.hex()


async def change_space(request: Request) -> None:
    """``PATCH spaces/{space}``: sets quotas, each on its own, what it keeps, and suspends or resumes it."""
    check_administrator(request)
    change = await request.message(ChangeSpace)
    for name, most in change.quotas.items():
        _check_quota(name, most)
    if change.retention is not None:
        await _check_retention(request, change.retention)
    await request.service.spaces.change(
        request.space, quotas=change.quotas, suspended=change.suspended, retention=change.retention
    )
    if change.quotas:
        _note(request, request.space, "quotas")
    if change.retention is not None:
        _note(request, request.space, "retention")
    if change.suspended is not None:
        _note(request, request.space, "suspend" if change.suspended else "resume")
    async with request.service.spaces.use(request.space, create=False) as space:
        answer = {"name": space.name, **await _terms(space)}
    await request.answer(msgspec.json.encode(answer))


def _check_quota(name: str, most: int | None) -> None:
    if name not in Quotas.__struct_fields__:
        raise BadRequest(f"quotas: there is none on {name[:80]}, but on {', '.join(Quotas.__struct_fields__)}.")
    if most is not None and not 0 <= most <= MAX_SAFE_INTEGER:
        raise BadRequest(f"quotas: {name} must be between 0 (no limit) and {MAX_SAFE_INTEGER}, or null.")


async def _check_retention(request: Request, retention: Retention) -> None:
    if not 0 <= retention.days <= MAX_DAYS:
        raise BadRequest(f"retention: days must be between 0 and {MAX_DAYS:,}.")
    if not 0 <= retention.revisions <= MAX_SAFE_INTEGER:
        raise BadRequest("retention: revisions must not be less than 0.")
    async with request.service.spaces.use(request.space, create=False) as space:
        if not (space.store.drops or retention.keeps_all):
            raise BadRequest("retention: a log in JSON Lines keeps all of its history.")


async def keep_up(request: Request) -> None:
    """``POST spaces/{space}/history``: makes a snapshot now, and lets go of what is not kept; when that is done.

    With ``wait`` after so many seconds at most.
    """
    check_administrator(request)
    wait = request.number("wait", 0, low=0, high=MAX_WAIT_SECONDS)
    async with request.service.spaces.use(request.space, create=False) as space:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait or None):
                await space.keeping.keep_up()
        answer = await _history(space)
    await request.answer(msgspec.json.encode(answer))


async def _history(space: Space) -> dict[str, Any]:
    """Where the history begins that is kept, and where a new replica does."""
    points = await space.run(space.keeping.points)
    newest = {"seq": points.newest.seq, "at": points.newest.at} if points.newest else None
    failure = {"failure": space.keeping.failure} if space.keeping.failure else {}
    working = {"working": True} if space.keeping.is_working else {}
    return {"horizon": points.horizon, "snapshot": newest, **failure, **working}


async def _terms(space: Space) -> dict[str, Any]:
    """What administrators see of a space beside its log."""
    used = {"events": space.hub.head.seq, "bytes": space.store.size(), "connections": space.connections}
    quotas = msgspec.structs.asdict(space.terms.quotas)
    retention, history = space.terms.retention, await _history(space)
    terms = {"suspended": space.terms.is_suspended, "quotas": quotas, "used": used}
    return {**terms, "retention": msgspec.to_builtins(retention), "history": history}


async def delete_space(request: Request) -> None:
    """``DELETE spaces/{space}``: deletes it for ever."""
    check_administrator(request)
    await request.service.spaces.delete(request.space)
    _note(request, request.space, "delete")
    await request.answer(b"{}")


async def alive(request: Request) -> None:
    """``GET /livez``: the process answers."""
    await request.answer(b'{"status":"alive"}')


async def ready(request: Request) -> None:
    """``GET /readyz``: the register can be read, and requests are taken; 503 if not, or if the server will stop."""
    if request.service.is_draining:
        raise ShuttingDown("The server is about to stop.")
    await asyncio.to_thread(request.service.registry.spaces)
    demo = {"demo": True} if request.service.settings.demo else {}
    links = {name: state() for name, state in request.service.links.items()}
    await request.answer(msgspec.json.encode({"status": "ready", **demo, **links}))


def _note(request: Request, space: str, what: str) -> None:
    """Notes for the audit what was done with a space: its own log may be gone."""
    request.service.audit.note(SPACE, request.identity.user, space, address_of(request.scope), what)


def check_administrator(request: Request, action: str | None = None) -> None:
    """Raises Forbidden unless the request comes from an administrator, with a key for all items and for this action.

    Without an action it must be for all of them.
    """
    identity = request.identity
    if identity.space is not None:
        raise Forbidden("Only an administrator may do this.")
    scope = Scope(identity.actions, identity.items)
    if scope.items or (scope.actions and (action is None or not scope.allows_action(action))):
        raise Forbidden("This key is not for everything an administrator may do.")
