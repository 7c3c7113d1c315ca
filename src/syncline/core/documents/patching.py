"""Patching documents: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) as ops against the state an author sees.

A patch sees a document as JSON in either of two spellings, mixed as it likes: as it travels, with marked kinds
(``/body/$text``, ``/tags/$set/0``, ``/m/$map/$x``), or plain (``/body``, ``/tags/0``, ``/m/$x``). Only a key that is
``$map`` itself needs the first. The values in a patch travel: kinds are marked; but a plain string edits a text that is
there, a number a counter, a list a set. Everything does the least that leads to what the patch asks for.

A patch that is refused may have drafted some of its ops already: whoever called throws the editor away, and the
document with it. So a patch is first tried on a document that may be spoiled; and if its author saw an older revision,
on the document of that revision, with the id that the event will have. What was drafted there names what its author
saw, and ``rebase`` takes it over to the present document, where it merges with what others did since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from syncline.core import patches, pointers
from syncline.core.documents import ops, values
from syncline.core.documents.assign import assign, update
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import MAP
from syncline.core.documents.objects import List, Map, Object, Ref, SetObject, TextObject, Top
from syncline.errors import BadOp, BadPatch, PatchFailed, PatchTestFailed


def apply(editor: Editor, patch: Any) -> None:
    """Drafts what a JSON Patch asks for.

    Beside RFC 6902: the document itself can be removed (that deletes it) and added (that makes or restores it). An
    element that moves within its list stays the same element; what moves elsewhere becomes a fresh copy. Whatever is
    added to a set becomes a member, and its members have indexes in the order in which they show. A text, a counter
    and a set's member have no parts that could be changed.

    Raises BadPatch if the patch or a value in it is malformed; PatchFailed or PatchTestFailed if an operation does not
    fit; TooDeep; TooLarge if more than MAX_PATCH_COPIED_BYTES would be copied or moved in all. ``index`` among the
    error's details is the operation that it was, from 0. After an error the editor and its document are spoiled.
    """
    with _bad_values_refused():
        patches.carry_out(patch, _Draft(editor))


def merge(editor: Editor, patch: Any) -> None:
    """Drafts what a JSON Merge Patch asks for: maps merge, null deletes a key, anything else is assigned.

    Raises BadPatch if a value in it is malformed, and TooDeep. After an error the editor and its document are spoiled.
    """
    patches.check_depth(patch, 0)
    with _bad_values_refused():
        values.check(patch)
        _merge(editor, editor.document.top, "", patch)


def rebase(editor: Editor, drafted: Iterable[ops.AnyOp]) -> None:
    """Takes over ops that were drafted for the same event against an older state of the editor's document."""
    for op in drafted:
        editor.do(op)


@contextmanager
def _bad_values_refused() -> Iterator[None]:
    try:
        yield
    except BadOp as error:
        raise BadPatch(error.message, **error.details) from None


class _Place(NamedTuple):
    """What a path leads to: a key or index of its holder, or (``mark``) what the mark there holds."""

    holder: Any
    token: str
    mark: str = ""


class _Draft:
    """The document of an editor that is being patched."""

    def __init__(self, editor: Editor) -> None:
        self._editor, self._document = editor, editor.document
        self._allowance = patches.Allowance()

    # The operations

    def test(self, path: Sequence[str], value: Any) -> None:
        place = self._find(path)
        shown = self._shown(place)
        if not (self._holds(self._document.objects[shown], value) if place.mark else self._reads(shown, value)):
            raise PatchTestFailed("The value is not the one that the patch asks for.")

    def add(self, path: Sequence[str], value: Any) -> None:
        patches.check_depth(value, 0)
        self._add(self._find(path), value)

    def remove(self, path: Sequence[str]) -> None:
        self._remove(self._find(path))

    def replace(self, path: Sequence[str], value: Any) -> None:
        patches.check_depth(value, 0)
        self._replace(self._find(path), value)

    def move(self, path: Sequence[str], source: Sequence[str]) -> None:
        place = self._find(source)
        shown = self._shown(place)
        if path == source:
            return
        if path[: len(source)] == source:
            raise PatchFailed("A value cannot be moved into itself.")
        if path and path[:-1] == source[:-1] and isinstance(place.holder, List) and not place.mark:
            self._move(place.holder, int(place.token), path[-1])
            return
        self._remove(place)
        self._add_copy(path, shown)

    def copy(self, path: Sequence[str], source: Sequence[str]) -> None:
        place = self._find(source)
        shown = self._shown(place)
        is_content = place.mark and not isinstance(self._document.objects[shown], Map)
        self._add_copy(path, self._document.show(shown, marked=False) if is_content else shown)

    # What they do to a place

    def _add(self, place: _Place, value: Any) -> None:
        editor, holder, token = self._editor, place.holder, place.token
        if place.mark:
            self._replace(place, value)
        elif isinstance(holder, Top):
            _put_root(editor, value)
        elif isinstance(holder, Map):
            assign(editor, holder, token, value)
        elif isinstance(holder, List):
            editor.insert(holder, pointers.between(len(holder.sequence), token), [value])
        elif isinstance(holder, SetObject):
            pointers.between(len(holder.members), token)
            self._add_member(holder, value)
        else:
            raise _closed(token)

    def _replace(self, place: _Place, value: Any) -> None:
        editor, holder, token = self._editor, place.holder, place.token
        shown = self._shown(place)
        if place.mark:
            value = _marked(place.mark, value)
        if isinstance(holder, Top):
            _put_root(editor, value)
        elif isinstance(holder, Map):
            assign(editor, holder, token, value)
        elif isinstance(holder, List):
            assign(editor, holder, int(token), value)
        elif not isinstance(holder, SetObject):
            raise _closed(token)
        elif not patches.equal(shown, value):
            editor.discard(holder, shown)
            self._add_member(holder, value)

    def _remove(self, place: _Place) -> None:
        editor, holder, token = self._editor, place.holder, place.token
        shown = self._shown(place)
        if place.mark:
            raise PatchFailed(f"{place.mark} cannot be removed from what it marks.")
        if isinstance(holder, Top):
            editor.delete_document()
        elif isinstance(holder, Map):
            editor.delete(holder, token)
        elif isinstance(holder, List):
            editor.remove(holder, int(token))
        elif isinstance(holder, SetObject):
            editor.discard(holder, shown)
        else:
            raise _closed(token)

    def _move(self, target: List, index: int, token: str) -> None:
        to = pointers.between(len(target.sequence) - 1, token)
        if to != index:
            self._editor.move(target, index, to)

    def _add_copy(self, path: Sequence[str], shown: Any) -> None:
        """Adds what shows, or showed, elsewhere, in the form in which it travels; in a set it is plain."""
        place = self._find(path)
        if isinstance(place.holder, SetObject):
            value = self._document.show(shown, marked=False)
        else:
            value = self._document.show(shown) if type(shown) is Ref else values.to_wire(shown)
        self._allowance.spend(value)
        self._add(place, values.open_value(value)[1] if place.mark else value)

    def _add_member(self, target: SetObject, member: Any) -> None:
        patches.check_depth(member, target.depth)
        self._editor.add(target, member)

    # Finding and comparing

    def _find(self, path: Sequence[str]) -> _Place:
        """Follows a path. Raises PatchFailed unless all but its last step is there."""
        place = _Place(self._document.top, "")
        for token in path:
            shown = self._shown(place)
            target = self._document.objects[shown] if type(shown) is Ref else shown
            if not place.mark and isinstance(target, Object) and values.MARKS.get(token) == target.kind:
                place = _Place(place.holder, place.token, token)
            else:
                place = _Place(target, token)
        return place

    def _shown(self, place: _Place) -> Any:
        """What shows in a place: a ``Ref``, a scalar, or anything within a set's member. Raises PatchFailed."""
        holder, token, _ = place
        if isinstance(holder, Top):
            if not self._document.exists:
                raise PatchFailed("There is no document.")
            return self._document.root
        if isinstance(holder, Map):
            return holder.shows(pointers.key(holder.slots, token))
        if isinstance(holder, List):
            return holder.sequence.content_at(pointers.element(len(holder.sequence), token)).value
        if isinstance(holder, SetObject):
            return holder.shown()[pointers.element(len(holder.members), token)]
        return holder[pointers.key(holder, token)]

    def _reads(self, shown: Any, value: Any) -> bool:
        """Whether a value that shows reads like this, marked or plain. It costs no more than the value is long."""
        if type(shown) is not Ref:
            return patches.equal(shown, value)
        target = self._document.objects[shown]
        mark = f"${target.kind}"
        return self._holds(target, value[mark] if isinstance(value, dict) and value.keys() == {mark} else value)

    def _holds(self, target: Object, value: Any) -> bool:
        """The same for what is inside an object's mark."""
        if isinstance(target, Map):
            if not isinstance(value, dict) or value.keys() != target.slots.keys():
                return False
            return all(self._reads(target.shows(key), member) for key, member in value.items())
        if isinstance(target, List):
            if not isinstance(value, list) or len(value) != len(target.sequence):
                return False
            return all(self._reads(element.value, each) for element, each in zip(target.visible(), value, strict=True))
        if isinstance(target, TextObject | SetObject):
            length = len(target.sequence if isinstance(target, TextObject) else target.members)
            if not isinstance(value, str | list) or len(value) != length:
                return False
        return patches.equal(self._document.show(Ref(target.name), marked=False), value)


def _put_root(editor: Editor, value: Any) -> None:
    """Makes the document show a value, from what it was or, if it was deleted, from what it was then."""
    editor.restore_document()
    kind, content = values.open_value(value)
    root = editor.ensure_root(MAP) if kind == MAP else None
    if isinstance(root, Map):
        update(editor, root, content)
        editor.create_document()
    else:
        assign(editor, editor.document.top, "", value)


def _marked(mark: str, value: Any) -> Any:
    try:
        values.open_value({mark: value})
    except BadOp as error:
        raise PatchFailed(error.message) from None
    return {mark: value}


def _closed(token: str) -> PatchFailed:
    return PatchFailed(f"{token[: pointers.SHOWN]!r} leads into a value that has no parts to be changed.")


def _merge(editor: Editor, holder: Map, key: str, patch: Any) -> None:
    kind, content = values.open_value(patch)
    shown = holder.shows(key) if holder is not editor.document.top or editor.document.exists else None
    target = editor.document.objects[shown] if type(shown) is Ref else None
    if kind == MAP and isinstance(target, Map):
        for name, change in values.in_order(content):
            if change is not None:
                _merge(editor, target, name, change)
            elif name in target.slots:
                editor.delete(target, name)
        return
    value = patches.merge(None, patch)
    if isinstance(holder, Top):
        _put_root(editor, value)
    else:
        assign(editor, holder, key, value)
