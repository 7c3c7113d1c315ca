"""Messages that heal, as a program without the SDK writes them."""

from typing import Any

from tests.server.running import Author

NIL_EPOCH = "0" * 32
UNKNOWN_ID = "018bcfe5-6800-7001-99da-e2ee00000000"
NOTHING = ["", "", 0, "", []]
"""The summary of whoever holds nothing."""
TYPES = ("merkle", "fetch", "give", "snapshot")


def inquiry(type: str, **members: Any) -> dict[str, Any]:
    """One of them that a server reads; ``members`` change or add some."""
    usual: dict[str, dict[str, Any]] = {
        "merkle": {"summaries": [NOTHING]},
        "fetch": {"ids": [UNKNOWN_ID]},
        "give": {"epoch": NIL_EPOCH, "entries": [loose(Author().event())]},
        "snapshot": {},
    }
    return {"type": type, **usual[type], **members}


def loose(event: dict[str, Any]) -> dict[str, Any]:
    """An event that is no entry of any log, as it is given."""
    return {"seq": 0, "at": 0, "receipt": "", "event": event}
