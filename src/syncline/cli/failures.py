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
    Forbidden,
    LocalError,
    SecondFactorRequired,
    SynclineError,
    TokenExpired,
    TokenReused,
    TooManyAttempts,
    Unauthorized,
    Unavailable,
    UnknownSpace,
    UnknownUser,
    UserExists,
    WeakPassword,
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

SIGN_IN_VERB = "syncline login"
SIGN_IN = f"{SIGN_IN_VERB} signs in"
HINTS: dict[type[SynclineError], str] = {
    ConnectionLost: "Is it running (syncline serve)? Another one is named with --server or SYNCLINE_SERVER.",
    Unauthorized: f"{SIGN_IN}; or give an API key with --token or SYNCLINE_TOKEN.",
    TokenExpired: f"{SIGN_IN}.",
    TokenReused: f"{SIGN_IN}.",
    SecondFactorRequired: "Say it with --code.",
    TooManyAttempts: "Wait, then try again.",
    WeakPassword: "Take a longer one, or several words.",
    Forbidden: "syncline whoami says who you are, and what your credentials are for.",
    UnknownUser: "syncline users list shows those there are, syncline users create makes one.",
    UserExists: "syncline users show tells more; syncline users setup gives a new setup token.",
    UnknownSpace: "syncline spaces list shows those there are; --space or SYNCLINE_SPACE names one.",
    EpochChanged: "syncline give brings a lost log back to a space that is empty; a new file begins with any log.",
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
        except (KeyboardInterrupt, typer.Abort):  # the latter at a question
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
    hint = HINTS.get(type(error), "")
    is_said = SIGN_IN_VERB in hint and SIGN_IN_VERB in sentence
    return " ".join(filter(None, [sentence, "" if is_said else hint, code]))
