"""One document of a replica: read, edit, patch, undo, look back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn

from syncline.core.documents import patching
from syncline.core.documents.conflicts import Conflicts
from syncline.core.documents.creation import create
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.revisions import Revision, blame
from syncline.core.documents.undo import Difference
from syncline.core.documents.values import from_wire, to_plain, to_wire
from syncline.core.patches import diff
from syncline.errors import NotFound
from syncline.replica.documents.upcasts import frozen
from syncline.replica.documents.views import unwrapped, view_of

if TYPE_CHECKING:
    from syncline.replica.documents import DocumentReplica


class Reading:
    """A document that can be read: as it is, as it was, or as it will be after this edit."""

    def __init__(self, item: str, lock: AbstractContextManager[Any]) -> None:
        self.item, self.lock = item, lock

    @property
    def document(self) -> Document:
        """The state."""
        raise NotImplementedError

    def editing(self) -> AbstractContextManager[Editor]:
        """An editor on the state."""
        raise NotImplementedError

    @property
    def exists(self) -> bool:
        """Whether there is a document: it was made, and is not deleted."""
        with self.lock:
            return self.document.exists

    @property
    def root(self) -> Any:
        """The document's content: a view of its root, or a scalar. Raises NotFound if there is no document."""
        with self.lock:
            if not self.exists:
                raise NotFound(f"There is no document {self.item}.")
            return view_of(self, self.document.root)

    @property
    def value(self) -> Any:
        """The content as a program's value, with ``Text``, ``Counter`` and ``ORSet``; None if there is none."""
        wire = self.wire
        return None if wire is None else from_wire(wire)

    @property
    def wire(self) -> Any:
        """The content as it travels, with marked kinds; None if there is none."""
        with self.lock:
            return self.document.value()

    @property
    def plain(self) -> Any:
        """The content as plain JSON; None if there is none."""
        with self.lock:
            return self.document.plain()

    def get(self, key: str, default: Any = None) -> Any:
        """What is under a key of the root map."""
        return self.root.get(key, default) if self.exists else default

    def __getitem__(self, key: Any) -> Any:
        return self.root[key]

    def __contains__(self, key: object) -> bool:
        return self.exists and key in self.root

    def __iter__(self) -> Iterator[Any]:
        return iter(self.root)

    def __len__(self) -> int:
        return len(self.root) if self.exists else 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.item!r}, {self.plain!r})"


class PastDocument(Reading):
    """A document as it was at one of its revisions. It cannot be edited."""

    def __init__(self, item: str, document: Document, revision: int) -> None:
        super().__init__(item, RLock())
        self._document, self.revision = document, revision

    @property
    def document(self) -> Document:
        """The state then."""
        return self._document

    def editing(self) -> NoReturn:
        """Refuses."""
        raise TypeError("The past cannot be edited; restore(revision) brings it back.")


class Edit(Reading):
    """A document while it is edited: every change of it becomes one event."""

    def __init__(self, item: str, editor: Editor) -> None:
        super().__init__(item, nullcontext())
        self.editor = editor

    @property
    def document(self) -> Document:
        """The state, with the changes made so far."""
        return self.editor.document

    @contextmanager
    def editing(self) -> Iterator[Editor]:
        """The editor of this event."""
        yield self.editor

    @property
    def root(self) -> Any:
        """The document's content; a document that is not there yet begins as an empty map."""
        return view_of(self, self.document.root)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.root[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.root[key]

    def update(self, members: Mapping[str, Any] = {}, /, **more: Any) -> None:
        """Changes some keys of the root map, doing the least."""
        self.root.update(members, **more)

    def patch(self, patch: Sequence[Mapping[str, Any]]) -> None:
        """Applies a JSON Patch (RFC 6902). Raises PatchFailed, PatchTestFailed or BadPatch."""
        patching.apply(self.editor, patch)

    def merge(self, patch: Any) -> None:
        """Applies a JSON Merge Patch (RFC 7396)."""
        patching.merge(self.editor, patch)

    def create(self, value: Mapping[str, Any]) -> None:
        """Makes the document: what several replicas make of it apart merges, nested kinds included."""
        create(self.editor, {key: to_wire(unwrapped(member)) for key, member in value.items()})

    def delete(self) -> None:
        """Deletes the document."""
        self.editor.delete_document()


class LiveDocument(Reading):
    """A document of a replica. Each change is one event, durable when it returns; ``edit`` makes one of several."""

    def __init__(self, replica: DocumentReplica, item: str) -> None:
        super().__init__(item, replica.lock)
        self._replica = replica

    @property
    def document(self) -> Document:
        """The state as it is now."""
        return self._replica.library.document(self.item)

    @property
    def schema(self) -> int:
        """The version of the app's own format; greater than this program's if a newer program wrote it."""
        return self._replica.schema(self.item)

    @property
    def root(self) -> Any:
        """The document's content; what is read through upcasts is no view, and can be changed within ``edit`` only."""
        with self.lock:
            is_outdated = self.exists and self._replica.is_outdated(self.item)
            return frozen(self.value) if is_outdated else super().root

    @property
    def wire(self) -> Any:
        """The content as it travels, with marked kinds; None if there is none."""
        with self.lock:
            wire = super().wire
            is_outdated = self.exists and self._replica.is_outdated(self.item)
            return self._replica.upcasted(self.item, wire) if is_outdated else wire

    @property
    def plain(self) -> Any:
        """The content as plain JSON; None if there is none."""
        with self.lock:
            is_outdated = self.exists and self._replica.is_outdated(self.item)
            return to_plain(self.wire) if is_outdated else super().plain

    @contextmanager
    def editing(self) -> Iterator[Editor]:
        """An event of its own."""
        with self.edit() as edit:
            yield edit.editor

    def edit(self, action: str = "update", payload: Any = ..., **meta: str) -> AbstractContextManager[Edit]:
        """One event of several changes, which are recorded together when the block ends, or not at all if it raises.

        Other threads' changes wait meanwhile. ``meta`` may hold ``group``: neighbours with the same group are one
        revision, and undone together.
        """
        return self._replica.editing(self.item, action, payload, meta)

    def __setitem__(self, key: Any, value: Any) -> None:
        with self.edit() as edit:
            edit[key] = value

    def __delitem__(self, key: Any) -> None:
        with self.edit() as edit:
            del edit[key]

    def update(self, members: Mapping[str, Any] = {}, /, **more: Any) -> None:
        """Changes some keys of the root map, doing the least: what is alike stays, a text is spliced."""
        with self.edit() as edit:
            edit.update(members, **more)

    def patch(self, patch: Sequence[Mapping[str, Any]], *, base: int | None = None) -> None:
        """Applies a JSON Patch (RFC 6902), all of it or nothing. Raises PatchFailed, PatchTestFailed or BadPatch.

        ``base`` is the revision that its author saw: paths and indexes mean what was there then, and merge with what
        others have changed since.
        """
        with self.edit() as edit:
            if base is None:
                edit.patch(patch)
            else:
                then = Editor(self.at(base).document, edit.editor.event)
                patching.apply(then, patch)
                patching.rebase(edit.editor, then.ops)

    def merge(self, patch: Any) -> None:
        """Applies a JSON Merge Patch (RFC 7396)."""
        with self.edit() as edit:
            edit.merge(patch)

    def delete(self) -> None:
        """Deletes the document; its content stays underneath, and ``restore`` brings it back."""
        with self.edit("delete") as edit:
            edit.delete()

    # History

    @property
    def revision(self) -> int:
        """The number of the last revision; 0 if there is none."""
        return self._replica.past(lambda library: library.revision(self.item))

    @property
    def first_revision(self) -> int:
        """The number with which ``history`` begins: 1, or more in a replica that began from a snapshot."""
        return self._replica.past(lambda library: library.first_revision(self.item))

    def history(self, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        """The revisions with numbers beyond ``after``, ascending, from ``first_revision`` on."""
        return self._replica.past(lambda library: library.revisions(self.item, after=after, limit=limit))

    def at(self, revision: int | None = None, *, seq: int | None = None, time: int | None = None) -> PastDocument:
        """The document as it was at a revision, a seq of the log, or a time (ms since 1970).

        Raises NotFound, or HistoryExpired for what was before the history that is here.
        """
        if sum(bound is not None for bound in (revision, seq, time)) != 1:
            raise TypeError("at() takes a revision, a seq or a time.")
        document, number = self._replica.past(
            lambda library: library.at(self.item, revision=revision, seq=seq, time=time)
        )
        return PastDocument(self.item, document, number)

    def diff(self, one: int, other: int | None = None) -> list[dict[str, Any]]:
        """The JSON Patch from one revision to another (or to the present), between their wire forms."""
        after = self.wire if other is None else self.at(other).wire
        return diff(self.at(one).wire if one else None, after)

    def undo(self) -> bool:
        """Undoes this user's last standing edit, leaving what others changed since; False if there is none.

        Raises HistoryExpired if there may be one before the history that is here.
        """
        return self._replica.step(self.item, "undo")

    def redo(self) -> bool:
        """Redoes this user's last undo, if they have not edited since; False otherwise."""
        return self._replica.step(self.item, "redo")

    def restore(self, revision: int | None = None) -> None:
        """Makes the document show what it showed at a revision; without one it brings a deleted document back."""
        target = self.at(revision).document if revision is not None else None
        with self.edit("restore") as edit:
            if target is None:
                edit.editor.restore_document()
            else:
                Difference(edit.editor, target).whole()

    def blame(self, path: Sequence[Any] = ()) -> Any:
        """Which event put what shows at a path of keys and indexes; see ``core.documents.revisions.blame``."""
        with self.lock:
            return blame(self.document, list(path))

    def conflicts(self) -> Conflicts:
        """What people do not agree on here; false if nothing."""
        return self._replica.past(lambda library: library.conflicts(self.item))
