"""A line to PostgreSQL that breaks when something is said on it: before that arrives, or after it was carried out."""

import selectors
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path

NAME = ".s.PGSQL.5432"
READY = b"Z\0\0\0\5I"
"""With which PostgreSQL ends an answer, when no transaction is left open."""


class BrokenLine:
    """A socket in a folder, whose connections lead to the server's socket in another."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server, self.folder = server, folder
        self._word, self._after = b"", False
        self.has_broken = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / NAME))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "BrokenLine":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def address(self, url: str) -> str:
        """An address that leads over this line."""
        return url.replace(str(self._server), str(self.folder))

    def break_at(self, word: bytes, *, after: bool) -> None:
        """The next connection on which a word is said breaks; ``after``: when the server has carried it out."""
        self._after, self._word = after, word

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with closing(client), closing(socket.socket(socket.AF_UNIX)) as server, selectors.DefaultSelector() as selector:
            server.connect(str(self._server / NAME))
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            with suppress(OSError):
                while all(self._pass(key.fileobj, key.data, client) for key, _ in selector.select()):
                    pass

    def _pass(self, giver: socket.socket, taker: socket.socket, client: socket.socket) -> bool:
        """Passes on what was said; whether the line still stands."""
        said = giver.recv(1 << 16)
        if giver is client and self._word and self._word in said:
            if self._after:
                taker.sendall(said)
                while not taker.recv(1 << 16).endswith(READY):
                    pass
            self._word, self.has_broken = b"", True
            return False
        taker.sendall(said)
        return bool(said)
