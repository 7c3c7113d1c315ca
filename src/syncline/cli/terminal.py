"""What is shown: results on stdout, progress, notes and errors on stderr; colours and bars on a terminal only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

UNBOUNDED_WIDTH = 2_000
"""Tables that go to a file or a pipe are not cut."""

WIDEST_COLUMN = 24

MARK = "\N{REPLACEMENT CHARACTER}"
COMMANDS = dict.fromkeys(
    [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], MARK
)
"""What a terminal would obey and not show: control characters but the line's end, and those that turn text round."""

Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout, and nothing else.")]


def _is_bounded() -> bool:
    return sys.stdout.isatty() or "COLUMNS" in os.environ


class Shown(Console):
    """A console on which names and texts of others are shown, and none of them moves, hides or commands anything."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed; the colours are no part of its texts."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=segment.text.translate(COMMANDS))


out = Shown(highlight=False, emoji=False, width=None if _is_bounded() else UNBOUNDED_WIDTH)
err = Shown(stderr=True, highlight=False, emoji=False)


def emit(document: Any) -> None:
    """One JSON document, or one of several lines."""
    write(msgspec.json.encode(document) + b"\n")
    sys.stdout.flush()


def write(text: bytes) -> None:
    """Bytes to stdout, as they are."""
    sys.stdout.buffer.write(text)


def say(*parts: str | Text) -> None:
    """A result for people, in one line that is never broken."""
    out.print(*parts, soft_wrap=True)


def note(text: str) -> None:
    """Something beside the result, on stderr."""
    err.print(Text(text, style="dim"), soft_wrap=True)


def complain(text: str) -> None:
    """One line about what went wrong, on stderr."""
    err.print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)


def table(*columns: str, right: tuple[str, ...] = (), rest: str | None = None) -> Table:
    """A table without lines but the one under its heads; on a terminal the column ``rest`` gets what room is left."""
    fills = rest is not None and out.is_terminal
    made = Table(box=box.SIMPLE_HEAD, border_style="dim", padding=(0, 1, 0, 0), show_edge=False, expand=fills)
    for name in columns:
        justify: Any = "right" if name in right else "left"
        is_rest = fills and name == rest
        widest = None if is_rest or not fills else WIDEST_COLUMN
        ratio = 1 if is_rest else None
        made.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", max_width=widest, ratio=ratio)
    return made


def facts(pairs: Mapping[str, str | Text]) -> Table:
    """Names and values, one pair in a line."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        made.add_row(name, value)
    return made


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 event``, ``12,000 events``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def local_time(ms: int | None) -> str:
    """Milliseconds since 1970 in the terminal's time zone."""
    if ms is None:
        return "never"
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while the block runs, if that is a terminal; call what it gives with how much is done.

    Without a total it shows how much that is.
    """
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # few need it

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(text_format_no_percentage="{task.completed:,.0f}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=err, transient=True, expand=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=total or None)
        yield lambda done: bar.update(task, completed=done)
