"""Bodies and answers with secrets: small, plain, kept by no cache, and never said again."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from syncline.errors import TooLarge, UnsupportedMedia
from syncline.server.http import Request

T = TypeVar("T")

MAX_BYTES = 64 * 1024
"""The longest password there can be, with every character escaped, and the rest."""


async def read(request: Request, kind: type[T], *, may_be_empty: bool = False) -> T:
    """The body as a message. Raises TooLarge, UnsupportedMedia, BadJson or BadRequest."""
    if request.headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMedia("The content encoding must be identity.")
    length = request.headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BYTES or len(await request.body()) > MAX_BYTES:
        raise TooLarge(f"The body may have {MAX_BYTES} bytes.")
    return await request.message(kind, may_be_empty=may_be_empty)


async def answer(request: Request, value: Any, *, status: int = 200) -> None:
    """Answers with JSON that no cache keeps (RFC 6749, section 5.1)."""
    await request.answer(msgspec.json.encode(value), status=status, cache_control="no-store")
