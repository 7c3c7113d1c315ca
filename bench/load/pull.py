"""Pull a log page after page over one connection, as a new replica would, and count what comes.

The clock runs from the first request to the last byte. The entries are counted in the bytes as they come,
but not decoded: the server is measured, not a JSON parser. Pages land in one buffer that is used again and
again, since making room for megabytes would cost more than receiving them.
"""

import gc
import json
import sys
import time
from dataclasses import dataclass

from bench.peers import PULLS
from bench.peers.tcp import connect
from bench.wire import WrongAnswer, body_length

PAGE_BYTES = 64 << 20
READ_BYTES = 1 << 20
SHORTEST_SECONDS = 1.0  # a short log is read again
TAIL_BYTES = 4096  # where the cursor is


@dataclass
class Task:
    peer: str
    port: int
    wanted: int
    limit: int
    seconds: float


class Reader:
    """One connection and the page it last read: `buffer[start:end]`."""

    def __init__(self, port: int) -> None:
        self.socket = connect(port)
        self.buffer = bytearray(PAGE_BYTES)
        self.view = memoryview(self.buffer)
        self.start = self.end = 0

    def ask(self, request: bytes) -> None:
        self.socket.sendall(request)
        self.end = 0
        head = -1
        while head < 0:
            self.receive()
            head = self.buffer.find(b"\r\n\r\n", 0, self.end)
        self.start = head + 4
        length = body_length(bytes(self.view[:head]))
        while not self.is_whole(length):
            self.receive()

    def receive(self) -> None:
        size = self.socket.recv_into(self.view[self.end : self.end + READ_BYTES])
        if not size:
            raise WrongAnswer("the server closed the connection")
        self.end += size

    def is_whole(self, length: int | None) -> bool:
        if length is None:
            return self.buffer.endswith(b"0\r\n\r\n", self.start, self.end)
        return self.end - self.start >= length

    def count(self, marker: bytes) -> int:
        return self.buffer.count(marker, self.start, self.end)

    def tail(self) -> bytes:
        return bytes(self.view[max(self.start, self.end - TAIL_BYTES) : self.end])


def measure(task: Task) -> dict[str, float]:
    peer, reader = PULLS[task.peer], Reader(task.port)
    entries, held, cursor = 0, 0, ""
    gc.disable()
    cpu, started = time.process_time(), time.monotonic()
    while held < task.wanted or time.monotonic() - started < SHORTEST_SECONDS:
        if held >= task.wanted:
            held, cursor = 0, ""
        reader.ask(peer.pull(cursor, task.limit))
        count = reader.count(peer.marker)
        if count == 0:
            raise WrongAnswer(f"the log ended after {held} of {task.wanted} events")
        entries, held = entries + count, held + count
        if time.monotonic() - started > task.seconds:
            break
        cursor = peer.next_cursor(reader.tail())
    seconds = time.monotonic() - started
    return {"events": entries, "seconds": seconds, "load_cpu": (time.process_time() - cpu) / seconds}


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
