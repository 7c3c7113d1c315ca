"""How a replica stands to its server, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica stands to its server."""

    state: str = "offline"
    """``offline``, ``connecting``, ``syncing``, ``live`` or ``needs_auth``."""
    pending: int = 0
    """Events that no server has answered, and, while a conversation lasts, those whose entries have not come back yet.

    ``Replica.pending`` gives the former alone.
    """
    refused: int = 0
    """Events in the refused inbox."""
    orphan: int = 0
    """Entries that the server's log has lost, and that are to be given back."""
    unvouched: int = 0
    """Such of others that the log did not take."""
    last_synced: int | None = None
    """When both last agreed, in milliseconds of the local clock."""
    error: Mapping[str, Any] | None = None
    """Why the last attempt failed, if it did."""
