"""Every limit of the protocol, in one place. Sizes are bytes, times milliseconds unless the name says otherwise."""

from __future__ import annotations

import msgspec

MAX_EVENT_BYTES = 64 * 1024
MAX_DEPTH = 64
MAX_ITEM_LENGTH = 256
MAX_ACTION_LENGTH = 128
MAX_NODE_LENGTH = 64
MAX_USER_LENGTH = 256
MAX_META_LENGTH = 256
MAX_KEY_LENGTH = 1_024
MAX_CLOCK_NODES = 1_000
KEPT_CLOCK_NODES = 64
MAX_SAFE_INTEGER = 2**53 - 1
MAX_DRIFT_MS = 5 * 60 * 1000

MAX_PATCH_OPERATIONS = 1_000
MAX_PATCH_COPIED_BYTES = 1024 * 1024
MAX_POINTER_LENGTH = 1_024

MAX_PUSH_EVENTS = 1_000
MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
MAX_INFLATED_BYTES = 8 * 1024 * 1024
MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024
MAX_PAGE_ENTRIES = 10_000
MAX_PAGE_BYTES = 4 * 1024 * 1024
MAX_ITEM_PATTERNS = 100
MAX_SPACE_LENGTH = 64
MAX_WAIT_SECONDS = 55

HELLO_SECONDS = 5.0
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
PING_SECONDS = 5.0
PONG_SECONDS = 5.0
IDLE_SECONDS = 60.0


class Limits(msgspec.Struct, frozen=True):
    """The limits a server tells its replicas in ``welcome``."""

    event_bytes: int = MAX_EVENT_BYTES
    push_events: int = MAX_PUSH_EVENTS
    body_bytes: int = MAX_BODY_BYTES
    page_entries: int = MAX_PAGE_ENTRIES
    drift_ms: int = MAX_DRIFT_MS
