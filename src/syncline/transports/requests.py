"""Requests with a JSON answer to one server, as somebody: what everything beside the log is asked with."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import msgspec

from syncline.transports.http import open_client, request

__all__ = ["Requests"]


class Requests:
    """An asynchronous context manager. Its methods raise the server's errors, or ConnectionLost."""

    def __init__(self, url: str, token: str | None = None, space: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = open_client(url.rstrip("/") + "/", headers | ({"X-Tenant-ID": space} if space else {}))

    async def ask(
        self, method: str, path: str, body: Any = None, *, silence_seconds: float | None = None
    ) -> dict[str, Any]:
        """The answer to one request; empty if it has no body. ``silence_seconds``: for one that takes that long."""
        return (await self._answer(method, path, body, silence_seconds))[1]

    async def _answer(
        self, method: str, path: str, body: Any = None, silence_seconds: float | None = None
    ) -> tuple[int, dict[str, Any]]:
        content = {} if body is None else {"content": msgspec.json.encode(body)}
        response = await request(self._client, method, path, silence_seconds=silence_seconds, **content)
        return response.status_code, msgspec.json.decode(response.content or b"{}", type=dict[str, Any])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        await self._client.aclose()
