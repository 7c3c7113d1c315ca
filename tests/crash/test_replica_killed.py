"""SIGKILL of a program that records: whatever ``record`` returned is pending afterwards, once."""

import re
import time
from collections import Counter

import syncline
from tests.server.running import ServerProcess

ROUNDS = 40


def test_what_was_recorded_is_pending_once(nursery, chance, tmp_path):
    path = tmp_path / "replica.db"
    told: list[str] = []
    for _ in range(ROUNDS):
        assert nursery.start("record", str(path)) == "open"
        time.sleep(chance.uniform(0.0, 0.1))  # the random moment
        said = nursery.kill()
        told += [id for line in said for id in line.split()]
    with syncline.open(path) as replica:
        pending = replica.pending()
        assert replica.status.pending == len(pending)
    found = Counter(event.id for event in pending)
    assert not [id for id in told if found[id] != 1]
    assert max(found.values()) == 1
    assert len(pending) >= len(told) > ROUNDS
    counters = [event.n for event in sorted(pending, key=lambda event: event.id)]
    assert counters == list(range(1, len(counters) + 1))  # the counter is never used twice, and none is left out
    assert len({event.node for event in pending}) == 1
    check_groups(pending)

    server = ServerProcess(tmp_path / "data", open=True)
    with syncline.open(path, server=server.url) as replica:
        assert replica.sync().errors == []
        assert replica.status.pending == 0
    assert Counter(entry["event"]["id"] for entry in server.entries("default")) == found
    server.stop()


def test_what_was_forgotten_is_nowhere(nursery, chance, tmp_path):
    path = tmp_path / "replica.db"
    for _ in range(ROUNDS):
        assert nursery.start("forget", str(path)) == "open"
        time.sleep(chance.uniform(0.0, 0.2))  # the random moment
        nursery.kill()
        with syncline.open(path) as replica:
            held = {entry.event.item for entry in replica.entries()}
            assert set(replica.items()) == held
            assert named_in(tmp_path) == held


def test_a_snapshot_is_taken_as_a_whole_or_not_at_all(nursery, chance, tmp_path):
    path, said, recorded, last = tmp_path / "replica.db", 0, [], 0
    for turn in range(ROUNDS):
        assert nursery.start("take", str(path)) == "open"
        heard = [nursery.line() for _ in range(turn % 3)]  # however slow the machine is
        time.sleep(chance.uniform(0.0, 0.1))  # the random moment
        for line in [*heard, *nursery.kill()]:
            number, id = line.split()
            said, recorded = int(number), [*recorded, id]
        with syncline.open(path) as replica:
            number = replica.horizon // 10
            assert said <= number <= max(said, last) + 1
            last = number
            assert {document["n"] for document in replica.documents("doc.*")} == ({number} if number else set())
            assert len(replica.items("doc.*")) == (60 if number else 0)
            assert set(recorded) <= {event.id for event in replica.pending()}
    assert said >= ROUNDS - 1


def named_in(directory):
    content = b"".join(file.read_bytes() for file in directory.iterdir())
    return {f"doc.{name.decode()}" for name in re.findall(rb"zsecret\d+q\d+x\d+z", content)}


def check_groups(pending):
    """What was recorded in one step is there as a whole, or not at all."""
    groups = Counter(event.payload["n"] for event in pending if "k" in event.payload)
    assert all(count % 3 == 0 for count in groups.values())
