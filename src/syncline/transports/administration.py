"""What an administrator asks of a server beside the log: whether it is well, and which spaces it has."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import msgspec

from syncline.transports.http import open_client, request

__all__ = ["Administration"]


class Administration:
    """Requests to one server, as an asynchronous context manager. Raises the server's errors, or ConnectionLost."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._client = open_client(url.rstrip("/") + "/", {"Authorization": f"Bearer {token}"} if token else {})

    async def ready(self) -> None:
        """Returns if the server takes requests."""
        await request(self._client, "GET", "readyz")

    async def spaces(self) -> list[str]:
        """The names of all spaces."""
        return list((await self._get("v1/spaces"))["spaces"])

    async def space(self, name: str, *, back: int = 0, items: Sequence[str] = ()) -> dict[str, Any]:
        """A space: its name, epoch, head (last seq), the tail there, the milliseconds ``at`` which that was, and the
        ``cursor`` which is ``back`` entries before the head, for a reader of ``items``."""
        query = urlencode({"back": back, **({"items": ",".join(items)} if items else {})})
        return await self._get(f"v1/spaces/{quote(name, safe='')}?{query}")

    async def create_space(self, name: str) -> bool:
        """Makes a space; whether it is new."""
        body = msgspec.json.encode({"name": name})
        return (await request(self._client, "POST", "v1/spaces", content=body)).status_code == 201

    async def delete_space(self, name: str) -> None:
        """Deletes a space for ever."""
        await request(self._client, "DELETE", f"v1/spaces/{quote(name, safe='')}")

    async def _get(self, path: str) -> dict[str, Any]:
        content = (await request(self._client, "GET", path)).content
        return msgspec.json.decode(content, type=dict[str, Any])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        await self._client.aclose()
