"""Several servers in this process on one PostgreSQL, with a bus between them that a test can break."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from syncline.server.app import App
from syncline.server.bus.memory import Exchange, MemoryBus
from syncline.server.service import Service
from syncline.server.settings import Settings
from tests.postgres import new_database
from tests.server import inprocess

LONG = 3_600.0


class Fellow:
    """One of the servers, and what a client asks it."""

    def __init__(self, app: App) -> None:
        self.app, self.service = app, app.service

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Status and body of a request."""
        data = b"" if body is None else json.dumps(body).encode()
        media = more.pop("media", "application/json" if data else "")
        return await inprocess.Exchange(self.app, "http", path, method=method, body=data, media=media, **more).answer()

    async def push(self, space: str, events: list[Any], token: str = "") -> Any:
        """The answer to a push."""
        return await self.ask("POST", f"/v1/spaces/{space}/push", {"events": events}, token=token)

    async def pull(self, space: str, token: str = "", query: str = "") -> Any:
        """The answer to a pull."""
        return await self.ask("GET", f"/v1/spaces/{space}/pull", token=token, query=query)

    async def follow(self, space: str, token: str = "", node: str = "n") -> inprocess.Exchange:
        """A WebSocket that has said hello and follows."""
        ws = inprocess.Exchange(self.app, "websocket", f"/v1/spaces/{space}/ws")
        ws.say({"type": "hello", "protocol": 1, "node": node, "space": space, **({"token": token} if token else {})})
        await ws.until(lambda: ws.messages)
        assert ws.messages[0]["type"] == "welcome", ws.messages
        ws.say({"type": "live"})
        await ws.until(lambda: any(message["type"] == "page" for message in ws.messages))
        return ws


class Fellows(AsyncExitStack):
    """The servers, stopped at the end of the block."""

    def __init__(self, directory: Path, *, store: str = "", **settings: Any) -> None:
        super().__init__()
        self.exchange = Exchange()
        self.store = store or new_database()
        self._directory, self._settings = directory, settings
        self._count = 0

    async def another(self, **more: Any) -> Fellow:
        """One more server; ``more`` is for its service."""
        self._count += 1
        data = str(self._directory / f"fellow{self._count}")
        settings = Settings(**{"data": data, "store": self.store, "open": True, **self._settings})
        app = App(Service(settings, bus=MemoryBus(self.exchange), **more))
        app.start()
        self.push_async_callback(app.stop)
        return Fellow(app)

    async def several(self, count: int = 2, **more: Any) -> list[Fellow]:
        """So many more."""
        return [await self.another(**more) for _ in range(count)]
