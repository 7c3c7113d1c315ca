"""The writes that commands ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncline.core.documents import patching, values
from syncline.core.documents.creation import create
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import MAP
from syncline.errors import BadOp, BadRequest, DocumentExists
from syncline.server.desk import Desk
from syncline.server.dialects.commands import shapes
from syncline.server.standing import missing

TITLE = "title"
"""The member in which a title is kept."""


def creating(document: shapes.NewDocument) -> Callable[[Desk], None]:
    """Makes a document. Raises BadRequest or DocumentExists."""

    def draft(desk: Desk) -> None:
        if desk.shelf.document.exists:
            raise DocumentExists(f"There is a document {desk.item} already.", seq=desk.shelf.seq)
        kind, content = _titled(document)
        if kind == MAP:
            create(desk.editor, content)
        else:
            patching.apply(desk.editor, [{"op": "add", "path": "", "value": document.content}])

    return draft


def _titled(document: shapes.NewDocument) -> tuple[str | None, Any]:
    """The content with its kind; a title beside it is its member ``title``, unless it has one. Raises BadRequest."""
    try:
        values.check(document.content)
        kind, content = values.open_value(document.content)
    except BadOp as error:
        raise BadRequest(f"content: {error.message}") from None
    if document.title is None:
        return kind, content
    if kind != MAP:
        raise BadRequest("title: only a document that is a map has one.")
    return kind, {TITLE: document.title, **content}


def changing(patch: shapes.DocumentPatch) -> Callable[[Desk], None]:
    """Patches a document, as its author saw it. Raises NotFound or a PatchError."""

    def draft(desk: Desk) -> None:
        if not desk.shelf.document.exists:
            raise missing(desk.item)
        editor = desk.editor
        if patch.base is not None and patch.base != desk.shelf.revision:
            editor = Editor(desk.library.at(desk.item, revision=patch.base)[0], desk.editor.event)
        patching.apply(editor, patch.patch)
        if editor is not desk.editor:
            desk.raw_ops = editor.wire()

    return draft


def deleting(desk: Desk) -> None:
    """Deletes a document. Raises NotFound."""
    if not desk.shelf.document.exists:
        raise missing(desk.item)
    desk.editor.delete_document()
