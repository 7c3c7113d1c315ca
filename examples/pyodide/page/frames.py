"""The browser's WebSocket as a ``Frames``: what a conversation with a server is carried by."""

import asyncio
from collections.abc import AsyncIterator

from pyodide.ffi import create_proxy

from js import WebSocket
from syncline.transports.line import SocketTransport, lost


class BrowserFrames:
    """An open WebSocket."""

    def __init__(self, socket) -> None:
        self._socket = socket
        self._arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._proxies = {
            "onmessage": create_proxy(lambda event: self._arrived.put_nowait(event.data.encode())),
            "onclose": create_proxy(lambda _event: self._arrived.put_nowait(None)),
        }
        for name, proxy in self._proxies.items():
            setattr(socket, name, proxy)

    async def send(self, text: bytes) -> None:
        if self._socket.readyState != WebSocket.OPEN:
            raise lost()
        self._socket.send(text.decode())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (text := await self._arrived.get()) is not None:
            yield text

    def abort(self) -> None:
        self._socket.close()

    async def close(self) -> None:
        for name, proxy in self._proxies.items():
            setattr(self._socket, name, None)
            proxy.destroy()
        self._proxies = {}
        self._socket.close()


async def dial(url: str) -> BrowserFrames:
    """A new connection. Raises ConnectionLost."""
    socket = WebSocket.new(url)
    opened = asyncio.get_running_loop().create_future()
    proxy = create_proxy(lambda event: None if opened.done() else opened.set_result(event.type))
    socket.onopen = socket.onerror = proxy
    outcome = await opened
    socket.onopen = socket.onerror = None
    proxy.destroy()
    if outcome != "open":
        raise lost()
    return BrowserFrames(socket)


def transport(url: str) -> SocketTransport:
    """A conversation over the browser's WebSocket; ``url`` is that of a server's ``/ws``."""
    return SocketTransport(lambda: dial(url))
