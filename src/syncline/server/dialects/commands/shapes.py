"""The commands of this dialect, one class each, told apart by ``type``; members that they do not have are ignored."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from syncline.core import canonical
from syncline.core.batch import ENVELOPE_DEPTH
from syncline.core.events import ITEM
from syncline.core.limits import MAX_DEPTH, MAX_ITEM_PATTERNS, MAX_SAFE_INTEGER
from syncline.errors import BadRequest

MAX_CHANGES = 1_000
MAX_DOCUMENTS = 100

Number = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
Ids = Annotated[tuple[str, ...], Meta(max_length=MAX_ITEM_PATTERNS)]


class Command(Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of the commands. ``ref`` comes back with every answer."""

    ref: int | None = None


class Authenticate(Command, frozen=True, kw_only=True, tag="authenticate"):
    """Begins a session, as ``hello`` does. ``node``: what the client calls itself, as in ``X-Node-ID``."""

    auth_token: str | None = None
    user_id: str | None = None
    space: str = "default"
    node: str | None = None


class NewDocument(Struct, frozen=True):
    """A document to be: its content as it travels, and a title that is kept in it."""

    id: str
    title: str | None = None
    content: Any = msgspec.field(default_factory=dict)


class CreateDocument(Command, frozen=True, kw_only=True, tag="create_document"):
    """Makes a document that is not there."""

    document: NewDocument
    action: str = "create"


class DocumentPatch(Struct, frozen=True):
    """A JSON Patch (RFC 6902), and the revision that its author saw."""

    document_id: str
    patch: Any
    base: Number | None = None
    action: str = "update"


class UpdateDocument(Command, frozen=True, kw_only=True, tag="update_document"):
    """Patches a document."""

    patch: DocumentPatch


class DeleteDocument(Command, frozen=True, kw_only=True, tag="delete_document"):
    """Deletes a document; its history stays."""

    document_id: str
    action: str = "delete"


class RequestSync(Command, frozen=True, kw_only=True, tag="request_sync"):
    """Asks for documents, or for what came to them since the revisions that the client has."""

    document_ids: Ids | None = None
    items: Ids = ("*",)
    revisions: dict[str, Number] = {}
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_DOCUMENTS)] = MAX_DOCUMENTS


class GetChangesSince(Command, frozen=True, kw_only=True, tag="get_changes_since"):
    """Asks for the changes after a seq, of one document or all; or after a revision of one document."""

    document_id: str | None = None
    since: Number | None = None
    revision: Number | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_CHANGES)] = 100


class Subscribe(Command, frozen=True, kw_only=True, tag="subscribe"):
    """Asks to be told every change of more documents: by id, or by item pattern."""

    documents: Ids = ()
    items: Ids = ()


class Unsubscribe(Command, frozen=True, kw_only=True, tag="unsubscribe"):
    """Asks not to be told of these any more, as they were subscribed."""

    documents: Ids = ()
    items: Ids = ()


AnyCommand = (
    Authenticate
    | CreateDocument
    | UpdateDocument
    | DeleteDocument
    | RequestSync
    | GetChangesSince
    | Subscribe
    | Unsubscribe
)
TYPES = frozenset(kind.__struct_config__.tag for kind in AnyCommand.__args__)


class _Kind(Struct):
    type: str = ""


_kind = msgspec.json.Decoder(_Kind)


def kind_of(text: bytes) -> str | None:
    """Which command a message is; None if it is none of this dialect."""
    if text.startswith(b'{"type":"push"'):  # it may be long
        return None
    try:
        kind = _kind.decode(text).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return kind if kind in TYPES else None


def read(text: bytes) -> AnyCommand:
    """The command. Raises BadRequest, and what JSON does."""
    value = canonical.decode(text, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
    try:
        command: AnyCommand = msgspec.convert(value, AnyCommand)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Not a command: {error}") from None
    return command


def check_id(id: str) -> str:
    """The id itself if a document may have it. Raises BadRequest."""
    if not ITEM.fullmatch(id):
        raise BadRequest(f"{id[:80]!r} is not the id of a document: it does not match {ITEM.pattern}.")
    return id
