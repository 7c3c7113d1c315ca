"""Publish entries to many subscribers, and note when each of them has each entry.

Publisher and subscribers are one process with one clock: a latency runs from just before an entry is sent to
the moment the subscriber's bytes have been read. What the process needs to read the other subscribers counts
against the server, so the latencies are never flattering. Entries are counted by a marker in the bytes.

Entries go out in bursts. One entry at a time: bursts of one, each sent when all subscribers have the last.
Under load: bursts of 16, two of them under way, so 32 entries in flight.
"""

import gc
import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field

from bench.events import Author
from bench.peers import LIVES
from bench.peers.peer import Lives
from bench.peers.tcp import connect, greet, receive
from bench.results import percentile
from bench.wire import Reply, WrongAnswer

BUFFER_BYTES = 1 << 18
LONGEST_SILENCE_SECONDS = 15.0
SETTLE_SECONDS = 1.0  # for servers that do not answer a subscription


@dataclass
class Task:
    peer: str
    port: int
    subscribers: int
    burst: int
    bursts_in_flight: int
    bursts: int
    seconds: float


@dataclass
class Publisher:
    """One connection to publish on; `reply` is what it waits for."""

    socket: socket.socket
    requests: list[bytes]
    reply: Reply | None = None


class Subscriber:
    """One subscription, and how many entries it has. Made for speed: it is asked for every delivery."""

    __slots__ = ("entries", "recv_into", "socket", "tail")

    def __init__(self, connection: socket.socket) -> None:
        self.socket, self.recv_into = connection, connection.recv_into
        self.entries = 0
        self.tail = b""


@dataclass
class Burst:
    """One burst under way: when it was sent and how many subscribers have all of it."""

    sent_at: float
    holders: int = 0


@dataclass
class Stage:
    """Everyone on one epoll."""

    peer: Lives
    task: Task
    publishers: dict[int, Publisher]
    subscribers: dict[int, Subscriber]
    sent: list[Burst] = field(default_factory=list)
    delivered: int = 0  # bursts that all subscribers have
    latencies: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.poll = select.epoll()
        for fd in [*self.publishers, *self.subscribers]:
            self.poll.register(fd, select.EPOLLIN)
        self.buffer = bytearray(BUFFER_BYTES)
        self.marker, self.edge, self.burst = self.peer.marker, len(self.peer.marker) - 1, self.task.burst
        self.idle = list(self.publishers.values())

    def run(self, bursts: int, seconds: float) -> float:
        """Send `bursts` bursts, or as many as fit into `seconds`; returns the seconds it took."""
        started = time.monotonic()
        deadline, last = started + seconds, len(self.sent) + bursts
        while True:
            if len(self.sent) < last and time.monotonic() < deadline:
                self.publish(last)
            elif self.delivered == len(self.sent):
                return time.monotonic() - started
            for fd, _ in self.wait():
                self.handle(fd)

    def publish(self, last: int) -> None:
        free = self.task.bursts_in_flight - (len(self.sent) - self.delivered)
        for _ in range(min(free, last - len(self.sent), len(self.idle))):
            publisher = self.idle.pop(0)
            publisher.reply = self.peer.reply(self.task.burst)
            self.sent.append(Burst(time.monotonic()))
            publisher.socket.sendall(publisher.requests.pop())
            if publisher.reply is None:
                self.idle.append(publisher)

    def wait(self) -> list[tuple[int, int]]:
        ready = self.poll.poll(LONGEST_SILENCE_SECONDS)
        if not ready:
            raise WrongAnswer(
                f"nothing came for {LONGEST_SILENCE_SECONDS:.0f} s: {self.delivered} bursts of {len(self.sent)}"
            )
        return ready

    def handle(self, fd: int) -> None:
        subscriber = self.subscribers.get(fd)
        if subscriber is None:
            self.take_reply(self.publishers[fd])
            return
        size = subscriber.recv_into(self.buffer)
        now = time.monotonic()
        if not size:
            raise WrongAnswer("the server closed a subscription")
        before = subscriber.entries
        after = subscriber.entries = before + self.count(subscriber, size)
        for number in range(before // self.burst, after // self.burst):
            self.note_arrival(self.sent[number], now)

    def take_reply(self, publisher: Publisher) -> None:
        data = receive(publisher.socket)
        if publisher.reply is not None and publisher.reply.feed(data):
            publisher.reply = None
            self.idle.append(publisher)

    def count(self, subscriber: Subscriber, size: int) -> int:
        """Markers in the buffer, and the one that the last read may have cut in two."""
        marker, buffer, edge = self.marker, self.buffer, self.edge
        found = buffer.count(marker, 0, size)
        if subscriber.tail:
            joint = subscriber.tail + buffer[: min(edge, size)]
            found += joint.count(marker)
            subscriber.tail = joint if size < edge and marker.startswith(joint) else b""
        quote = buffer.rfind(marker[0], max(0, size - edge), size)
        if quote >= 0 and marker.startswith(buffer[quote:size]):
            subscriber.tail = bytes(buffer[quote:size])
        return found

    def note_arrival(self, burst: Burst, now: float) -> None:
        self.latencies.append(now - burst.sent_at)
        burst.holders += 1
        if burst.holders == len(self.subscribers):
            self.delivered += 1


def subscribers(peer: Lives, task: Task) -> dict[int, Subscriber]:
    made = {}
    for steps in peer.subscriptions(task.port, task.subscribers):
        connection = connect(task.port)
        greet(connection, steps)
        made[connection.fileno()] = Subscriber(connection)
    return made


def publishers(peer: Lives, task: Task, bursts: int) -> dict[int, Publisher]:
    """A connection for each burst in flight and one to spare, each with requests for all bursts.

    A server that answers takes bursts on all of them; one that does not gets them in order on the first.
    """
    count = 1 if peer.reply(task.burst) is None else task.bursts_in_flight + 1
    requests = [encode(peer, number, task.burst, bursts) for number in range(count)]
    connections = [connect(task.port) for _ in range(count)]
    for number, connection in enumerate(connections):
        greet(connection, peer.greeting(number))
    pairs = zip(connections, requests, strict=True)
    return {connection.fileno(): Publisher(connection, encoded) for connection, encoded in pairs}


def encode(peer: Lives, number: int, burst: int, bursts: int) -> list[bytes]:
    """The requests of one connection, the last first, for `pop`."""
    author = Author()
    return [peer.push(number, author.write(burst)) for _ in range(bursts)][::-1]


def keep_alive(stage: Stage) -> None:
    for subscriber in stage.subscribers.values():
        subscriber.socket.sendall(stage.peer.keepalive)


def measure(task: Task) -> dict[str, float]:
    peer = LIVES[task.peer]
    warm_up = min(5, task.bursts)
    audience = subscribers(peer, task)
    stage = Stage(peer, task, publishers(peer, task, task.bursts + warm_up), audience)
    time.sleep(SETTLE_SECONDS)
    gc.disable()
    stage.run(warm_up, task.seconds)
    keep_alive(stage)
    stage.latencies.clear()
    cpu = time.process_time()
    seconds = stage.run(task.bursts, task.seconds)
    cpu = time.process_time() - cpu
    bursts = len(stage.sent) - warm_up
    return {
        "deliveries": bursts * task.burst * task.subscribers,
        "seconds": seconds,
        "load_cpu": cpu / seconds,
        "p50_ms": percentile(stage.latencies, 50) * 1000,
        "p99_ms": percentile(stage.latencies, 99) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
