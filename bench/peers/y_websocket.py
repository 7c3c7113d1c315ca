"""`@y/websocket-server`, the server that Yjs itself offers: in memory, or with its LevelDB persistence."""

from pathlib import Path

from bench.install import newer_node, node_peers, python_peers
from bench.paths import NODE_MODULES
from bench.peers.yjs import YjsServer


class YWebsocket(YjsServer):
    name = "y-websocket"
    note = "a document in memory, keeps nothing"

    def install(self) -> None:
        python_peers()
        node_peers()

    def command(self, port: int, folder: Path) -> list[str]:
        server = str(NODE_MODULES / "@y" / "websocket-server" / "src" / "server.js")
        return ["env", "HOST=127.0.0.1", f"PORT={port}", *self.settings(folder), newer_node(), server]

    def settings(self, folder: Path) -> list[str]:
        return []


class YWebsocketLevelDB(YWebsocket):
    name = "y-websocket LevelDB"
    note = "every update into LevelDB, without fsync, after it was passed on"

    def settings(self, folder: Path) -> list[str]:
        return [f"YPERSISTENCE={folder / 'documents'}"]
