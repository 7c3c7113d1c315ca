"""The way of lines to a server: batch by batch, each answered before the next, refusals told with their lines.

Where an event has to wait, because the space is full or recovers, nothing is sent after its batch: the next events of
its item would overtake it. Sending the same lines again later goes on there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import typer

from syncline.cli.failures import REFUSED, UNREACHABLE
from syncline.cli.lines import Addressed, Line, batches, decode
from syncline.cli.remote import insist
from syncline.cli.terminal import complain, count, emit, note, say
from syncline.core.events import Event
from syncline.core.messages import Push, Result, Welcome
from syncline.errors import EventError, RequestError, SynclineError
from syncline.transports import Transport

SHOWN_REFUSALS = 10
ENVELOPE_BYTES = 64

ADVICE = {
    "user_mismatch": "Events belong to their users: send these with an API key of that user.",
    "event_id_conflict": "The space holds another event under this id.",
    "node_conflict": "The space holds later events of this node, or the node is another user's.",
    "quota_exceeded": "The space is full. Send the same again when there is room; syncline spaces quota gives it more.",
}
AGAIN = "Send the same again in a moment."


class Report:
    """What became of the lines, told while it happens and at the end."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._began = time.monotonic()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self.stored = self.known = self.refused = self.waiting = self.head = 0
        self._first_waiting: int | None = None

    def refuse(self, line: Line, error: SynclineError, event: Event | None = None) -> None:
        """Tells of one refused line."""
        self.refused += 1
        self._tell(line, error, event, may_pass=False)

    def wait(self, line: Line, error: SynclineError, event: Event) -> None:
        """Tells of a line that may be stored later."""
        self.waiting += 1
        self._first_waiting = self._first_waiting or line.number
        self._tell(line, error, event, may_pass=True)

    def _tell(self, line: Line, error: SynclineError, event: Event | None, *, may_pass: bool) -> None:
        self._reasons[error.code, error.message] += 1
        told = self._reasons.total()
        if self._json:
            shown = {"line": line.number, "id": event.id if event else None, "code": error.code}
            emit({**shown, "message": error.message, "retryable": may_pass})
        elif told <= SHOWN_REFUSALS:
            complain(f"line {line.number}: {error.message} ({error.code})")
        elif told == SHOWN_REFUSALS + 1:
            note("There are more such lines; the end tells how many. --json lists them all.")

    def close(self, **more: Any) -> None:
        """The sum of it. Exits with 1 if anything was refused, with 3 if something has to wait."""
        seconds = time.monotonic() - self._began
        if self._json:
            counts = {name: getattr(self, name) for name in ("stored", "known", "refused", "waiting", "head")}
            emit({**counts, **more})
        else:
            total = self.stored + self.known
            rate = f" · {total / seconds:,.0f} events/s" if total >= 1_000 else ""
            parts = f"{count(self.stored, 'event')} stored, {self.known:,} already there, {self.refused:,} refused"
            parts += f", {self.waiting:,} waiting" if self.waiting else ""
            say(f"{parts} · head {self.head:,} · {seconds:.1f} s{rate}")
            self._explain()
        if self.refused or self.waiting:
            raise typer.Exit(REFUSED if self.refused else UNREACHABLE)

    def _explain(self) -> None:
        for (code, message), times in self._reasons.most_common(5) if self._reasons.total() > SHOWN_REFUSALS else ():
            note(f"{times:,} × {code}: {message}")
        codes = {code for code, _ in self._reasons}
        for code in codes & ADVICE.keys():
            note(ADVICE[code])
        if self._first_waiting is not None:
            again = "" if "quota_exceeded" in codes else AGAIN
            note(f"Stopped at line {self._first_waiting:,}; what is stored already stays as it is. {again}".strip())


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
            settled = self._settle_all(batch, ack.results)
            if settled:
                done(batch[settled - 1].line)
            if settled < len(batch):
                return

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

    def _settle_all(self, batch: Sequence[Addressed], results: Sequence[Result]) -> int:
        """Takes down the answers; how many there are before the first that has to wait."""
        errors = [result.refusal for result in results]
        waiting = {
            each.event.tx or each.event.id for each, error in zip(batch, errors, strict=True) if _may_pass(error)
        }
        settled = len(batch)
        for place, (each, result, error) in enumerate(zip(batch, results, errors, strict=True)):
            if error is None:
                self._count(result.seq)
            elif (each.event.tx or each.event.id) in waiting:
                self._report.wait(each.line, error, each.event)
                settled = min(settled, place)
            else:
                self._report.refuse(each.line, error, each.event)
        return settled

    def _count(self, seq: int | None) -> None:
        if seq is not None and seq <= self._welcome.head:
            self._report.known += 1
        else:
            self._report.stored += 1


def _may_pass(error: SynclineError | None) -> bool:
    return error is not None and error.retryable
