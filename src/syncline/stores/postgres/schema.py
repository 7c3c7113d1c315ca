"""The tables of all logs. Every key begins with the log's own, by which a database of many machines may share them out.

``logs`` has one row for each: its end, which whoever appends moves and thereby holds (``rules``: the seq of its newest
event that makes rules; ``last_id``: its greatest id). A log without a name is being deleted. An entry is stored as the
bytes in which it is sent; NULL is what stays when content is erased.

``events`` is for people who ask with SQL. JSON in PostgreSQL has no NUL: an event that has one shows U+FFFD there.
"""

from __future__ import annotations

from syncline.stores.postgres import bases
from syncline.stores.postgres.database import Schema

TABLES = """
    CREATE TABLE logs (
        key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name TEXT COLLATE "C" UNIQUE,
        epoch UUID NOT NULL DEFAULT gen_random_uuid(),
        seq BIGINT NOT NULL DEFAULT 0,
        tail BYTEA NOT NULL DEFAULT '\\x0000000000000000',
        at BIGINT NOT NULL DEFAULT 0,
        bytes BIGINT NOT NULL DEFAULT 0,
        rules BIGINT NOT NULL DEFAULT 0,
        last_id UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
    ) WITH (fillfactor = 20);

    CREATE TABLE entries (
        log BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        at BIGINT NOT NULL,
        id UUID NOT NULL,
        n BIGINT NOT NULL,
        digest BYTEA NOT NULL,
        tail BYTEA NOT NULL,
        item TEXT COLLATE "C" NOT NULL,
        node TEXT COLLATE "C" NOT NULL,
        entry BYTEA,
        PRIMARY KEY (log, seq),
        UNIQUE (log, id)
    );
    CREATE INDEX entries_by_item ON entries (log, item, seq);

    CREATE TABLE nodes (
        log BIGINT NOT NULL,
        node TEXT COLLATE "C" NOT NULL,
        owner TEXT NOT NULL,
        n BIGINT NOT NULL,
        own UUID NOT NULL,
        PRIMARY KEY (log, node)
    ) WITH (fillfactor = 50);
"""

VIEW = """
    CREATE FUNCTION event_of(entry BYTEA) RETURNS JSONB LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    BEGIN
        RETURN convert_from(entry, 'UTF8')::jsonb -> 'event';
    EXCEPTION WHEN untranslatable_character THEN
        RETURN replace(convert_from(entry, 'UTF8'), '\\u0000', '\\ufffd')::jsonb -> 'event';
    END
    $$;

    CREATE VIEW events AS
        SELECT name AS space, entries.seq, to_timestamp(entries.at / 1000.0) AS at, item, event_of(entry) AS event
        FROM logs JOIN entries ON log = key WHERE name IS NOT NULL;
"""

SCHEMA = Schema("logs", [TABLES + VIEW, bases.TABLES])
