"""`backup`: what do those who push feel of a backup? 1,000 events a second arrive, alone and while one is made."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import processes
from bench.filling import fill
from bench.paths import COMMANDS, ROOT
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, Skipped, interleave, say, skipped_rows
from bench.results import Figure, Goal, Row, Sample
from bench.servers import Server, running

WORK = "1,000 events/s arrive, 10 in a request"
BACKUP = "the backup itself"
UNIT, SPEED = "ms p99", "events/s"
ALONE, DURING = "no backup", "during a backup"
BATCH, REQUESTS_PER_SECOND, CONNECTIONS = 10, 100.0, 16
LONGEST_SECONDS = 300.0


def measure(plan: Plan) -> Figure:
    events = plan.size(1_000_000, 20_000)
    figure = Figure("backup", f"Push while {events:,} events are backed up")
    with plan.folder("backup") as folder, running([SYNCLINE], folder) as (servers, reasons):
        for server in servers:
            figure.rows += beside(plan, server, folder, events)
        figure.rows += skipped_rows([WORK], UNIT, reasons)
    figure.goals = [
        Goal(
            "p99 of a push during a backup, as a multiple of without",
            figure.ratio(WORK, DURING, ALONE),
            2.0,
            at_most=True,
        )
    ]
    return figure


def beside(plan: Plan, server: Server, folder: Path, events: int) -> list[Row]:
    """What a server that holds so many events does, alone and beside its backup."""
    fill(server, events)
    data, seconds = folder / SYNCLINE.name / "data", plan.size(20.0, 2.0)
    taken = Row(BACKUP, SYNCLINE.name, SPEED, "the last one was restored, and the copy verified")
    contenders = [
        Contender(ALONE, lambda _: alone(server, seconds)),
        Contender(DURING, lambda warm_up: during(server, data, folder, taken, warm_up=warm_up)),
    ]
    rows = interleave(plan, WORK, UNIT, contenders)
    check(folder)
    return [*rows, taken]


@contextmanager
def arriving(server: Server) -> Iterator[dict[str, float]]:
    """Events arrive while the block lasts; what was measured is there after it."""
    task = {"peer": SYNCLINE.name, "port": server.port, "connections": CONNECTIONS, "batch": BATCH}
    task |= {"per_second": REQUESTS_PER_SECOND, "seconds": LONGEST_SECONDS}
    command = [sys.executable, "-m", "bench.load.steady", json.dumps(task)]
    seen: dict[str, float] = {}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        if process.stdout.readline().strip() != "ready":
            raise Skipped("the load did not get ready")
        yield seen
        process.stdin.close()
        seen |= json.loads(process.stdout.readline())
    if seen["events_per_second"] < 0.95 * BATCH * REQUESTS_PER_SECOND:
        raise Skipped(f"only {seen['events_per_second']:,.0f} events/s came through")


def alone(server: Server, seconds: float) -> Sample:
    with arriving(server) as seen:
        time.sleep(seconds)
    return Sample(seen["p99_ms"], {"p50_ms": seen["p50_ms"]})


def during(server: Server, data: Path, folder: Path, taken: Row, *, warm_up: bool) -> Sample:
    """A whole backup, into a folder that is empty."""
    target = folder / "kept"
    shutil.rmtree(target, ignore_errors=True)
    with arriving(server) as seen:
        begun = time.monotonic()
        made = syncline("backup", "create", str(target), "--data", str(data), "--json")
        seconds = time.monotonic() - begun
    if not warm_up:
        taken.samples.append(Sample(made["events"] / seconds, {"bytes": made["bytes"]}))
        say(f"backed up {made['events']:,.0f} events in {seconds:.1f} s")
    return Sample(seen["p99_ms"], {"p50_ms": seen["p50_ms"]})


def check(folder: Path) -> None:
    """The last backup is well, and so is what is restored from it; raises otherwise."""
    kept, restored = str(folder / "kept"), str(folder / "restored")
    syncline("backup", "verify", kept, "--json")
    syncline("backup", "restore", kept, "--data", restored, "--json")
    syncline("verify", "--data", restored, "--json")


def syncline(*arguments: str) -> processes.Answer:
    """A command that has to end well."""
    return processes.answer(f"syncline {arguments[0]}", [str(COMMANDS / "syncline"), *arguments])
