"""SIGKILL of a server under load, a hundred times on one data directory: what was acknowledged is there, once."""

import hashlib
import http.client
import json
import time
from contextlib import closing, suppress
from secrets import token_hex
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
import websockets.sync.client
from websockets.exceptions import WebSocketException

from tests.processes import computed_seconds
from tests.server.running import DEADLINE, Author, push_body

ROUNDS = 100
FEW_ROUNDS = 20
READY_SECONDS = 2.0
"""Of processor time."""
BROKEN = (OSError, http.client.HTTPException, WebSocketException, EOFError, json.JSONDecodeError)


class Entry(msgspec.Struct):
    seq: int
    event: msgspec.Raw


class Page(msgspec.Struct):
    entries: list[Entry]
    cursor: str
    more: bool = False


class Named(msgspec.Struct):
    id: str


class Pusher(Thread):
    """Pushes batches over one connection until it breaks, beginning with those the last life left unanswered."""

    def __init__(self, port: int, batch: int, left: list[list[Any]], *, websocket: bool) -> None:
        super().__init__(daemon=True)
        self.port, self.batch, self.websocket = port, batch, websocket
        self.left = left
        self.acked: dict[str, int] = {}
        self.over = Event()
        self.author = Author()

    def run(self) -> None:
        with suppress(*BROKEN):
            self.over_websocket() if self.websocket else self.over_http()

    def batches(self) -> Any:
        while not self.over.is_set():
            if not self.left:
                meta = {"meta": {"tx": token_hex(8)}} if self.batch % 2 else {}
                self.left.append(self.author.events(self.batch, **meta))
            yield self.left[0]
            self.left.pop(0)

    def over_http(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)) as connection:
            for events in self.batches():
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/v1/push", push_body(events), headers)
                self.note(json.loads(connection.getresponse().read()))

    def over_websocket(self) -> None:
        url = f"ws://127.0.0.1:{self.port}/ws"
        with websockets.sync.client.connect(url, compression=None, proxy=None, ping_interval=None) as ws:
            ws.send('{"type":"hello","node":"n"}')
            ws.recv(DEADLINE)
            for events in self.batches():
                ws.send(json.dumps({"type": "push", "events": events}))
                self.note(json.loads(ws.recv(DEADLINE)))

    def note(self, answer: dict[str, Any]) -> None:
        for result in answer["results"]:
            assert "seq" in result, result
            self.acked[result["id"]] = result["seq"]


class Ledger:
    """What must be in the log: every acknowledged event at its seq; checked for what is new after each restart."""

    def __init__(self) -> None:
        self.cursor, self.seq, self.tail = "", 0, bytes(8)
        self.places: dict[str, int] = {}
        self.owed: dict[str, int] = {}

    def check(self, port: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
            more = True
            while more:
                page = msgspec.json.decode(get(connection, f"/v1/pull?limit=10000&since={self.cursor}"), type=Page)
                for entry in page.entries:
                    self.take(entry)
                self.cursor, more = page.cursor, page.more
            state = json.loads(get(connection, "/v1/spaces/default"))
        assert (state["head"], state["tail"]) == (self.seq, self.tail.hex())
        wrong = {id: seq for id, seq in self.owed.items() if self.places.get(id) != seq}
        assert not wrong, f"acknowledged and not where they should be: {wrong}"
        self.owed.clear()

    def take(self, entry: Entry) -> None:
        self.seq += 1
        assert entry.seq == self.seq
        body = bytes(entry.event)
        id = msgspec.json.decode(body, type=Named).id
        assert id not in self.places, f"{id} is there twice"
        self.places[id] = entry.seq
        self.tail = hashlib.sha256(self.tail + hashlib.sha256(body).digest()).digest()[:8]


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, body
    return body


@pytest.mark.slow
@pytest.mark.parametrize(("store", "rounds"), [("sqlite", ROUNDS), ("lmdb", FEW_ROUNDS), ("jsonl", FEW_ROUNDS)])
def test_killed_again_and_again(nursery, chance, tmp_path, store, rounds):
    settings = {"data": str(tmp_path / "data"), "port": 0, "open": True, "log_level": "error", "store": store}
    left: list[list[list[Any]]] = [[] for _ in range(6)]
    ledger = Ledger()
    slowest = 0.0
    for _ in range(rounds):
        port = int(nursery.start("serve", settings))
        slowest = max(slowest, nursery.ready_seconds)
        ledger.check(port)
        pushers = [
            Pusher(port, batch, left[number], websocket=number % 2 == 0)
            for number, batch in enumerate((1, 1, 1, 7, 40, 101))
        ]
        for pusher in pushers:
            pusher.start()
        time.sleep(chance.uniform(0.0, 0.2))  # the random moment
        nursery.kill()
        for pusher in pushers:
            pusher.over.set()
            pusher.join(DEADLINE)
            assert not pusher.is_alive()
            ledger.owed |= pusher.acked
    ledger.check(int(nursery.start("serve", settings)))
    nursery.kill()
    assert ledger.seq > 10 * rounds, "hardly anything was pushed"
    assert slowest < READY_SECONDS
    print(f"{rounds} kills, {ledger.seq} entries, ready within {slowest:.2f} s")


def test_a_whole_process_is_ready_soon_after_a_kill(serve_killed):
    assert serve_killed < READY_SECONDS


@pytest.fixture
def serve_killed(tmp_path):
    """Processor time until a server that was killed under load is ready again, its imports included."""
    from tests.server.running import ServerProcess

    server = ServerProcess(tmp_path / "data", prefix=("env",), open=True)
    pushers = [Pusher(server.port, 100, [], websocket=False) for _ in range(4)]
    for pusher in pushers:
        pusher.start()
    while not all(len(pusher.acked) >= 2_000 for pusher in pushers):
        time.sleep(0.01)
    server.process.kill()
    server.stop()
    for pusher in pushers:
        pusher.over.set()
        pusher.join(DEADLINE)
    server.start()
    yield computed_seconds(server.process.pid)
    server.stop()
