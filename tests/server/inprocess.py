"""An app in this process, and clients that speak ASGI with it: for tests in which the order of things matters."""

import asyncio
import json
from typing import Any

from syncline.server.app import App

DEADLINE = 20


class Exchange:
    """One HTTP request or WebSocket, carried on in a task of its own; what the app sends is kept as it comes."""

    def __init__(
        self,
        app: App,
        kind: str,
        path: str,
        *,
        method: str = "GET",
        token: str = "",
        body: bytes = b"",
        query: str = "",
        media: str = "",
    ):
        self.sent: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        """Those of a WebSocket, or the data of server-sent events."""
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._news = asyncio.Event()
        scope = {
            "type": kind,
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                *([(b"authorization", f"Bearer {token}".encode())] if token else []),
                *([(b"content-type", media.encode())] if media else []),
            ],
            "client": ("127.0.0.1", 1),
        }
        first = {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": body}
        self._inbox.put_nowait(first)
        self.task = asyncio.create_task(app(scope, self._inbox.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        text = message.get("text") or message.get("body", b"").decode()
        if message["type"] == "websocket.send":
            self.messages.append(json.loads(text))
        elif message["type"] == "http.response.body":
            self.messages += [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]
        self._news.set()

    def say(self, message: dict[str, Any]) -> None:
        """Sends a message over a WebSocket."""
        self._inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def close(self) -> None:
        """Goes away."""
        kind = "websocket" if self.sent and self.sent[0]["type"].startswith("websocket") else "http"
        self._inbox.put_nowait({"type": f"{kind}.disconnect"})
        await asyncio.wait_for(self.task, DEADLINE)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All entries of all pages so far."""
        pages = [message for message in self.messages if message["type"] == "page"]
        return [entry for page in pages for entry in page.get("late", []) + page["entries"]]

    async def until(self, condition: Any) -> None:
        """Returns when something holds of what came, or the app has ended it."""
        async with asyncio.timeout(DEADLINE):
            while not condition() and not self.task.done():
                self._news.clear()
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait([news, self.task], return_when=asyncio.FIRST_COMPLETED)
                news.cancel()

    async def answer(self) -> tuple[int, Any]:
        """Status and body of an HTTP request that ends by itself."""
        await asyncio.wait_for(self.task, DEADLINE)
        body = b"".join(message.get("body", b"") for message in self.sent if message["type"] == "http.response.body")
        return self.sent[0]["status"], json.loads(body)
