"""How entries look to people: a row of a table, or a line that scrolls by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from rich.text import Text

from syncline.cli.terminal import local_time
from syncline.core.events import Entry, Event
from syncline.core.patterns import matcher
from syncline.core.stamps import Stamp

NODE_SHOWN = 8
CONTENT_SHOWN = 300
STYLES = {"pending": "yellow", "acked": "yellow", "heard": "yellow", "refused": "red", "orphan": "red"}


class Row(NamedTuple):
    """An event as it is shown: with its seq if it is an entry, otherwise with what became of it."""

    event: Event
    at: int
    seq: int | None = None
    status: str = "entry"
    error: Any = None

    @classmethod
    def of(cls, entry: Entry) -> Row:
        """The row of an entry."""
        return cls(entry.event, entry.at, entry.seq)

    @classmethod
    def local(cls, event: Event, status: str, error: Any) -> Row:
        """The row of an event that is not an entry yet; its time is its author's."""
        return cls(event, Stamp.parse(event.id).ms, None, status, error)

    @property
    def cells(self) -> tuple[Text, ...]:
        """Seq, time, item, action, user, node, and what it says."""
        event = self.event
        place = Text(self.status, style=STYLES[self.status]) if self.seq is None else Text(str(self.seq))
        user = "" if event.user is UNSET else str(event.user)
        return (
            place,
            Text(local_time(self.at)[5:], style="dim"),
            Text(event.item, style="cyan"),
            Text(event.action),
            Text(user, style="green"),
            Text(event.node[:NODE_SHOWN], style="dim"),
            Text(self.content),
        )

    @property
    def content(self) -> str:
        """The payload, the ops, or why it was refused; the beginning of it."""
        if self.error is not None:
            return f"{self.error.get('code')}: {self.error.get('message')}"
        event = self.event
        value = event.payload if event.payload is not UNSET else event.ops
        return "" if value is UNSET else msgspec.json.encode(value)[:CONTENT_SHOWN].decode("utf-8", "ignore")

    @property
    def line(self) -> Text:
        """All of it in one line."""
        return Text("  ").join(cell for cell in self.cells if cell.plain)

    def to_json(self) -> dict[str, Any]:
        """The row for machines."""
        event = msgspec.Raw(self.event.body)
        if self.seq is None:
            return {"status": self.status, "error": self.error, "event": event}
        return {"seq": self.seq, "at": self.at, "event": event}


COLUMNS = ("seq", "time", "item", "action", "user", "node", "content")


def chooser(
    *,
    items: Sequence[str],
    action: str | None,
    user: str | None,
    node: str | None,
    since: int | None,
    until: int | None,
) -> Callable[[Row], bool]:
    """Which rows to show. Names may end in ``*``; a node may be given by its beginning."""
    of_item = matcher(items)
    of_action, of_user = matcher([action] if action else []), matcher([user] if user else [])
    first, last = since or 0, until if until is not None else float("inf")

    def chosen(row: Row) -> bool:
        event = row.event
        author = "" if event.user is UNSET else str(event.user)
        who = event.node.startswith(node or "") and of_user(author)
        return first <= row.at <= last and of_item(event.item) and of_action(event.action) and who

    return chosen
