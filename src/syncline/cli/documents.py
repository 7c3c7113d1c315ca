"""``doc``: read, make and change documents in a replica's file, offline or with a server.

What is about their history is in ``document_history``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from syncline.cli import assignments
from syncline.cli.assignments import Assignment
from syncline.cli.databases import editing, making, reading
from syncline.cli.entries import CONTENT_SHOWN
from syncline.cli.shown import short, show, tell
from syncline.cli.terminal import Json, emit, note, out, table
from syncline.core import canonical, pointers
from syncline.core.limits import MAX_DEPTH
from syncline.errors import NotFound
from syncline.replica.documents import DocumentReplica, LiveDocument

app = typer.Typer(
    name="doc",
    help="Read, change and undo documents in a replica's file. It works offline; if a server is named, it syncs too.",
    epilog="A path is keys and indexes between dots, or a JSON Pointer: list.0.done, /list/0/done.",
    no_args_is_help=True,
)

Item = Annotated[str, typer.Argument(metavar="ITEM", help="The document: task.milk.", show_default=False)]
Wire = Annotated[bool, typer.Option("--wire/--plain", help="With the marks of kinds, as it travels; or plain JSON.")]
At = Annotated[str, typer.Option("--path", "-p", metavar="PATH", help="Only what is there.", show_default=False)]
Values = Annotated[
    list[str] | None, typer.Argument(metavar="[PATH=VALUE]...", help="JSON, or a string.", show_default=False)
]
TextValues = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="PATH=TEXT", help="A text that several edit at once.", show_default=False),
]
CounterValues = Annotated[
    list[str] | None,
    typer.Option("--counter", metavar="PATH=N", help="A number that several count on.", show_default=False),
]
SetValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=A,B", help="A set: members or a JSON list.", show_default=False),
]


def found(replica: DocumentReplica, item: str) -> LiveDocument:
    """The document of an item. Raises NotFound with what to do next."""
    document = replica.get(item)
    if document is None:
        was_there = replica.document(item).revision > 0
        hint = f"It was deleted; syncline doc restore {item} brings it back." if was_there else ""
        raise NotFound(f"There is no document {item}. {hint or 'syncline doc list shows those there are.'}")
    return document


def part(value: Any, path: str) -> Any:
    """What stands at a path of a value. Raises PatchFailed."""
    steps = assignments.path(path)
    with assignments.told_where(steps):
        return pointers.resolve(value, steps)


@app.command("list")
@reading
def list_documents(
    replica: DocumentReplica,
    pattern: Annotated[str, typer.Argument(help="Only these: a prefix with one trailing *.")] = "*",
    json: Json = False,
) -> None:
    """List the documents."""
    documents = replica.documents(pattern)
    if json:
        for each in documents:
            emit({"item": each.item, "revision": each.revision, "value": each.plain})
        return
    if not documents:
        note("No such documents.")
        return
    shown = table("item", "revision", "content", right=("revision",), rest="content")
    for each in documents:
        shown.add_row(each.item, f"{each.revision:,}", short(each.plain, CONTENT_SHOWN))
    out.print(shown)


@app.command()
@reading
def get(replica: DocumentReplica, item: Item, path: At = "", wire: Wire = False, json: Json = False) -> None:
    """Show a document."""
    document = found(replica, item)
    show(part(document.wire if wire else document.plain, path), json)


@app.command()
@making
def create(
    replica: DocumentReplica,
    item: Item,
    values: Values = None,
    text: TextValues = None,
    counter: CounterValues = None,
    set: SetValues = None,
    json: Json = False,
) -> None:
    """Make a document, and the replica's file if it is not there."""
    made = replica.create(item, assignments.content(_given(values, text, counter, set)))
    tell(made, 0, json)


@app.command("set")
@editing
def set_(
    replica: DocumentReplica,
    item: Item,
    values: Values = None,
    text: TextValues = None,
    counter: CounterValues = None,
    set: SetValues = None,
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=VALUE", help="To a counter, set, text or list.", show_default=False),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH[=MEMBER]", help="A key, an element, a set's member.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Change parts of a document, all in one event.

    What is there is edited, not replaced: of a text the characters that differ, of a counter the difference. Maps on
    the way to a path are made.
    """
    document = found(replica, item)
    revision = document.revision
    with document.edit() as edit:
        for each in _given(values, text, counter, set):
            assignments.put(edit, each.path, each.value)
        for typed in add or ():
            assignments.add(edit, assignments.assignment(typed))
        for typed in remove or ():
            assignments.remove(edit, typed)
    tell(document, revision, json)


@app.command()
@editing
def patch(
    replica: DocumentReplica,
    item: Item,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON; - for standard input.", allow_dash=True)],
    merge: Annotated[bool, typer.Option("--merge", help="It is a JSON Merge Patch (RFC 7396).")] = False,
    json: Json = False,
) -> None:
    """Apply a JSON Patch (RFC 6902): all of it, or nothing."""
    document = found(replica, item)
    revision = document.revision
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    change = canonical.decode(body, max_depth=MAX_DEPTH)
    (document.merge if merge else document.patch)(change)
    tell(document, revision, json)


@app.command()
@editing
def delete(replica: DocumentReplica, item: Item, json: Json = False) -> None:
    """Delete a document. Its history stays; restore brings it back."""
    document = found(replica, item)
    revision = document.revision
    document.delete()
    tell(document, revision, json)


def _given(*typed: list[str] | None) -> list[Assignment]:
    marks = ("", "$text", "$counter", "$set")
    return [
        assignments.assignment(each, mark) for mark, group in zip(marks, typed, strict=True) for each in group or ()
    ]
