"""The verbs, each imported when it is asked for: nobody waits for what the others need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.main import get_group


class Loaded(Mapping[str, Any]):
    """Commands by verb, in order. What lists them with their help loads them all."""

    def __init__(self, panels: Mapping[str, str], modules: Mapping[str, str]) -> None:
        """``panels`` are the verbs under each head of the help, ``modules`` the modules not named as their verb."""
        self._panels = {verb: panel for panel, verbs in panels.items() for verb in verbs.split()}
        self._modules = modules
        self._load = cache(self._loaded)

    def __getitem__(self, verb: str) -> Any:
        if verb not in self._panels:
            raise KeyError(verb)
        return self._load(verb)

    def __iter__(self) -> Iterator[str]:
        return iter(self._panels)

    def __len__(self) -> int:
        return len(self._panels)

    def _loaded(self, verb: str) -> Any:
        """A verb's module has an ``app`` for a group of verbs, or else a function for this one."""
        module = import_module(f"syncline.cli.{self._modules.get(verb, verb)}")
        parent, panel = typer.Typer(), self._panels[verb]
        if hasattr(module, "app"):
            parent.add_typer(module.app, rich_help_panel=panel)
        else:
            function = getattr(module, verb, None) or getattr(module, f"{verb}_")
            parent.command(verb, rich_help_panel=panel)(function)
        return get_group(parent).commands[verb]
