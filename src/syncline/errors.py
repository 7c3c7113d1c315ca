"""Every exception of Syncline, and whose fault each one is.

    SynclineError
    ├── RequestError                 the sender's: the same request fails again
    │   ├── BadJson                  bad_json
    │   ├── BadRequest               bad_request
    │   ├── BadCursor                bad_cursor
    │   ├── TooLarge                 too_large
    │   ├── TooManyEvents            too_many_events
    │   ├── UnsupportedMedia         unsupported_media_type
    │   ├── UnsupportedProtocol      unsupported_protocol
    │   ├── HelloRequired            hello_required
    │   ├── RequestTimeout           request_timeout
    │   ├── NotFound                 not_found
    │   ├── MethodNotAllowed         method_not_allowed
    │   └── WeakPassword             weak_password
    ├── EventError                   one event's: its neighbours are not touched
    │   ├── InvalidEvent             invalid_event
    │   ├── NumberOutOfRange         number_out_of_range
    │   ├── EventTooLarge            event_too_large
    │   ├── TooDeep                  too_deep
    │   ├── EventIdConflict          event_id_conflict
    │   ├── ClockDrift               clock_drift
    │   ├── UserMismatch             user_mismatch
    │   ├── ReservedAction           reserved_action
    │   ├── NodeConflict             node_conflict
    │   ├── TxRefused                tx_refused
    │   ├── QuotaExceeded            quota_exceeded
    │   ├── Unvouched                unvouched
    │   ├── Recovering               recovering
    │   ├── BadOp                    bad_op
    │   ├── MissingDependency        missing_dependency
    │   ├── NeedsReview              needs_review
    │   ├── ResolverFailed           resolver_failed
    │   └── Withdrawn                withdrawn
    ├── PatchError                   a patch's: none of it was applied
    │   ├── BadPatch                 bad_patch
    │   ├── PatchFailed              patch_failed
    │   └── PatchTestFailed          patch_test_failed
    ├── DocumentError                the document's: it is not as the request takes it to be
    │   ├── DocumentExists           document_exists
    │   ├── DocumentChanged          document_changed
    │   ├── KindMismatch             kind_mismatch
    │   └── HistoryExpired           history_expired
    ├── AccessError                  the credentials' or the space's
    │   ├── Unauthorized             unauthorized
    │   │   ├── InvalidCredentials   invalid_credentials
    │   │   ├── SecondFactorRequired second_factor_required
    │   │   ├── TokenExpired         token_expired
    │   │   └── TokenReused          token_reused
    │   ├── TooManyAttempts          too_many_attempts
    │   ├── Forbidden                forbidden
    │   ├── ForbiddenOrigin          forbidden_origin
    │   ├── UnknownUser              unknown_user
    │   ├── UserExists               user_exists
    │   ├── UnknownSpace             unknown_space
    │   ├── SpaceDeleted             space_deleted
    │   ├── SpaceSuspended           space_suspended
    │   └── SpaceMismatch            space_mismatch
    ├── LogChanged                   log_changed: the log is not the one that was known
    │   ├── CursorReset              cursor_reset
    │   ├── CursorExpired            cursor_expired
    │   ├── SnapshotGone             snapshot_gone
    │   └── EpochChanged             epoch_changed
    ├── Unavailable                  nobody's: try again later (always retryable)
    │   ├── ConnectionLost           connection_lost
    │   ├── Overloaded               overloaded
    │   ├── RateLimited              rate_limited
    │   ├── TooManyConnections       too_many_connections
    │   ├── TooManyPresences         too_many_presences
    │   ├── IssuerUnavailable        issuer_unavailable
    │   ├── StoreUnavailable         store_unavailable
    │   ├── ShuttingDown             shutting_down
    │   └── InternalError            internal
    └── LocalError                   this machine's or this program's
        ├── StorageFull              storage_full
        ├── StoreClosed              store_closed
        ├── StoreLocked              store_locked
        ├── ForeignFile              foreign_file
        ├── NewerSchema              newer_schema
        ├── StoreDamaged             store_damaged
        ├── UnknownEvent             unknown_event
        └── BadSettings              bad_settings

A class's ``code`` is its name on the wire and its anchor in the documentation; it never changes.
``status`` is its HTTP status (RFC 9110), ``retryable`` says whether the same request may succeed later.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SynclineError(Exception):
    """Base of all errors. ``details`` are further members of the problem document (RFC 9457)."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def to_wire(self) -> dict[str, Any]:
        """The error as a JSON object: code, message, retryable and its details."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable, **self.details}


class RequestError(SynclineError):
    """The request as a whole is wrong; sending it again unchanged fails again."""


class BadJson(RequestError):
    """The body is not one well-formed I-JSON text (RFC 8259, RFC 7493)."""

    code = "bad_json"


class BadRequest(RequestError):
    """A parameter, header or message has the wrong shape."""

    code = "bad_request"


class BadCursor(RequestError):
    """The cursor was not made by this server, or was changed on its way."""

    code = "bad_cursor"


class TooLarge(RequestError):
    """The body is larger than the limit, as sent or after decoding; or a patch copies more than the limit."""

    code = "too_large"
    status = 413


class TooManyEvents(RequestError):
    """More events in one push than the limit."""

    code = "too_many_events"
    status = 413


class UnsupportedMedia(RequestError):
    """The content type or content encoding is not one the server reads."""

    code = "unsupported_media_type"
    status = 415


class UnsupportedProtocol(RequestError):
    """The peer speaks another version of the protocol."""

    code = "unsupported_protocol"


class HelloRequired(RequestError):
    """The first message of a session must be ``hello``, and there is just one."""

    code = "hello_required"


class RequestTimeout(RequestError):
    """The request's head or body did not arrive in time."""

    code = "request_timeout"
    status = 408
    retryable = True


class NotFound(RequestError):
    """There is nothing at this address."""

    code = "not_found"
    status = 404


class MethodNotAllowed(RequestError):
    """The address exists, but not for this method."""

    code = "method_not_allowed"
    status = 405


class WeakPassword(RequestError):
    """The password is too short, too long, no text, or among the first that anybody would guess."""

    code = "weak_password"
    status = 422


class EventError(SynclineError):
    """One event is refused; the others of the same push are judged on their own.

    ``tx`` is the transaction of a malformed event, as far as it could be read: its neighbours are refused too.
    """

    status = 422
    tx: str | None = None


class InvalidEvent(EventError):
    """A field of the event is missing, unknown, or has the wrong shape."""

    code = "invalid_event"


class NumberOutOfRange(EventError):
    """A number is not a finite double, or is an integer that no double holds exactly."""

    code = "number_out_of_range"


class EventTooLarge(EventError):
    """The event's canonical form is longer than the limit."""

    code = "event_too_large"


class TooDeep(EventError):
    """The value nests deeper than the limit."""

    code = "too_deep"


class EventIdConflict(EventError):
    """An event with this id and other content is already in the log."""

    code = "event_id_conflict"
    status = 409


class ClockDrift(EventError):
    """The id's time is too far ahead of the server's; ``time`` is the server's, in milliseconds."""

    code = "clock_drift"


class UserMismatch(EventError):
    """The event names another user than the credentials do."""

    code = "user_mismatch"
    status = 403


class ReservedAction(EventError):
    """Actions and items with a leading dot belong to the system."""

    code = "reserved_action"
    status = 403


class NodeConflict(EventError):
    """The node belongs to somebody else, or its counter did not rise: the replica was copied."""

    code = "node_conflict"
    status = 409


class TxRefused(EventError):
    """A neighbour with the same ``meta.tx`` was refused, so this event was not stored either."""

    code = "tx_refused"


class QuotaExceeded(EventError):
    """The space has used up a ``quota``; the event can be stored when there is room: ask in ``retry_after`` seconds."""

    code = "quota_exceeded"
    status = 507
    retryable = True


class Unvouched(EventError):
    """A given entry carries no receipt of this server and is another's, which the giver has no right to give."""

    code = "unvouched"
    status = 403


class Recovering(EventError):
    """The log was put back from an older copy, and what it lost may be on its way: push in ``retry_after`` seconds."""

    code = "recovering"
    status = 503
    retryable = True


class BadOp(EventError):
    """An op has no shape of an op, or names what it cannot: something later, of another item, or of another kind."""

    code = "bad_op"


class MissingDependency(EventError):
    """An op names what the log does not hold."""

    code = "missing_dependency"


class NeedsReview(EventError):
    """A person has to decide about this event, which met concurrent ones of others; ``remote`` are ids of those."""

    code = "needs_review"


class ResolverFailed(EventError):
    """A conflict resolver of this replica raised, or answered nonsense, instead of deciding about this event."""

    code = "resolver_failed"


class Withdrawn(EventError):
    """A conflict resolver of this replica chose others over this event; ``remote`` are ids of concurrent ones."""

    code = "withdrawn"


class PatchError(SynclineError):
    """The whole patch is refused; ``index`` is the operation that is to blame, counted from 0, if it is one.

    The statuses are those of RFC 5789, section 2.2.
    """


class BadPatch(PatchError):
    """The patch is malformed, whatever it is applied to: not a list, an unknown op, a bad pointer, too long."""

    code = "bad_patch"


class PatchFailed(PatchError):
    """The patch does not fit: what it names is not there, or cannot take what it adds."""

    code = "patch_failed"
    status = 409


class PatchTestFailed(PatchError):
    """The patch asks for a value that is not the one found."""

    code = "patch_test_failed"
    status = 409


class DocumentError(SynclineError):
    """The document is not as the request takes it to be; look at it again."""

    status = 409


class DocumentExists(DocumentError):
    """There is a document of this name already (If-None-Match)."""

    code = "document_exists"
    status = 412


class DocumentChanged(DocumentError):
    """The document has changed since the revision that was expected (If-Match)."""

    code = "document_changed"
    status = 412


class KindMismatch(DocumentError):
    """The document is of another kind than the request says; ``kind`` is what it is."""

    code = "kind_mismatch"


class HistoryExpired(DocumentError):
    """What is asked for lies before the first state of the document that is still at hand."""

    code = "history_expired"
    status = 410


class AccessError(SynclineError):
    """The credentials do not allow this, or the space is not there."""

    status = 403


class Unauthorized(AccessError):
    """No credentials, or credentials that are not (or no longer) valid."""

    code = "unauthorized"
    status = 401


class InvalidCredentials(Unauthorized):
    """Name and password, code or setup token do not belong together. It does not say which of them is wrong."""

    code = "invalid_credentials"


class SecondFactorRequired(Unauthorized):
    """The password is right, and this user's logins need a code too: send both."""

    code = "second_factor_required"


class TokenExpired(Unauthorized):
    """The token was valid and is too old: refresh it, or log in again."""

    code = "token_expired"


class TokenReused(Unauthorized):
    """A refresh token came a second time, so two hold it: their ``session`` was ended. Log in again."""

    code = "token_reused"


class TooManyAttempts(AccessError):
    """Too many guesses, by this address or at this user; ``retry_after`` is the wait, in seconds."""

    code = "too_many_attempts"
    status = 429
    retryable = True


class Forbidden(AccessError, EventError):
    """The credentials are valid but do not allow this."""

    code = "forbidden"
    status = 403


class ForbiddenOrigin(AccessError):
    """The web page that asks is of an origin that may not use this server."""

    code = "forbidden_origin"


class UnknownUser(AccessError):
    """There is no such user in this space, or no longer."""

    code = "unknown_user"
    status = 404


class UserExists(AccessError):
    """There is a user of this name in this space, or was one: names are not used again."""

    code = "user_exists"
    status = 409


class UnknownSpace(AccessError):
    """There is no such space, or not for these credentials."""

    code = "unknown_space"
    status = 404


class SpaceDeleted(AccessError):
    """The space was deleted, and stays deleted."""

    code = "space_deleted"
    status = 410


class SpaceSuspended(AccessError):
    """An administrator has suspended the space: nothing is read or stored until it is resumed."""

    code = "space_suspended"
    retryable = True


class SpaceMismatch(AccessError):
    """The path and ``X-Tenant-ID`` name different spaces."""

    code = "space_mismatch"
    status = 400


class LogChanged(SynclineError):
    """The log is not how it was known to be, or to begin: what goes on from there is left as it is.

    Of a cursor there are more exact ones, below: it is genuine, and the replica has to heal; nothing is skipped.
    """

    code = "log_changed"
    status = 409


class CursorReset(LogChanged):
    """The log does not know the cursor's place: it was restored from an older copy."""

    code = "cursor_reset"


class CursorExpired(LogChanged):
    """The cursor's place is older than what the log keeps: the replica takes a snapshot and goes on from there."""

    code = "cursor_expired"
    status = 410


class SnapshotGone(LogChanged):
    """The snapshot of which more was asked for has made room for a newer one: ask from its beginning."""

    code = "snapshot_gone"
    status = 410


class EpochChanged(LogChanged):
    """The cursor belongs to another log: this one was made anew. A person has to decide."""

    code = "epoch_changed"


class Unavailable(SynclineError):
    """Nobody's fault: the same request may succeed later."""

    status = 503
    retryable = True


class ConnectionLost(Unavailable):
    """The other end cannot be reached, or went silent."""

    code = "connection_lost"


class Overloaded(Unavailable):
    """Too much at once."""

    code = "overloaded"


class RateLimited(Unavailable):
    """More at a time than ``policy`` allows; nothing was done. Ask again in ``retry_after`` seconds."""

    code = "rate_limited"
    status = 429


class TooManyConnections(Unavailable):
    """The space has as many sessions and streams open as its quota allows; ask again in ``retry_after`` seconds."""

    code = "too_many_connections"
    status = 429


class TooManyPresences(Unavailable):
    """The session has as many presences as it may, or the space as many presences or listeners (``limit``).

    Ask again in ``retry_after`` seconds.
    """

    code = "too_many_presences"
    status = 429


class IssuerUnavailable(Unavailable):
    """The identity provider that issued the token cannot be asked for its keys."""

    code = "issuer_unavailable"


class StoreUnavailable(Unavailable):
    """The database that the server keeps its logs in cannot be reached, or took too long.

    What was being stored may be stored: pushing it again tells.
    """

    code = "store_unavailable"


class ShuttingDown(Unavailable):
    """The server is stopping; it answers what it has begun and takes nothing new."""

    code = "shutting_down"


class InternalError(Unavailable):
    """A bug or a broken machine at the other end; its log says more."""

    code = "internal"
    status = 500


class LocalError(SynclineError):
    """Something on this machine or in this program."""

    status = 500


class StorageFull(LocalError):
    """The disk (or its quota) is full; nothing was stored."""

    code = "storage_full"
    status = 507
    retryable = True


class StoreClosed(LocalError):
    """The store was closed before."""

    code = "store_closed"


class StoreLocked(LocalError):
    """Another program has this store open for writing."""

    code = "store_locked"


class ForeignFile(LocalError):
    """The file is not a store of this kind."""

    code = "foreign_file"


class NewerSchema(LocalError):
    """The store, or a snapshot, was written by a newer Syncline."""

    code = "newer_schema"


class StoreDamaged(LocalError):
    """The store, or a snapshot, contradicts itself."""

    code = "store_damaged"


class UnknownEvent(LocalError):
    """There is no event with this id here."""

    code = "unknown_event"


class BadSettings(LocalError):
    """A setting is unknown or has a value that does not fit."""

    code = "bad_settings"


def _tree(root: type[SynclineError]) -> dict[str, type[SynclineError]]:
    found = {} if root.code == "error" else {root.code: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


BY_CODE: dict[str, type[SynclineError]] = _tree(SynclineError)
"""Every error that has a code, by its code."""


class UnknownError(SynclineError):
    """An error code that this version does not know, as a newer peer sent it."""

    def __init__(self, message: str, /, *, code: str, retryable: bool, **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code  # type: ignore[misc]
        self.retryable = retryable  # type: ignore[misc]


def from_wire(wire: dict[str, Any]) -> SynclineError:
    """The exception for an error object of the wire (see :meth:`SynclineError.to_wire`)."""
    details = {key: value for key, value in wire.items() if key not in ("code", "message", "retryable")}
    code, message = str(wire.get("code", "error")), str(wire.get("message", ""))
    known = BY_CODE.get(code)
    if known is not None:
        return known(message, **details)
    return UnknownError(message, code=code, retryable=bool(wire.get("retryable", False)), **details)
