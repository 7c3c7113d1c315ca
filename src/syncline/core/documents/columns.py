"""Columns: how a snapshot writes down its two long tables, the ids of events and the runs of a sequence.

Ids are sorted and taken apart, so that what is alike stands together: milliseconds as differences, counters, nodes
as indexes of a short list, and the random rest in one string of hexadecimal digits. A run is where its first name
stands relative to the last of the run before it, how long it is (negative: down consecutive events, a key an event),
and its state. All numbers are small, and what repeats is left to the compression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, TypeVar, overload

from msgspec import Struct

from syncline.core.documents.names import MAX_NAMES
from syncline.core.documents.sequence import EVENT, GONE, ORIGINAL, State
from syncline.core.stamps import MAX_COUNTER, MAX_MS
from syncline.errors import StoreDamaged

C = TypeVar("C", str, tuple[Any, ...])

VERSION = 1
"""Of the form of a snapshot."""

_NODES = re.compile(r"(?:[89ab][0-9a-f]{7})*")
_DIGITS = re.compile(r"[0-9a-f]*")


def require(condition: object, what: str) -> None:
    """Raises StoreDamaged unless a condition holds."""
    if not condition:
        raise StoreDamaged(f"The snapshot is damaged: {what}.")


class Ids(Struct, array_like=True, forbid_unknown_fields=True):
    """The ids of events, ascending. ``nodes`` and ``randoms`` are 8 hexadecimal digits each, one after the other."""

    ms: list[int]
    counters: list[int]
    node: list[int]
    nodes: str
    randoms: str

    @classmethod
    def of(cls, ids: list[str]) -> Ids:
        """The columns of sorted ids."""
        ms = [int(id[:8] + id[9:13], 16) for id in ids]
        nodes = [id[19:23] + id[24:28] for id in ids]
        index = {node: number for number, node in enumerate(dict.fromkeys(nodes))}
        return cls(
            [later - earlier for earlier, later in pairwise([0, *ms])],
            [int(id[15:18], 16) for id in ids],
            [index[node] for node in nodes],
            "".join(index),
            "".join([id[28:] for id in ids]),
        )

    def read(self) -> Sequence[str]:
        """The ids, each made when it is asked for. Raises StoreDamaged."""
        count = len(self.ms)
        require(len(self.counters) == len(self.node) == count == len(self.randoms) / 8, "ids have parts of a length")
        require(_NODES.fullmatch(self.nodes) and _DIGITS.fullmatch(self.randoms), "ids are hexadecimal")
        require(_within(self.ms, 0, MAX_MS) and sum(self.ms) <= MAX_MS, "the times of ids")
        require(_within(self.counters, 0, MAX_COUNTER), "the counters of ids")
        require(_within(self.node, 0, len(self.nodes) // 8 - 1), "the nodes of ids")
        ids = _Ids(self)
        require(ids.ascend(), "ids ascend")
        return ids


class _Ids(Sequence[str]):
    """Ascending ids in columns. Most are never asked for: a document is opened to show or to change a part of it."""

    def __init__(self, columns: Ids) -> None:
        self._ms = list(accumulate(columns.ms))
        self._columns = columns

    def __len__(self) -> int:
        return len(self._ms)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        at = range(len(self))[index]
        return self._id(at) if isinstance(at, int) else list(map(self._id, at))

    def _id(self, at: int) -> str:
        time, (counter, node, random) = f"{self._ms[at]:012x}", self._within_ms(at)
        return f"{time[:8]}-{time[8:]}-7{counter:03x}-{node[:4]}-{node[4:]}{random}"

    def ascend(self) -> bool:
        """Whether each id is greater than the one before."""
        ms, counters = self._columns.ms, self._columns.counters
        close = [at for at in range(1, len(self)) if not ms[at] and counters[at - 1] >= counters[at]]
        return all(self._within_ms(at - 1) < self._within_ms(at) for at in close)

    def _within_ms(self, at: int) -> tuple[int, str, str]:
        columns, node = self._columns, 8 * self._columns.node[at]
        return columns.counters[at], columns.nodes[node : node + 8], columns.randoms[8 * at : 8 * at + 8]


class Runs(Struct, array_like=True, forbid_unknown_fields=True):
    """Where the runs of a sequence begin, how long they are and in what state.

    ``events`` counts from the last event of the run before. ``ks`` counts, in the same event, from behind that run; in
    another event from 0. State 0 is that of an insertion, 1 that of nothing, 2 and so on are whatever else there is.
    """

    events: list[int]
    ks: list[int]
    counts: list[int]
    states: list[int]

    @classmethod
    def of(cls, runs: Iterable[tuple[int, int, Any, State]], states: dict[State, int]) -> Runs:
        """The columns of runs whose events are numbered in order of their ids; ``states`` grows with what it meets."""
        columns = cls([], [], [], [])
        last, k = 0, 0
        for first, stride, content, state in runs:
            event, count = first >> 16, len(content)
            columns.events.append(event - last)
            columns.ks.append((first & EVENT - 1) - (k if event == last else 0))
            columns.counts.append(count if stride == 1 else -count)
            columns.states.append(states.setdefault(state, len(states)))
            end = first + (count - 1) * stride
            last, k = end >> 16, (end & EVENT - 1) + 1
        return columns

    def read(self, content: C, states: list[State], events: int) -> Iterator[tuple[int, int, C, State]]:
        """The runs of a content. ``events``: how many there are. Raises StoreDamaged, for places as they are read."""
        require(len(self.events) == len(self.ks) == len(self.counts) == len(self.states), "runs have parts of a length")
        require(sum(map(abs, self.counts)) == len(content) and 0 not in self.counts, "runs have their content")
        require(_within(self.states, 0, len(states) - 1), "the states of runs")
        return self._pieces(content, states, events)

    def _lines(self, events: int) -> Iterator[tuple[int, int, int]]:
        """The places of each run, as (first, stride, count)."""
        last, k = 0, 0
        for event, offset, count in zip(self.events, self.ks, self.counts, strict=True):
            k = k + offset if event == 0 else offset
            last += event
            first = last << 16 | k
            if count > 0:
                require(0 <= last < events and 0 <= k <= k + count <= MAX_NAMES, "the places of runs")
                yield first, 1, count
                k += count
            else:
                require(0 <= last <= last - count <= events and 0 <= k < MAX_NAMES, "the places of runs")
                yield first, EVENT, -count
                last, k = last - count - 1, k + 1

    def _pieces(self, content: C, states: list[State], events: int) -> Iterator[tuple[int, int, C, State]]:
        lines = list(self._lines(events))
        require(_are_apart(lines), "a place is there once")
        start = 0
        for (first, stride, count), state in zip(lines, self.states, strict=True):
            yield first, stride, content[start : start + count], states[state]
            start += count


class Text(Struct, array_like=True, forbid_unknown_fields=True):
    """A text: its runs, all characters, and what other states there are: lists of names, [] for the insertion."""

    runs: Runs
    characters: str
    states: list[list[list[int]]]


def known_states() -> dict[State, int]:
    """The states that need no writing down."""
    return {ORIGINAL: 0, GONE: 1}


def mentioned(runs: Iterable[tuple[int, int, Any, State]]) -> tuple[set[int], set[State]]:
    """The events and the states in a sequence's runs."""
    events: set[int] = set()
    states: set[State] = set()
    for first, stride, content, state in runs:
        events.update((first >> 16,) if stride == 1 else range(first >> 16, (first >> 16) + len(content)))
        states.add(state)
    return events, states


def _are_apart(lines: list[tuple[int, int, int]]) -> bool:
    """Whether no two lines of places, (first, stride, count), meet."""
    if any(stride != 1 for _, stride, _ in lines):
        places = chain.from_iterable([range(first, first + count * stride, stride) for first, stride, count in lines])
        return len(set(places)) == sum(count for _, _, count in lines)
    spans = sorted([(first, first + count) for first, _, count in lines])
    return all(end <= first for (_, end), (first, _) in pairwise(spans))


def _within(numbers: list[int], least: int, greatest: int) -> bool:
    return not numbers or (min(numbers) >= least and max(numbers) <= greatest)
