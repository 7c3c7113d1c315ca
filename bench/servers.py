"""Start the servers that are measured, each a process of its own on a free loopback port, and end them by pid."""

import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.install import NotInstalled
from bench.peers.peer import Peer
from bench.plan import Skipped, say

START_SECONDS = 20.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Server:
    """A running server: which peer it is, where it listens, and its process."""

    peer: Peer
    port: int
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(peers: Sequence[Peer], folder: Path) -> Iterator[tuple[list[Server], dict[str, str]]]:
    """All of `peers` that start, and for the others the reason why not."""
    servers: list[Server] = []
    reasons: dict[str, str] = {}
    with ExitStack() as stack:
        for peer in peers:
            try:
                server = start(peer, folder / peer.name.replace(" ", "-"))
            except (NotInstalled, Skipped, OSError, ValueError) as problem:
                reasons[peer.name] = str(problem)
                say(f"skipped: {peer.name}: {problem}")
                continue
            stack.callback(server.stop)
            servers.append(server)
        yield servers, reasons


def start(peer: Peer, folder: Path) -> Server:
    folder.mkdir(parents=True, exist_ok=True)
    peer.install()
    port = free_port()
    command = peer.command(port, folder)
    if shutil.which(command[0]) is None:
        raise Skipped(f"there is no `{Path(command[0]).name}` in this environment")
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    server = Server(peer, port, process)
    try:
        wait_until_ready(server, log)
        peer.prepare(port)
    except BaseException:
        server.stop()
        raise
    return server


def wait_until_ready(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(server):
        if server.process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise Skipped(f"did not start: {lines[-1] if lines else 'it said nothing'}")
        time.sleep(0.02)


def is_ready(server: Server) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=1)
    try:
        connection.connect()
        if server.peer.ready_path is None:
            return True
        connection.request("GET", server.peer.ready_path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
