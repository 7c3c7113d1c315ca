"""``version``: which Syncline this is."""

from __future__ import annotations

import platform

import syncline
from syncline.cli.terminal import Json, emit, say
from syncline.core.messages import PROTOCOL


def version(json: Json = False) -> None:
    """Say which Syncline this is."""
    about = {"syncline": syncline.__version__, "protocol": PROTOCOL, "python": platform.python_version()}
    if json:
        emit(about)
    else:
        say(" · ".join(f"{name} {value}" for name, value in about.items()))
