"""pycrdt-websocket with a SQLite store for every room. Run as a script, see `pycrdt_websocket.py`."""

import sys

import uvicorn
import uvloop
from pycrdt.store import SQLiteYStore
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom, exception_logger


class Store(SQLiteYStore):
    db_path = sys.argv[2]


class Rooms(WebsocketServer):
    async def get_room(self, name: str) -> YRoom:
        if name not in self.rooms:
            self.rooms[name] = YRoom(ystore=Store(name), exception_handler=exception_logger)
        await self.start_room(self.rooms[name])
        return self.rooms[name]


async def make_tables() -> None:
    """Before the first rooms do: two at once would each try to."""
    async with Store("none") as store:
        await store.db_initialized.wait()


async def serve(port: int) -> None:
    await make_tables()
    async with Rooms(exception_handler=exception_logger) as rooms:
        config = uvicorn.Config(
            ASGIServer(rooms),
            port=port,
            ws="websockets-sansio",
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
