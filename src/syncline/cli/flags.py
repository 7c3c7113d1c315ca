"""A flag for every setting of the server, made from the settings themselves, so that none is ever missing."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from inspect import Parameter
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from syncline.server.settings import Settings

Command = TypeVar("Command", bound=Callable[..., None])

CONFIG = Path("syncline.toml")

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", show_default=False, help=f"Settings in TOML; ./{CONFIG} if it is there."),
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="STORE", show_default=False, help="sqlite, lmdb, jsonl, or postgresql://…."),
]
Data = Annotated[
    str | None, typer.Option("--data", metavar="DIR", show_default=False, help="The server's data directory.")
]


def config_file(given: Path | None) -> Path | None:
    """The file to read settings from, if any."""
    return given or (CONFIG if CONFIG.exists() else None)


def with_settings(command: Command) -> Command:
    """The command with a flag for every setting; those that are given arrive in its ``**flags``."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    named = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own if each.kind is not Parameter.VAR_KEYWORD]
    explained = _explanations()
    flags = [_flag(name, explained.get(name, "")) for name in Settings.__struct_fields__]
    command.__signature__ = inspect.Signature([*flags, *named])  # type: ignore[attr-defined]
    return command


def _flag(name: str, explanation: str) -> Parameter:
    default = getattr(Settings(), name)
    flag = "--" + name.replace("_", "-")
    both = f"{flag}/--no-{flag[2:]}" if isinstance(default, bool) else flag
    shown = {True: "yes", False: "no"}.get(default, default) if isinstance(default, bool) else default
    is_listed = isinstance(default, tuple)  # as JSON, or with commas; see ``gather``
    option = typer.Option(both, help=f"{explanation} \\[{'none' if is_listed else shown}]", show_default=False)
    kind: Any = (str if is_listed else type(default)) | None
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _explanations() -> dict[str, str]:
    """The docstring under each field of ``Settings``."""
    found = {}
    for pair in pairwise(ast.walk(ast.parse(inspect.getsource(Settings)).body[0])):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = inspect.cleandoc(words).replace("`", "")
    return found
