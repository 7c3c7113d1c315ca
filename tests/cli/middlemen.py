"""Proxies between a command and its server, each bad in its own way, as badly configured ones are."""

import re
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

ANSWER = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LARGE = 100_000


def no_upgrade(head):
    """Answers a WebSocket's handshake as a request that it does not know."""
    return ANSWER % 400 if b"upgrade: websocket" in head.lower() else None


def small_bodies(head):
    """Refuses what is larger than it was set up for."""
    length = re.search(rb"content-length: (\d+)", head.lower())
    return ANSWER % 413 if length and int(length[1]) > LARGE else None


def buffering(head):
    """Keeps streams until they end, which they never do."""
    return b"" if head.startswith(b"GET /v1/live") else None


@contextmanager
def between(url, judge):
    """The address of a proxy before a server. ``judge``: what it answers to a head by itself; None: it is passed on."""
    target = "127.0.0.1", urlsplit(url).port

    class Connection(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(target) as there:
                back = threading.Thread(target=copy, args=(there, self.request))
                back.start()
                with suppress(OSError):
                    while data := self.request.recv(65_536):
                        answer = judge(data) if data.startswith((b"GET ", b"POST ")) else None
                        if answer:
                            self.request.sendall(answer)
                            break
                        if answer is None:
                            there.sendall(data)
                with suppress(OSError):  # the server has closed it
                    there.shutdown(socket.SHUT_RDWR)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def copy(source, target):
    """What comes from one socket goes to another, also its end."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
