"""One's own sessions, second factor and tickets over HTTP."""

from __future__ import annotations

import asyncio

from syncline.core.access.state import READ
from syncline.server.api import account_shapes as shapes
from syncline.server.api.small import answer, read
from syncline.server.api.users import people
from syncline.server.audit import ACCOUNT
from syncline.server.auth.tickets import VALID_MS
from syncline.server.http import Request, address_of


async def list_sessions(request: Request) -> None:
    """``GET auth/sessions``: one's logins that go on, the one used last first."""
    identity, sessions = request.identity, request.service.authenticator.sessions
    async with people(request) as found:
        found.check_may(identity.user, READ)
        listed = await asyncio.to_thread(sessions.of_user, identity.space or "", identity.user)
    shown = [
        shapes.ShownSession(each.id, each.label, each.created, each.used, identity.credential == f"session:{each.id}")
        for each in listed
    ]
    await answer(request, shapes.Sessions(shown))


async def end_session(request: Request) -> None:
    """``DELETE auth/sessions/{id}``: ends one of one's logins, with its sockets and streams."""
    async with people(request) as found:
        await found.end_session(request.scope["path_params"]["id"])
        await answer(request, {})


async def enrol_second_factor(request: Request) -> None:
    """``POST auth/totp``: a secret for an app that makes codes; nothing changes until it is confirmed."""
    async with request.enter():
        secret, uri = await request.service.authenticator.accounts.enrol(request.identity)
    await answer(request, shapes.Enrolled(secret, uri))


async def confirm_second_factor(request: Request) -> None:
    """``POST auth/totp/confirm``: turns the second factor on, with a first code."""
    body = await read(request, shapes.Code)
    async with request.enter():
        codes = await request.service.authenticator.accounts.confirm(request.identity, body.code)
    request.note_act(ACCOUNT, "second factor on")
    await answer(request, shapes.Recovery(codes))


async def turn_off_second_factor(request: Request) -> None:
    """``DELETE auth/totp``: turns the second factor off, with a code."""
    body, address = await read(request, shapes.Code), address_of(request.scope)
    async with request.enter():
        await request.service.authenticator.accounts.turn_off(request.identity, body.code, address=address)
    request.note_act(ACCOUNT, "second factor off")
    await answer(request, {})


async def make_ticket(request: Request) -> None:
    """``POST auth/ticket``: a ticket that opens one socket or stream within 30 s, as ``?ticket=``."""
    async with request.enter() as member:
        ticket, now = await request.service.authenticator.ticket(request.identity), member.space.now_ms()
    await answer(request, shapes.Ticket(ticket, now + VALID_MS))
