"""What several servers share: the database with their logs, and what carries news between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from secrets import token_bytes
from statistics import median
from typing import Any

from syncline.cli.checks.findings import Checks, Finding, good, problem, warning
from syncline.server.bus import Bus
from syncline.server.bus.chosen import open_bus
from syncline.server.logs import POSTGRES, kind_of, load
from syncline.server.settings import Settings
from syncline.transports.nats_url import is_nats

OLDEST_VERSION = 140_000
ROUNDS = 9
SLOW_SECONDS = 0.01
SKEW_SECONDS = 5.0
CONNECTIONS = 18
"""What one server takes of the database's, at most: for logs, register and bus."""
HEARD_SECONDS = 5.0

SURVEY = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
        pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool,
        current_setting('fsync')::bool AND current_setting('full_page_writes')::bool,
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
        extract(epoch FROM clock_timestamp())::float8,
        coalesce(
            (SELECT has_schema_privilege(oid, 'USAGE') AND NOT EXISTS (
                SELECT FROM pg_class AS each, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS deed
                WHERE relnamespace = to_regnamespace('syncline') AND relkind = 'r'
                    AND NOT has_table_privilege(each.oid, deed)
            ) FROM pg_namespace WHERE nspname = 'syncline'),
            has_database_privilege(current_database(), 'CREATE')
        )
"""


def checks(settings: Settings) -> Checks:
    """The checks of what these settings share with other servers; none if they share nothing."""
    if kind_of(settings.store) == POSTGRES:
        yield "database", lambda: database(settings.store)
        yield "bus", lambda: bus(settings)
    if settings.nats:
        yield "NATS", lambda: nats(settings.nats)


def database(url: str) -> Iterator[Finding]:
    """Whether it is reached, durable, writable, quick, and large enough."""
    connected = load("syncline.stores.postgres.database", "connected")
    with connected(url) as connection:
        began = time.time()
        survey = connection.execute(SURVEY).fetchone()
        skew = abs(survey[6] - (began + time.time()) / 2)
        seconds = median(_taken(connection) for _ in range(ROUNDS))
    yield from _judged(*survey[:6], may_write=survey[7])
    found = f"answers in {seconds * 1000:.1f} ms"
    far = warning("database", found, "Put servers and database into one place: each commit waits several times.")
    yield far if seconds > SLOW_SECONDS else good("database", found)
    if skew > SKEW_SECONDS:
        yield warning("database", f"its clock is {skew:.0f} s apart from this one's", "Set both by NTP.")


def _taken(connection: Any) -> float:
    began = time.perf_counter()
    connection.execute("SELECT 1").fetchone()
    return time.perf_counter() - began


def _judged(
    number: int, version: str, is_read_only: bool, is_durable: bool, most: int, used: int, *, may_write: bool
) -> Iterator[Finding]:
    if number < OLDEST_VERSION:
        yield problem("database", f"PostgreSQL {version}", f"It has to be {OLDEST_VERSION // 10_000} at least.")
    else:
        yield good("database", f"PostgreSQL {version}")
    if is_read_only:
        yield problem("database", "it is a replica, or read-only", "Name the primary in store.")
    if not is_durable:
        yield problem("database", "fsync or full_page_writes is off", "Switch both on, or a power cut loses pushes.")
    if not may_write:
        found = "this user may not make the schema syncline, or not write in it"
        yield problem("database", found, "GRANT CREATE ON DATABASE … TO …, or name the user that made the schema.")
    if most - used < CONNECTIONS:
        found = f"{used} of {most} connections are taken, a server wants up to {CONNECTIONS}"
        yield warning("database", found, "Raise max_connections, or run fewer servers.")
    else:
        yield good("database", f"{most} connections, room for {(most - used) // CONNECTIONS} more servers")


async def bus(settings: Settings) -> list[Finding]:
    """Whether what one server says reaches another, and how fast."""
    key = token_bytes(32)
    speaker, listener = (open_bus(settings.bus, settings.store, key) for _ in range(2))
    assert speaker is not None
    assert listener is not None
    name = "NATS" if is_nats(settings.bus) else "LISTEN/NOTIFY"
    try:
        seconds = await asyncio.wait_for(_heard(speaker, listener), HEARD_SECONDS)
    except TimeoutError:
        advice = (
            "Is it running, and let through? Until then news takes a second or two."
            if is_nats(settings.bus)
            else "Name the database itself, not a pool before it that shares connections (PgBouncer), or a NATS as bus."
        )
        return [problem("bus", f"{name}: nothing was heard in {HEARD_SECONDS:g} s", advice)]
    finally:
        await asyncio.gather(speaker.stop(), listener.stop())
    return [good("bus", f"{name}: news takes {seconds * 1000:.1f} ms")]


async def _heard(speaker: Bus, listener: Bus) -> float:
    """How long a message takes, once both ends stand."""
    message, taken = b"doctor " + token_bytes(8).hex().encode(), list[float]()
    stands, heard = [asyncio.Event(), asyncio.Event()], asyncio.Event()
    speaker.start(lambda _: None, stands[0].set)
    listener.start(lambda text: heard.set() if text == message else None, stands[1].set)
    await asyncio.gather(*(each.wait() for each in stands))
    while len(taken) < ROUNDS:
        began = time.perf_counter()
        speaker.send(message)
        await heard.wait()
        heard.clear()
        taken.append(time.perf_counter() - began)
    return median(taken)


async def nats(url: str) -> list[Finding]:
    """Whether clients can be answered over this NATS."""
    connection = load("syncline.transports.nats_connection", "NatsConnection")(url, name="syncline doctor")
    await connection.open()
    size = connection.max_payload
    await connection.close()
    return [good("NATS", f"is there, for messages of {size >> 10:,} KiB")]
