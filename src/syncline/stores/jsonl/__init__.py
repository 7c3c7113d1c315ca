"""JSON Lines: a log that ``cat`` and ``jq`` can read, in a folder of segments."""

from __future__ import annotations

from syncline.stores.jsonl.events import JsonLinesEventStore
from syncline.stores.jsonl.logs import JsonLinesLogs

__all__ = ["JsonLinesEventStore", "JsonLinesLogs"]
