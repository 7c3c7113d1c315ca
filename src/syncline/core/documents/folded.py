"""An item folded up to a seq, as snapshots of a space are made of it: from a base on, or from nothing.

Where the fold stands it can be written down as a ``Base``, from which it goes on as if it had never stopped. Revisions
are numbered as they are where nothing was left out.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from msgspec import UNSET

from syncline.core.bases import Base
from syncline.core.documents import snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.revisions import Placed, group_of
from syncline.core.events import Event
from syncline.core.stamps import NIL_ID
from syncline.errors import StoreDamaged


class Folded:
    """One item after some of its entries."""

    def __init__(self, item: str, base: Base | None = None) -> None:
        """Raises StoreDamaged if the base cannot be read."""
        self.document = document_of(base) if base else Document(item)
        self.seq, self.at, self.count, self.revision = 0, 0, 0, 0
        self._last, self._schema = NIL_ID, 0
        self._group: str | None = None
        self.is_document = bool(base and base.state)
        """Whether any of its events carried ops."""
        if base is not None:
            self.seq, self.at, self.count, self.revision = base.seq, base.at, base.count, base.revision
            self._last, self._schema, self._group = base.last, base.schema, base.group

    def fold(self, placed: Placed, policy: str) -> None:
        """Folds the next entry; one that is in it already does nothing."""
        event = placed.event
        if placed.seq <= self.seq:
            return
        has_changed = self.document.fold(event, policy=policy, is_next=True)
        group = group_of(event)
        if has_changed and (group is None or group != self._group):
            self.revision += 1
        self._group = group if has_changed or group == self._group else None
        self.is_document = self.is_document or event.ops is not UNSET
        self._last, self._schema = max(self._last, event.id), max(self._schema, _schema_of(event))
        self.seq, self.at, self.count = placed.seq, placed.at, self.count + 1

    def base(self) -> Base:
        """Where the item stands. Raises TooLarge."""
        state = snapshots.pack(snapshots.encode(self.document)) if self.is_document else b""
        return Base(
            item=self.document.item,
            seq=self.seq,
            at=self.at,
            count=self.count,
            revision=self.revision,
            clock=dict(self.document.clock),
            last=self._last,
            schema=self._schema,
            group=self._group,
            state=b64encode(state).decode(),
        )


def _schema_of(event: Event) -> int:
    schema = event.meta.get("schema") if event.meta is not UNSET else None
    return schema if type(schema) is int else 0


def document_of(base: Base) -> Document:
    """The document of a base; one without content if the item's events carried no ops. Raises StoreDamaged."""
    if base.state:
        return snapshots.decode(base.item, snapshots.unpack(state_of(base)))
    document = Document(base.item)
    document.clock = dict(base.clock)
    return document


def state_of(base: Base) -> bytes:
    """The packed state in a base. Raises StoreDamaged."""
    try:
        return b64decode(base.state, validate=True)
    except Base64Error as error:
        raise StoreDamaged(f"The base of {base.item} is damaged: {error}") from None
