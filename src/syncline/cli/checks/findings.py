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


async def carried_out(checks: Iterator[tuple[str, Check]]) -> AsyncIterator[Finding]:
    """What the checks find, one after the other; the name of each stands for what it looks at if it fails."""
    for name, check in checks:
        try:
            answer = check()
            findings = await answer if inspect.isawaitable(answer) else answer
            for finding in findings:
                yield finding
        except SynclineError as error:
            yield problem(name, error.message, "Mend this, then look again: more may be behind it.")
        except (OSError, TimeoutError) as error:
            yield problem(
                name, f"{getattr(error, 'strerror', None) or str(error) or type(error).__name__}", "See above."
            )
