"""What somebody wants to change about a document, and what they find to do it with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import UNSET

from syncline.core.access.scope import MEMBER, Rights
from syncline.core.documents.edit import Editor
from syncline.replica.documents.library import Library
from syncline.replica.documents.shelf import Shelf
from syncline.server.conditions import Conditions


class Desk:
    """What a change works with: the library, an editor of the document, and what the event says beside its ops."""

    def __init__(self, library: Library, shelf: Shelf, editor: Editor, user: str) -> None:
        self.library, self.shelf, self.editor, self.user = library, shelf, editor, user
        self.item = editor.document.item
        self.meta: dict[str, Any] = {}
        self.payload: Any = UNSET
        self.raw_ops: list[Any] | None = None
        """Ops that somebody else drafted; the editor is left alone then."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to record."""
        return not self.editor.ops and not self.raw_ops and not self.meta and self.payload is UNSET

    @property
    def ops(self) -> Any:
        """The ops as they travel."""
        return self.editor.wire() if self.raw_ops is None else self.raw_ops or UNSET


class Change(NamedTuple):
    """A write that somebody asks for. ``draft`` is called with the desk, perhaps several times, and may refuse."""

    action: str
    draft: Callable[[Desk], None]
    node: str | None = None
    """The id that the client gives itself, if any."""
    conditions: Conditions = Conditions()
    is_system: bool = False
    user: str = ""
    """Who asks, and their rights: filled in by whoever lets them in."""
    rights: Rights = MEMBER


class Written(NamedTuple):
    """What a write came to: its event with its seq (None: there was nothing to do), and if there was a document."""

    event: tuple[str, int] | None
    did_exist: bool
