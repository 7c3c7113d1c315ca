"""Logging in and out, and who one is, over HTTP. Nothing tells whether a name, a password or a code is wrong.

The space of a login is that of the request; it need not be there, and is not made.
"""

from __future__ import annotations

import asyncio

from syncline.errors import BadRequest, TokenReused, Unauthorized
from syncline.server.api import account_shapes as shapes
from syncline.server.api.keys import check_name, shown
from syncline.server.api.small import answer, read
from syncline.server.audit import ACCOUNT, LOGIN, LOGOUT
from syncline.server.auth.authenticator import Grant
from syncline.server.http import Request, address_of
from syncline.server.people import NewKey, People


async def login(request: Request) -> None:
    """``POST auth/login``: a new session, by name, password, and a code if there is a second factor."""
    body, address = await read(request, shapes.Login), address_of(request.scope)
    request.claimed_user = body.user
    grant = await request.service.authenticator.login(
        request.space, body.user, body.password, code=body.code, address=address, label=body.label
    )
    await _grant(request, grant, "password")


async def refresh(request: Request) -> None:
    """``POST auth/refresh``: the next tokens of a session; the refresh token is used up."""
    body, authenticator = await read(request, shapes.Refresh), request.service.authenticator
    try:
        grant = await authenticator.refresh(body.refresh_token)
    except TokenReused as error:
        await _note_reuse(request, error)
        raise
    await answer(request, _granted(grant))


async def logout(request: Request) -> None:
    """``POST auth/logout``: ends the session of a refresh token, or that of the credentials."""
    body = await read(request, shapes.Logout, may_be_empty=True)
    token = body.refresh_token or request.token
    if not token:
        raise Unauthorized("There is no session to end: send the access token, or the refresh token.")
    if body.refresh_token is None:
        await request.identify()
    ended = await request.service.authenticator.logout(token)
    if ended:
        await _note_logout(request, body.refresh_token)
    await answer(request, shapes.Ended(ended))


async def set_up(request: Request) -> None:
    """``POST auth/setup``: a first password or a first key, by a setup token."""
    body, address = await read(request, shapes.Setup), address_of(request.scope)
    authenticator = request.service.authenticator
    if (body.password is None) == (body.key is None):
        raise BadRequest("A setup token is for a password or for a key: send one of them.")
    if body.password is not None:
        grant = await authenticator.set_up(body.token, body.password, address=address, label=body.label)
        await _grant(request, grant, "setup token")
        return
    text = await authenticator.accounts.redeem_for_key(body.token, check_name(body.key or ""), address=address)
    request.identity = await authenticator.identify_local(text)
    key = await _recorded(request, text)
    await answer(request, shown(key), status=201)


async def show_me(request: Request) -> None:
    """``GET auth/me``: who one is, by which credential, and the rules for it."""
    factors = request.service.authenticator.accounts.second_factors
    async with request.enter() as member:
        identity = member.identity
        me = shapes.Me(
            user=identity.user,
            space=identity.space,
            credential=identity.credential,
            actions=identity.actions,
            items=identity.items,
            expires_ms=identity.expires_ms,
            rules=None if member.rights.is_trusted else member.space.access.rules_of(member.user),
            second_factor=await asyncio.to_thread(factors.is_on, identity.space or "", identity.user),
        )
        await answer(request, me)


async def change_password(request: Request) -> None:
    """``POST auth/password``: another password of one's own; one's other sessions end."""
    body = await read(request, shapes.ChangePassword)
    accounts = request.service.authenticator.accounts
    async with request.enter():
        await accounts.change_password(request.identity, body.old, body.new, address=address_of(request.scope))
    request.note_act(ACCOUNT, "password")
    await answer(request, {})


async def _note_reuse(request: Request, error: TokenReused) -> None:
    """Tells the audit whose session ended; that a request was refused is noted as of every other."""
    owner = await asyncio.to_thread(request.service.authenticator.sessions.owner, error.details["session"])
    space, user = owner or ("", "")
    request.service.audit.note(LOGOUT, user, space or request.space, address_of(request.scope), error.code)


async def _note_logout(request: Request, token: str | None) -> None:
    sessions = request.service.authenticator.sessions
    owner = await asyncio.to_thread(sessions.owner, sessions.id_of(token)) if token else None
    space, user = owner or (request.identity.space, request.identity.user)
    request.service.audit.note(LOGOUT, user, space or request.space, address_of(request.scope), "logout")


async def _grant(request: Request, grant: Grant, by: str) -> None:
    user, space = grant.identity.user, grant.identity.space or request.space
    request.service.audit.note(LOGIN, user, space, address_of(request.scope), by)
    await answer(request, _granted(grant))


def _granted(grant: Grant) -> shapes.Granted:
    identity = grant.identity
    return shapes.Granted(identity.user, identity.space, grant.access_token, grant.expires_ms, grant.refresh_token)


async def _recorded(request: Request, text: str) -> NewKey:
    """The key of a setup token, in the log of its user's space; it is revoked if that fails."""
    service, identity = request.service, request.identity
    async with service.enter(identity, identity.space or request.space, address=address_of(request.scope)) as member:
        return await People(member, service.registry, service.authenticator).adopt_key(text)
