"""``import``: a file of entries or events into a space of a server; the next time goes on where this one ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from syncline.cli import checkpoints
from syncline.cli.checkpoints import Mark
from syncline.cli.delivery import Delivery, Report
from syncline.cli.lines import Line, chunks, size
from syncline.cli.push import BatchSize
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Remote, Server, Space, Token
from syncline.cli.terminal import Json, note, progress
from syncline.core.events import Event
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.errors import InvalidEvent

SUFFIX = ".progress"

Source = Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="Entries or events, one in a line.")]
Again = Annotated[bool, typer.Option("--again", help="From the first line, whatever was imported before.")]


class _Progress(msgspec.Struct, frozen=True):
    """How far a file was imported, and where to and by whom: for others it begins anew."""

    server: str
    space: str
    user: str
    epoch: str
    done: Mark


def import_(
    file: Source,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    batch_size: BatchSize = MAX_PUSH_EVENTS,
    again: Again = False,
    json: Json = False,
) -> None:
    """Send the events of an export to a space. Interrupted, or grown since, it goes on where it was.

    The server gives new seqs and times. Events belong to their users: those of others than the key's are refused. How
    far it came is kept in FILE.jsonl.progress.
    """
    asyncio.run(_import(file, Remote(server, space, token), batch_size, again=again, json=json))


async def _import(file: Path, remote: Remote, batch_size: int, *, again: bool, json: bool) -> None:
    report = Report(json=json)
    with file.open("rb") as stream:
        async with remote.talk() as (transport, welcome):
            place = _Progress(remote.server, remote.space, welcome.user, welcome.epoch, Mark())
            start = Mark() if again else _resume(file, place)
            stream.seek(start.offset)
            with progress("Importing", size(stream)) as advance:

                def done(line: Line) -> None:
                    mark = Mark.at(file, line.end, line.number)
                    checkpoints.save(checkpoints.beside(file, SUFFIX), msgspec.structs.replace(place, done=mark))
                    advance(line.end)

                groups = chunks(stream, number=start.number, offset=start.offset)
                await Delivery(transport, welcome, report).send(
                    groups, batch_size=batch_size, write=_refuse_draft, done=done
                )
    if start.number:
        note(f"Went on after line {start.number:,}; --again begins with the first.")
    report.close(skipped=start.number)


def _resume(file: Path, place: _Progress) -> Mark:
    """Where to go on: at the start if the file or the place is another."""
    kept = checkpoints.load(checkpoints.beside(file, SUFFIX), _Progress)
    if kept is None or msgspec.structs.replace(kept, done=Mark()) != place or not kept.done.stands(file):
        return Mark()
    return kept.done


def _refuse_draft(draft: dict[str, Any]) -> Event:
    raise InvalidEvent("This line has no id, node and clock. syncline push makes events of such drafts.")
