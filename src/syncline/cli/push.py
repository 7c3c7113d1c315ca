"""``push``: the events and drafts of a JSON Lines file, to a space of a server."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from syncline.cli.delivery import Delivery, Report
from syncline.cli.drafts import Drafts
from syncline.cli.lines import Line, chunks, size
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Remote, Server, Space, Token
from syncline.cli.terminal import Json, progress
from syncline.core.limits import MAX_PUSH_EVENTS

Source = Annotated[
    Path, typer.Argument(metavar="FILE.jsonl", help="Events, one in a line; - for standard input.", allow_dash=True)
]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, max=MAX_PUSH_EVENTS, help="Events in one push.")]


def push(
    file: Source,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    batch_size: BatchSize = MAX_PUSH_EVENTS,
    json: Json = False,
) -> None:
    """Send events to a space. Pushing them again changes nothing.

    A line is an event, an entry, or a draft: at least {"item", "action"}, without id, node and clock, which are then
    made, and are the same when the file is pushed again (FILE.jsonl.author remembers them). With --json there is a JSON
    line for each refused line, and one with the sums at the end.
    """
    asyncio.run(_push(file, Remote(server, space, token), batch_size, json))


async def _push(file: Path, remote: Remote, batch_size: int, json: bool) -> None:
    report = Report(json=json)
    path = None if str(file) == "-" else file
    with path.open("rb") if path else nullcontext(sys.stdin.buffer) as stream:
        async with remote.talk() as (transport, welcome):
            drafts = Drafts(path, welcome.time)
            with progress("Pushing", size(stream)) as advance:

                def done(line: Line) -> None:
                    drafts.pushed(line)
                    advance(line.end)

                delivery = Delivery(transport, welcome, report)
                await delivery.send(chunks(stream), batch_size=batch_size, write=drafts.write, done=done)
    report.close()
