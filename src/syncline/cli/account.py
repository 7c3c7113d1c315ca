"""``account``: one's own password, second factor and sessions at a server, for whoever signed in with a password."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.text import Text

from syncline.cli.failures import REFUSED
from syncline.cli.questions import FromInput, asked, line, password
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Remote, Server, Space, Token
from syncline.cli.terminal import Json, complain, emit, facts, local_time, note, out, say, table
from syncline.errors import InvalidCredentials, NotFound
from syncline.transports.signing_in import SigningIn

T = TypeVar("T")

TRIES = 3
"""At a code that is asked for: the app shows the next one meanwhile."""

app = typer.Typer(name="account", help="Look after your own account.", no_args_is_help=True)
totp = typer.Typer(name="totp", help="Turn the second factor on and off.", no_args_is_help=True)
sessions = typer.Typer(name="sessions", help="List and end your sign-ins.", no_args_is_help=True)
app.add_typer(totp)
app.add_typer(sessions)

Code = Annotated[str | None, typer.Option("--code", metavar="CODE", show_default="asked", help="A code of the app.")]
AnyCode = Annotated[
    str | None, typer.Option("--code", metavar="CODE", show_default="asked", help="A code of the app, or for recovery.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The session's id, as account sessions list shows it.")]


@app.command("password")
def change_password(
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    password_stdin: FromInput = False,
    json: Json = False,
) -> None:
    """Change your password; your other sign-ins end. --password-stdin reads two lines, the old one and the new one."""
    old = password("Present password", from_input=password_stdin)
    new = line() if password_stdin else password("New password", from_input=False, is_new=True)
    _ask(Remote(server, space, token), lambda own: own.change_password(old, new))
    emit({"changed": True}) if json else say("The password is changed; other sign-ins have ended.")


@totp.command("on")
def turn_on(
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    code: Code = None,
    json: Json = False,
) -> None:
    """Ask for a code of an app at every login. It is on when a first code has shown that the app knows the secret.

    With --code that is the code; without it there is a new secret, and the code is asked for on a terminal.
    """
    remote = Remote(server, space, token)
    if code is None:
        _show_secret(remote, json)
        if json or not sys.stdin.isatty():
            note("Not on yet: confirm with syncline account totp on --code CODE.")
            return
    codes = _ask(remote, lambda own: own.confirm(code)) if code is not None else _confirmed(remote)
    if json:
        emit({"recovery_codes": codes})
        return
    say("The second factor is on. Each of these recovery codes is for one login without the app; keep them:")
    for each in codes:
        say(Text(each, style="bold green" if out.is_terminal else ""))


@totp.command("off")
def turn_off(
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    code: AnyCode = None,
    json: Json = False,
) -> None:
    """Turn the second factor off, with a code."""
    given = code or asked("Code", "--code", is_secret=True)
    _ask(Remote(server, space, token), lambda own: own.turn_off(given))
    emit({"second_factor": False}) if json else say("The second factor is off.")


@sessions.command("list")
def list_sessions(
    server: Server = DEFAULT_SERVER, space: Space = DEFAULT_SPACE, token: Token = None, json: Json = False
) -> None:
    """List your sign-ins that go on, the one used last first."""
    found = _ask(Remote(server, space, token), lambda own: own.sessions())
    if json:
        emit({"sessions": found})
        return
    shown = table("id", "what", "began", "used", "")
    for each in found:
        times = local_time(each["created_ms"]), local_time(each["used_ms"])
        shown.add_row(each["id"], Text(each["label"]), *times, "this one" if each["is_current"] else "")
    out.print(shown)


@sessions.command("end")
def end_session(
    id: Id, server: Server = DEFAULT_SERVER, space: Space = DEFAULT_SPACE, token: Token = None, json: Json = False
) -> None:
    """End one of your sign-ins, with all its connections: the telephone that was lost."""
    try:
        _ask(Remote(server, space, token), lambda own: own.end_session(id))
    except NotFound:
        complain(f"You have no session {id}; syncline account sessions list shows those there are.")
        raise typer.Exit(REFUSED) from None
    emit({"id": id, "ended": True}) if json else say(f"{id} has ended.")


def _show_secret(remote: Remote, json: bool) -> None:
    made = _ask(remote, lambda own: own.enrol())
    if json:
        emit(made)
        return
    note("Enter this in an app for codes, or open the URI there.")
    out.print(facts({"secret": Text(made["secret"], style="bold"), "uri": made["uri"]}))


def _confirmed(remote: Remote) -> list[str]:
    """The recovery codes, after a code that was asked for until it was right."""
    for _ in range(TRIES - 1):
        given = asked("Code", "--code", is_secret=True)
        try:
            return _ask(remote, lambda own, given=given: own.confirm(given))  # type: ignore[misc]
        except InvalidCredentials:
            complain("That is not the code that the app should show now; once more.")
    given = asked("Code", "--code", is_secret=True)
    return _ask(remote, lambda own: own.confirm(given))


def _ask(remote: Remote, question: Callable[[SigningIn], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with SigningIn(remote.server, await remote.bearer(), remote.space) as own:
            return await question(own)

    return asyncio.run(ask())
