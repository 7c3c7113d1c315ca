"""A PostgreSQL database of ours: reached through a pool, migrated, written durably, its errors told as ours.

The only module that knows psycopg. All tables are in a schema of their own, ``syncline``, which every connection looks
in first. What must not wait for ever does not: a lock that somebody holds who is gone, or a database behind a cable
that was pulled.
"""

from __future__ import annotations

import selectors
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from syncline.errors import BadSettings, NewerSchema, StorageFull, StoreClosed, StoreUnavailable

try:
    import psycopg
    import psycopg_pool
except ImportError as error:
    raise BadSettings("PostgreSQL needs more packages: pip install 'syncline[postgres]'") from error

CONNECTIONS = 8
"""At most, of one pool."""
WAIT_SECONDS = 5.0
"""How long one waits for a connection; a database that restarts is back by then."""
MIGRATION_LOCK = 0x53594E43
NETWORK: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "syncline",
}
"""What an address may say otherwise."""
SESSION = """
    SET search_path TO syncline;
    SET idle_in_transaction_session_timeout TO '30s';
    SET lock_timeout TO '30s';
    SET tcp_keepalives_idle TO 10;
    SET tcp_keepalives_interval TO 5;
    SET tcp_keepalives_count TO 3;
    SET enable_seqscan TO off;
    SET enable_bitmapscan TO off;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
"""The database, too, gives up whoever is gone, and with them the locks they held. Every question has an index
in its order: no plan, made while a table was small or not, may read and sort all that there is to find the first."""

Selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)
"""The cheapest that knows no greatest file."""

WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
WITHOUT_WAITING = "; SET LOCAL synchronous_commit TO off"

UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""The last: a database that follows another one, and was taken for the one that leads."""

BOOK = """
    CREATE SCHEMA IF NOT EXISTS syncline;
    CREATE TABLE IF NOT EXISTS syncline.schemas (name TEXT PRIMARY KEY, version INTEGER NOT NULL)
"""
HAS_BOOK = "SELECT to_regclass('syncline.schemas') IS NOT NULL"
ENTER = "INSERT INTO schemas VALUES (%s, 0) ON CONFLICT DO NOTHING"
VERSION = "SELECT version FROM schemas WHERE name = %s"
SET_VERSION = "UPDATE schemas SET version = %s WHERE name = %s"


class Schema(NamedTuple):
    """A kind of tables: a script for each version, which leads from the one before to it. ``name`` is a plain word."""

    name: str
    migrations: Sequence[str]


class PostgresDatabase:
    """The tables of one kind in one database. Thread-safe."""

    def __init__(self, url: str, schema: Schema) -> None:
        """Raises StoreUnavailable if there is nobody at the address, NewerSchema, and BadSettings."""
        self._closed = False
        address = _address(url)
        with _translated("could not be opened", tell=True), psycopg.connect(address, autocommit=True) as connection:
            _migrate(connection, schema)
        self._pool = psycopg_pool.ConnectionPool(
            address,
            kwargs={"autocommit": True},
            configure=_configure,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=WAIT_SECONDS,
            reconnect_timeout=WAIT_SECONDS,
            open=True,
        )

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Any]:
        """A cursor in a transaction: committed durably when the block ends, undone if it raises.

        One that is not ``durable`` may be lost when the machine of the database loses its power, but never others with
        it. If the connection breaks while it commits, it raises, and only looking again tells whether it was. A block
        that says nothing to the database for half a minute is undone: it holds locks.
        """
        with self.at_once() as cursor:
            cursor.execute(WRITE + ("" if durable else WITHOUT_WAITING))
            try:
                yield cursor
            except BaseException:
                with suppress(psycopg.Error):
                    cursor.connection.execute("ROLLBACK")
                raise
            cursor.connection.execute("COMMIT")

    @contextmanager
    def at_once(self) -> Iterator[Any]:
        """A cursor of which each statement is a transaction of its own: where one is enough, it saves two waits."""
        with _translated("cannot be reached"):
            connection = self._borrow()
            try:
                with connection.cursor() as cursor:
                    yield cursor
            finally:
                self._pool.putconn(connection)

    def _borrow(self) -> psycopg.Connection[Any]:
        """A connection that still stood a moment ago."""
        self.check_open()
        connection = self._pool.getconn()
        while _has_ended(connection):
            connection.close()
            self._pool.putconn(connection)
            connection = self._pool.getconn()
        return connection

    def close(self) -> None:
        """Closes every connection. Closing twice does nothing."""
        self._closed = True
        self._pool.close()

    def check_open(self) -> None:
        """Raises StoreClosed if it was closed."""
        if self._closed:
            raise StoreClosed("The database was closed.")


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A connection of one's own, for what lasts: what fails in the block is told as ours. Raises StoreUnavailable."""
    with _translated("was lost", tell=True), psycopg.connect(_address(url), autocommit=True) as connection:
        yield connection


def _address(url: str) -> str:
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
        return psycopg.conninfo.make_conninfo(**{**NETWORK, **given, "client_encoding": "utf8"})
    except psycopg.ProgrammingError:  # which may tell a password
        raise BadSettings("This is no address of a PostgreSQL database: postgresql://user@host/name") from None


def _configure(connection: psycopg.Connection[Any]) -> None:
    connection.execute(SESSION)


def _has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Whether the database has said something to a connection that waits: that is its farewell."""
    with Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))


def _migrate(connection: psycopg.Connection[Any], schema: Schema) -> None:
    """Brings the tables to this version, one step a transaction, while nobody else does."""
    connection.execute("SET lock_timeout TO 0")
    connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))  # given back with the connection
    if not _first(connection, HAS_BOOK):
        connection.execute(BOOK)
    connection.execute("SET search_path TO syncline")
    connection.execute(ENTER, (schema.name,))
    found = _first(connection, VERSION, schema.name)
    if found > len(schema.migrations):
        raise NewerSchema(f"The database was written by a newer Syncline ({schema.name} {found}). Upgrade this one.")
    for version, script in enumerate(schema.migrations[found:], found + 1):
        with connection.transaction():
            connection.execute(script)
            connection.execute(SET_VERSION, (version, schema.name))


def _first(connection: psycopg.Connection[Any], query: str, *parameters: Any) -> Any:
    (value,) = connection.execute(query, parameters).fetchone() or (None,)
    return value


@contextmanager
def _translated(what: str, *, tell: bool = False) -> Iterator[None]:
    """Errors of PostgreSQL as ours; ``tell``: with its own words, which are for those who run the server."""
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise StorageFull("The disk of the database is full; nothing was stored.") from error
    except psycopg_pool.PoolClosed as error:
        raise StoreClosed("The database was closed.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise BadSettings(f"This user of the database lacks a right{f': {error}' if tell else '.'}") from error
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"The database {what}{f': {error}' if tell else '; try again.'}") from error
