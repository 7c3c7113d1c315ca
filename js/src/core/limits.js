// The limits of the protocol that a replica keeps. Sizes are bytes, times milliseconds unless the name says otherwise.

export const MAX_EVENT_BYTES = 65_536
export const MAX_DEPTH = 64
export const MAX_KEY_LENGTH = 1_024
export const MAX_CLOCK_NODES = 1_000
export const KEPT_CLOCK_NODES = 64
export const MAX_SAFE = Number.MAX_SAFE_INTEGER
export const MAX_DRIFT_MS = 300_000

export const MAX_PATCH_OPERATIONS = 1_000
export const MAX_PATCH_COPIED_BYTES = 1_048_576
export const MAX_POINTER_LENGTH = 1_024

export const MAX_PUSH_EVENTS = 1_000
export const MAX_BODY_BYTES = 1_048_576
export const MAX_PAGE_ENTRIES = 10_000
export const MAX_PAGE_BYTES = 4_194_304
export const MAX_ITEM_PATTERNS = 100
export const MAX_SUMMARIES = 512
export const MAX_TREE_SUMMARIES = 1_024
export const MAX_FETCH_IDS = 1_000
export const MAX_PRESENCE_BYTES = 4_096
export const MAX_PRESENCE_MESSAGE_BYTES = 8_192
export const PRESENCES_PER_SECOND = 20
export const MAX_WAIT_SECONDS = 55

export const PING_SECONDS = 5
export const PONG_SECONDS = 5
