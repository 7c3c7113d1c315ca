"""The contexts of a person on this machine: servers they work with, each with a space and what they sign in with.

One file, ``contexts.toml`` in ``$XDG_CONFIG_HOME/syncline`` (or ``~/.config/syncline``), for its owner alone.
It is replaced as a whole, so that readers need no lock; writers take turns.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from syncline.errors import BadSettings, Overloaded, StoreLocked

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
PATIENCE_SECONDS = 30.0
"""How long one waits for another program that writes the file, or signs in for the same context."""
LOOK_SECONDS = 0.02

HEAD = "# Servers, and secrets to sign in there. Written by syncline login and syncline context.\n"


class Context(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server, a space there, and by what right."""

    server: str
    space: str = "default"
    user: str = ""
    """Who signed in, also when that has ended. Empty: nobody; then there is a key, or the server is open."""
    key: str = ""
    """An API key."""
    access_token: str = ""
    expires_ms: int = 0
    """When the access token expires, in milliseconds since 1970 by this machine's clock."""
    refresh_token: str = ""
    """To be used once."""
    issuer: str = ""
    """The OpenID provider that the tokens are of; empty: the server's own."""
    client_id: str = ""
    audience: str = ""


class Book(msgspec.Struct, frozen=True):
    """All contexts, and the name of the one in use; empty if none is."""

    current: str = ""
    contexts: dict[str, Context] = msgspec.field(default_factory=dict)

    def find(self, name: str) -> Context:
        """A context by its name. Raises BadSettings."""
        if name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none yet; syncline login makes one"
            raise BadSettings(f"There is no context {name[:80]!r}. There are: {known}.")
        return self.contexts[name]


class Contexts:
    """The file of contexts. Thread-safe; several processes may use it at once."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()

    def read(self) -> Book:
        """What the file says now; nothing if it is not there. Raises BadSettings."""
        try:
            return msgspec.convert(tomllib.loads(self.path.read_text("utf-8")), Book)
        except FileNotFoundError:
            return Book()
        except OSError as error:
            raise BadSettings(f"{self.path} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
            raise BadSettings(f"{self.path} is not a file of contexts: {error}") from None

    def change(self, change: Callable[[Book], Book]) -> Book:
        """Makes of what the file says what it says next. Raises what ``change`` raises, BadSettings or Overloaded."""
        with self._turn("contexts"):
            before = self.read()
            book = change(before)
            if book != before:
                self._write(book)
        return book

    def put(self, name: str, context: Context, *, use: bool) -> Book:
        """Adds or replaces a context; ``use``: it becomes the one in use, as the first one does anyway."""

        def change(book: Book) -> Book:
            return Book(name if use or not book.current else book.current, {**book.contexts, check_name(name): context})

        return self.change(change)

    @contextmanager
    def signing_in(self, name: str) -> Iterator[None]:
        """While the block runs no other program signs in for this context. Raises Overloaded."""
        with self._turn(f"{check_name(name)}.context"):
            yield

    @contextmanager
    def _turn(self, what: str) -> Iterator[None]:
        """One writer at a time, by a lock that ends with its process."""
        from syncline.stores.tables.database import hold  # a database, which readers do not wait for

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        limit = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(StoreLocked):
                lock = hold(self.path.parent / f"{what}.lock")
                break
            if time.monotonic() > limit:
                raise Overloaded(f"{self.path.parent / what}.lock is held by another syncline for long; try again.")
            time.sleep(LOOK_SECONDS)
        try:
            yield
        finally:
            lock.close()

    def _write(self, book: Book) -> None:
        """Replaces the file at once: whoever reads sees all of the old one or all of the new one."""
        path = self.path.resolve()
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".contexts")  # readable by its owner alone
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(_toml(book))
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink()
            raise


def default_path() -> Path:
    """Where this person's contexts are."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".config") / "syncline" / "contexts.toml"


def check_name(name: str) -> str:
    """The name itself if a context may have it. Raises BadSettings."""
    if not NAME.fullmatch(name):
        raise BadSettings(f"{name[:80]!r} cannot be a context: 1 to 64 letters, digits, '_', '.' or '-'.")
    return name


def _toml(book: Book) -> str:
    parts = [HEAD, f"current = {_string(book.current)}\n"]
    for name, context in sorted(book.contexts.items()):
        lines = [f"{key} = {_value(value)}\n" for key, value in msgspec.to_builtins(context).items()]
        parts += [f"\n[contexts.{_string(name)}]\n", *lines]
    return "".join(parts)


def _value(value: Any) -> str:
    return _string(value) if isinstance(value, str) else str(value)


def _string(text: str) -> str:
    """A basic string of TOML: those of JSON are such, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
