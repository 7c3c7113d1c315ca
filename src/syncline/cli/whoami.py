"""``whoami``: who the server takes a command for, by what right, and who said so."""

from __future__ import annotations

import asyncio
from typing import Any

import typer
from rich.text import Text

from syncline.cli.chosen import DEFAULT_SERVER, DEFAULT_SPACE, Chosen, chosen, credentials, origin
from syncline.cli.remote import Server, Space, Token
from syncline.cli.terminal import Json, emit, facts, local_time, note, out
from syncline.sync.sign_in import SignIn
from syncline.transports.signing_in import SigningIn


def whoami(
    ctx: typer.Context,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show who you are to the server, what your credentials are for, and where server, space and they come from."""
    source, found = credentials(server, token), chosen()
    shown = source() if isinstance(source, SignIn) else token
    me = asyncio.run(_me(server, space, shown))
    of_token = f"context {source.name}" if isinstance(source, SignIn) else origin(ctx, "token")
    origins = {"server": origin(ctx, "server"), "space": origin(ctx, "space"), "token": of_token if shown else None}
    if json:
        emit({"server": server, **me, "asked_space": space, "context": found.name if found else None, "from": origins})
        return
    out.print(facts(_facts(me, server, space, origins, is_refreshed=isinstance(source, SignIn))))
    _warn(found, server, source)


async def _me(server: str, space: str, token: str | None) -> dict[str, Any]:
    async with SigningIn(server, token, space) as asked:
        return await asked.me()


def _facts(
    me: dict[str, Any], server: str, space: str, origins: dict[str, str | None], *, is_refreshed: bool
) -> dict[str, str | Text]:
    def said(value: str, name: str) -> Text:
        return Text.assemble(value, (f"  ({origins[name]})" if origins[name] else "", "dim"))

    kind, _, _ = me["credential"].partition(":")
    until = f", until {local_time(me['expires_ms'])}" if me["expires_ms"] else ""
    again = ", then refreshed" if is_refreshed and until and kind != "key" else ""
    return {
        "user": Text(me["user"], style="bold"),
        "server": said(server, "server"),
        "space": said(space, "space"),
        "credentials": said(f"{me['credential'] or 'none: the server is open'}{until}{again}", "token"),
        "scope": _scope(me),
        "second factor": "on" if me["second_factor"] else "off",
    }


def _scope(me: dict[str, Any]) -> str:
    parts = [f"{name} {', '.join(me[name])}" for name in ("actions", "items") if me[name]]
    return "; ".join(parts) or ("everything" if me["rules"] is None else "all that the rules allow")


def _warn(found: Chosen | None, server: str, source: object) -> None:
    if found is None or isinstance(source, SignIn):
        return
    why = "other credentials were given" if found.is_for(server) else "it is another server's"
    note(f"The context {found.name} does not count here: {why}.")
