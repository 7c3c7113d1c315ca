"""How far something has come, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

Bar = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Shows how much of a total is done, while a block lasts: what it gives is called with that."""


def shifted(advance: Callable[[int], None], by: int) -> Callable[[int], None]:
    """The same, for a part of the whole that begins there."""
    return lambda done: advance(by + done)
