"""What heals, over HTTP: the messages of section 5 of the protocol, each at the address of its type."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from syncline.core.messages import AskSnapshot, Fetch, Give, Inquiry, Merkle
from syncline.core.requests import decode_request
from syncline.errors import BadRequest
from syncline.server.http import INLINE_BYTES, Request

Kind = TypeVar("Kind", Merkle, Fetch, Give, AskSnapshot)


async def merkle(request: Request) -> None:
    """``POST merkle``: where what the asker holds differs from what is here."""
    await _answer(request, await _read(request, Merkle))


async def fetch(request: Request) -> None:
    """``POST fetch``: entries by their ids."""
    await _answer(request, await _read(request, Fetch))


async def give(request: Request) -> None:
    """``POST give``: takes entries that the log may have lost, or lacks; 200 with a result for each."""
    await _answer(request, await _read(request, Give))


async def snapshot(request: Request) -> None:
    """``POST snapshot``: bases, from which a replica may begin."""
    await _answer(request, await _read(request, AskSnapshot))


async def _read(request: Request, kind: type[Kind]) -> Kind:
    """The message in the body. Raises BadJson or BadRequest."""
    body = await request.body()
    if len(body) <= INLINE_BYTES:
        message = decode_request(body)
    else:
        message = await asyncio.to_thread(decode_request, body)
    if not isinstance(message, kind):
        raise BadRequest(f"This address takes a {kind.__struct_config__.tag} message.")
    return message


async def _answer(request: Request, inquiry: Inquiry) -> None:
    async with request.enter(catch_up=not isinstance(inquiry, Give)) as member:
        await request.answer_packed(await member.answer(inquiry))
