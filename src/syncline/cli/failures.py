"""How a command fails: one line on stderr that says what to do next, and a stable exit code. No tracebacks."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from syncline.cli.terminal import complain
from syncline.errors import (
    AccessError,
    BadSettings,
    ConnectionLost,
    EpochChanged,
    LocalError,
    SynclineError,
    Unauthorized,
    Unavailable,
    UnknownSpace,
)

REFUSED = 1
USAGE = 2
UNREACHABLE = 3
NOT_ALLOWED = 4
LOCAL = 5
NOTHING = 6
INTERRUPTED = 130
UNREAD = 141

CODES: tuple[tuple[type[SynclineError], int], ...] = (
    (BadSettings, USAGE),
    (Unavailable, UNREACHABLE),
    (AccessError, NOT_ALLOWED),
    (LocalError, LOCAL),
    (SynclineError, REFUSED),
)
"""The first that fits decides."""

HINTS: dict[type[SynclineError], str] = {
    ConnectionLost: "Is it running (syncline serve)? Another one is named with --server or SYNCLINE_SERVER.",
    Unauthorized: "An API key is given with --token or SYNCLINE_TOKEN; syncline keys create makes one.",
    UnknownSpace: "syncline spaces list shows those there are; --space or SYNCLINE_SPACE names one.",
    EpochChanged: "Its entries are read from the start, without a cursor.",
}


class Verbs(TyperGroup):
    """The group of all verbs: what goes wrong in one of them ends here."""

    def invoke(self, ctx: Any) -> Any:
        """Carries out a verb."""
        try:
            return super().invoke(ctx)
        except SynclineError as error:
            complain(_words(error))
            raise typer.Exit(exit_code(error)) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(UNREAD) from None
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            complain(f"{place}{error.strerror or error}.")
            raise typer.Exit(LOCAL) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def misused(text: str) -> NoReturn:
    """Ends a command that cannot be meant as it was given."""
    complain(text)
    raise typer.Exit(USAGE)


def exit_code(error: SynclineError) -> int:
    """The exit code that an error means."""
    return next(code for kind, code in CODES if isinstance(error, kind))


def _words(error: SynclineError) -> str:
    """What went wrong, what to do next, and its code."""
    sentence = error.message if error.message.endswith((".", "!", "?")) else f"{error.message}."
    code = "" if error.code == SynclineError.code else f"({error.code})"
    return " ".join(filter(None, [sentence, HINTS.get(type(error)), code]))
