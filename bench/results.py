"""What a figure hands back: rows of samples, one row per contender and kind of work, and goals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One round of one contender: the measured value, and details such as `p99_ms`."""

    value: float
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Row:
    """One contender at one kind of work, over all rounds. `skipped` is the reason why there is nothing."""

    work: str
    contender: str
    unit: str
    note: str = ""
    samples: list[Sample] = field(default_factory=list)
    skipped: str | None = None

    @property
    def value(self) -> float | None:
        return median(sample.value for sample in self.samples) if self.samples else None

    @property
    def spread(self) -> tuple[float, float] | None:
        values = [sample.value for sample in self.samples]
        return (min(values), max(values)) if values else None

    def detail(self, name: str) -> float | None:
        seen = [sample.details[name] for sample in self.samples if name in sample.details]
        return median(seen) if seen else None

    @property
    def details(self) -> dict[str, float]:
        names = {name: None for sample in self.samples for name in sample.details}
        return {name: seen for name in names if (seen := self.detail(name)) is not None}


@dataclass(frozen=True)
class Goal:
    """What the project promises itself of a figure. `seen` is None where a side of it was skipped."""

    text: str
    seen: float | None
    wanted: float
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        if self.seen is None:
            return None
        return self.seen <= self.wanted if self.at_most else self.seen >= self.wanted


@dataclass
class Figure:
    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def row(self, work: str, contender: str) -> Row | None:
        found = (row for row in self.rows if row.work == work and row.contender == contender)
        return next(found, None)

    def value(self, work: str, contender: str) -> float | None:
        row = self.row(work, contender)
        return row.value if row else None

    def detail(self, work: str, contender: str, name: str) -> float | None:
        row = self.row(work, contender)
        return row.detail(name) if row else None

    def ratio(self, work: str, one: str, other: str) -> float | None:
        """How many times as much `one` does as `other`."""
        above, below = self.value(work, one), self.value(work, other)
        return above / below if above is not None and below else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` per cent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0
