"""Places in a document and what comes there, as they are typed: ``title=Milk``, ``list.0.done=true``, ``/a.b/c=1``.

A path is a JSON Pointer if it begins with a slash. Otherwise its steps stand between dots: keys, and indexes of lists
and sets; ``-`` is the place after the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import typer

from syncline.core import canonical, pointers
from syncline.core.documents.values import MARKS, from_wire
from syncline.core.limits import MAX_DEPTH
from syncline.errors import BadJson, BadOp, PatchError, PatchFailed, SynclineError
from syncline.replica.documents.live import Edit
from syncline.replica.documents.views import CounterView, ListView, MapView, SetView, TextView

Steps = tuple[str, ...]


class Assignment(NamedTuple):
    """A place, what comes there as it travels, and how that was typed."""

    path: Steps
    value: Any
    typed: str


# As it is typed


def path(text: str) -> Steps:
    """The steps of a path; none is the whole document. Raises BadParameter."""
    try:
        return pointers.parse(text) if text[:1] in ("", "/") else tuple(text.split("."))
    except SynclineError as error:
        raise typer.BadParameter(error.message) from None


def spelled(steps: Iterable[str | int]) -> str:
    """A path as one types it: with dots where that says the same."""
    texts = [str(step) for step in steps]
    return ".".join(texts) if all(text and not set("./=") & set(text) for text in texts) else pointers.format(texts)


def assignment(text: str, mark: str = "") -> Assignment:
    """``path=value``; with a mark, such as ``$text``, the value is of that kind. Raises BadParameter."""
    where, sign, typed = text.partition("=")
    if not sign or not where:
        raise typer.BadParameter(f"{text!r} is not PATH=VALUE.")
    value = {mark: _content(mark, typed)} if mark else _json_or_string(typed)
    try:
        from_wire(value)
    except BadOp as error:
        raise typer.BadParameter(f"{where}: {error.message}") from None
    return Assignment(path(where), value, typed)


def _json_or_string(typed: str) -> Any:
    try:
        return canonical.decode(typed.encode(), max_depth=MAX_DEPTH)
    except BadJson:
        return typed
    except SynclineError as error:
        raise typer.BadParameter(error.message) from None


def _content(mark: str, typed: str) -> Any:
    """What is inside a mark: a text as it is typed; a set as a list, or its members between commas."""
    if mark == "$text":
        return typed
    value = _json_or_string(typed)
    return [each for each in typed.split(",") if each] if mark == "$set" and not isinstance(value, list) else value


# As it is carried out


def content(assignments: Iterable[Assignment]) -> dict[str, Any]:
    """What a new document holds; maps on the way are made. Raises BadParameter for a place that cannot be."""
    made: dict[str, Any] = {}
    for steps, value, _ in assignments:
        holder: Any = made
        for step in steps[:-1]:
            holder = holder.setdefault(step, {}) if isinstance(holder, dict) else None
        if not steps or not isinstance(holder, dict) or steps[-1] in holder:
            raise typer.BadParameter(f"{spelled(steps) or 'The whole'}: nothing can be put there; something else is.")
        holder[steps[-1]] = from_wire(value)
    return made


def put(edit: Edit, steps: Steps, value: Any) -> None:
    """Puts a value in a place, doing the least. Maps on the way are made; those that others make apart are the same."""
    with told_where(steps):
        holder = _find(edit, steps[:-1], makes_maps=True)
        is_there = isinstance(holder, ListView) and steps[-1] != pointers.END
        edit.patch([{"op": "replace" if is_there else "add", "path": pointers.format(steps), "value": value}])


def add(edit: Edit, added: Assignment) -> None:
    """Adds to what is in a place: to a counter, to a set, at the end of a text or list."""
    with told_where(added.path):
        match _find(edit, added.path):
            case CounterView() as counter if isinstance(added.value, int):
                counter.increment(added.value)
            case TextView() as text:
                text.append(added.typed)
            case SetView() as members:
                members.add(added.value)
            case ListView() as elements:
                elements.append(from_wire(added.value))
            case _:
                raise PatchFailed("nothing can be added to what is there; --counter, --members and --text make kinds.")


def remove(edit: Edit, text: str) -> None:
    """``path``: takes out a key, an element or a member; ``path=member``: a member of a set."""
    where, sign, member = text.partition("=")
    steps = path(where)
    with told_where(steps):
        if not sign:
            edit.patch([{"op": "remove", "path": pointers.format(steps)}])
            return
        members, value = _find(edit, steps), _json_or_string(member)
        if not isinstance(members, SetView) or value not in members:
            raise PatchFailed(f"there is no set with the member {member}.")
        members.discard(value)


@contextmanager
def told_where(steps: Steps) -> Iterator[None]:
    """What does not fit is told with its place."""
    try:
        yield
    except PatchError as error:
        raise type(error)(f"{spelled(steps) or '/'}: {error.message}", **error.details) from None


def _find(edit: Edit, steps: Steps, *, makes_maps: bool = False) -> Any:
    """What is in a place. Raises PatchFailed."""
    found = edit.root
    for step in steps:
        if isinstance(found, MapView) and step in found:
            found = found[step]
        elif isinstance(found, ListView):
            found = found[pointers.element(len(found), step)]
        elif isinstance(found, MapView) and makes_maps and step not in MARKS:
            found = found.ensure(step, "map")
        elif step not in MARKS:
            raise PatchFailed(f"There is no {step!r}.")
    return found
