"""The shapes of bodies and answers, for the description of the interface: nothing is decoded or encoded with them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from syncline.core.documents.conflicts import Ineffective
from syncline.core.documents.revisions import Revision
from syncline.core.messages import Result
from syncline.server.api.documents import Listing, Ops, Restore


class Event(msgspec.Struct):
    """An event as it travels; see ``spec/PROTOCOL.md`` for the limits of each field."""

    id: str
    item: str
    action: str
    node: str
    clock: dict[str, int]
    user: str | None = None
    ops: list[dict[str, Any]] | None = None
    payload: Any = None
    meta: dict[str, Any] | None = None


class Pushed(msgspec.Struct):
    """The body of a push."""

    events: list[Event]


class Pushing(msgspec.Struct):
    """The answer to a push."""

    results: list[Result]
    head: int


class Document(msgspec.Struct, omit_defaults=True):
    """A document: ``revision`` counts its visible changes, ``seq`` and ``at`` (ms) are those of its last entry."""

    id: str
    revision: int
    seq: int
    at: int
    value: Any = None
    """What it shows, with marked kinds; missing if it is deleted, or was not asked for."""
    deleted: bool = False
    in_conflict: bool = False
    """Under the policy ``manual``: somebody has to decide."""


class WrittenEvent(msgspec.Struct):
    """The event of a write."""

    id: str
    seq: int


class WrittenDocument(Document, kw_only=True):
    """A document after a write; ``event`` is null if there was nothing to do."""

    event: WrittenEvent | None


class Entry(msgspec.Struct):
    """An event in the log."""

    seq: int
    at: int
    receipt: str
    event: Event


class Giving(msgspec.Struct, tag_field="type", tag="give"):
    """A gift: entries of a log of this epoch."""

    epoch: str
    entries: list[Entry]
    ref: int = 0


class Given(Pushing, tag_field="type", tag="ack"):
    """The answer to a gift."""

    ref: int = 0


class Entries(msgspec.Struct):
    """Entries of one document, and the seq to go on after."""

    entries: list[Entry]
    seq: int
    more: bool


class Revisions(msgspec.Struct):
    """Revisions of one document."""

    revisions: list[Revision]
    more: bool


class Blamed(msgspec.Struct):
    """The event that put what shows; of a text ``length`` characters from ``start`` on, of a set a member."""

    event: str
    start: int
    length: int
    seq: int | None = None
    at: int | None = None
    user: str | None = None


class Blaming(msgspec.Struct):
    """Who put what shows in a place."""

    blame: list[Blamed]


class Other(msgspec.Struct):
    """A value that does not show, and the name of the put that put it."""

    name: str
    value: Any


class Disputed(msgspec.Struct):
    """A slot that holds several values: its JSON Pointer, the put that shows, and the others, best first."""

    path: str
    shown: str
    others: list[Other]


class Disagreement(msgspec.Struct):
    """The conflicts of a document."""

    in_conflict: bool
    values: list[Disputed]
    overruled: list[Ineffective]
    unseen: list[Ineffective]


class PatchOperation(msgspec.Struct):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: str
    value: Any = None
    from_: str | None = msgspec.field(name="from", default=None)


JsonPatch = list[PatchOperation]
Policies = dict[str, Literal["merge", "last_write_wins", "server_wins", "manual"]]

__all__ = [
    "Blaming",
    "Disagreement",
    "Document",
    "Entries",
    "Event",
    "Given",
    "Giving",
    "JsonPatch",
    "Listing",
    "Ops",
    "Policies",
    "Pushed",
    "Pushing",
    "Restore",
    "Revisions",
    "WrittenDocument",
]
