"""Documents as the REST interface shows them: the canonical form of a value with its place in history."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from syncline.core import canonical
from syncline.core.documents.policies import MANUAL
from syncline.core.documents.revisions import Revision
from syncline.replica.documents.library import Library
from syncline.replica.documents.shelf import Shelf
from syncline.server.conditions import Version
from syncline.server.documents import Documents


class Shown(NamedTuple):
    """A document that is shown: where it stands, and its members as JSON, without the braces around them."""

    version: Version
    revision: int
    members: bytes

    @property
    def body(self) -> bytes:
        """The document as an object."""
        return b"{%b}" % self.members


def show(
    documents: Documents, shelf: Shelf, *, plain: bool = False, has_value: bool = True, known: tuple[str, ...] = ()
) -> Shown:
    """A document as JSON. Call it while looking.

    ``plain``: without marks; ``has_value``: with its value; ``known``: entity tags of what need not be shown again.
    """
    version, document = documents.version(shelf), shelf.document
    members = b'"id":"%b","revision":%d,"seq":%d,"at":%d' % (
        document.item.encode(),
        shelf.revision,
        shelf.seq,
        shelf.at,
    )
    if not document.exists:
        members += b',"deleted":true'
    elif has_value and not version.is_one_of(known):
        value = document.plain() if plain else document.value()
        members += b',"value":' + canonical.encode(value)
        if documents.policies.of(document.item) == MANUAL and any(True for _ in document.conflicts()):
            members += b',"in_conflict":true'
    return Shown(version, shelf.revision, members)


def show_past(library: Library, item: str, revision: int | None, seq: int | None, time: int | None) -> Shelf:
    """The document as it is, or as it was. Raises NotFound."""
    if revision is seq is time is None:
        return library.shelf(item)
    return library.back(item, revision=revision, seq=seq, time=time)


def encode_revision(revision: Revision, *, has_reverse: bool = True) -> bytes:
    """A revision as JSON, perhaps without the patch back."""
    members = msgspec.to_builtins(revision)
    return canonical.encode(members if has_reverse else {name: members[name] for name in members if name != "reverse"})
