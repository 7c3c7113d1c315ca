"""``doc``: the history of a document, and ways back: time travel, differences, undo, restore, blame, conflicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from msgspec import UNSET
from rich.text import Text

from syncline.cli import assignments, times
from syncline.cli.databases import editing, reading
from syncline.cli.documents import At, Item, Wire, app, found, part
from syncline.cli.entries import NODE_SHOWN
from syncline.cli.failures import NOTHING, misused
from syncline.cli.shown import PLACE, difference, named, short, show, summary, tell
from syncline.cli.terminal import Json, complain, emit, local_time, note, out, say, table
from syncline.core import pointers
from syncline.core.documents.names import LIST, MAP, SET, TEXT
from syncline.core.documents.values import open_value, to_plain
from syncline.core.patches import diff as patch_between
from syncline.core.stamps import Stamp
from syncline.errors import NotFound
from syncline.replica.documents import DocumentReplica, LiveDocument

Revision = Annotated[int | None, typer.Option("--revision", "-r", min=1, help="A revision.", show_default=False)]
Seq = Annotated[int | None, typer.Option(min=1, help="A seq of the space's log.", show_default=False)]
One = Annotated[int, typer.Argument(metavar="A", min=0, help="A revision; 0 is before the first.", show_default=False)]
Other = Annotated[int | None, typer.Argument(metavar="[B]", min=0, help="Another one; else the present.")]
Limit = Annotated[int, typer.Option(min=0, help="The last so many; 0 for all.")]
Back = Annotated[int | None, typer.Argument(metavar="[N]", min=1, help="The revision; else what was deleted.")]


@app.command()
@reading
def history(replica: DocumentReplica, item: Item, limit: Limit = 20, json: Json = False) -> None:
    """Show the revisions of a document: who changed what, and when.

    With --json each is a line, with its JSON Patch forward and the one back.
    """
    document = _any(replica, item)
    revisions = document.history(after=max(0, document.revision - limit) if limit else 0)
    if json:
        for each in revisions:
            emit(each)
        return
    shown = table("revision", "time", "user", "node", "action", "change", right=("revision",), rest="change")
    for each in revisions:
        author = _author(each.at, each.user, each.node)
        number = Text(f"{each.number:,}", style="" if each.seq else "yellow")
        shown.add_row(number, *author, Text(each.action), summary(each))
    out.print(shown)


@app.command()
@reading
def at(
    replica: DocumentReplica,
    item: Item,
    revision: Revision = None,
    seq: Seq = None,
    time: times.Time = None,
    path: At = "",
    wire: Wire = False,
    json: Json = False,
) -> None:
    """Show a document as it was at a revision, a seq, or a time."""
    if sum(bound is not None for bound in (revision, seq, time)) != 1:
        misused("Say when: --revision N, --seq N or --time TIME, one of them.")
    past = _any(replica, item).at(revision, seq=seq, time=times.moment(time))
    if not past.exists:
        raise NotFound(f"There was no document {item} then; syncline doc history {item} tells when it was there.")
    show(part(past.wire if wire else past.plain, path), json)


@app.command()
@reading
def diff(replica: DocumentReplica, item: Item, a: One, b: Other = None, json: Json = False) -> None:
    """Show what changed from one revision to another, or until now. With --json it is a JSON Patch."""
    document = _any(replica, item)
    b = document.revision if b is None else b
    before, after = (document.at(number).wire if number else None for number in (a, b))
    if json:
        emit(patch_between(before, after))
    elif before == after:
        note(f"The revisions {a} and {b} show the same.")
    else:
        names = (f"{item} · revision {a}", f"{item} · revision {b}")
        out.print(difference(to_plain(before), to_plain(after), names), soft_wrap=True)


@app.command()
@editing
def undo(replica: DocumentReplica, item: Item, json: Json = False) -> None:
    """Undo your last edit, also one of another day or device. What others changed since stays."""
    _step(replica, item, "undo", json)


@app.command()
@editing
def redo(replica: DocumentReplica, item: Item, json: Json = False) -> None:
    """Redo what you undid last, if you have not edited since."""
    _step(replica, item, "redo", json)


@app.command()
@editing
def restore(replica: DocumentReplica, item: Item, revision: Back = None, json: Json = False) -> None:
    """Make a document show what it showed at a revision, or bring a deleted one back."""
    document = _any(replica, item)
    if revision is None and document.exists:
        misused(f"{item} is not deleted. Say which revision to restore; syncline doc history {item} shows them.")
    before = document.revision
    document.restore(revision)
    tell(document, before, json)


@app.command()
@reading
def blame(replica: DocumentReplica, item: Item, path: At = "", json: Json = False) -> None:
    """Show who put what shows, and when: of each value, and of each run of a text."""
    document = found(replica, item)
    events = {event.id: event for event in replica.events(items=[item])}
    shown = table("path", "time", "user", "node", "action", "value", rest="value")
    for steps, value, id in _blamed(document, *_start(document.wire, path)):
        event = events[id]
        user = None if event.user is UNSET else event.user
        if json:
            emit({"path": steps, "value": value, "event": id, "user": user, "node": event.node})
            continue
        author = _author(Stamp.parse(id).ms, user, event.node)
        shown.add_row(Text(named(steps), style=PLACE), *author, event.action, short(value))
    if not json:
        out.print(shown)


@app.command()
@reading
def conflicts(replica: DocumentReplica, item: Item, json: Json = False) -> None:
    """Show what people do not agree on: places that hold several values, and edits that have no effect.

    Putting a value in such a place settles it.
    """
    document = _any(replica, item)
    standing = document.conflicts()
    if json:
        emit(standing)
        return
    shown = table("path", "shows", "also", rest="also")
    for path, _, others in standing.values:
        value = short(_at(document.plain, path))
        shown.add_row(Text(named(path), style=PLACE), value, ", ".join(short(to_plain(other)) for _, other in others))
    if standing.values:
        out.print(shown)
    for why, edits in (("overruled", standing.overruled), ("made while it was deleted", standing.unseen)):
        for each in edits:
            say(f"{each.action} of {each.user or 'nobody yet'} ({each.node[:NODE_SHOWN]}): {why}")
    if not standing:
        note("No conflicts.")


def _any(replica: DocumentReplica, item: str) -> LiveDocument:
    """A document that is there, or was. Raises NotFound."""
    document = replica.document(item)
    return document if document.revision else found(replica, item)


def _step(replica: DocumentReplica, item: str, action: str, json: bool) -> None:
    """Undoes or redoes. Exits with 6 if there is nothing to."""
    document = _any(replica, item)
    before = document.revision
    if not (document.undo() if action == "undo" else document.redo()):
        why = "you undid nothing, or have edited since" if action == "redo" else "no edit of yours stands"
        complain(f"There is nothing to {action} in {item}: {why}. syncline doc history {item} tells who did what.")
        raise typer.Exit(NOTHING)
    tell(document, before, json)


def _author(at: int, user: str | None, node: str) -> tuple[Text, ...]:
    """When and by whom, as cells."""
    time = local_time(at)[5:]
    return Text(time, style="dim"), Text(user or "", style="green"), Text(node[:NODE_SHOWN], style="dim")


def _start(wire: Any, path: str) -> tuple[list[Any], Any]:
    """The keys and indexes of a path, and what is there, as it travels. Raises PatchFailed."""
    steps: list[Any] = []
    with assignments.told_where(assignments.path(path)):
        for step in assignments.path(path):
            content = open_value(wire)[1]
            steps.append(pointers.key(content, step))
            wire = content[steps[-1]]
    return steps, wire


def _blamed(document: LiveDocument, steps: list[Any], wire: Any) -> Iterator[tuple[list[Any], Any, str]]:
    """The path, the value and the event of each thing that shows at a path and below."""
    kind, content = open_value(wire)
    if kind in (MAP, LIST) and content:
        inner = content.items() if kind == MAP else enumerate(content)
        for step, value in inner:
            yield from _blamed(document, [*steps, step], value)
        return
    for event, start, length in document.blame(steps):
        is_part = kind in (TEXT, SET)
        value = content[start : start + length] if kind == TEXT else content[start] if is_part else content
        yield ([*steps, start] if is_part else steps), value, event


def _at(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        value = value[step]
    return value
