"""Errors over gRPC: a status for whoever knows gRPC alone, and the error itself in the trailing metadata."""

from __future__ import annotations

from typing import Any

import msgspec

from syncline.errors import ConnectionLost, InternalError, SynclineError, TooLarge, from_wire
from syncline.transports.grpc.library import Status

__all__ = ["error_of", "status_of", "trailers_of"]

CODE, ERROR = "syncline-code", "syncline-error-bin"
MAX_ERROR_BYTES = 4 * 1024
"""Trailing metadata go in one piece; of an error that says more than this the details stay behind."""

STATUS = {
    400: Status.INVALID_ARGUMENT,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    408: Status.DEADLINE_EXCEEDED,
    409: Status.FAILED_PRECONDITION,
    410: Status.NOT_FOUND,
    412: Status.FAILED_PRECONDITION,
    413: Status.RESOURCE_EXHAUSTED,
    415: Status.INVALID_ARGUMENT,
    422: Status.INVALID_ARGUMENT,
    429: Status.RESOURCE_EXHAUSTED,
    500: Status.INTERNAL,
    503: Status.UNAVAILABLE,
    507: Status.RESOURCE_EXHAUSTED,
}
"""The status of each HTTP status that errors have."""
NOBODY = (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED)
"""What gRPC itself says when no server has answered."""


def status_of(error: SynclineError) -> Status:
    """The gRPC status of an error."""
    return STATUS.get(error.status, Status.UNKNOWN)


def trailers_of(error: SynclineError) -> tuple[tuple[str, str | bytes], ...]:
    """The trailing metadata that tell of an error."""
    whole = msgspec.json.encode(error.to_wire())
    if len(whole) > MAX_ERROR_BYTES:
        short = {"code": error.code, "message": error.message[:200], "retryable": error.retryable}
        whole = msgspec.json.encode(short)
    return (CODE, error.code), (ERROR, whole)


def error_of(failed: Any) -> SynclineError:
    """The error that a call failed with, from ``CallFailed``; one that is not the server's says who did not answer."""
    found = dict(failed.trailing_metadata() or ())
    try:
        return from_wire(msgspec.json.decode(found[ERROR], type=dict[str, Any]))
    except (KeyError, msgspec.MsgspecError):
        pass
    status, words = failed.code(), failed.details() or "no words"
    if status in NOBODY:
        return ConnectionLost(f"The server did not answer: {words}")
    if status is Status.RESOURCE_EXHAUSTED:  # before any of our code has seen the request
        return TooLarge(f"The message is too large: {words}")
    return InternalError(f"The server (or a proxy before it) answered with gRPC status {status.name}: {words}")
