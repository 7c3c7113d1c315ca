"""Lots: a few of many at a time, for whatever takes no more at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def lots(several: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size``, in order; the last one may be shorter, and none is empty."""
    rest = iter(several)
    while lot := list(islice(rest, size)):
        yield lot
