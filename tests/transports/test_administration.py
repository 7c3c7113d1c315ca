"""What an administrator asks for may take long: who erases waits for the answer, however silent the server is."""

import asyncio

import pytest

from syncline.errors import ConnectionLost
from syncline.transports import http
from syncline.transports.administration import Administration

ANSWER = b'{"events":1,"items":["task.a"],"left":0}'


async def ask_both():
    """Asks a server that answers nothing until somebody has lost patience with it."""
    is_over = asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await is_over.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Administration(url) as one, Administration(url) as other:
            erased = asyncio.create_task(other.erase(items=["task.a"]))
            with pytest.raises(ConnectionLost, match="ReadTimeout"):
                await one.spaces()
            assert not erased.done()
            is_over.set()
            return await erased


def test_who_erases_waits_however_silent_the_server_is(monkeypatch):
    monkeypatch.setattr(http, "SILENCE_SECONDS", 0.05)
    assert asyncio.run(ask_both()) == {"events": 1, "items": ["task.a"], "left": 0}
