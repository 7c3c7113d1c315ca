"""Where a command administers users and keys: at a server, or in a data directory on the server's own machine.

Where the settings say that the register is in a database, that is administered in place of the directory's.

A command says ``@administering`` and gets an ``Ask`` as its first argument; the flags that say where are added to its
own.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import wraps
from inspect import Parameter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Protocol, TypeVar

import typer
from msgspec.structs import replace

from syncline.cli.chosen import DEFAULT_SPACE, origin, server_of
from syncline.cli.failures import misused
from syncline.cli.flags import Config, Data, config_file
from syncline.cli.local_register import LocalRegister
from syncline.cli.remote import Remote, Space, Token
from syncline.errors import StoreLocked
from syncline.replica import wall_clock_ms
from syncline.server.logs import POSTGRES, kind_of
from syncline.server.register.acts import ActTable
from syncline.server.registry import FILE, Registry, open_registry
from syncline.server.settings import Settings, gather

T = TypeVar("T")

DATA_VARIABLE = "SYNCLINE_DATA"

Server = Annotated[
    str | None,
    typer.Option(
        *("--server", "-s"),
        envvar="SYNCLINE_SERVER",
        metavar="URL",
        callback=server_of,
        show_default=False,
        help="The server; else a data directory on this machine.",
    ),
]


class Register(Protocol):
    """The users and keys of a space; what is answered has the shapes of the HTTP interface."""

    async def users(self) -> list[dict[str, Any]]: ...
    async def user(self, name: str) -> dict[str, Any]: ...
    async def create_user(self, name: str, password: str | None = None) -> dict[str, Any]: ...
    async def remove_user(self, name: str) -> None: ...
    async def change_user(self, name: str, how: str) -> dict[str, Any]: ...
    async def reset_totp(self, name: str) -> None: ...
    async def keys(self) -> list[dict[str, Any]]: ...
    async def create_key(self, name: str, user: str, **scope: Any) -> dict[str, Any]: ...
    async def revoke_key(self, id: str) -> None: ...


Ask = Callable[[Callable[[Register], Awaitable[T]]], T]
"""Asks the register something; the answer."""


def administering(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first argument asks the register that its flags name."""

    @wraps(command)
    def run(
        *,
        ctx: typer.Context,
        server: str | None,
        space: str,
        token: str | None,
        data: str | None,
        config: Path | None,
        **given: Any,
    ) -> None:
        if _is_local(ctx, server, data, config):
            command(lambda question: _ask(_local(data, config, space), question), **given)
        else:
            command(lambda question: _ask(Remote(str(server), space, token).administer(), question), **given)

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    flags = [
        Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context),
        _flag("server", Server, None),
        _flag("space", Space, DEFAULT_SPACE),
        _flag("token", Token, None),
        _flag("data", Data, None),
        _flag("config", Config, None),
    ]
    named = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]
    run.__signature__ = inspect.Signature([*named, *flags])  # type: ignore[attr-defined]
    return run


def _is_local(ctx: typer.Context, server: str | None, data: str | None, config: Path | None) -> bool:
    """Whether a data directory is meant: what was named on the command line counts first, then variables."""
    is_flag = origin(ctx, "server") == "flag"
    if is_flag and (data or config):
        misused("--server and --data exclude each other: either over the network, or on the server's machine.")
    return bool(data or config) or server is None or (not is_flag and bool(os.environ.get(DATA_VARIABLE)))


def _ask(opened: AbstractAsyncContextManager[Any], question: Callable[[Register], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with opened as register:
            return await question(register)

    return asyncio.run(ask())


@asynccontextmanager
async def _local(data: str | None, config: Path | None, space: str) -> AsyncIterator[LocalRegister]:
    settings, _ = gather(file=config_file(config), environment=os.environ, flags={"data": data})
    with _registry(settings) as registry:
        yield LocalRegister(registry, space, wall_clock_ms)
        if ActTable(registry.database).waiting():
            await _record(settings)


async def _record(settings: Settings) -> None:
    """Lets the logs tell of what was done. A server that runs does so itself, within a second."""
    from syncline.server.service import Service  # as in ``serve``

    with _place_of_its_own(settings) as data:
        service = Service(replace(settings, data=data))
        try:
            service.start()
        except StoreLocked:
            return
        await service.stop()


@contextmanager
def _place_of_its_own(settings: Settings) -> Iterator[str]:
    """The data directory; where the logs are in a database, one for now: nothing that stays belongs there."""
    if kind_of(settings.store) != POSTGRES:
        yield settings.data
        return
    with TemporaryDirectory(prefix="syncline-") as directory:
        yield directory


@contextmanager
def _registry(settings: Settings) -> Iterator[Registry]:
    """The register of these settings. Raises FileNotFoundError instead of making a file."""
    data = Path(settings.data)
    if kind_of(settings.store) != POSTGRES and not (data / FILE).exists():
        words = "no server was started here yet (name its directory with --data, or a server with --server)"
        raise FileNotFoundError(2, words, settings.data)
    registry = open_registry(data, settings.store, wall_clock_ms)
    try:
        yield registry
    finally:
        registry.close()


def _flag(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
