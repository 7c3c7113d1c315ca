"""``share``: a replica's file, served to other replicas, without a server."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from syncline.cli.failures import misused
from syncline.cli.files import File
from syncline.cli.terminal import Json, emit, out, say

if TYPE_CHECKING:
    from syncline.transports.grpc.library import Listener

DEFAULT_PORT = 8090

Host = Annotated[str, typer.Option("--host", help="Where to listen; elsewhere than on this machine a token is needed.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: any that is free.")]
GrpcPort = Annotated[
    int, typer.Option("--grpc-port", min=-1, max=65_535, show_default=False, help="Serve over gRPC, too; 0: any port.")
]
ShareToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="SYNCLINE_SHARE_TOKEN",
        metavar="TOKEN",
        show_default=False,
        help="What others have to show; - makes one.",
    ),
]


def share(
    file: File,
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    grpc_port: GrpcPort = -1,
    token: ShareToken = None,
    json: Json = False,
) -> None:
    """Let other replicas sync with this one: syncline sync OTHER.db http://… gives each what the other has.

    Whoever shows the token may have all that is in the replica, and give it events of anybody. Ctrl-C ends it.
    """
    from syncline.server.peer import PeerApp  # the web server: no other command waits for it
    from syncline.server.run import bind, run_peer
    from syncline.sync import open as open_replica
    from syncline.transports.addresses import is_loopback

    made = secrets.token_urlsafe(24) if token == "-" else None
    token = made or token
    if token is None and not is_loopback(host):
        misused("Others reach this address: say --token, or --token - for one that is made.")

    taken: list[int] = []

    def make_calls() -> Listener:
        from syncline.server.api.peer_grpc import peer_listener  # an extra: who does not ask for it does without

        calls = bind(lambda: peer_listener(replica, token), host, grpc_port)
        taken.append(calls.port)
        return calls

    def on_ready(port: int) -> None:
        place = f"[{host}]" if ":" in host else host
        _tell(file, f"http://{place}:{port}", f"grpc://{place}:{taken[0]}" if taken else None, made, json=json)

    with open_replica(file) as replica:
        replica.tree()  # of a large one that takes a while, in which nobody should have to wait for an answer
        run_peer(PeerApp(replica, token), host, port, on_ready, make_calls if grpc_port >= 0 else None)


def _tell(file: Path, url: str, grpc: str | None, token: str | None, *, json: bool) -> None:
    """Where it is shared, and the token, if one was made."""
    if json:
        emit({"url": url, "grpc": grpc, "replica": str(file), "token": token})
        return
    say(Text.assemble(f"{file} is shared at ", (url, "bold cyan")))
    if grpc is not None:
        say(Text.assemble("and over gRPC at ", (grpc, "bold cyan")))
    if token is not None:
        say(Text.assemble("with the token ", (token, "bold green")))
    out.file.flush()
