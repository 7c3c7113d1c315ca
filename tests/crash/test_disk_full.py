"""A disk that is full: the server says so, stores nothing, lives on, and takes pushes again when there is room."""

import json
import os
import resource
import shutil
import signal
from pathlib import Path

import pytest

from tests.server.running import Author, ServerProcess, canonical, check_log, recv

MIB = 1024 * 1024


@pytest.fixture
def server(tmp_path):
    server = ServerProcess(tmp_path / "data", open=True)
    yield server
    assert server.is_running, server.log()
    assert server.stop() == 0


def limit_files(server: ServerProcess, size: int) -> None:
    """No file of the server may grow beyond this size; the signal for it is ignored by Python."""
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_file_that_may_not_grow(server):
    author = Author()
    assert server.push("s", author.events(100)).json["head"] == 100
    wal = (server.data / "spaces" / "s.db-wal").stat().st_size
    limit_files(server, wal)
    big = author.events(200, payload="x" * 2_000)
    for _ in range(5):
        answer = server.push("s", big)
        assert (answer.status, answer.code, answer.json["retryable"]) == (507, "storage_full", True)
        assert server.head("s") == 100
    with server.session("s") as ws:
        ws.send(json.dumps({"type": "push", "ref": 1, "events": big}))
        answer = recv(ws)
        assert (answer["type"], answer["ref"], answer["code"]) == ("error", 1, "storage_full")
    assert len(server.entries("s")) == 100
    limit_files(server, resource.RLIM_INFINITY)
    assert [result["seq"] for result in server.push("s", big).json["results"]] == list(range(101, 301))
    assert server.push("s", author.events(1)).json["head"] == 301
    server.stop()
    server.start()
    check_log(server, "s", [canonical(entry["event"]) for entry in server.entries("s")])


def test_a_small_disk(tmp_path):
    """A disk of its own, 3 MiB: filled by pushes until it is full, then restarted with room."""
    if not shutil.which("unshare") or os.spawnvp(
        os.P_WAIT, "unshare", ["unshare", "-Urm", "mount", "-t", "tmpfs", "-o", "size=1m", "t", str(tmp_path)]
    ):
        pytest.skip("no disk of one's own: unshare -Urm cannot mount a tmpfs here")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f'mount -t tmpfs -o size=3m t "{disk}" && exec "$@"'
    server = ServerProcess(disk / "data", prefix=("unshare", "-Urm", "sh", "-c", script, "sh"), open=True)
    stored, author = [], Author()
    try:
        for _ in range(100):
            events = author.events(20, payload="x" * 5_000)
            answer = server.push("s", events)
            if answer.status != 200:
                break
            stored += events
        assert (answer.status, answer.code) == (507, "storage_full")
        assert stored
        for _ in range(3):
            assert server.push("s", author.events(20, payload="x" * 5_000)).code == "storage_full"
        assert [entry["event"]["id"] for entry in server.entries("s")] == [event["id"] for event in stored]
        assert server.request("GET", "/readyz").status == 200
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("store", "file", "call"),
    [
        ("sqlite", "spaces/s.db-wal", "pwrite64"),
        ("sqlite", "spaces/s.db-wal", "fdatasync"),
        ("lmdb", "lmdb/s.lmdb/data.mdb", "pwrite64,pwritev"),
        ("lmdb", "lmdb/s.lmdb/data.mdb", "fdatasync"),
        ("jsonl", "jsonl/s.jsonl/0000000000000001.jsonl", "write"),
        ("jsonl", "jsonl/s.jsonl/0000000000000001.jsonl", "fsync"),
    ],
)
def test_a_disk_that_fails_now_and_then(tmp_path, store, file, call):
    """Each third such call fails: a push is stored as a whole and acknowledged, or neither."""
    if not shutil.which("strace"):
        pytest.skip("strace is not here")
    written = str(tmp_path / "data" / file)
    prefix = ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-P", written)
    inject = ("-e", f"inject={call}:error=EIO:when=20+3")
    try:
        server = ServerProcess(tmp_path / "data", prefix=(*prefix, *inject), open=True, store=store)
    except AssertionError as error:
        pytest.skip(f"strace cannot trace here: {error}")
    acked: dict[str, int] = {}
    failures = 0
    batches = [Author().events(3) for _ in range(40)]
    for events in batches:
        answer = server.push("s", events)
        if answer.status == 200:
            acked |= {result["id"]: result["seq"] for result in answer.json["results"]}
        else:
            failures += 1
            assert answer.status in (500, 507)
    assert failures, "nothing was injected"
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    server.stop()
    server.prefix = ()
    server.start()
    entries = server.entries("s")
    places = {entry["event"]["id"]: entry["seq"] for entry in entries}
    assert acked.items() <= places.items()
    check_log(server, "s", [canonical(entry["event"]) for entry in entries])
    for events in batches:
        assert len({event["id"] in places for event in events}) == 1
        assert all("seq" in result for result in server.push("s", events).json["results"])
    assert server.head("s") == 120
    assert server.stop() == 0
