"""Spaces and the server's health over HTTP."""

from __future__ import annotations

import asyncio

import msgspec

from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.errors import Forbidden
from syncline.server.http import Request
from syncline.server.registry import check_space


class CreateSpace(msgspec.Struct, forbid_unknown_fields=True):
    """The body that asks for a new space."""

    name: str


async def list_spaces(request: Request) -> None:
    """``GET spaces``: the names of all spaces."""
    check_administrator(request)
    await request.answer(msgspec.json.encode({"spaces": request.service.registry.spaces()}))


async def create_space(request: Request) -> None:
    """``POST spaces``: makes a space; 201, or 200 if it was there."""
    check_administrator(request)
    name = check_space((await request.message(CreateSpace)).name)
    is_new = request.service.registry.create_space(name)
    await request.answer(msgspec.json.encode({"name": name}), status=201 if is_new else 200)


async def show_space(request: Request) -> None:
    """``GET spaces/{space}``: its epoch and head, and a cursor ``back`` entries before the head (0), for ``items``."""
    back = request.number("back", 0, low=0, high=MAX_SAFE_INTEGER)
    async with request.enter(create=False) as member:
        space, head = member.space, member.space.hub.head
        cursor = await member.cursor_back(back, request.items)
        answer = {"name": space.name, "epoch": head.epoch, "head": head.seq, "tail": head.tail.hex(), "at": head.at}
    await request.answer(msgspec.json.encode({**answer, "cursor": cursor}))


async def delete_space(request: Request) -> None:
    """``DELETE spaces/{space}``: deletes it for ever."""
    check_administrator(request)
    await request.service.spaces.delete(request.space)
    await request.answer(b"{}")


async def alive(request: Request) -> None:
    """``GET /livez``: the process answers."""
    await request.answer(b'{"status":"alive"}')


async def ready(request: Request) -> None:
    """``GET /readyz``: the data directory can be read, and requests are taken."""
    await asyncio.to_thread(request.service.registry.spaces)
    demo = {"demo": True} if request.service.settings.demo else {}
    await request.answer(msgspec.json.encode({"status": "ready", **demo}))


def check_administrator(request: Request) -> None:
    """Raises Forbidden unless the request comes from an administrator."""
    if request.identity.space is not None:
        raise Forbidden("Only an administrator may do this.")
