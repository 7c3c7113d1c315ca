"""The register in PostgreSQL, for several servers; see ``register.database``. The tables are those of ``schema``.

Writing is serialised by a lock in the database, as one file does it by itself: so a statement may rely on what the one
before has read, on both. Whoever holds the lock and is gone loses it, with what they had not committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any

from syncline.stores.postgres.database import PostgresDatabase, Schema
from syncline.stores.postgres.dialect import NeutralCursor

ALONE = "SELECT pg_advisory_xact_lock(?, 0)"
HOLD = "SELECT pg_try_advisory_xact_lock(?, hashtext(?))"
PATIENTLY = "SET LOCAL idle_in_transaction_session_timeout TO '10min'"
"""Who holds a name says nothing meanwhile, and may take longer than others; who hangs is given up all the same."""
LOCKS = 0x53594E30
"""The first half of the names of all locks of the register."""
VERSION = "SELECT version FROM changes"

TABLES = """
    CREATE TABLE secrets (name TEXT PRIMARY KEY, secret BYTEA NOT NULL);

    CREATE TABLE users (
        space TEXT NOT NULL,
        name TEXT COLLATE "C" NOT NULL,
        created BIGINT NOT NULL,
        suspended BIGINT,
        removed BIGINT,
        password TEXT,
        PRIMARY KEY (space, name)
    );
    CREATE INDEX users_by_name ON users (name);

    CREATE TABLE keys (
        id TEXT COLLATE "C" PRIMARY KEY,
        hash BYTEA NOT NULL UNIQUE,
        name TEXT NOT NULL,
        space TEXT NOT NULL,
        "user" TEXT NOT NULL,
        actions TEXT NOT NULL,
        items TEXT NOT NULL,
        created BIGINT NOT NULL,
        expires BIGINT,
        used BIGINT,
        revoked BIGINT
    );
    CREATE INDEX keys_of_users ON keys (space, "user");

    CREATE TABLE spaces (
        name TEXT COLLATE "C" PRIMARY KEY,
        created BIGINT NOT NULL,
        deleted BIGINT,
        suspended BIGINT,
        quotas TEXT NOT NULL DEFAULT '{}'
    );

    CREATE TABLE sessions (
        id TEXT COLLATE "C" PRIMARY KEY,
        space TEXT NOT NULL,
        "user" TEXT NOT NULL,
        label TEXT NOT NULL,
        created BIGINT NOT NULL,
        used BIGINT NOT NULL,
        ended BIGINT,
        current BYTEA NOT NULL,
        previous BYTEA,
        salt BYTEA
    );
    CREATE INDEX sessions_of_users ON sessions (space, "user");

    CREATE TABLE second_factors (
        space TEXT NOT NULL,
        "user" TEXT NOT NULL,
        secret TEXT NOT NULL,
        confirmed BIGINT,
        step BIGINT NOT NULL,
        PRIMARY KEY (space, "user")
    );
    CREATE TABLE recovery_codes (
        space TEXT NOT NULL,
        "user" TEXT NOT NULL,
        hash BYTEA NOT NULL,
        PRIMARY KEY (space, "user", hash)
    );
    CREATE TABLE setup_tokens (
        space TEXT NOT NULL,
        "user" TEXT NOT NULL,
        hash BYTEA NOT NULL UNIQUE,
        expires BIGINT NOT NULL,
        PRIMARY KEY (space, "user")
    );

    CREATE TABLE signing_keys (id TEXT PRIMARY KEY, seed BYTEA NOT NULL, created BIGINT NOT NULL);
    CREATE TABLE attempts (
        subject BYTEA PRIMARY KEY,
        known INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        last BIGINT NOT NULL
    );
    CREATE INDEX attempts_by_age ON attempts (known, last);

    CREATE TABLE tickets (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        hash BYTEA NOT NULL UNIQUE,
        space TEXT NOT NULL,
        "user" TEXT NOT NULL,
        identity TEXT NOT NULL,
        until BIGINT NOT NULL
    );
    CREATE INDEX tickets_of_users ON tickets (space, "user", id);
    CREATE INDEX tickets_by_age ON tickets (until);

    CREATE TABLE audit (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        hour BIGINT,
        kind TEXT NOT NULL,
        space TEXT NOT NULL,
        "user" TEXT NOT NULL,
        address TEXT NOT NULL,
        what TEXT NOT NULL,
        first BIGINT NOT NULL,
        last BIGINT NOT NULL,
        count BIGINT NOT NULL,
        UNIQUE (hour, kind, space, "user", address, what)
    );
    CREATE INDEX audit_by_time ON audit (first, id);

    CREATE TABLE acts (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        space TEXT NOT NULL,
        item TEXT NOT NULL,
        action TEXT NOT NULL,
        payload TEXT
    );
"""

CHANGES = """
    CREATE TABLE changes (version BIGINT NOT NULL);
    INSERT INTO changes VALUES (0);
    CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN UPDATE syncline.changes SET version = version + 1; RETURN NULL; END';
    CREATE TRIGGER keys_changed AFTER UPDATE OF revoked ON keys
        FOR EACH ROW WHEN (OLD.revoked IS DISTINCT FROM NEW.revoked) EXECUTE FUNCTION note_change();
    CREATE TRIGGER users_changed AFTER UPDATE OF suspended, removed ON users
        FOR EACH ROW WHEN ((OLD.suspended, OLD.removed) IS DISTINCT FROM (NEW.suspended, NEW.removed))
        EXECUTE FUNCTION note_change();
    CREATE TRIGGER sessions_ended AFTER UPDATE OF ended ON sessions
        FOR EACH ROW WHEN (OLD.ended IS DISTINCT FROM NEW.ended) EXECUTE FUNCTION note_change();
    CREATE TRIGGER sessions_dropped AFTER DELETE ON sessions
        FOR EACH ROW WHEN (OLD.ended IS NULL) EXECUTE FUNCTION note_change();
    CREATE TRIGGER spaces_changed AFTER UPDATE ON spaces FOR EACH ROW EXECUTE FUNCTION note_change();
    CREATE TRIGGER acts_added AFTER INSERT ON acts FOR EACH ROW EXECUTE FUNCTION note_change();
"""
"""Counts what every server must hear of, in the transaction that does it. All that is counted is written alone, so
nobody waits for the one row longer than for the lock."""

ERASURES = """
    CREATE TABLE erasures (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        space TEXT NOT NULL,
        payload TEXT NOT NULL
    );
    CREATE INDEX erasures_of_spaces ON erasures (space, id);
"""

EPOCHS = """
    CREATE TABLE epochs (epoch TEXT PRIMARY KEY, space TEXT NOT NULL, entries TEXT);
    CREATE INDEX epochs_of_spaces ON epochs (space);
    CREATE TRIGGER epochs_taken AFTER UPDATE ON epochs FOR EACH ROW EXECUTE FUNCTION note_change();
"""

RETENTION = "ALTER TABLE spaces ADD COLUMN retention TEXT NOT NULL DEFAULT '{}'"

SCHEMA = Schema("register", [TABLES + CHANGES, ERASURES, EPOCHS, RETENTION])


class PostgresRegister:
    """A ``Database`` that several servers share."""

    is_remote = True

    def __init__(self, url: str) -> None:
        """Raises StoreUnavailable, NewerSchema or BadSettings."""
        self._database = PostgresDatabase(url, SCHEMA)
        self._turn = Lock()  # those of this process wait for each other without a connection each

    @contextmanager
    def writing(self, *, durable: bool = True, alone: bool = True) -> Iterator[Any]:
        """A transaction; see ``register.database``."""
        with self._turn if alone else nullcontext(), self._database.writing(durable=durable) as raw:
            cursor = NeutralCursor(raw)
            if alone:
                cursor.execute(ALONE, (LOCKS,))
            yield cursor

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A cursor of which each statement sees what is committed."""
        with self._database.at_once() as raw:
            yield NeutralCursor(raw)

    @contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Holds a name for as long as the block lasts, if nobody does."""
        with self._database.writing(durable=False) as raw:
            cursor = NeutralCursor(raw)
            cursor.execute(PATIENTLY)
            yield cursor.execute(HOLD, (LOCKS, name)).get

    def foreign_version(self) -> int:
        """How often something has changed of which every server must hear, whichever server it was."""
        with self.reading() as cursor:
            return int(cursor.execute(VERSION).get)

    def close(self) -> None:
        """Closes every connection."""
        self._database.close()
