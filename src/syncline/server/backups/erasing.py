"""Erasing again what was erased after a stretch of a log was backed up, before anybody can see it in the copy."""

from __future__ import annotations

from collections.abc import Iterable

from syncline.core.erasure import ERASURES, erased_entry, events_of
from syncline.stores import LogStore, load, rewrite


def erase_again(store: LogStore, known: Iterable[str]) -> None:
    """Rewrites what the acts in a log have erased, and what is ``known`` to be erased, in its erased form."""
    acts = (id for entry in load(store, items=[ERASURES]) for id in events_of(entry.event))
    found = store.find(sorted({*acts, *known}))
    rewrite(store, [erased_entry(entry) for entry in found if not entry.event.is_erased])
