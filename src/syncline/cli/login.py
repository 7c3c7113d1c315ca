"""``login`` and ``logout``: a sign-in on this machine, kept as a context that all commands go by."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import sys
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

import typer
from msgspec.structs import replace

from syncline.cli.chosen import DEFAULT_SERVER, DEFAULT_SPACE, VARIABLE, check_url, chosen, is_same
from syncline.cli.device import sign_in_by_device
from syncline.cli.failures import misused
from syncline.cli.questions import FromInput, asked, password
from syncline.cli.terminal import Json, emit, note, say
from syncline.errors import SecondFactorRequired, SynclineError, Unavailable
from syncline.sync.contexts import Book, Context, Contexts
from syncline.sync.sign_in import granted
from syncline.transports.device_grant import is_safe
from syncline.transports.signing_in import SigningIn

Server = Annotated[
    str | None,
    typer.Option(
        *("--server", "-s"),
        envvar="SYNCLINE_SERVER",
        metavar="URL",
        callback=check_url,
        show_default=f"the context's, or {DEFAULT_SERVER}",
        help="The server.",
    ),
]
Space = Annotated[
    str | None,
    typer.Option("--space", envvar="SYNCLINE_SPACE", metavar="NAME", show_default="the context's", help="The space."),
]
User = Annotated[str | None, typer.Option("--user", "-u", metavar="USER", show_default="asked", help="Who signs in.")]
Code = Annotated[str | None, typer.Option("--code", metavar="CODE", show_default="asked", help="The second factor's.")]
Setup = Annotated[
    str | None,
    typer.Option("--setup", metavar="TOKEN", show_default=False, help="Set a new password, by a setup token."),
]
Device = Annotated[
    bool, typer.Option("--device", help="Sign in at the server's OpenID provider, by a code shown here.")
]
Issuer = Annotated[
    str | None, typer.Option("--issuer", metavar="URL", show_default=False, help="Which provider, if there are more.")
]


def login(
    server: Server = None,
    space: Space = None,
    user: User = None,
    code: Code = None,
    setup: Setup = None,
    device: Device = False,
    issuer: Issuer = None,
    password_stdin: FromInput = False,
    json: Json = False,
) -> None:
    """Sign in, for all commands from now on, with a password, a setup token, or at an OpenID provider.

    The server and the space are those of the context in use, unless they are named. What a sign-in brings is kept as a
    context (syncline context list), which is in use then; programs open replicas with it, too.
    """
    if device and (setup or password_stdin or user):
        misused("--device goes without --user, --setup and --password-stdin: the provider asks.")
    before = _before(server, space, user)
    if not is_safe(before.server):
        note(f"{before.server} is not https: whoever is on the way can read what signs you in.")
    if device:
        context = asyncio.run(sign_in_by_device(before, issuer))
    elif setup:
        new = password("New password", from_input=password_stdin, is_new=True)
        context = asyncio.run(_set_up(before, setup, new))
    else:
        before = replace(before, user=before.user or asked("User", "--user"))
        given = password(f"Password of {before.user}", from_input=password_stdin)
        context = _log_in(before, given, code)
    _tell(_keep(context), context, json)


def logout(json: Json = False) -> None:
    """End the sign-in of the context in use, here and at the server."""
    found = chosen()
    if found is None or not found.context.user:
        misused("Nobody is signed in here. An API key goes with its context: syncline context remove.")
    name, context = found
    is_told = asyncio.run(_end(context))

    def change(book: Book) -> Book:
        out = replace(book.find(name), access_token="", expires_ms=0, refresh_token="")
        return replace(book, contexts={**book.contexts, name: out})

    Contexts().change(change)
    if json:
        emit({"context": name, "user": context.user, "server_told": is_told})
        return
    say(f"{context.user} is signed out of {name}.")
    if not is_told:
        note(f"{context.server} could not be told, and may take what was copied of it for up to 30 days.")


# What is signed in to


def _before(server: str | None, space: str | None, user: str | None) -> Context:
    """What is known before: what was named, and the context in use as far as it is about that."""
    book = Contexts().read()
    known = book.contexts.get(os.environ.get(VARIABLE) or book.current)
    if known is None or not is_same(server or known.server, known.server) or (space or known.space) != known.space:
        url = (server or (known.server if known and not server else DEFAULT_SERVER)).rstrip("/")
        return Context(server=url, space=space or DEFAULT_SPACE, user=user or "")
    return Context(server=known.server, space=known.space, user=user or known.user)


def _keep(context: Context) -> str:
    """Keeps what a sign-in brought; the name of its context."""
    contexts, named = Contexts(), os.environ.get(VARIABLE)
    book = contexts.read()
    name = named or _name(book, context)
    old = book.contexts.get(name)
    contexts.put(name, context, use=not named)
    if old is not None and old.refresh_token != context.refresh_token:
        with suppress(SynclineError):  # it ends by itself
            asyncio.run(_end(old))
    return name


def _name(book: Book, context: Context) -> str:
    """The context that is about the same user, or a new one, named after its server and space."""
    names = [book.current, *sorted(book.contexts)]
    for name, known in ((name, book.contexts[name]) for name in names if name in book.contexts):
        is_there = is_same(known.server, context.server) and known.space == context.space
        if is_there and not known.key and known.user in ("", context.user):
            return name
    of_space = [] if context.space == DEFAULT_SPACE else [context.space]
    parts = [urlsplit(context.server).hostname or "server", *of_space]
    first = re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(parts)).strip("-._")[:56] or "server"
    return next(name for name in (first, *(f"{first}-{n}" for n in range(2, 10_000))) if name not in book.contexts)


# By a password


def _log_in(before: Context, password: str, code: str | None) -> Context:
    try:
        return asyncio.run(_password_login(before, password, code))
    except SecondFactorRequired:
        if code or not sys.stdin.isatty():
            raise
        return asyncio.run(_password_login(before, password, asked("Code", "--code")))


async def _password_login(before: Context, password: str, code: str | None) -> Context:
    async with SigningIn(before.server, space=before.space) as server:
        return granted(before, await server.login(before.user, password, code=code, label=_label()))


async def _set_up(before: Context, token: str, password: str) -> Context:
    async with SigningIn(before.server, space=before.space) as server:
        return granted(before, await server.set_up(token, password, label=_label()))


async def _end(context: Context) -> bool:
    """Ends a context's session at the server; whether it could be told."""
    if not context.refresh_token or context.issuer:
        return not context.access_token
    try:
        async with SigningIn(context.server, space=context.space) as server:
            await server.logout(context.refresh_token)
    except Unavailable:
        return False
    except SynclineError:
        pass  # it had ended
    return True


def _label() -> str:
    return f"syncline on {platform.node() or 'a machine without a name'}"


def _tell(name: str, context: Context, json: bool) -> None:
    if json:
        emit({"context": name, "server": context.server, "space": context.space, "user": context.user})
    else:
        say(f"{context.user} is signed in at {context.server}, space {context.space}; this is the context {name}.")
    for variable in ("SYNCLINE_TOKEN", "SYNCLINE_SERVER", "SYNCLINE_SPACE"):
        if os.environ.get(variable):
            note(f"{variable} is set, and wins over the context.")
