"""``spaces copy``: a space's log from one store into another, as it is, compared at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncline.cli.failures import misused
from syncline.cli.terminal import Json, emit, facts, out, progress
from syncline.errors import StoreDamaged

if TYPE_CHECKING:
    from syncline.core.log import Head
    from syncline.stores import LogStore
    from syncline.stores.copying import Sum

Source = Annotated[str, typer.Argument(metavar="FROM", help="Where the log is: see above.")]
Target = Annotated[str, typer.Argument(metavar="TO", help="Where it goes: nothing there yet, or the beginning of it.")]


def copy(source: Source, target: Target, json: Json = False) -> None:
    """Copy a space's log from one store into another: epoch, seqs, times and receipts stay.

    FROM and TO are a path that ends with .db (SQLite), .lmdb or .jsonl (JSON Lines); or sqlite:PATH, lmdb:FOLDER,
    jsonl:FOLDER; or postgresql://user@host/database#space. Interrupted, it goes on where it was when it is said again.
    At the end both are read and compared. No server may have a file or folder open meanwhile.
    """
    from syncline.cli.addresses import Address  # stores, which who asks a server does not wait for
    from syncline.stores.copying import copy as copy_log

    places = Address.read(source), Address.read(target)
    if places[0].is_same(places[1]):
        misused("FROM and TO are the same.")
    with places[0].open(makes=False) as given, places[1].open(makes=True) as taken:
        before = taken.refresh().seq
        with progress("Copying", given.refresh().seq) as advance:
            head = copy_log(given, taken, advance)
        both = _compared(given, taken, head)
    told = {"epoch": head.epoch, "head": head.seq, "copied": head.seq - before, "tail": both.tail.hex()}
    _tell({**told, "sha256": both.sha256}, json=json)


def _compared(source: LogStore, target: LogStore, head: Head) -> Sum:
    """What both are. Raises StoreDamaged if they differ."""
    from syncline.stores.copying import summed

    with progress("Comparing", 2 * head.seq) as advance:
        one = summed(source, head.seq, advance)
        other = summed(target, head.seq, lambda seq: advance(head.seq + seq))
    if one != other:
        raise StoreDamaged(
            f"The copy is not what the source is: {one.tail.hex()} {one.sha256} there, "
            f"{other.tail.hex()} {other.sha256} here. One of them is damaged; use neither before you know which."
        )
    return one


def _tell(told: dict[str, Any], *, json: bool) -> None:
    if json:
        emit(told)
    else:
        out.print(facts({name: f"{value:,}" if isinstance(value, int) else value for name, value in told.items()}))
