"""A server as its clients see it, with all that stands between: TLS, proxies that cut, buffer or do not upgrade."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from statistics import median
from urllib.parse import urlsplit

import msgspec

from syncline.cli.checks.findings import Checks, Finding, good, problem, warning
from syncline.cli.remote import Remote
from syncline.core.limits import MAX_BODY_BYTES
from syncline.core.messages import Live, Push, Welcome
from syncline.errors import SynclineError
from syncline.transports import Transport
from syncline.transports.addresses import is_loopback
from syncline.transports.http import HttpTransport
from syncline.transports.websocket import WebSocketTransport

ROUNDS = 9
SLOW_SECONDS = 0.5
PAGE_SECONDS = 5.0
"""How long the first page of a stream may take; it is sent at once."""
SKEW_MS = 5_000
MAX_SKEW_MS = 300_000


def checks(remote: Remote) -> Checks:
    """The checks of a server by its address. They store nothing."""
    yield "server", lambda: reachable(remote)
    yield "clock", lambda: clock(remote)
    yield (
        "WebSocket",
        lambda: live(remote, "WebSocket", WebSocketTransport, "Let the proxy pass Upgrade and Connection."),
    )
    yield "stream", lambda: live(remote, "stream", HttpTransport, "Switch the proxy's buffering off for /v1/live.")
    yield "body", lambda: body(remote)


async def reachable(remote: Remote) -> list[Finding]:
    """Whether it takes requests, how fast, and whether others may listen."""
    parts, taken = urlsplit(remote.server), []
    async with remote.administer() as administration:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await administration.ready()
            taken.append(time.perf_counter() - began)
    seconds = median(taken)
    found = f"{remote.server} takes requests, {seconds * 1000:.1f} ms each"
    slow = warning("server", found, "It is far away, or busy.")
    findings = [slow if seconds > SLOW_SECONDS else good("server", found)]
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        found = "keys and data travel unencrypted"
        findings.append(warning("server", found, "Put a proxy with TLS before it, and use https://."))
    return findings


async def clock(remote: Remote) -> list[Finding]:
    """Whether its clock and this one agree: events from more than five minutes ahead are refused."""
    async with remote.talk() as (_, welcome):
        skew = abs(welcome.time - time.time_ns() // 1_000_000)
    found = f"{skew / 1000:.1f} s apart from this one's"
    if skew > MAX_SKEW_MS:
        return [problem("clock", found, "Set both by NTP; replicas have to stamp their events anew until then.")]
    if skew > SKEW_MS:
        return [warning("clock", found, "Set both by NTP.")]
    return [good("clock", f"{found}; {_who(welcome, remote)}")]


def _who(welcome: Welcome, remote: Remote) -> str:
    return f"you are {welcome.user} in {remote.space}, whose head is {welcome.head:,}"


async def live(remote: Remote, what: str, transport: Callable[[str], Transport], advice: str) -> list[Finding]:
    """Whether what is new arrives at once."""
    try:
        async with remote.talk(transport) as (carrier, _):
            cursor = await remote.cursor_back(0, ())
            seconds = await asyncio.wait_for(_first_page(carrier, cursor), PAGE_SECONDS)
    except TimeoutError:
        return [problem(what, f"no page has come in {PAGE_SECONDS:g} s", advice)]
    except SynclineError as error:
        return [problem(what, error.message, advice)]
    return [good(what, f"opens, and the first page is there after {seconds * 1000:.0f} ms")]


async def _first_page(carrier: Transport, cursor: str) -> float:
    began = time.perf_counter()
    async with aclosing(carrier.subscribe(Live(cursor=cursor))) as pages:
        await anext(pages)
        return time.perf_counter() - began


async def body(remote: Remote) -> list[Finding]:
    """Whether a push of the greatest size arrives: an empty list, with as much room in it."""
    room = MAX_BODY_BYTES - 1_024
    async with remote.talk() as (carrier, _):
        try:
            await carrier.push(Push(ref=1, events=msgspec.Raw(b"[" + b" " * room + b"]")))
        except SynclineError as error:
            advice = f"Let the proxy pass bodies of {MAX_BODY_BYTES >> 20} MiB (nginx: client_max_body_size)."
            return [problem("body", f"a push of {MAX_BODY_BYTES >> 20} MiB: {error.message}", advice)]
    return [good("body", f"a push of {MAX_BODY_BYTES >> 20} MiB arrives")]
