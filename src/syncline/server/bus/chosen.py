"""Which bus carries the hints, as the settings say."""

from __future__ import annotations

import hashlib

from syncline.errors import BadSettings
from syncline.server.bus import Bus
from syncline.server.logs import POSTGRES, kind_of, load
from syncline.server.masking import masked
from syncline.transports.nats_url import is_nats

__all__ = ["check", "open_bus"]

POSTGRES_BUS = "postgres"


def check(bus: str, store: str) -> None:
    """Raises BadSettings unless ``bus`` is one that servers can share that have this ``store``."""
    if bus and bus != POSTGRES_BUS and not is_nats(bus):
        raise BadSettings(f"bus: {masked(bus)[:40]!r} is neither postgres nor a URL such as nats://localhost:4222.")
    if bus and kind_of(store) != POSTGRES:
        raise BadSettings("bus: it is for servers that share a store at postgresql://…; this one is alone.")


def open_bus(bus: str, store: str, key: bytes) -> Bus | None:
    """The bus; None for a server that is alone. ``key`` tells these servers from others on the same NATS.

    Raises BadSettings.
    """
    check(bus, store)
    if kind_of(store) != POSTGRES:
        return None
    if is_nats(bus):
        name = hashlib.blake2b(key, digest_size=8, person=b"syncline-subject").hexdigest()
        chosen: Bus = load("syncline.server.bus.nats", "NatsBus")(bus, name)
    else:
        chosen = load("syncline.server.bus.postgres", "PostgresBus")(store)
    return chosen
