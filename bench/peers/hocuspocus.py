"""Hocuspocus with its SQLite extension. It puts the document's name before each message, and acknowledges."""

from collections.abc import Sequence
from pathlib import Path

from bench.install import newer_node, node_peers, python_peers
from bench.paths import BENCH
from bench.peers.peer import Step
from bench.peers.yjs import YjsServer, sized
from bench.wire import binary_frame

AUTHENTICATE = b"\2\0\0"  # with an empty token: whoever asks is let in
SYNC_STATUS_SAVED = b"\x08\1"


class Hocuspocus(YjsServer):
    name = "Hocuspocus"
    note = "whole documents into SQLite, 2 s after the last change and 10 s at most; acknowledged from memory"

    def install(self) -> None:
        python_peers()
        node_peers()

    def command(self, port: int, folder: Path) -> list[str]:
        return [newer_node(), str(BENCH / "peers" / "hocuspocus.mjs"), str(port), str(folder / "documents.db")]

    def address(self, number: int) -> bytes:
        return sized(self.document(number).encode())

    def greeting(self, number: int) -> Sequence[Step]:
        opening, *rest = super().greeting(number)
        return [opening, Step(binary_frame(self.address(number) + AUTHENTICATE), b"read-write"), *rest]

    def accepted(self) -> bytes:
        return self.suffix.encode() + SYNC_STATUS_SAVED
