"""Moments as people write them: ``2026-11-21``, ``2026-11-21T08:30``, ``90m`` (ago)."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Annotated

import typer

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str | None) -> int | None:
    """Milliseconds since 1970. A time without a zone is the terminal's; a number with a unit is that long ago."""
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d{1,9})([smhdw])", text):
        return int((time.time() - int(ago[1]) * UNITS[ago[2]]) * 1000)
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f"{text!r} is neither a date or time such as 2026-11-21T08:30 nor 90m ago.") from None


def deadline(text: str | None) -> int | None:
    """The same for a moment to come: a number with a unit is from now on. Raises BadParameter."""
    if text is not None and (ahead := re.fullmatch(r"(\d{1,9})([smhdw])", text)):
        return int((time.time() + int(ahead[1]) * UNITS[ahead[2]]) * 1000)
    try:
        return moment(text)
    except typer.BadParameter:
        raise typer.BadParameter(f"{text!r} is neither a date or time such as 2026-11-21 nor 30d from now.") from None


def _check(text: str | None) -> str | None:
    moment(text)
    return text


Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", callback=_check, show_default=False, help="2026-11-21T08:30, or 90m ago."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", callback=_check, show_default=False, help="The same.")
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="TIME", callback=_check, show_default=False, help="2026-11-21T08:30, or 90m ago."),
]
