"""pycrdt-websocket: a Yjs server in Python, as Jupyter has it, with its SQLite store. On uvicorn and uvloop."""

from pathlib import Path

from bench.install import python_peers
from bench.paths import BENCH, PEER_PYTHON
from bench.peers.yjs import YjsServer


class PycrdtWebsocket(YjsServer):
    name = "pycrdt-websocket"
    note = "every update into a SQLite YStore, a commit each, after it was passed on"

    def install(self) -> None:
        python_peers()

    def command(self, port: int, folder: Path) -> list[str]:
        return [str(PEER_PYTHON), str(BENCH / "peers" / "rooms.py"), str(port), str(folder / "updates.db")]
