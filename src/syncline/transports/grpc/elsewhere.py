"""One event loop for all of grpcio's client in this process, in a thread of its own, from the first call to the end.

Channels of several loops share what wakes them in grpcio: when one loop ends, answers to others may never come.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from threading import Lock, Thread
from typing import Any, TypeVar

__all__ = ["run", "soon"]

T = TypeVar("T")

_lock = Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process: a child has no thread of its parent


async def run(work: Coroutine[Any, Any, T]) -> T:
    """What some work comes to that is done there. Whoever stops waiting cancels it."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, _loop()))


def soon(function: Any) -> None:
    """Has a function called there."""
    _loop().call_soon_threadsafe(function)


def _loop() -> asyncio.AbstractEventLoop:
    with _lock:
        if os.getpid() not in _loops:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            Thread(target=loop.run_forever, name="syncline-grpc", daemon=True).start()
        return _loops[os.getpid()]
