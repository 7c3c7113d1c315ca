"""Blocking conversations with a server: to prepare it, and to greet it before the clock runs."""

import socket
from collections.abc import Iterable

from bench.peers.peer import Step
from bench.wire import Reply, WrongAnswer

LONGEST_SECONDS = 30.0


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), LONGEST_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(port: int, request: bytes, reply: Reply, greeting: Iterable[Step] = ()) -> None:
    """One request on a connection of its own. Raises WrongAnswer."""
    with connect(port) as connection:
        greet(connection, greeting)
        connection.sendall(request)
        while not reply.feed(receive(connection)):
            pass


def greet(connection: socket.socket, steps: Iterable[Step]) -> None:
    for step in steps:
        connection.sendall(step.send)
        seen = b""
        while step.until not in seen:
            seen += receive(connection)


def receive(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise WrongAnswer("the server closed the connection")
    return data
