"""Erasing again what was erased after a stretch of a log was backed up, before anybody can see it in the copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncline.core.erasure import ERASURES, erased_entry, events_of
from syncline.core.events import Entry
from syncline.stores import LogStore, load

LOT = 200
"""Events that are rewritten at once."""


def erase_again(store: LogStore, known: Iterable[str]) -> None:
    """Rewrites what the acts in a log have erased, and what is ``known`` to be erased, in its erased form."""
    acts = (id for entry in load(store, items=[ERASURES]) for id in events_of(entry.event))
    ids = sorted({*acts, *known})
    lots = list(_speaking(store, ids))
    for number, lot in enumerate(lots, 1):
        store.rewrite([erased_entry(entry) for entry in lot], more=number < len(lots))


def _speaking(store: LogStore, ids: list[str]) -> Iterator[list[Entry]]:
    """Those of these events that still say something, lot by lot."""
    for start in range(0, len(ids), LOT):
        lot = [entry for entry in store.find(ids[start : start + LOT]) if not entry.event.is_erased]
        if lot:
            yield lot
