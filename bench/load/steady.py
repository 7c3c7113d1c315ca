"""Push at a steady rate, whatever the server does, until stdin is closed: what others who push feel of it.

A request is due at its time, and its latency counts from then: a server that stands still for a second makes all that
were due in it late. Each goes out on a connection that is free; there are enough of them.
"""

import gc
import json
import select
import sys
import time
from collections import deque
from dataclasses import dataclass

from bench.events import Author
from bench.peers import PUSHES
from bench.peers.tcp import connect, greet, receive
from bench.results import percentile
from bench.wire import Reply

AHEAD = 200
"""Requests that are encoded before they are due."""


@dataclass
class Task:
    peer: str
    port: int
    connections: int
    batch: int
    per_second: float  # requests
    seconds: float  # at most


class Steady:
    """Connections that are free, those that wait for an answer, and when what they wait for was due."""

    def __init__(self, task: Task) -> None:
        self.peer, self.task, self.author = PUSHES[task.peer], task, Author()
        self.sockets = {}
        self.poll = select.epoll()
        for number in range(task.connections):
            socket = connect(task.port)
            greet(socket, self.peer.greeting(number))
            self.sockets[socket.fileno()] = socket
            self.poll.register(socket.fileno(), select.EPOLLIN)
        self.poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
        self.free = deque(self.sockets)
        self.waiting: dict[int, tuple[Reply, float]] = {}
        self.ready: deque[bytes] = deque()
        self.latencies: list[float] = []
        self.is_over = False

    def run(self) -> None:
        begun, due = time.monotonic(), 0
        while not self.is_over:
            now = time.monotonic()
            next_at = begun + due / self.task.per_second
            if now - begun > self.task.seconds:
                return
            if now >= next_at and self.free:
                self.send(next_at)
                due += 1
            elif len(self.ready) < AHEAD and next_at - now > 0.002:
                self.ready.append(self.peer.push(0, self.author.write(self.task.batch)))
            else:
                self.look(max(0.0, next_at - now) if self.free else 0.1)

    def send(self, due_at: float) -> None:
        request = self.ready.popleft() if self.ready else self.peer.push(0, self.author.write(self.task.batch))
        fd = self.free.popleft()
        self.sockets[fd].sendall(request)
        self.waiting[fd] = self.peer.reply(self.task.batch), due_at

    def look(self, seconds: float) -> None:
        for fd, _ in self.poll.poll(seconds):
            if fd == sys.stdin.fileno():
                self.is_over = True
            elif fd in self.waiting and self.waiting[fd][0].feed(receive(self.sockets[fd])):
                self.latencies.append(time.monotonic() - self.waiting.pop(fd)[1])
                self.free.append(fd)


def measure(task: Task) -> dict[str, float]:
    steady = Steady(task)
    print("ready", flush=True)
    gc.disable()
    begun = time.monotonic()
    steady.run()
    return {
        "events_per_second": len(steady.latencies) * task.batch / (time.monotonic() - begun),
        "p50_ms": percentile(steady.latencies, 50) * 1000,
        "p99_ms": percentile(steady.latencies, 99) * 1000,
        "max_ms": max(steady.latencies, default=0.0) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
