"""A copy of the register: its rows as JSON Lines, which a SQLite file and PostgreSQL read alike.

{"register":{"format":1}}                                            the first line
{"table":"spaces","row":{"name":"home","created":1790000000000,…}}   a row; bytes are {"$bytes":"<base64>"}

What lasts for seconds is left out: tickets, and the counts of failed attempts.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import msgspec

from syncline.errors import NewerSchema, StoreDamaged, StoreLocked
from syncline.server.register.database import Cursor, Database

FORMAT = 1
BYTES = "$bytes"

TABLES = {
    "secrets": "name secret",
    "keys": "id hash name space user actions items created expires used revoked",
    "spaces": "name created deleted suspended quotas retention",
    "epochs": "epoch space entries",
    "erasures": "space payload",
    "users": "space name created suspended removed password",
    "sessions": "id space user label created used ended current previous salt",
    "second_factors": "space user secret confirmed step",
    "recovery_codes": "space user hash",
    "setup_tokens": "space user hash expires",
    "signing_keys": "id seed created",
    "acts": "space item action payload",
    "audit": "hour kind space user address what first last count",
}
"""The columns of each table; numbers that the database gives are made anew, in the same order."""
NUMBERED = {"acts", "audit", "erasures"}
LEFT_OUT = {"attempts", "tickets"}


def dump(database: Database) -> bytes:
    """All that lasts, as of one moment."""
    lines: list[dict[str, Any]] = [{"register": {"format": FORMAT}}]
    with database.writing(durable=False) as cursor:  # nobody else writes meanwhile: it takes no longer than a commit
        lines += _lines(cursor)
    return b"".join([msgspec.json.encode(line) + b"\n" for line in lines])


def load(database: Database, text: bytes) -> None:
    """Puts a copy into a register in which there is nothing yet; one that has all of it already is left as it is.

    Raises StoreLocked for any other register, NewerSchema or StoreDamaged.
    """
    first, *lines = _decoded(text)
    if first.get("register", {}).get("format") != FORMAT:
        raise NewerSchema("The copy of the register was written by another version of Syncline.")
    with database.writing() as cursor:
        held = {msgspec.json.encode(line) for line in _lines(cursor)}
        if not held:
            for line in lines:
                _insert(cursor, line["table"], line["row"])
        elif not held.issuperset(map(msgspec.json.encode, lines)):
            raise StoreLocked("There is a register already, with users and keys of its own: leave out --with-register.")


def spaces(text: bytes) -> set[str]:
    """The spaces that a copy knows and that were not deleted."""
    rows = [line["row"] for line in _decoded(text)[1:] if line["table"] == "spaces"]
    return {row["name"] for row in rows if row["deleted"] is None}


def erasures(text: bytes) -> Iterator[tuple[str, Any]]:
    """The space and the payload of each act of erasure that a copy knows of."""
    for line in _decoded(text)[1:]:
        if line["table"] == "erasures":
            yield line["row"]["space"], msgspec.json.decode(line["row"]["payload"])


def _lines(cursor: Cursor) -> list[dict[str, Any]]:
    return [{"table": table, "row": row} for table in TABLES for row in _rows(cursor, table)]


def _rows(cursor: Cursor, table: str) -> Iterator[dict[str, Any]]:
    names = TABLES[table].split()
    order = " ORDER BY id" if table in NUMBERED else ""
    for row in cursor.execute(f"SELECT {', '.join(map(_quoted, names))} FROM {table}{order}"):
        yield {name: _written(value) for name, value in zip(names, row, strict=True)}


def _insert(cursor: Cursor, table: str, row: dict[str, Any]) -> None:
    if table not in TABLES or row.keys() - set(TABLES[table].split()):
        raise NewerSchema(f"The copy of the register has something in {table} that this version does not know.")
    names, places = ", ".join(map(_quoted, row)), ", ".join("?" * len(row))
    cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(map(_read, row.values())))


def _quoted(name: str) -> str:
    return '"user"' if name == "user" else name


def _written(value: Any) -> Any:
    return {BYTES: b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def _read(value: Any) -> Any:
    return b64decode(value[BYTES]) if isinstance(value, dict) else value


def _decoded(text: bytes) -> list[dict[str, Any]]:
    try:
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in text.splitlines()]
    except msgspec.MsgspecError as error:
        raise StoreDamaged(f"The copy of the register has a line that does not read: {error}") from None
