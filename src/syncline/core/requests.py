"""The requests of a session, as a server reads them: strictly, since strangers write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from syncline.core import canonical, stamps
from syncline.core.batch import ENVELOPE_DEPTH
from syncline.core.clocks import NODE
from syncline.core.events import ITEM
from syncline.core.limits import (
    MAX_DEPTH,
    MAX_FETCH_IDS,
    MAX_ITEM_LENGTH,
    MAX_NODE_LENGTH,
    MAX_PAGE_ENTRIES,
    MAX_PRESENCE_BYTES,
    MAX_PRESENCE_KEY_LENGTH,
    MAX_PRESENCE_MESSAGE_BYTES,
    MAX_SAFE_INTEGER,
    MAX_SUMMARIES,
    MAX_TREE_SUMMARIES,
)
from syncline.core.messages import (
    Fetch,
    Give,
    Hello,
    Inquiry,
    Merkle,
    Message,
    Presence,
    Pull,
    Push,
    Request,
    Summary,
    encode,
)
from syncline.errors import BadJson, BadRequest, InvalidEvent, TooLarge

PRESENCE_KEY = re.compile(rf"[^\x00-\x1f\x7f]{{0,{MAX_PRESENCE_KEY_LENGTH}}}")
EPOCH = re.compile("[0-9a-f]{32}")

_request = msgspec.json.Decoder(Request)


def decode_request(text: bytes) -> Request:
    """What a server may receive. Raises BadJson, BadRequest or TooLarge.

    The events of a push are not looked into, and ``state_of`` looks at a presence.
    """
    try:
        request: Request = _request.decode(text)
        if isinstance(request, Presence):
            _check_size(text, MAX_PRESENCE_MESSAGE_BYTES)
        elif encode(request) != text:
            _check_strictly(text, request)
        return checked(request)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Not a message of this protocol: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        canonical.decode(text, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
        raise BadJson("Not JSON.") from None  # pragma: no cover (what msgspec cannot read, the strict decoder refuses)


def _check_strictly(text: bytes, request: Request) -> None:
    """Finds a key that stands twice, which the quick decoder takes; what is pushed or given is not looked into."""
    if isinstance(request, Push | Give):
        text = text.replace(bytes(request.events if isinstance(request, Push) else request.entries), b"[]", 1)
    canonical.decode(text, max_depth=MAX_DEPTH)


Checked = TypeVar("Checked", bound=Message)


def checked(request: Checked) -> Checked:
    """The request itself if its members are within their limits. Raises BadRequest or TooLarge."""
    if isinstance(request, Hello) and not NODE.fullmatch(request.node):
        raise BadRequest(f"node: {request.node[:80]!r} is not a node of 1 to {MAX_NODE_LENGTH} characters.")
    if isinstance(request, Pull) and not 1 <= request.limit <= MAX_PAGE_ENTRIES:
        raise BadRequest(f"limit: must be between 1 and {MAX_PAGE_ENTRIES}.")
    if isinstance(request, Presence):
        _check_presence(request)
    if isinstance(request, Inquiry):
        _check_inquiry(request)
    return request


def _check_inquiry(inquiry: Inquiry) -> None:
    """What summaries and entries say is for those to check who look into them."""
    match inquiry:
        case Merkle():
            _check_count("summaries", inquiry.summaries, MAX_SUMMARIES)
            _check_answer(inquiry.summaries)
            _check_seq("since", inquiry.since)
        case Fetch():
            _check_count("ids", inquiry.ids, MAX_FETCH_IDS)
            _check_ids(inquiry.ids)
        case Give():
            if not EPOCH.fullmatch(inquiry.epoch):
                raise BadRequest(f"epoch: {inquiry.epoch[:80]!r} is not one of 32 hex digits.")
        case _:
            _check_seq("seq", inquiry.seq or 0)
            if inquiry.after and (inquiry.seq is None or not ITEM.fullmatch(inquiry.after)):
                raise BadRequest("after: must be an item, and comes with the seq of the snapshot that it is of.")


def _check_count(name: str, several: Sequence[object], most: int) -> None:
    if not 1 <= len(several) <= most:
        raise BadRequest(f"{name}: must be between 1 and {most:,}.")


def _check_answer(summaries: Sequence[Summary]) -> None:
    """Bounds what comes back: of a branch each child, of a leaf itself."""
    if sum(16 if summary.mask else 1 for summary in summaries) > MAX_TREE_SUMMARIES:
        raise BadRequest(f"summaries: their answer could have more than {MAX_TREE_SUMMARIES:,}.")


def _check_seq(name: str, seq: int) -> None:
    if not 0 <= seq <= MAX_SAFE_INTEGER:
        raise BadRequest(f"{name}: {seq} is no seq.")


def _check_ids(ids: Sequence[str]) -> None:
    try:
        for id in ids:
            stamps.check_id(id)
    except InvalidEvent as error:
        raise BadRequest(error.message) from None


def _check_presence(presence: Presence) -> None:
    if not PRESENCE_KEY.fullmatch(presence.key):
        raise BadRequest(f"key: must be 0 to {MAX_PRESENCE_KEY_LENGTH} characters, none of them control characters.")
    if presence.item is not None and not ITEM.fullmatch(presence.item):
        raise BadRequest(f"item: {presence.item[:80]!r} is not an item of 1 to {MAX_ITEM_LENGTH} characters.")
    _check_size(bytes(presence.state), MAX_PRESENCE_BYTES)


def _check_size(part: bytes, limit: int) -> None:
    if len(part) > limit:
        raise TooLarge(f"A presence has at most {MAX_PRESENCE_BYTES:,} bytes.")


def state_of(presence: bytes) -> bytes | None:
    """The state of an encoded presence that ``decode_request`` has taken, in canonical form; None if it has gone.

    Raises BadJson, TooDeep, NumberOutOfRange or TooLarge. It costs the more, so it is not asked of each that comes.
    """
    state = canonical.decode(presence, max_depth=MAX_DEPTH + 1).get("state")
    if state is None:
        return None
    body = canonical.encode(state)
    _check_size(body, MAX_PRESENCE_BYTES)
    return body


class _Reference(msgspec.Struct):
    ref: int | None = None


def ref_of(text: bytes) -> int | None:
    """The ref of a request that may be wrong elsewhere, so that the error finds who asked."""
    try:
        return msgspec.json.decode(text, type=_Reference).ref
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
