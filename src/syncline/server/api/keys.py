"""API keys over HTTP: everybody's own, and those of others for whoever administers their users."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.core import patterns
from syncline.core.access.scope import Scope
from syncline.core.events import ACTION
from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.errors import BadRequest
from syncline.server.api import account_shapes as shapes
from syncline.server.api.small import answer, read
from syncline.server.api.users import people
from syncline.server.http import Request
from syncline.server.people import NewKey
from syncline.server.register.keys import Key

MAX_NAME = 256


async def list_keys(request: Request) -> None:
    """``GET keys``: the keys that one may see, oldest first."""
    async with people(request) as found:
        await answer(request, shapes.Keys([_shown(key) for key in await found.keys()]))


async def create_key(request: Request) -> None:
    """``POST keys``: a new key, shown this once, not wider than the credential it is made with."""
    body = await read(request, shapes.CreateKey)
    check_name(body.name)
    if body.expires_ms is not None and not 0 < body.expires_ms <= MAX_SAFE_INTEGER:
        raise BadRequest("expires_ms: a time in milliseconds since 1970; leave it out for a key that does not expire.")
    scope = check_scope(body.actions, body.items)
    async with people(request) as found:
        key = await found.create_key(body.name, body.user or request.identity.user, scope, body.expires_ms)
        await answer(request, shown(key), status=201)


async def revoke_key(request: Request) -> None:
    """``DELETE keys/{id}``: revokes a key, for ever."""
    async with people(request) as found:
        await found.revoke_key(request.scope["path_params"]["id"])
        await answer(request, {})


def check_name(name: str) -> str:
    """The name itself if a key may have it. Raises BadRequest."""
    if not 0 < len(name) <= MAX_NAME:
        raise BadRequest(f"A key's name has 1 to {MAX_NAME} characters that say what it is for.")
    return name


def check_scope(actions: Sequence[str], items: Sequence[str]) -> Scope:
    """What a key is limited to. Raises BadRequest."""
    return Scope(_actions(actions), patterns.check(items))


def shown(made: NewKey) -> shapes.CreatedKey:
    """A key as it is shown once."""
    return shapes.CreatedKey(*_members(made.key), key=made.text)


def _shown(key: Key) -> shapes.ShownKey:
    return shapes.ShownKey(*_members(key))


def _members(
    key: Key,
) -> tuple[str, str, str, tuple[str, ...], tuple[str, ...], int, int | None, int | None]:
    return key.id, key.name, key.user, key.actions, key.items, key.created, key.expires, key.used


def _actions(given: Sequence[str]) -> tuple[str, ...]:
    """The patterns of actions, each once. Raises BadRequest."""
    for pattern in given:
        if pattern != "*" and not ACTION.fullmatch(pattern.removesuffix("*")):
            raise BadRequest(f"actions: {pattern[:64]!r} is neither an action nor a prefix with one trailing *.")
    return () if "*" in given else tuple(sorted(set(given)))
