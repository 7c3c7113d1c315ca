"""A replica that syncs by itself, for programs without an event loop: a thread with one of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self, TypeVar

from syncline.errors import BadSettings
from syncline.replica import new_node
from syncline.replica.documents import DocumentReplica
from syncline.stores import ReplicaStore
from syncline.stores.documents import DocumentIndex, MemoryDocumentIndex
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.snapshots import MemorySnapshotStore, SnapshotStore
from syncline.stores.sqlite import SqliteDocumentIndex, SqliteSnapshotStore, open_replica
from syncline.sync.credentials import Token
from syncline.sync.manager import SyncManager
from syncline.sync.options import SyncOptions, SyncResult
from syncline.sync.presence import Presence
from syncline.transports import Transport

T = TypeVar("T")

TRANSPORTS = ("http", "websocket")
GRPC = ("grpc://", "grpcs://")
NATS = ("nats://", "tls://")
CARRIED = (*GRPC, *NATS)
"""URLs that say themselves what carries messages."""

_NO_PRESENCE = "Presence needs a WebSocket: open the replica with server=… and transport='websocket'."


class SyncedReplica(DocumentReplica):
    """A replica with a server: ``sync`` once, or ``start`` and stay live. A context manager; otherwise ``close`` it."""

    def __init__(
        self,
        store: ReplicaStore,
        make_transport: Callable[[], Transport] | None,
        options: SyncOptions | None = None,
        *,
        space: str = "default",
        token: Token = None,
        snapshots: SnapshotStore | None = None,
        index: DocumentIndex | None = None,
        presence: Presence | None = None,
    ) -> None:
        super().__init__(store, snapshots=snapshots, index=index)
        self.presence = presence or Presence()
        """Who else is in the space just now, and what they point at; for replicas that ``start``."""
        self._make_transport, self._options = make_transport, options
        self._space, self._token = space, token
        self._thread: _LoopThread | None = None
        self._starting = Lock()

    def sync(self) -> SyncResult:
        """Pushes what is pending and pulls what is new. Errors are in the result; nothing is lost by them."""
        return self._do(SyncManager.sync)

    def push(self) -> SyncResult:
        """Pushes what is pending."""
        return self._do(SyncManager.push)

    def pull(self) -> SyncResult:
        """Pulls what is new."""
        return self._do(SyncManager.pull)

    def heal(self) -> SyncResult:
        """Syncs, and mends every difference from the server; see ``SyncManager.heal``."""
        return self._do(SyncManager.heal)

    def start(self) -> None:
        """Stays live from now on, in the background; ``status`` and ``watch`` tell what happens."""
        self._do(SyncManager.start_auto_sync)

    def stop(self) -> None:
        """Stops syncing in the background; recording goes on."""
        if self._thread is not None:
            self._do(SyncManager.stop_auto_sync)

    def sign_in(self, token: Token) -> None:
        """New credentials: what was started goes on with them at once; see ``SyncManager.sign_in``."""
        self._token = token
        if self._thread is not None:
            self._do(lambda manager: manager.sign_in(token))

    def close(self) -> None:
        """Stops syncing and closes the stores."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, action: Callable[[SyncManager], Coroutine[Any, Any, T]]) -> T:
        with self._starting:
            if self._thread is None:
                if self._make_transport is None:
                    raise BadSettings("This replica has no server: open it with server=…")
                self._thread = _LoopThread(self._make_manager)
        thread = self._thread
        return thread.call(action(thread.manager))

    def _make_manager(self) -> SyncManager:
        assert self._make_transport is not None
        return SyncManager(
            self,
            self._make_transport(),
            self._options,
            space=self._space,
            token=self._token,
            presence=self.presence,
        )


class _LoopThread:
    """An event loop in a thread of its own, and a manager that belongs to it."""

    def __init__(self, make_manager: Callable[[], SyncManager]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="syncline-sync", daemon=True)
        self._thread.start()
        self.manager = self.call(_made(make_manager))

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs over there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def end(self) -> None:
        """Closes the manager and ends the thread."""
        self.call(self.manager.close())
        self.call(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with contextlib.suppress(RuntimeError):
            self._loop.close()


async def _made(make: Callable[[], T]) -> T:
    return make()


def _connect(transport: str, server: str) -> Transport:
    """A transport to a server; what it is made of is imported now, since who is offline does without."""
    if server.startswith(GRPC):
        from syncline.transports.grpc.client import GrpcTransport

        return GrpcTransport(server)
    if server.startswith(NATS):
        from syncline.transports.nats import NatsTransport

        return NatsTransport(server)
    if transport == "http":
        from syncline.transports.http import HttpTransport

        return HttpTransport(server)
    from syncline.transports.websocket import WebSocketTransport

    return WebSocketTransport(server)


def open(
    path: Path | str | None,
    *,
    server: str | None = None,
    space: str = "default",
    token: Token = None,
    transport: str = "websocket",
    options: SyncOptions | None = None,
    history: bool = True,
) -> SyncedReplica:
    """Opens the replica in the file at ``path`` (made if it is not there; None keeps everything in memory).

    Beside it ``<path>.snapshots`` keeps states of documents, so that opening one is fast, and ``<path>.documents`` what
    they show, so that they are found. Both may be deleted while no program has the replica open: they are made again.

    ``server`` is a URL such as ``http://localhost:8080``, or ``grpc://localhost:9090`` (``grpcs://`` for TLS) with the
    extra ``grpc``, or ``nats://localhost:4222`` (``tls://``) with the extra ``nats``; without one the replica is local
    for now. ``token`` is an API key, or a function that returns a token, and is asked again when that has expired.
    ``history=False`` begins a new replica from the server's newest snapshot of the space, if it has one, instead of
    pulling all that has been; see ``SyncOptions.history``. ``transport``, of the first kind of URL, is ``websocket`` or
    ``http``. Raises StoreLocked if another program has the file open, ForeignFile or NewerSchema if it is not one this
    version can read.
    """
    if transport not in TRANSPORTS:
        raise BadSettings(f"transport: {transport!r} is not one of {', '.join(TRANSPORTS)}.")
    if server is not None and not server.startswith(("http://", "https://", "ws://", "wss://", *CARRIED)):
        raise BadSettings(f"server: {server!r} is not a URL such as http://localhost:8080.")
    options = options if history else replace(options or SyncOptions(), history=False)
    make = None if server is None else lambda: _connect(transport, server)
    has_presence = server is not None and transport == "websocket" and not server.startswith(CARRIED)
    presence = Presence(None if has_presence else _NO_PRESENCE)
    with contextlib.ExitStack() as opened:  # what is open is closed again if something else cannot be opened
        store: ReplicaStore = MemoryReplicaStore(new_node()) if path is None else open_replica(path, new_node)
        opened.callback(store.close)
        snapshots = MemorySnapshotStore() if path is None else SqliteSnapshotStore(f"{path}.snapshots", checked=True)
        opened.callback(snapshots.close)
        index = MemoryDocumentIndex() if path is None else SqliteDocumentIndex(f"{path}.documents", checked=True)
        opened.callback(index.close)
        replica = SyncedReplica(
            store, make, options, space=space, token=token, snapshots=snapshots, index=index, presence=presence
        )
        opened.pop_all()
    return replica
