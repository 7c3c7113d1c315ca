"""Retention: how much of its history a space keeps. All of it, unless an administrator says otherwise."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from syncline.core.events import Entry

LABELS_ITEM = ".labels"
SET_LABEL = ".label.set"
"""Its payload: ``{"name", "seq"}``; without a seq the label is taken away."""
DAY_MS = 24 * 60 * 60 * 1000


class Retention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What stays, whichever says so; nothing is said: everything does."""

    days: int = 0
    """What came in the last so many days; 0: time is no reason."""
    revisions: int = 0
    """Of each item its last so many revisions, or entries if it is no document; 0: numbers are no reason."""
    labels: bool = False
    """What came after the oldest label; everything, if there is none."""

    @property
    def keeps_all(self) -> bool:
        """Whether nothing ever goes."""
        return not (self.days or self.revisions or self.labels)


KEEP_ALL = Retention()


def labels_of(entries: Iterable[Entry]) -> dict[str, int]:
    """The seqs that labels name, by name, given the entries of the labels' item."""
    labels: dict[str, int] = {}
    for entry in entries:
        payload = entry.event.payload
        if entry.event.action != SET_LABEL or not isinstance(payload, dict):
            continue
        name, seq = payload.get("name"), payload.get("seq")
        if isinstance(name, str):
            labels.pop(name, None)
            if type(seq) is int and 0 < seq <= entry.seq:
                labels[name] = seq
    return labels
