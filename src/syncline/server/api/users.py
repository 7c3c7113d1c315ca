"""The users of a space over HTTP, for whoever may administer them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

from syncline.server.api import account_shapes as shapes
from syncline.server.api.small import answer, read
from syncline.server.http import Request
from syncline.server.people import People
from syncline.server.register.users import User


@asynccontextmanager
async def people(request: Request) -> AsyncIterator[People]:
    """Those in the space of a request, as its user sees them. Raises UnknownSpace."""
    async with request.enter() as member:
        yield People(member, request.service.registry, request.service.authenticator)


async def list_users(request: Request) -> None:
    """``GET users``: the users whom one may see, by name."""
    async with people(request) as found:
        await answer(request, shapes.Users([_shown(user) for user in await found.users()]))


async def create_user(request: Request) -> None:
    """``POST users``: a new user, with a password or a setup token."""
    body = await read(request, shapes.CreateUser)
    async with people(request) as found:
        token = await found.create_user(body.name, body.password)
        await answer(request, shapes.CreatedUser(body.name, token), status=201)


async def show_user(request: Request) -> None:
    """``GET users/{name}``: one user."""
    async with people(request) as found:
        await answer(request, _shown(await found.user(_name(request))))


async def remove_user(request: Request) -> None:
    """``DELETE users/{name}``: ends all that a user holds, for ever; the name is not used again."""
    async with people(request) as found:
        await found.remove(_name(request))
        await answer(request, {})


async def suspend_user(request: Request) -> None:
    """``POST users/{name}/suspend``: nothing that the user holds is valid until they are resumed."""
    async with people(request) as found:
        await answer(request, _shown(await found.suspend(_name(request))))


async def resume_user(request: Request) -> None:
    """``POST users/{name}/resume``: ends a suspension."""
    async with people(request) as found:
        await answer(request, _shown(await found.resume(_name(request))))


async def issue_setup_token(request: Request) -> None:
    """``POST users/{name}/setup``: a new setup token; an earlier one is void."""
    name = _name(request)
    async with people(request) as found:
        await answer(request, shapes.SetupToken(name, await found.setup_token(name)), status=201)


async def reset_totp(request: Request) -> None:
    """``DELETE users/{name}/totp``: takes away a second factor that was lost; the user's sessions end."""
    async with people(request) as found:
        await found.reset_totp(_name(request))
        await answer(request, {})


def _name(request: Request) -> str:
    """The user in the path, one segment of it, percent-encoded."""
    return unquote(request.scope["path_params"]["name"], errors="replace")


def _shown(user: User) -> shapes.ShownUser:
    return shapes.ShownUser(user.name, user.created, user.suspended, user.has_password, user.has_second_factor)
