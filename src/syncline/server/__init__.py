"""The server: an authority over many spaces, over HTTP and WebSocket. ``create_app`` gives it as an ASGI app."""

from __future__ import annotations

from syncline.server.app import App, create_app
from syncline.server.service import Service
from syncline.server.settings import Settings

__all__ = ["App", "Service", "Settings", "create_app"]
