"""A network between a browser and a server, which can fall silent without closing anything."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from tests.server.proxy import Proxy


class Network:
    """`Proxy`, in a thread of its own."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy, self._loop = proxy, loop
        self.url = proxy.url

    def fall_silent(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.fall_silent)

    def speak(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.speak)


@contextmanager
def network(port: int) -> Iterator[Network]:
    """A network to a port of this machine."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        proxy = Proxy(port)
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
        yield Network(proxy, loop)
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
