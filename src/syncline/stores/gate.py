"""A gate: readers pass it together, and sometimes somebody waits until all are out to be alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Gate:
    """Lets so many in at a time, and others wait. Only one thread at a time may ask to be alone."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._changed = Condition()
        self._inside = 0
        self._shut = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """One of those who are in together."""
        with self._changed:
            self._changed.wait_for(lambda: not self._shut and self._inside < self._places)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else is in; who comes now waits."""
        with self._changed:
            self._shut = True
            try:
                self._changed.wait_for(lambda: not self._inside)
                yield
            finally:
                self._shut = False
                self._changed.notify_all()
