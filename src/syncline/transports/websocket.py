"""Over one WebSocket: messages as text frames."""

from __future__ import annotations

from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException

from syncline.errors import BadRequest, ConnectionLost
from syncline.transports.addresses import is_near
from syncline.transports.line import SocketTransport, lost

__all__ = ["WebSocketTransport"]

CONNECT_SECONDS = 5.0


class WebSocketTransport(SocketTransport):
    """A conversation over a WebSocket; see ``Transport``."""

    def __init__(self, url: str, *, packed: bool | None = None) -> None:
        """``url`` is the server's, http(s) or ws(s). ``packed``: whether permessage-deflate (RFC 7692) is asked for; if
        nothing is said, unless the server is on this machine.
        """
        super().__init__(self._dial)
        self._compression = "deflate" if (not is_near(url) if packed is None else packed) else None
        self._url = "ws" + url.rstrip("/").removeprefix("http").removeprefix("ws") + "/ws"

    async def _dial(self) -> _Frames:
        try:
            connection = await connect(
                self._url,
                compression=self._compression,
                max_size=None,
                ping_interval=None,
                open_timeout=CONNECT_SECONDS,
                proxy=None,
            )
        except InvalidURI as error:
            raise BadRequest(str(error)) from None
        except (OSError, TimeoutError, WebSocketException) as error:
            raise ConnectionLost(f"{self._url} cannot be reached: {str(error) or type(error).__name__}") from None
        return _Frames(connection)


class _Frames:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, text: bytes) -> None:
        try:
            await self._connection.send(text, text=True)
        except ConnectionClosed:
            raise lost() from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for text in self._connection:
                yield text.encode() if isinstance(text, str) else text
        except ConnectionClosed:
            return

    def abort(self) -> None:
        self._connection.transport.abort()

    async def close(self) -> None:
        await self._connection.close()
