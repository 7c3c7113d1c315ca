"""How large a run is, and how its rounds are laid: A B A B, because the machine is noisy.

Contenders take turns within a round, so that a slow minute of the machine falls on all of them. One round
before the first warms everyone up and is not counted. What fails is kept, with its reason, in the report.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.paths import DATA
from bench.results import Row, Sample

Size = TypeVar("Size", int, float)

SETTLE_SECONDS = 0.5  # between contenders: checkpoints and compactions of the last one


@dataclass(frozen=True)
class Plan:
    rounds: int
    quick: bool

    def size(self, full: Size, quick: Size) -> Size:
        return quick if self.quick else full

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """A fresh folder for the data of one figure, removed when it is done."""
        DATA.mkdir(exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=DATA))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Contender:
    """One side of a comparison. `run(warm_up)` does one round."""

    name: str
    run: Callable[[bool], Sample]
    note: str = ""


class Skipped(Exception):
    """A contender cannot take part; the message says why."""


def interleave(plan: Plan, work: str, unit: str, contenders: Sequence[Contender]) -> list[Row]:
    rows = [Row(work, contender.name, unit, contender.note) for contender in contenders]
    for number in range(plan.rounds + 1):
        for contender, row in zip(contenders, rows, strict=True):
            if row.skipped is None:
                take_turn(contender, row, warm_up=number == 0)
    return rows


def take_turn(contender: Contender, row: Row, *, warm_up: bool) -> None:
    try:
        sample = contender.run(warm_up)
    except (Skipped, OSError, ValueError) as problem:
        row.skipped = str(problem)
        row.samples.clear()
        return
    if not warm_up:
        row.samples.append(sample)
        say(f"{row.work}: {row.contender}: {sample.value:,.0f} {row.unit}")
    time.sleep(SETTLE_SECONDS)


def skipped_rows(works: Sequence[str], unit: str, reasons: dict[str, str]) -> list[Row]:
    """Rows for contenders that could not even start."""
    return [Row(work, name, unit, skipped=reason) for work in works for name, reason in reasons.items()]


def say(text: str) -> None:
    """Progress, on stderr, so that stdout holds the report alone."""
    print(f"  {text}", file=sys.stderr, flush=True)
