"""The server: an authority over many spaces, over HTTP and WebSocket. ``create_app`` gives it as an ASGI app.

What it is made of is imported when it is asked for, because the command line needs the settings alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncline.server.app import App, create_app
    from syncline.server.auth.identity import Identity
    from syncline.server.service import Caller, Service
    from syncline.server.settings import Settings

__all__ = ["App", "Caller", "Identity", "Service", "Settings", "create_app"]

_HOME = {
    "App": "app",
    "Caller": "service",
    "Identity": "auth.identity",
    "Service": "service",
    "Settings": "settings",
    "create_app": "app",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
