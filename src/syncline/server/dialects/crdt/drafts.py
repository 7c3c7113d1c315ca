"""Drafts of counters, lists, texts and maps, and of what a ``PUT`` makes of any type but a register."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core.documents.assign import assign, change_members, count, reorder, rewrite, update
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import COUNTER
from syncline.core.documents.objects import CounterObject, List, Map, SetObject, TextObject
from syncline.core.documents.values import to_wire
from syncline.errors import PatchFailed
from syncline.server.desk import Desk
from syncline.server.dialects.crdt.documents import Client, Draft, check_type, editor_at, target_of
from syncline.server.dialects.crdt.shapes import (
    KINDS,
    AnyOp,
    Count,
    Delete,
    DeleteKey,
    Insert,
    InsertText,
    Move,
    Set,
    SetKey,
    TypedOps,
    TypedValue,
)

ONCE = "tag:"
"""What a tag of a counter begins with, so that it is no undo's."""


def putting(client: Client, given: TypedValue) -> Draft:
    """Makes the document show a value, doing the least; one that was deleted may become one of another type."""

    def draft(desk: Desk) -> None:
        editor = desk.editor
        if editor.document.exists:
            check_type(client, editor.document, given.type)
        editor.restore_document()
        _show(editor, target_of(editor, KINDS[given.type]), given.value)
        editor.create_document()

    return draft


def _show(editor: Editor, target: Any, value: Any) -> None:
    match target:
        case SetObject():
            change_members(editor, target, value)
        case CounterObject():
            count(editor, target, value)
        case List():
            reorder(editor, target, to_wire(value))
        case TextObject():
            rewrite(editor, target, value)
        case Map():
            update(editor, target, {key: to_wire(member) for key, member in value.items()})


def changing(client: Client, given: TypedOps, ops: Sequence[AnyOp]) -> Draft:
    """Carries out ops one after the other, on the document as it was at ``since``."""
    kind = KINDS[given.type]

    def draft(desk: Desk) -> None:
        check_type(client, desk.shelf.document, given.type)
        editor = desk.editor if kind == COUNTER else editor_at(desk, client.since, kind)
        if not ops:
            return
        if client.seen(desk.shelf.document.deletes) == desk.shelf.document.deletes:
            editor.restore_document()
        target = target_of(editor, kind)
        for index, op in enumerate(ops):
            _carry_out(editor, target, op, index)
        if editor is not desk.editor:
            desk.raw_ops = editor.wire()

    return draft


def _carry_out(editor: Editor, target: Any, op: AnyOp, index: int) -> None:
    try:
        _do(editor, target, op)
    except IndexError:
        size = len(target.sequence)
        raise PatchFailed(f"ops[{index}]: there are {size} elements at this place of history.", index=index) from None


def _do(editor: Editor, target: Any, op: AnyOp) -> None:
    match op:
        case Count():
            _count(editor, target, op)
        case Insert():
            editor.insert(target, op.index, [to_wire(op.value)])
        case Set():
            assign(editor, target, op.index, to_wire(op.value))
        case Move():
            editor.move(target, op.source, op.to)
        case InsertText():
            editor.splice(target, op.index, 0, op.text)
        case Delete() if isinstance(target, TextObject):
            editor.splice(target, op.index, op.count)
        case Delete():
            editor.remove(target, op.index, op.count)
        case SetKey():
            assign(editor, target, op.key, to_wire(op.value))
        case DeleteKey() if op.key in target.slots:
            editor.delete(target, op.key)


def _count(editor: Editor, target: CounterObject, op: Count) -> None:
    once = None if op.tag is None else ONCE + op.tag
    if once not in target.once:
        editor.increment(target, op.by, once)
