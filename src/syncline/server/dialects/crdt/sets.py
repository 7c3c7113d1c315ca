"""Observed-remove sets with tags.

An add with a tag is an event whose id is derived from the item and the tag, so the log itself holds it once, and knows
for ever that it came: a replay changes nothing, whether the add still stands or was removed. A removal of a tag that
has not come makes that event itself, and takes the add away in it; so the add that comes late finds its place taken.
Ops without tags are drafted together; what they remove is what their node had seen, with what it wrote itself, but for
what the same request adds later, which is there when it is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from syncline.core import canonical
from syncline.core.documents import ops
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import SET, short
from syncline.core.documents.objects import SetObject
from syncline.core.events import Entry
from syncline.errors import EventIdConflict
from syncline.server.desk import Desk
from syncline.server.dialects.crdt.documents import Client, Draft, check_type, derived_id, take_id, target_of
from syncline.server.dialects.crdt.shapes import Add, Remove

ORSET = "orset"
Change = Add | Remove


def changing(client: Client, changes: Sequence[Change]) -> list[Draft]:
    """The events that carry out ops, one after the other. The first refuses what is wrong with any of them."""
    return [_checking(client, changes), *_drafts(client, changes)]


def _drafts(client: Client, changes: Sequence[Change]) -> Iterator[Draft]:
    for place, members in groupby(enumerate(changes), lambda each: each[0] if each[1].tag is not None else None):
        group = list(members)
        later = [change.tag for change in changes[group[-1][0] + 1 :]]
        yield _tagged(client, group[0][1]) if place is not None else _plain(client, [op for _, op in group], later)


def _checking(client: Client, changes: Sequence[Change]) -> Draft:
    """Refuses before anything is written, and brings back a document of whose deletion the client knows."""

    def draft(desk: Desk) -> None:
        document = desk.editor.document
        check_type(client, document, ORSET)
        _check_tags(client, desk.item, changes)
        if changes and document.deletes and client.seen(document.deletes) == document.deletes:
            desk.editor.restore_document()

    return draft


def _check_tags(client: Client, item: str, changes: Sequence[Change]) -> None:
    """Raises EventIdConflict if a tag stands for another element already."""
    ids = [None if change.tag is None else derived_id(item, ORSET, change.tag) for change in changes]
    held = client.entries(id for id in ids if id is not None)
    members = {id: _member(entry) for id, entry in held.items()}
    for index, (id, change) in enumerate(zip(ids, changes, strict=True)):
        if id is not None and members.setdefault(id, canonical.encode(change.elem)) != canonical.encode(change.elem):
            raise EventIdConflict(f"ops[{index}]: the tag {change.tag} is that of another element.", index=index)


def _member(entry: Entry) -> bytes:
    return next(canonical.encode(op.value) for op in entry.event.changes if isinstance(op, ops.Add))


def _plain(client: Client, changes: Sequence[Change], later: Sequence[str | None]) -> Draft:
    """Ops without tags; ``later`` are the tags of the ops after them."""

    def draft(desk: Desk) -> None:
        target = target_of(desk.editor, SET)
        unseen = {derived_id(desk.item, ORSET, tag) for tag in later if tag is not None}
        for change in changes:
            if isinstance(change, Add):
                desk.editor.add(target, change.elem)
            else:
                seen = _seen(client, desk, target, change.elem)
                _discard(desk.editor, target, change.elem, [name for name in seen if name[:36] not in unseen])

    return draft


def _seen(client: Client, desk: Desk, target: SetObject, member: Any) -> list[str]:
    """The adds of a member that their node had seen; those on the desk among them."""
    adds = [put.name for put in target.members.get(canonical.encode(member), ())]
    own = [name for name in adds if name.startswith(desk.editor.event)]
    known = client.seen(set(adds).difference(own))
    return [name for name in adds if name in known or name in own]


def _tagged(client: Client, change: Change) -> Draft:
    def draft(desk: Desk) -> None:
        id = derived_id(desk.item, ORSET, change.tag)
        if client.entries([id]):
            if isinstance(change, Remove):
                _discard_tag(desk, change, id)
            return
        take_id(desk, id)
        _add(desk, change)

    return draft


def _add(desk: Desk, change: Change) -> None:
    """The add of a tag; if it is to be removed, it goes as it comes."""
    editor = desk.editor
    target = target_of(editor, SET)
    editor.do(ops.Add(inside=short(target.name, editor.event), value=change.elem))
    if isinstance(change, Remove):
        _discard(editor, target, change.elem, [f"{editor.event}:{len(editor.ops) - 1}"])


def _discard_tag(desk: Desk, change: Change, id: str) -> None:
    target = target_of(desk.editor, SET)
    adds = [put.name for put in target.members.get(canonical.encode(change.elem), ()) if put.name[:36] == id]
    _discard(desk.editor, target, change.elem, adds)


def _discard(editor: Editor, target: SetObject, member: Any, adds: Iterable[str]) -> None:
    over = [short(name, editor.event) for name in adds]
    if over:
        editor.do(ops.Discard(inside=short(target.name, editor.event), value=member, over=over))
