"""Server, space and credentials that a command goes by: as flags name them, then variables, then the context in use.

What a context says of a server is meant for that server alone: named with another one, neither its space nor its
credentials are used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from syncline.sync.contexts import Context, Contexts

if TYPE_CHECKING:
    from syncline.sync.sign_in import SignIn

DEFAULT_SERVER = "http://localhost:8080"
DEFAULT_SPACE = "default"
VARIABLE = "SYNCLINE_CONTEXT"
ORIGINS = "syncline.origins"
SOURCES = {"COMMANDLINE": "flag", "ENVIRONMENT": "environment"}


class Chosen(NamedTuple):
    """A context, and its name."""

    name: str
    context: Context

    def is_for(self, server: str | None) -> bool:
        """Whether the context is about this server."""
        return server is not None and is_same(self.context.server, server)


def choose(
    context: Annotated[
        str | None,
        typer.Option("--context", envvar=VARIABLE, metavar="NAME", show_default=False, help="Another context, once."),
    ] = None,
) -> None:
    """Names the context for one command, before its verb."""
    if context:
        os.environ[VARIABLE] = context  # whoever asks for it asks there, programs of the user's too


def chosen() -> Chosen | None:
    """The context in use, if there is one. Raises BadSettings."""
    book = Contexts().read()
    name = os.environ.get(VARIABLE) or book.current
    return Chosen(name, book.find(name)) if name else None


def credentials(server: str | None, token: str | None) -> SignIn | str | None:
    """What a server is shown: the token that was given, or else what its context has."""
    found = chosen() if token is None else None
    if found is None or not found.is_for(server):
        return token
    from syncline.sync.sign_in import SignIn  # an event loop, which who has a token or no server does not wait for

    return SignIn(found.name)


def check_url(url: str | None) -> str | None:
    """A server as somebody names it, if they do. Raises BadParameter."""
    if url is not None and not url.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"{url!r} is not a URL with http:// or https://, such as {DEFAULT_SERVER}; no others are taken here."
        )
    return url


def server_of(ctx: typer.Context, param: typer.CallbackParam, url: str | None) -> str | None:
    """A command's server. Raises BadParameter or BadSettings."""
    found = None if _note(ctx, param) else chosen()
    if found is not None:
        _origins(ctx)["server"] = f"context {found.name}"
        return found.context.server
    return check_url(url)


def space_of(ctx: typer.Context, param: typer.CallbackParam, space: str) -> str:
    """A command's space. Raises BadSettings."""
    found = None if _note(ctx, param) else chosen()
    if found is not None and found.is_for(ctx.params.get("server")):  # which was declared before
        _origins(ctx)["space"] = f"context {found.name}"
        return found.context.space
    return space


def token_of(ctx: typer.Context, param: typer.CallbackParam, token: str | None) -> str | None:
    """A command's token, if one was given. ``credentials`` finds another one when it is needed."""
    _note(ctx, param)
    return token or None


Server = Annotated[
    str,
    typer.Option("--server", "-s", envvar="SYNCLINE_SERVER", metavar="URL", callback=server_of, help="The server."),
]
Space = Annotated[
    str, typer.Option("--space", envvar="SYNCLINE_SPACE", metavar="NAME", callback=space_of, help="The space.")
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="SYNCLINE_TOKEN",
        metavar="KEY",
        callback=token_of,
        help="An API key; else what syncline login left.",
        show_default=False,
    ),
]


def origin(ctx: typer.Context, name: str) -> str:
    """Where a command's ``server``, ``space`` or ``token`` came from."""
    return _origins(ctx).get(name, "default")


def is_same(one: str, other: str) -> bool:
    """Whether two URLs name one server."""
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def _note(ctx: typer.Context, param: typer.CallbackParam) -> bool:
    """Whether somebody gave this parameter; remembers how."""
    source = ctx.get_parameter_source(param.name or "")
    how = SOURCES.get(source.name if source is not None else "")
    if how is not None:
        variable = f" {param.envvar}" if how == "environment" else ""
        _origins(ctx)[param.name or ""] = how + variable
    return how is not None or ctx.resilient_parsing


def _origins(ctx: typer.Context) -> dict[str, str]:
    origins: dict[str, str] = ctx.meta.setdefault(ORIGINS, {})
    return origins
