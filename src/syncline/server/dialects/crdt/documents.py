"""What a document is to this dialect: its type, what of it a client has seen, and ids that anybody can derive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from syncline.core import canonical
from syncline.core.documents import names
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.objects import Object, Ref, Standing, winner
from syncline.core.events import Entry
from syncline.core.stamps import Stamp
from syncline.errors import CursorReset, KindMismatch
from syncline.server.author import name_of
from syncline.server.desk import Desk
from syncline.server.dialects.crdt.shapes import LWW, STAMP, TYPES
from syncline.server.member import Member

Draft = Callable[[Desk], None]

PAST_MS = 2**40
"""Derived ids lie before this time, in the year 2004: below all that a clock makes, so every event may name them."""


class Client(NamedTuple):
    """Who asks, and what they had seen of the document; ``since`` None: all there is."""

    member: Member
    node: str | None
    since: int | None = None

    def has_seen(self, entry: Entry) -> bool:
        """Whether they know of an entry: what a node wrote itself it has seen."""
        return self.since is None or entry.seq <= self.since or entry.event.node == name_of(self.member.user, self.node)

    def seen(self, names: Iterable[str]) -> set[str]:
        """Those of these names, of puts or deletes in the log, whose events they know of."""
        given = list(names)
        if self.since is None:
            return set(given)
        entries = self.entries(given)
        return {each for each in given if (entry := entries.get(each[:36])) and self.has_seen(entry)}

    def entries(self, names: Iterable[str]) -> dict[str, Entry]:
        """The entries in which names, or ids, were made, by id."""
        return {entry.event.id: entry for entry in self.member.space.store.find({name[:36] for name in names})}

    def check(self) -> None:
        """Raises CursorReset if they have seen more than there is: the log was restored from an older copy."""
        head = self.member.space.hub.head.seq
        if self.since is not None and self.since > head:
            raise CursorReset(f"since: the log has {head} entries; read the document again.")


def derived_id(item: str, *parts: Any) -> str:
    """The id of an event that is the same whoever makes it, so that the log holds it once."""
    digest = canonical.digest(canonical.encode([item, *parts]))
    ms, counter, node_hash, random = (int.from_bytes(digest[at : at + 8], "big") for at in (0, 8, 16, 24))
    return str(Stamp(ms % PAST_MS, counter % 2**12, node_hash % 2**30, random % 2**32))


def take_id(desk: Desk, id: str) -> None:
    """Gives the event on a desk this id. It must not name anything, nor insert: others came earlier by their ids."""
    desk.editor = Editor(desk.shelf.document, id)


def standing(document: Document) -> Standing | None:
    """The put that shows as the document itself; None for a root map that was never put."""
    slot = document.top.slots.get("")
    return winner(slot) if slot else None


def stamped(entry: Entry | None) -> Any:
    """The payload of an entry that wrote a register with a stamp; None for others."""
    payload = entry.event.payload if entry is not None else None
    return payload if isinstance(payload, dict) and isinstance(payload.get(STAMP), str) else None


def type_of(client: Client, document: Document) -> str | None:
    """What type a document is; None if there never was any. What was put as a whole by others is what it shows."""
    if not document.is_made:
        return None
    put, root = standing(document), document.root
    if type(root) is not Ref:
        return LWW
    if put is not None and names.root_kind(root) is None and stamped(client.entries([put.name]).get(put.name[:36])):
        return LWW
    return TYPES[document.objects[root].kind]


def check_type(client: Client, document: Document, type: str) -> None:
    """Raises KindMismatch unless the document may be of this type."""
    found = type_of(client, document)
    if found not in (None, type):
        raise KindMismatch(f"The document is of type {found}, not {type}.", kind=found)


def target_of(editor: Editor, kind: str) -> Any:
    """The root of this kind, made if there is none."""
    root = editor.document.root
    shown: Object | None = editor.document.objects[root] if type(root) is Ref else None
    return shown if shown is not None and shown.kind == kind else editor.ensure_root(kind)


def editor_at(desk: Desk, since: int | None, kind: str) -> Editor:
    """An editor of the document as it was at ``since``; of the present one if its root was put as a whole later."""
    if since is None or since >= desk.shelf.seq:
        return desk.editor
    root, document = desk.shelf.document.root, desk.library.back(desk.item, seq=since).document
    if root != names.root(kind) and root not in document.objects:
        return desk.editor
    return Editor(document, desk.editor.event)


__all__ = [
    "Client", "Draft", "check_type", "derived_id", "editor_at", "stamped", "standing", "take_id", "target_of",
]  # fmt: skip
