"""Creating a document so that replicas which create the same one apart merge what they made.

Children are named by their place, so they are the same children everywhere: sets are united, lists and texts hold what
each put in, and what a counter begins with counts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncline.core.documents import values
from syncline.core.documents.assign import change_members, reorder, rewrite
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import MAP
from syncline.core.documents.objects import CounterObject, List, Map, SetObject, TextObject

FIRST = "create"
"""The ``once`` of what a counter begins with."""


def create(editor: Editor, members: Mapping[str, Any]) -> None:
    """Makes the document show these members (as they travel); one that was deleted comes back with them alone."""
    editor.restore_document()
    root = editor.ensure_root(MAP)
    assert isinstance(root, Map)
    _fill(editor, root, members)
    editor.create_document()


def _fill(editor: Editor, target: Map, members: Mapping[str, Any]) -> None:
    for key in sorted(target.slots.keys() - members.keys()):
        editor.delete(target, key)
    for key, value in values.in_order(dict(members)):
        kind, content = values.open_value(value)
        if kind is None:
            editor.put(target, key, content)
        else:
            establish(editor, editor.ensure(target, key, kind), content)


def establish(editor: Editor, child: Any, content: Any) -> None:
    """Makes a child that is named by its place show a content; what a counter begins with counts once."""
    match child:
        case Map():
            _fill(editor, child, content)
        case List():
            reorder(editor, child, content)
        case TextObject():
            rewrite(editor, child, content)
        case SetObject():
            change_members(editor, child, content)
        case CounterObject() if content != child.shown:
            is_new = not child.plain and not child.once
            editor.increment(child, content - child.shown, FIRST if is_new else None)
