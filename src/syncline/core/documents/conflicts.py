"""What people of one document do not agree on: slots with several values, and edits that have no effect.

An edit has none if the space's policy overruled it, or if it did not know that the document had been deleted. It is not
lost: it is told here, with its author, so that somebody can do it again.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, Struct, field

from syncline.core.documents.document import Conflict, Document
from syncline.core.documents.policies import LAST_WRITE_WINS, MANUAL
from syncline.core.events import Event


class Ineffective(Struct, frozen=True):
    """An edit without effect: its event's id, and whose it is. ``user`` is None while the author does not know it."""

    id: str
    user: str | None
    node: str
    action: str

    @classmethod
    def of(cls, event: Event) -> Ineffective:
        """What there is to say of an event."""
        return cls(event.id, None if event.user is UNSET else event.user, event.node, event.action)


class Conflicts(Struct, frozen=True, kw_only=True):
    """The conflicts of a document; false if there are none."""

    values: list[Conflict] = field(default_factory=list)
    """Slots that hold several values; none under ``last_write_wins``."""
    overruled: list[Ineffective] = field(default_factory=list)
    """Edits that the policy overruled."""
    unseen: list[Ineffective] = field(default_factory=list)
    """While the document is deleted: edits by people who had not seen that, and whom the deletion had not seen."""
    is_marked: bool = False
    """Whether somebody has to decide, because the policy is ``manual``: by writing over all values of a slot."""

    def __bool__(self) -> bool:
        return bool(self.values or self.overruled or self.unseen)


def conflicts_of(document: Document, events: Iterable[Event], policy: str) -> Conflicts:
    """The conflicts of a document that folded these events, under the policy in force now."""
    values = [] if policy == LAST_WRITE_WINS else list(document.conflicts())
    listed = list(events) if document.overruled or document.deletes else []
    return Conflicts(
        values=values,
        overruled=[Ineffective.of(event) for event in listed if event.id in document.overruled],
        unseen=_unseen(document, listed),
        is_marked=policy == MANUAL and bool(values),
    )


def _unseen(document: Document, events: list[Event]) -> list[Ineffective]:
    deletes = {name[:36] for name in document.deletes}
    deletions = [event for event in events if event.id in deletes]
    edits = [event for event in events if event.changes and event.id not in deletes | document.overruled]
    return [Ineffective.of(edit) for edit in edits if deletions and all(_are_apart(edit, each) for each in deletions)]


def _are_apart(one: Event, other: Event) -> bool:
    """Whether neither had seen the other."""
    return one.clock.get(other.node, 0) < other.n and other.clock.get(one.node, 0) < one.n
