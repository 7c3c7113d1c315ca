"""How the register's file is laid out, version by version. Times are milliseconds since 1970, space ``''`` all spaces.

What changes here changes in ``postgres``, too.

What is revoked, suspended or removed is marked and stays: a log that is put back from a backup revives nobody.
"""

from __future__ import annotations

from syncline.stores.tables.database import Schema

SECRETS_KEYS_AND_SPACES = """
    CREATE TABLE secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        user TEXT NOT NULL,
        created INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE spaces (name TEXT PRIMARY KEY, created INTEGER NOT NULL, deleted INTEGER) WITHOUT ROWID;
"""

USERS_AND_SESSIONS = """
    CREATE TABLE users (
        space TEXT NOT NULL,
        name TEXT NOT NULL,
        created INTEGER NOT NULL,
        suspended INTEGER,
        removed INTEGER,
        password TEXT,
        PRIMARY KEY (space, name)
    ) WITHOUT ROWID;

    ALTER TABLE keys RENAME TO old_keys;
    CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        space TEXT NOT NULL,
        user TEXT NOT NULL,
        actions TEXT NOT NULL,
        items TEXT NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER,
        used INTEGER,
        revoked INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX keys_of_users ON keys (space, user);
    INSERT INTO keys
        SELECT id, hash, name, iif(user = '.root', '', 'default'), user, '[]', '[]', created, NULL, NULL, NULL
        FROM old_keys;
    INSERT INTO users SELECT space, user, min(created), NULL, NULL, NULL FROM keys GROUP BY space, user;
    DROP TABLE old_keys;

    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        space TEXT NOT NULL,
        user TEXT NOT NULL,
        label TEXT NOT NULL,
        created INTEGER NOT NULL,
        used INTEGER NOT NULL,
        ended INTEGER,
        current BLOB NOT NULL,
        previous BLOB,
        salt BLOB
    ) WITHOUT ROWID;
    CREATE INDEX sessions_of_users ON sessions (space, user);

    CREATE TABLE second_factors (
        space TEXT NOT NULL,
        user TEXT NOT NULL,
        secret TEXT NOT NULL,
        confirmed INTEGER,
        step INTEGER NOT NULL,
        PRIMARY KEY (space, user)
    ) WITHOUT ROWID;
    CREATE TABLE recovery_codes (
        space TEXT NOT NULL,
        user TEXT NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (space, user, hash)
    ) WITHOUT ROWID;
    CREATE TABLE setup_tokens (
        space TEXT NOT NULL,
        user TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        expires INTEGER NOT NULL,
        PRIMARY KEY (space, user)
    ) WITHOUT ROWID;

    CREATE TABLE signing_keys (id TEXT PRIMARY KEY, seed BLOB NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE attempts (
        subject BLOB PRIMARY KEY,
        known INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        last INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX attempts_by_age ON attempts (known, last);
"""

AUDIT = """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        hour INTEGER,
        kind TEXT NOT NULL,
        space TEXT NOT NULL,
        user TEXT NOT NULL,
        address TEXT NOT NULL,
        what TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        count INTEGER NOT NULL,
        UNIQUE (hour, kind, space, user, address, what)
    );
    CREATE INDEX audit_by_time ON audit (first, id);
"""
"""``hour`` is NULL where every time it happens has a row of its own: NULLs are all different."""

QUOTAS = """
    ALTER TABLE spaces ADD COLUMN suspended INTEGER;
    ALTER TABLE spaces ADD COLUMN quotas TEXT NOT NULL DEFAULT '{}';
"""

ACTS = """
    CREATE TABLE acts (
        id INTEGER PRIMARY KEY,
        space TEXT NOT NULL,
        item TEXT NOT NULL,
        action TEXT NOT NULL,
        payload TEXT
    );
"""

TICKETS = """
    CREATE TABLE tickets (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        space TEXT NOT NULL,
        user TEXT NOT NULL,
        identity TEXT NOT NULL,
        until INTEGER NOT NULL
    );
    CREATE INDEX tickets_of_users ON tickets (space, user, id);
    CREATE INDEX tickets_by_age ON tickets (until);
"""

ERASURES = """
    CREATE TABLE erasures (id INTEGER PRIMARY KEY, space TEXT NOT NULL, payload TEXT NOT NULL);
    CREATE INDEX erasures_of_spaces ON erasures (space, id);
"""

EPOCHS = """
    CREATE TABLE epochs (epoch TEXT PRIMARY KEY, space TEXT NOT NULL, entries TEXT) WITHOUT ROWID;
    CREATE INDEX epochs_of_spaces ON epochs (space);
"""

RETENTION = """
    ALTER TABLE spaces ADD COLUMN retention TEXT NOT NULL DEFAULT '{}';
"""

MIGRATIONS = [SECRETS_KEYS_AND_SPACES, USERS_AND_SESSIONS, AUDIT, QUOTAS, ACTS, TICKETS, ERASURES, EPOCHS, RETENTION]

SCHEMA = Schema("server register", 0x53594E30, MIGRATIONS)
