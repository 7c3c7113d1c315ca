"""A draft that is watched while it is made, so that its revision need not be found by folding the past again."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from syncline.core.documents.edit import Editor
from syncline.core.documents.recorder import Change, Recorder
from syncline.core.documents.revisions import Placed, Revision
from syncline.replica.documents.library import Library
from syncline.replica.documents.shelf import Shelf
from syncline.server.desk import Desk


class Watched:
    """What a write drafts, and what that changed, if it was drafted on the document as it is."""

    def __init__(self, draft: Callable[[Desk], None]) -> None:
        self._draft = draft
        self._event = ""
        self._before = 0
        self._change: Change | None = None

    def draft(self, desk: Desk) -> None:
        """Drafts it, perhaps several times; the last counts."""
        self._event, self._before, self._change = desk.editor.event, desk.shelf.revision, None
        recorder = Recorder(desk.editor.document)
        desk.editor = Editor(desk.editor.document, self._event, observer=recorder)
        self._draft(desk)
        if desk.raw_ops is None and desk.editor.has_changed:
            self._change = recorder.change() or Change("update", [], [])

    def revision(self, library: Library, shelf: Shelf) -> Revision | None:
        """The revision that it made, None if nothing shows. Call it after the write, while looking."""
        if shelf.revision == self._before:
            return None
        last = shelf.stretch[-1] if shelf.stretch else None
        if self._change is not None and last is not None and last.event.id == self._event:
            return _revision(shelf.revision, last, self._change)
        found = library.revisions(shelf.document.item, after=self._before)
        return next((each for each in found if self._event in each.ids), None)


def _revision(number: int, placed: Placed, change: Change) -> Revision:
    event = placed.event
    return Revision(
        number=number,
        seq=placed.seq,
        at=placed.at,
        ids=[event.id],
        user=None if event.user is UNSET else event.user,
        node=event.node,
        action=event.action,
        kind=change.kind,
        forward=change.forward,
        reverse=change.reverse,
    )
