"""The way of lines to a server: batch by batch, each answered before the next, refusals told with their lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import typer

from syncline.cli.failures import REFUSED
from syncline.cli.lines import Addressed, Line, batches, decode
from syncline.cli.remote import insist
from syncline.cli.terminal import complain, count, emit, note, say
from syncline.core.events import Event
from syncline.core.messages import Push, Welcome
from syncline.errors import EventError, RequestError, SynclineError, from_wire
from syncline.transports import Transport

SHOWN_REFUSALS = 10
ENVELOPE_BYTES = 64

ADVICE = {
    "user_mismatch": "Events belong to their users: send these with an API key of that user.",
    "event_id_conflict": "The space holds another event under this id.",
    "node_conflict": "The space holds later events of this node, or the node is another user's.",
}


class Report:
    """What became of the lines, told while it happens and at the end."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._began = time.monotonic()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self.stored = self.known = self.head = 0

    @property
    def refused(self) -> int:
        """How many lines were refused."""
        return self._reasons.total()

    def refuse(self, line: Line, error: SynclineError, event: Event | None = None) -> None:
        """Tells of one refused line."""
        self._reasons[error.code, error.message] += 1
        if self._json:
            emit({"line": line.number, "id": event.id if event else None, "code": error.code, "message": error.message})
        elif self.refused <= SHOWN_REFUSALS:
            complain(f"line {line.number}: {error.message} ({error.code})")
        elif self.refused == SHOWN_REFUSALS + 1:
            note("More lines were refused; the end tells how many. --json lists them all.")

    def close(self, **more: Any) -> None:
        """The sum of it. Exits with 1 if anything was refused."""
        seconds = time.monotonic() - self._began
        if self._json:
            emit({"stored": self.stored, "known": self.known, "refused": self.refused, "head": self.head, **more})
        else:
            total = self.stored + self.known
            rate = f" · {total / seconds:,.0f} events/s" if total >= 1_000 else ""
            parts = f"{count(self.stored, 'event')} stored, {self.known:,} already there, {self.refused:,} refused"
            say(f"{parts} · head {self.head:,} · {seconds:.1f} s{rate}")
            self._explain()
        if self.refused:
            raise typer.Exit(REFUSED)

    def _explain(self) -> None:
        for (code, message), times in self._reasons.most_common(5) if self.refused > SHOWN_REFUSALS else ():
            note(f"{times:,} × {code}: {message}")
        for code in {code for code, _ in self._reasons} & ADVICE.keys():
            note(ADVICE[code])


class Delivery:
    """One delivery to one space. ``write`` makes events of drafts; without it they are refused."""

    def __init__(self, transport: Transport, welcome: Welcome, report: Report) -> None:
        self._transport, self._welcome, self._report = transport, welcome, report
        report.head = welcome.head

    async def send(
        self,
        groups: Iterable[list[Line]],
        *,
        batch_size: int,
        write: Callable[[dict[str, Any]], Event],
        done: Callable[[Line], None],
    ) -> None:
        """Sends the events of all lines. ``done`` hears of every line up to which all have their answers."""
        limits = self._welcome.limits
        size, max_bytes = min(batch_size, limits.push_events), limits.body_bytes - ENVELOPE_BYTES
        for batch in batches(self._events(groups, write), size=size, max_bytes=max_bytes):
            push = Push.of([each.event for each in batch])
            ack = await insist(lambda push=push: self._transport.push(push))  # type: ignore[misc]
            self._report.head = ack.head
            for each, result in zip(batch, ack.results, strict=True):
                self._settle(each, result.seq, result.error)
            done(batch[-1].line)

    def _events(
        self, groups: Iterable[list[Line]], write: Callable[[dict[str, Any]], Event]
    ) -> Iterator[list[Addressed]]:
        for lines in groups:
            yield [Addressed(line, event) for line in lines if (event := self._read(line, write)) is not None]

    def _read(self, line: Line, write: Callable[[dict[str, Any]], Event]) -> Event | None:
        try:
            found = decode(line.text)
            return found if isinstance(found, Event) else write(found)
        except (EventError, RequestError, msgspec.MsgspecError) as error:
            self._report.refuse(line, error if isinstance(error, SynclineError) else RequestError(str(error)))
            return None

    def _settle(self, each: Addressed, seq: int | None, error: dict[str, Any] | None) -> None:
        if error is not None:
            self._report.refuse(each.line, from_wire(error), each.event)
        elif seq is not None and seq <= self._welcome.head:
            self._report.known += 1
        else:
            self._report.stored += 1
