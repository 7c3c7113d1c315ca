"""How a space stands to its centre, over HTTP, for who may read the item ``.upstream``; no log has such an item."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from syncline.core.access.state import READ
from syncline.core.events import Event
from syncline.errors import NotFound
from syncline.server.http import Request

UPSTREAM_ITEM = ".upstream"
MAX_LISTED = 1_000


class RefusedEvent(msgspec.Struct):
    """An event that is in the log here and that the centre has refused, and the error it answered."""

    event: Event
    error: dict[str, Any]


class Standing(msgspec.Struct):
    """``state``: offline, connecting, syncing, live or needs_auth; ``pending``: events that wait for the centre."""

    state: str
    pending: int
    last_synced: int | None
    """In milliseconds since 1970."""
    error: dict[str, Any] | None
    """Why the last attempt failed, if it did."""
    refused: list[RefusedEvent]
    """The first thousand."""


async def show_upstream(request: Request) -> None:
    """``GET upstream``: how the space stands to its centre, and what that has refused."""
    async with request.enter() as member:
        member.check_may(UPSTREAM_ITEM, READ)
        upstream = request.service.upstream
        status = upstream.state().get(member.space.name) if upstream is not None else None
        if upstream is None or status is None:
            raise NotFound("This space follows no centre.")
        refused = await asyncio.to_thread(upstream.refused, member.space.name)
    listed = [RefusedEvent(each.event, dict(each.error)) for each in refused[:MAX_LISTED]]
    error = None if status.error is None else dict(status.error)
    await request.answer(msgspec.json.encode(Standing(status.state, status.pending, status.last_synced, error, listed)))
