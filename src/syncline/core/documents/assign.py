"""Changing what is there into what is wanted, by the least: kinds are edited in place, never replaced by their like.

A text is spliced between what is alike at both ends, a counter counts the difference, a set gains and loses members, a
map changes the keys that differ, and a list keeps the elements that stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core import canonical
from syncline.core.documents import values
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import LIST, MAP
from syncline.core.documents.objects import (
    CounterObject,
    List,
    Map,
    Object,
    Ref,
    SetObject,
    TextObject,
    is_same,
)
from syncline.core.limits import MAX_SAFE_INTEGER


def assign(editor: Editor, target: Map | List, place: Any, value: Any) -> None:
    """Puts a value where one may be, doing the least: kinds that are there already are edited, not replaced.

    ``place`` is a key of a map or an index of a list; ``value`` travels, but a plain string edits a text, a number a
    counter and a list a set, if that is what is there. The only place in ``document.top`` is the document itself.
    """
    slot = target.slots.get(place, ()) if isinstance(target, Map) else target.sequence.content_at(place).puts
    shown = target.shows(place) if isinstance(target, Map) else target.sequence.content_at(place).value
    if type(shown) is Ref and _edit(editor, editor.document.objects[shown], value):
        return
    if len(slot) == 1 and not isinstance(value, dict | list) and is_same(shown, value):
        return  # several values are a conflict, which writing settles
    if target is editor.document.top:
        editor.put_root(value)
    elif isinstance(target, Map):
        editor.put(target, place, value)
    else:
        editor.put_at(target, place, value)


def _edit(editor: Editor, target: Object, value: Any) -> bool:
    """Edits an object until it shows a value; False if it cannot, being of another kind."""
    kind, content = values.open_value(value)
    if isinstance(target, TextObject) and isinstance(content, str):
        rewrite(editor, target, content)
    elif isinstance(target, CounterObject) and values.is_count(content):
        count(editor, target, content)
    elif isinstance(target, SetObject) and isinstance(content, list):
        change_members(editor, target, content)
    elif isinstance(target, Map) and kind == MAP:
        update(editor, target, content)
    elif isinstance(target, List) and kind == LIST:
        reorder(editor, target, content)
    else:
        return False
    return True


def update(editor: Editor, target: Map, members: dict[str, Any]) -> None:
    """Edits a map until it shows these members and no others."""
    for key in [key for key, _ in values.in_order(target.slots) if key not in members]:
        editor.delete(target, key)
    for key, value in values.in_order(members):
        assign(editor, target, key, value)


def count(editor: Editor, target: CounterObject, value: int) -> None:
    """Adds to a counter until it shows a number, in several steps if one cannot reach so far."""
    while difference := value - target.total:
        editor.increment(target, max(-MAX_SAFE_INTEGER, min(MAX_SAFE_INTEGER, difference)))


def rewrite(editor: Editor, target: TextObject, text: str) -> None:
    """Edits a text until it reads so: what is alike at both ends stays."""
    old = target.sequence.visible()
    start = _alike(old, text)
    end = _alike(old[start:][::-1], text[start:][::-1])
    editor.splice(target, start, len(old) - start - end, text[start : len(text) - end])


def _alike(one: Any, other: Any) -> int:
    """How many members at the beginning of two sequences are the same."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def change_members(editor: Editor, target: SetObject, members: Sequence[Any]) -> None:
    """Edits a set until it has these members."""
    wanted = {canonical.encode(member): member for member in members}
    for key in sorted(target.members.keys() - wanted.keys()):
        editor.discard(target, target.members[key][0].value)
    for key in sorted(wanted.keys() - target.members.keys()):
        editor.add(target, wanted[key])


def reorder(editor: Editor, target: List, content: Sequence[Any]) -> None:
    """Edits a list until it shows these values: what is alike at both ends stays, the rest is changed in place."""
    old = [canonical.encode(editor.document.show(element.value)) for element in target.visible()]
    new = [canonical.encode(value) for value in content]
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    both = min(len(old), len(new)) - start - end
    for index in range(start, start + both):
        if old[index] != new[index]:
            assign(editor, target, index, content[index])
    if len(old) > len(new):
        editor.remove(target, start + both, len(old) - len(new))
    elif len(new) > len(old):
        editor.insert(target, start + both, content[start + both : len(new) - end])
