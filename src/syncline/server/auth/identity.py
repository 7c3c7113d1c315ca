"""Who a request comes from: the one value all kinds of credentials lead to, and the two users with a special name."""

from __future__ import annotations

from typing import NamedTuple

from syncline.core.access.state import ROOT as ROOT
from syncline.errors import InvalidCredentials

ANYONE = "anyone"
"""Whoever comes without credentials, where the server is open."""


class Identity(NamedTuple):
    """Who somebody is, and by which credential."""

    user: str
    space: str | None
    """The one space this user belongs to. None: all of them, without rules: ``.root``, and ``anyone`` in open mode."""
    credential: str = ""
    """What it was proved with: ``key:ab12cd34``, ``session:…``, ``oidc:…``; empty if with nothing."""
    actions: tuple[str, ...] = ()
    """Patterns of actions an API key is scoped to; empty: not scoped."""
    items: tuple[str, ...] = ()
    """Patterns of items an API key is scoped to; empty: not scoped."""
    expires_ms: int | None = None
    """When the credential ends, in milliseconds since 1970. None: never."""

    def belongs_to(self, space: str) -> bool:
        """Whether this is somebody of this space."""
        return self.space is None or self.space == space


def home(space: str | None, user: str) -> str:
    """The space under which the register keeps a user: ``""`` for ``.root``, who belongs to all."""
    return "" if user == ROOT or space is None else space


def wrong() -> InvalidCredentials:
    """The one error for whatever does not fit at a login, so that it does not tell which names there are."""
    return InvalidCredentials("Name, password or code is wrong.")
