"""``bench``: a quick look at how fast this machine is: a server of its own, and what its clients measure."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from statistics import quantiles
from typing import Annotated, NamedTuple

import msgspec
import typer

from syncline.cli.drafts import Author
from syncline.cli.remote import Remote, read
from syncline.cli.terminal import Json, emit, note, out, progress, table
from syncline.core.events import Event
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.core.lots import lots
from syncline.core.messages import Live, Page, Push
from syncline.errors import ConnectionLost
from syncline.replica import new_node, wall_clock_ms
from syncline.transports import Transport
from syncline.transports.websocket import WebSocketTransport

WRITERS = 4
SINGLES = 300
PAUSE_SECONDS = 0.002

Events = Annotated[int, typer.Option("--events", min=1_000, max=10_000_000, help="Events to push and pull.")]


class Figure(NamedTuple):
    """One measurement: events per second, or milliseconds that half and 99 of 100 events took at most."""

    name: str
    rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


def bench(events: Events = 20_000, json: Json = False) -> None:
    """Measure this machine: durable push, pull and live latency, over WebSockets on the loopback.

    It starts a server in a temporary directory, and leaves nothing behind.
    """
    with progress("Measuring", 4) as advance, _server() as remote:
        figures = asyncio.run(_measure(remote, events, advance))
    if json:
        emit({"events": events, "figures": [figure._asdict() for figure in figures]})
        return
    shown = table(
        "measured", "per second", "half within", "99 % within", right=("per second", "half within", "99 % within")
    )
    for name, rate, p50, p99 in figures:
        shown.add_row(name, "" if rate is None else f"{rate:,.0f}", _ms(p50), _ms(p99))
    out.print(shown)
    note("Every push was on the disk before it was answered. Server and clients shared this machine.")


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ms"


@contextmanager
def _server() -> Iterator[Remote]:
    """A server as a process of its own, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as directory:
        serve = ["serve", "--json", "--port", "0", "--data", directory, "--log-level", "error"]
        process = subprocess.Popen([sys.executable, "-m", "syncline", *serve], stdout=subprocess.PIPE, cwd=directory)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise ConnectionLost("The server to measure did not start.")
            ready = msgspec.json.decode(line)
            yield Remote(ready["url"], "bench", ready["key"])
        finally:
            process.terminate()
            process.communicate()


async def _measure(remote: Remote, events: int, advance: Callable[[int], None]) -> list[Figure]:
    figures: list[Figure] = []
    for measure in (_push_singles(remote), _push_batches(remote, events), _pull(remote), _live(remote)):
        figures.append(await measure)
        advance(len(figures))
    return figures


def _events(count: int) -> list[Event]:
    """Events of a to-do list, by a node of their own."""
    author = Author(new_node(), wall_clock_ms())
    payload = {"title": "Buy milk and bread", "done": False}
    return [author.write({"item": f"task.{n % 100}", "action": "update", "payload": payload}) for n in range(count)]


async def _push_singles(remote: Remote) -> Figure:
    samples = []
    async with remote.talk(WebSocketTransport) as (transport, _):
        for event in _events(SINGLES):
            began = time.perf_counter()
            await transport.push(Push.of([event]))
            samples.append(time.perf_counter() - began)
    return Figure("push, one at a time", len(samples) / sum(samples), *_spread(samples))


async def _push_batches(remote: Remote, count: int) -> Figure:
    share = count // WRITERS

    async def write(events: list[Event]) -> None:
        async with remote.talk(WebSocketTransport) as (transport, _):
            for lot in lots(events, MAX_PUSH_EVENTS):
                await transport.push(Push.of(lot))

    ready = [_events(share) for _ in range(WRITERS)]
    began = time.perf_counter()
    await asyncio.gather(*map(write, ready))
    return Figure(f"push, {WRITERS} writers, batches of 1,000", share * WRITERS / (time.perf_counter() - began))


async def _pull(remote: Remote) -> Figure:
    count, began = 0, time.perf_counter()
    async with remote.talk(WebSocketTransport) as (transport, _):
        async for page in read(transport, None, []):
            count += len(page.entries)
    return Figure("pull", count / (time.perf_counter() - began))


async def _live(remote: Remote) -> Figure:
    """From the moment before a push to that of the entry's arrival at another connection."""
    samples = []
    remote = remote._replace(space="bench-live")
    async with (
        remote.talk(WebSocketTransport) as (writer, _),
        remote.talk(WebSocketTransport) as (reader, _),
        aclosing(_pages(reader)) as pages,
    ):
        await anext(pages)
        for event in _events(SINGLES):
            began = time.perf_counter()
            pushing = asyncio.create_task(writer.push(Push.of([event])))
            await anext(pages)
            samples.append(time.perf_counter() - began)
            await pushing
            await asyncio.sleep(PAUSE_SECONDS)
    return Figure("live, from push to arrival", None, *_spread(samples))


async def _pages(reader: Transport) -> AsyncGenerator[Page, None]:
    async for page in reader.subscribe(Live()):
        yield page


def _spread(samples: list[float]) -> tuple[float, float]:
    hundredths = quantiles(samples, n=100)
    return hundredths[49] * 1000, hundredths[98] * 1000
