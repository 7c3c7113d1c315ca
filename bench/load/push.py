"""Push events over many connections, each sending its next request when the last one is answered.

Every request is encoded before the clock starts. The clock runs from the first byte sent to the last answer
received; after `seconds` no new request is sent, so a slow server is measured over fewer requests. One
process, one epoll, no parser: the harness ceiling says what it can do.
"""

import gc
import json
import select
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.events import Author
from bench.peers import PUSHES
from bench.peers.peer import Pushes
from bench.peers.tcp import connect, greet, receive
from bench.results import percentile
from bench.wire import Reply, WrongAnswer

LONGEST_ANSWER_SECONDS = 15.0
READ, READ_AND_WRITE = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT


@dataclass
class Task:
    peer: str
    port: int
    connections: int
    batch: int
    requests: int  # on each connection
    seconds: float


class Pusher:
    """One connection, its encoded requests, and the answer it waits for."""

    def __init__(self, peer: Pushes, task: Task, number: int) -> None:
        self.peer, self.task, self.number = peer, task, number
        author = Author()
        encoded = [peer.push(number, author.write(task.batch)) for _ in range(task.requests)]
        self.requests: Iterator[bytes] = iter(encoded)
        self.unsent = memoryview(b"")
        self.sent_at = 0.0
        self.reply: Reply | None = None

    def connect(self) -> None:
        """After all requests of all connections are encoded: a server closes what is idle for long."""
        self.socket = connect(self.task.port)
        greet(self.socket, self.peer.greeting(self.number))
        self.socket.setblocking(False)

    def next_request(self) -> bool:
        request = next(self.requests, None)
        if request is None:
            return False
        self.reply = self.peer.reply(self.task.batch)
        self.unsent = memoryview(request)
        self.sent_at = time.monotonic()
        self.send()
        return True

    def send(self) -> None:
        try:
            sent = self.socket.send(self.unsent)
        except BlockingIOError:
            return
        self.unsent = self.unsent[sent:]

    def is_answered(self) -> bool:
        assert self.reply is not None
        return self.reply.feed(receive(self.socket))


class Run:
    """All connections on one epoll, until every one of them is done."""

    def __init__(self, pushers: list[Pusher]) -> None:
        self.poll = select.epoll()
        self.pushers = {pusher.socket.fileno(): pusher for pusher in pushers}
        self.latencies: list[float] = []
        self.busy = 0

    def measure(self, seconds: float) -> float:
        started = time.monotonic()
        deadline = started + seconds
        for fd, pusher in self.pushers.items():
            self.poll.register(fd, READ)
            self.advance(fd, pusher)
        self.busy = len(self.pushers)
        while self.busy:
            for fd, ready in self.wait():
                self.handle(fd, ready, deadline)
        return time.monotonic() - started

    def wait(self) -> list[tuple[int, int]]:
        ready = self.poll.poll(LONGEST_ANSWER_SECONDS)
        if not ready:
            raise WrongAnswer(f"{self.busy} connections had no answer for {LONGEST_ANSWER_SECONDS:.0f} s")
        return ready

    def handle(self, fd: int, ready: int, deadline: float) -> None:
        pusher = self.pushers[fd]
        if ready & select.EPOLLOUT:
            pusher.send()
            self.watch(fd, pusher)
        if not ready & ~select.EPOLLOUT or not pusher.is_answered():
            return
        now = time.monotonic()
        self.latencies.append(now - pusher.sent_at)
        if now > deadline or not self.advance(fd, pusher):
            self.poll.unregister(fd)  # a server may say more than its answer
            self.busy -= 1

    def advance(self, fd: int, pusher: Pusher) -> bool:
        has_more = pusher.next_request()
        if pusher.unsent:
            self.watch(fd, pusher)
        return has_more

    def watch(self, fd: int, pusher: Pusher) -> None:
        self.poll.modify(fd, READ_AND_WRITE if pusher.unsent else READ)


def measure(task: Task) -> dict[str, float]:
    return run([Pusher(PUSHES[task.peer], task, number) for number in range(task.connections)], task)


def run(pushers: list[Pusher], task: Task) -> dict[str, float]:
    """What these connections do, which need not all be of one server."""
    for pusher in pushers:
        pusher.connect()
    loop = Run(pushers)
    gc.disable()
    cpu = time.process_time()
    seconds = loop.measure(task.seconds)
    cpu = time.process_time() - cpu
    events = len(loop.latencies) * task.batch
    return {
        "events": events,
        "seconds": seconds,
        "load_cpu": cpu / seconds,
        "p50_ms": percentile(loop.latencies, 50) * 1000,
        "p99_ms": percentile(loop.latencies, 99) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
