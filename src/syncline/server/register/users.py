"""The users: who there is in which space, who is suspended or removed, and the hash of each one's password.

Who is suspended or removed is so here, whatever a log says. Hashing is ``auth.passwords``' matter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from syncline.core.access.state import user_item
from syncline.core.events import ITEM, USER
from syncline.errors import BadRequest, UnknownUser, UserExists
from syncline.server.auth.identity import ANYONE, ROOT, home
from syncline.server.register.database import PLACES, Database, listed

ADD = "INSERT INTO users VALUES (?, ?, ?, NULL, NULL, NULL) ON CONFLICT DO NOTHING RETURNING 1"
WITHDRAW = "DELETE FROM users WHERE space = ? AND name = ? AND password IS NULL"
FIELDS = """
    users.space, name, created, suspended, removed, password IS NOT NULL, confirmed IS NOT NULL
    FROM users LEFT JOIN second_factors ON second_factors.space = users.space AND "user" = name
"""
FIND = f"SELECT {FIELDS} WHERE users.space = ? AND name = ?"
LIST = f"SELECT {FIELDS} WHERE users.space = ? AND removed IS NULL ORDER BY name"
STATE = "SELECT suspended, removed FROM users WHERE space = ? AND name = ?"
BARRED = f"SELECT space, name FROM users WHERE (suspended IS NOT NULL OR removed IS NOT NULL) AND name IN ({PLACES})"
PASSWORD = "SELECT password FROM users WHERE space = ? AND name = ? AND suspended IS NULL AND removed IS NULL"
SET_PASSWORD = "UPDATE users SET password = ? WHERE space = ? AND name = ?"
REPLACE_PASSWORD = "UPDATE users SET password = ? WHERE space = ? AND name = ? AND password = ?"
SUSPEND = "UPDATE users SET suspended = coalesce(suspended, ?) WHERE space = ? AND name = ?"
RESUME = "UPDATE users SET suspended = NULL WHERE space = ? AND name = ?"
REMOVE = (
    "UPDATE users SET removed = :now, password = NULL WHERE space = :space AND name = :user",
    'UPDATE keys SET revoked = coalesce(revoked, :now) WHERE space = :space AND "user" = :user',
    'UPDATE sessions SET ended = coalesce(ended, :now) WHERE space = :space AND "user" = :user',
    'DELETE FROM second_factors WHERE space = :space AND "user" = :user',
    'DELETE FROM recovery_codes WHERE space = :space AND "user" = :user',
    'DELETE FROM setup_tokens WHERE space = :space AND "user" = :user',
)


class User(NamedTuple):
    """A user as one is listed. Times are milliseconds since 1970; ``space`` is ``""`` for ``.root``."""

    space: str
    name: str
    created: int
    suspended: int | None
    removed: int | None
    has_password: bool
    has_second_factor: bool

    @property
    def is_barred(self) -> bool:
        """Whether nothing this user holds is valid."""
        return self.suspended is not None or self.removed is not None


class Users:
    """The table of users. Thread-safe. Everywhere, ``.root`` is of all spaces, whichever is named."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._db, self._now_ms = database, now_ms

    def create(self, space: str, name: str) -> None:
        """A new user, without any credential. Raises BadRequest or UserExists."""
        check_new(name)
        with self._db.writing() as cursor:
            if cursor.execute(ADD, (home(space, name), name, self._now_ms())).get is None:
                raise UserExists(f"There is a user {name} in {space} already, or was one: take another name.")

    def withdraw(self, space: str, name: str) -> None:
        """Takes back what ``create`` did a moment ago: nobody has heard of this user yet."""
        with self._db.writing() as cursor:
            cursor.execute(WITHDRAW, (home(space, name), name))

    def ensure(self, space: str, name: str) -> None:
        """The user, made if need be. Raises BadRequest, or UnknownUser for one who was removed."""
        with self._db.writing() as cursor:
            ensure(cursor, space, name, self._now_ms())

    def find(self, space: str, name: str) -> User | None:
        """The user, also one who is suspended or removed."""
        with self._db.reading() as cursor:
            row = cursor.execute(FIND, (home(space, name), name)).fetchone()
        return row and _user(row)

    def of_space(self, space: str) -> list[User]:
        """The users of a space, by name, without those who were removed."""
        with self._db.reading() as cursor:
            return [_user(row) for row in cursor.execute(LIST, (space,))]

    def is_barred(self, space: str, name: str) -> bool:
        """Whether a user of this name was suspended or removed; somebody nobody made is not."""
        found = self.find(space, name)
        return found is not None and found.is_barred

    def barred(self, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of these (space, name) who were suspended or removed."""
        asked = {(home(space, name), name): (space, name) for space, name in places}
        with self._db.reading() as cursor:
            names = {name for _, name in asked}
            found = {row for lot in listed(names) for row in cursor.execute(BARRED, lot)}
        return {place for key, place in asked.items() if key in found}

    def password(self, space: str, name: str) -> str | None:
        """The hash of the user's password. None: there is none, or no such user, or they may not log in."""
        with self._db.reading() as cursor:
            hashed = cursor.execute(PASSWORD, (home(space, name), name)).get
        return None if hashed is None else str(hashed)

    def set_password(self, space: str, name: str, hashed: str, *, instead_of: str | None = None) -> None:
        """Keeps a password's hash, if need be only while the one before is still there. Raises UnknownUser."""
        place = home(space, name), name
        with self._db.writing() as cursor:
            _check(cursor, *place)
            if instead_of is None:
                cursor.execute(SET_PASSWORD, (hashed, *place))
            else:
                cursor.execute(REPLACE_PASSWORD, (hashed, *place, instead_of))

    def suspend(self, space: str, name: str) -> None:
        """Nothing this user holds is valid until ``resume``. Raises UnknownUser, and BadRequest for ``.root``."""
        _check_ordinary(name)
        with self._db.writing() as cursor:
            _check(cursor, home(space, name), name)
            cursor.execute(SUSPEND, (self._now_ms(), home(space, name), name))

    def resume(self, space: str, name: str) -> None:
        """Ends a suspension. Raises UnknownUser."""
        with self._db.writing() as cursor:
            _check(cursor, home(space, name), name)
            cursor.execute(RESUME, (home(space, name), name))

    def remove(self, space: str, name: str) -> None:
        """Ends all a user holds, for ever; the name is not used again. Raises UnknownUser, BadRequest for ``.root``."""
        _check_ordinary(name)
        place = {"space": home(space, name), "user": name, "now": self._now_ms()}
        with self._db.writing() as cursor:
            _check(cursor, home(space, name), name)
            for statement in REMOVE:
                cursor.execute(statement, place)


def ensure(cursor: Any, space: str, name: str, now: int) -> None:
    """The same as ``Users.ensure``, in somebody's transaction."""
    check_user(name)
    if cursor.execute(ADD, (home(space, name), name, now)).get is not None:
        check_new(name)
    _check(cursor, home(space, name), name)


def check_user(name: str) -> str:
    """The name itself if a user may have it. Raises BadRequest.

    Two that look alike because one has other code points would be two users, and only one of them would have the rules;
    a ``*`` stands for many in a rule, so nobody with one could be named there.
    """
    is_text = USER.fullmatch(name) and is_plain(name) and name == name.strip()
    if name != ROOT and (not is_text or name.startswith(".") or "*" in name or name == ANYONE):
        words = "1 to 256 printable characters in NFC, no leading dot, no *, no space around it"
        raise BadRequest(f"user: {name[:80]!r} cannot be one: {words}, not {ANYONE!r}.")
    return name


def is_plain(name: str) -> bool:
    """Whether a name, or the beginning of one, is written as names are: printable, and in NFC."""
    return name.isprintable() and unicodedata.is_normalized("NFC", name)


def check_new(name: str) -> str:
    """The same for somebody who is made: the item on which they are administered has to be one. Raises BadRequest."""
    if not ITEM.fullmatch(user_item(check_user(name))):
        words = "at most 250 characters, each byte beside A-Z a-z 0-9 _ . : / - counted three times"
        raise BadRequest(f"user: {name[:80]!r} is too long: {words}.")
    return name


def _check(cursor: Any, space: str, name: str) -> None:
    row = cursor.execute(STATE, (space, name)).fetchone()
    if row is None or row[1] is not None:
        raise UnknownUser(f"There is no user {name}.")


def _check_ordinary(name: str) -> None:
    if name == ROOT:
        raise BadRequest(f"{ROOT} administers the server and cannot be suspended or removed.")


def _user(row: tuple[Any, ...]) -> User:
    space, name, created, suspended, removed, has_password, has_factor = row
    return User(space, name, created, suspended, removed, bool(has_password), bool(has_factor))
