"""What a check has found, and how checks are carried out: one that fails itself is a finding, too."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import NamedTuple

from syncline.errors import SynclineError

GOOD, WARNING, PROBLEM = "good", "warning", "problem"


class Finding(NamedTuple):
    """What a check has found. ``advice`` says what to do, where something is to be done."""

    state: str
    what: str
    """What was looked at, in a word or two."""
    found: str
    advice: str = ""


Check = Callable[[], Iterable[Finding] | Awaitable[Iterable[Finding]]]


def good(what: str, found: str) -> Finding:
    """All is well."""
    return Finding(GOOD, what, found)


def warning(what: str, found: str, advice: str) -> Finding:
    """It works, and might not for long, or not well."""
    return Finding(WARNING, what, found, advice)


def problem(what: str, found: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(PROBLEM, what, found, advice)


Checks = Iterator[tuple[str, Check]]
"""Checks of one thing, each with what it looks at; those after one that fails itself have nothing to look at."""


async def carried_out(checks: Checks) -> AsyncIterator[Finding]:
    """What checks of one thing find, one after the other, until one fails."""
    for name, check in checks:
        try:
            answer = check()
            for finding in await answer if inspect.isawaitable(answer) else answer:
                yield finding
        except (SynclineError, OSError) as error:
            words = error.message if isinstance(error, SynclineError) else error.strerror or str(error)
            yield problem(name, words.partition("\n")[0], "Mend this, then look again: more may be behind it.")
            return
