"""Several servers on one PostgreSQL: any of them answers any client, and what one took all of them have."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

import syncline
from tests.nats import nats_server
from tests.postgres import new_database
from tests.server.balancer import Balancer
from tests.server.running import JSON, Author, ServerProcess, eventually, push_body, recv_past

pytestmark = pytest.mark.timeout(240)


class Started(ExitStack):
    """Servers on a new database, for as long as the block lasts."""

    def __init__(self, directory: Path, count: int, **settings: Any) -> None:
        super().__init__()
        self.directory, self.count = directory, count
        self.settings = {"store": new_database(), "open": True, **settings}

    def __enter__(self) -> list[ServerProcess]:
        super().__enter__()
        return [self.another(each) for each in range(self.count)]

    def another(self, number: int) -> ServerProcess:
        server = ServerProcess(self.directory / f"server{number}", **self.settings)
        self.callback(server.stop)
        return server


@pytest.fixture(scope="module", params=["postgres", "nats"])
def fleet(request, tmp_path_factory):
    """Three servers that share a database, and a NATS or nothing else."""
    directory = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        bus = stack.enter_context(nats_server()).url if request.param == "nats" else ""
        yield stack.enter_context(Started(directory, 3, bus=bus))


def live(ws: Any) -> None:
    ws.send(json.dumps({"type": "live"}))


def seqs_of(ws: Any, last: int) -> list[int]:
    """The seqs of a live session's entries, up to one."""
    found: list[int] = []
    while not found or found[-1] < last:
        found += [entry["seq"] for entry in recv_past(ws, "peers")["entries"]]
    return found


def test_a_client_of_each_server_sees_each_push_once_and_in_order(fleet, space):
    with ExitStack() as stack:
        sessions = [stack.enter_context(server.session(space, f"n{at}")) for at, server in enumerate(fleet)]
        for ws in sessions:
            live(ws)
        authors = [Author() for _ in fleet]
        for turn in range(30):
            at = turn % len(fleet)
            answer = fleet[at].push(space, authors[at].events(1 + turn % 5))
            assert answer.status == 200, answer.body
        head = answer.json["head"]
        assert [seqs_of(ws, head) for ws in sessions] == [[*range(1, head + 1)]] * 3


def test_writers_at_all_servers_at_once_make_one_log(fleet, space):
    def write(server: ServerProcess) -> list[str]:
        author, ids = Author(), []
        for size in range(1, 40):
            events = author.events(size)
            results = server.push(space, events).json["results"]
            assert [result["id"] for result in results if "seq" in result] == [event["id"] for event in events]
            ids += [event["id"] for event in events]
        return ids

    with ThreadPoolExecutor() as pool, fleet[0].session(space) as ws:
        live(ws)
        written = [id for ids in pool.map(write, fleet * 2) for id in ids]
        assert seqs_of(ws, len(written)) == [*range(1, len(written) + 1)]
    logs = [server.entries(space) for server in fleet]
    assert logs[0] == logs[1] == logs[2]
    assert sorted(entry["event"]["id"] for entry in logs[0]) == sorted(written)


def test_a_pull_sees_what_was_acknowledged_before_it_anywhere(fleet, space):
    authors, cursor = [Author() for _ in fleet], ""
    for turn in range(60):
        writer, reader = fleet[turn % 3], fleet[(turn + 1 + turn // 3 % 2) % 3]
        head = writer.push(space, authors[turn % 3].events(1)).json["head"]
        page = reader.pull(space, since=cursor).json
        assert [entry["seq"] for entry in page["entries"]] == [head] == [turn + 1]
        cursor = page["cursor"]


# Servers that end


class Client:
    """A replica that syncs all the time with whatever server it reaches."""

    def __init__(self, path: Path, url: str) -> None:
        self.replica = syncline.open(path, server=url, space="s")
        self.replica.start()

    def record(self, word: str) -> None:
        self.replica.record("task.milk", "update", word)

    def words(self) -> list[Any]:
        return [entry.event.payload for entry in self.replica.entries()]


def test_clients_of_a_server_that_is_killed_go_on_elsewhere(tmp_path):
    with Started(tmp_path, 3) as servers, Balancer(servers) as balancer, ExitStack() as stack:
        clients = [Client(tmp_path / f"{at}.db", balancer.url) for at in range(6)]
        for client in clients:
            stack.enter_context(closing(client.replica))
        said = []

        def all_say(word: str) -> None:
            for at, client in enumerate(clients):
                said.append(f"{word}{at}")
                client.record(said[-1])

        all_say("before")
        eventually(lambda: all(sorted(client.words()) == sorted(said) for client in clients))
        servers[1].send(signal.SIGKILL)
        all_say("after")
        eventually(lambda: all(sorted(client.words()) == sorted(said) for client in clients))
        assert [client.replica.refused() for client in clients] == [[]] * 6
        log = servers[0].entries("s")
        assert [entry["seq"] for entry in log] == [*range(1, len(said) + 1)]


PACE_SECONDS = 0.03
"""Between two pushes, so that connections are idle, too, when a server ends."""


class Writer(Thread):
    """Pushes one event after the other over HTTP, until it is told to stop; what is not acknowledged is noted."""

    def __init__(self, balancer: Balancer) -> None:
        super().__init__(daemon=True)
        self.balancer, self.is_over = balancer, Event()
        self.acked: list[str] = []
        self.refused: list[object] = []

    def run(self) -> None:
        author = Author()
        with closing(ServerProcess.connect(self.balancer)) as connection:
            while not self.is_over.wait(PACE_SECONDS):
                event = author.event()
                try:
                    connection.request("POST", "/v1/spaces/s/push", push_body([event]), JSON)
                    response = connection.getresponse()
                    answer = json.loads(response.read())
                except (OSError, HTTPException) as error:
                    self.refused.append(error)
                    connection.close()
                    continue
                if response.status == 200 and "seq" in answer["results"][0]:
                    self.acked.append(event["id"])
                else:
                    self.refused.append(answer)


def restart(server: ServerProcess, balancer: Balancer, writers: list[Writer]) -> None:
    """Ends a server while all write, and begins it anew."""
    before = {writer: len(writer.acked) for writer in writers}
    eventually(lambda: all(len(writer.acked) > before[writer] + 20 for writer in writers))
    assert server.stop() == 0
    server.start()
    eventually(lambda: server.port in balancer.ready)


def test_a_rolling_restart_refuses_no_push(tmp_path):
    with Started(tmp_path, 2, drain_seconds=2.0) as servers, Balancer(servers) as balancer, ExitStack() as stack:
        client = Client(tmp_path / "client.db", balancer.url)
        stack.enter_context(closing(client.replica))
        writers = [Writer(balancer) for _ in range(6)]
        for writer in writers:
            writer.start()
        for turn, server in enumerate(servers):
            client.record(f"turn {turn}")
            restart(server, balancer, writers)
        for writer in writers:
            writer.is_over.set()
            writer.join()
        assert [writer.refused for writer in writers] == [[]] * 6
        acked = [id for writer in writers for id in writer.acked]
        log = servers[0].entries("s")
        assert sorted(entry["event"]["id"] for entry in log if "payload" not in entry["event"]) == sorted(acked)
        eventually(lambda: len(client.words()) == len(servers[0].entries("s")) == len(acked) + len(servers))
        assert client.replica.refused() == []


def test_what_is_said_while_nats_is_gone_is_delivered_all_the_same(tmp_path):
    with nats_server() as nats, Started(tmp_path, 2, bus=nats.url) as (one, two), two.session("s") as ws:
        live(ws)
        author = Author()
        one.push("s", author.events(3))
        assert seqs_of(ws, 3) == [1, 2, 3]
        nats.kill()
        one.push("s", author.events(3))
        assert seqs_of(ws, 6) == [4, 5, 6]
        nats.start()
        one.push("s", author.events(3))
        assert seqs_of(ws, 9) == [7, 8, 9]
