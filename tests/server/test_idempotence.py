"""The same events pushed at once and again: stored once, and everybody gets the same answer."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from tests.server.running import DEADLINE, Author, canonical, check_log, push_body, recv

CONNECTIONS = 50


def together(count: int, do: Any) -> list[Any]:
    """What so many calls answer that begin at the same moment, each in a thread of its own."""
    barrier = Barrier(count)

    def run(number: int) -> Any:
        with do(number) as act:
            barrier.wait(DEADLINE)
            return act()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


class Pusher:
    """A connection that pushes, over HTTP or over WebSocket."""

    def __init__(self, server: Any, space: str, *, websocket: bool) -> None:
        self.server, self.space, self.websocket = server, space, websocket

    def __enter__(self) -> "Pusher":
        if self.websocket:
            self.session = self.server.session(self.space)
            self.ws = self.session.__enter__()
        else:
            self.connection = self.server.connect()
            self.connection.connect()
        return self

    def __exit__(self, *error: object) -> None:
        self.session.__exit__(*error) if self.websocket else self.connection.close()

    def push(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.websocket:
            self.ws.send(json.dumps({"type": "push", "ref": 1, "events": events}))
            return recv(self.ws)["results"]
        path = f"/v1/spaces/{self.space}/push"
        self.connection.request("POST", path, push_body(events), {"Content-Type": "application/json"})
        return json.loads(self.connection.getresponse().read())["results"]


class Doing(Pusher):
    """A pusher that pushes these batches, one after the other, when it is called."""

    def __init__(self, server: Any, space: str, batches: list[list[Any]], *, websocket: bool) -> None:
        super().__init__(server, space, websocket=websocket)
        self.batches = batches

    def __call__(self) -> list[dict[str, Any]]:
        return [result for batch in self.batches for result in self.push(batch)]

    def __enter__(self) -> "Doing":
        super().__enter__()
        return self


def test_one_batch_fifty_times_at_once(open_server, space, author):
    events = author.events(40)
    answers = together(CONNECTIONS, lambda number: Doing(open_server, space, [events], websocket=number % 2 == 0))
    wanted = [{"id": event["id"], "seq": seq} for seq, event in enumerate(events, 1)]
    assert all(answer == wanted for answer in answers)
    entries = open_server.entries(space)
    assert [entry["event"]["id"] for entry in entries] == [event["id"] for event in events]
    check_log(open_server, space, [canonical(entry["event"]) for entry in entries])


def test_overlapping_batches_at_once(open_server, space, author):
    """Everybody pushes some of the same events, in the order in which they were made."""
    events = author.events(60)
    batches = [events[: 10 + number] for number in range(CONNECTIONS)]
    answers = together(
        CONNECTIONS, lambda number: Doing(open_server, space, [batches[number]], websocket=number % 3 == 0)
    )
    places = {entry["event"]["id"]: entry["seq"] for entry in open_server.entries(space)}
    assert sorted(places.values()) == list(range(1, 60))
    for answer in answers:
        assert all(result["seq"] == places[result["id"]] for result in answer)


def test_the_same_id_with_different_contents_at_once(open_server, space, author):
    event = author.event()
    answers = together(
        CONNECTIONS,
        lambda number: Doing(open_server, space, [[{**event, "payload": number}]], websocket=number % 2 == 0),
    )
    outcomes = Counter(result.get("seq") or result["error"]["code"] for (result,) in answers)
    assert outcomes == {1: 1, "event_id_conflict": CONNECTIONS - 1}
    assert open_server.head(space) == 1


def test_fifty_connections_of_single_events(open_server, space):
    batches = [[[event] for event in Author().events(20, payload={"from": number})] for number in range(CONNECTIONS)]
    answers = together(
        CONNECTIONS, lambda number: Doing(open_server, space, batches[number], websocket=number % 2 == 0)
    )
    entries = open_server.entries(space)
    assert [entry["seq"] for entry in entries] == list(range(1, 20 * CONNECTIONS + 1))
    at = [entry["at"] for entry in entries]
    assert at == sorted(at)
    for pushed, results in zip(batches, answers, strict=True):
        for (event,), result in zip(pushed, results, strict=True):
            assert result["id"] == event["id"]
            assert entries[result["seq"] - 1]["event"] == {**event, "user": "anyone"}
        assert [result["seq"] for result in results] == sorted(result["seq"] for result in results)
    check_log(open_server, space, [canonical(entry["event"]) for entry in entries])


def test_a_poisoned_neighbour_harms_nobody(open_server, space):
    """Good, refused and malformed pushes at once: each gets its own answer."""
    good = [Author().events(5) for _ in range(20)]
    bad = [[{**Author().event(), "item": ".acl"}] for _ in range(10)] + [[{"id": 7}] for _ in range(10)]
    answers = together(40, lambda number: Doing(open_server, space, [(good + bad)[number]], websocket=number % 2 == 0))
    assert all("seq" in result for answer in answers[:20] for result in answer)
    assert all("error" in result for answer in answers[20:] for result in answer)
    assert open_server.head(space) == 100


def test_pushing_again_after_a_restart(serve, author):
    server = serve(open=True)
    events = author.events(1_000)
    first = server.push("s", events).json
    server.stop()
    server.start()
    assert server.push("s", events).json == first
    assert server.push("s", list(reversed(events))).json["results"] == list(reversed(first["results"]))
    assert server.head("s") == 1_000
