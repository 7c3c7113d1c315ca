"""Vector clocks (Fidge 1988, Mattern 1989): who had seen what.

A clock maps nodes to counters; a node that is absent counts 0. It reports causality to people, resolvers and
versioned stores; the fold of documents never reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from syncline.core.limits import MAX_CLOCK_NODES, MAX_NODE_LENGTH, MAX_SAFE_INTEGER
from syncline.core.versions import Ordering
from syncline.errors import InvalidEvent

NODE = re.compile(rf"[A-Za-z0-9_.~:/-]{{1,{MAX_NODE_LENGTH}}}")
"""What a node's name may be."""


class VectorClock(Mapping[str, int]):
    """An immutable vector clock of at most 1,000 nodes; a ``Version``. Raises InvalidEvent for anything else."""

    __slots__ = ("_counters",)

    def __init__(self, counters: Mapping[str, int] | None = None) -> None:
        counters = counters or {}
        if len(counters) > MAX_CLOCK_NODES:
            raise InvalidEvent(f"clock: {len(counters)} nodes are more than {MAX_CLOCK_NODES}.")
        for node, n in counters.items():
            _check(node, n)
        self._counters = dict(counters)

    @classmethod
    def parse(cls, text: str) -> VectorClock:
        """Reads the text form: ``node=n`` pairs joined by commas, nodes ascending; empty for the zero clock."""
        pairs = [pair.split("=") for pair in text.split(",")] if text else []
        if any(len(pair) != 2 or not re.fullmatch("[1-9][0-9]{0,15}", pair[1]) for pair in pairs):
            raise InvalidEvent(f"Not a vector clock: {text[:64]!r}.")
        names = [node for node, _ in pairs]
        if names != sorted(set(names)):
            raise InvalidEvent("The nodes of a vector clock stand once each, ascending.")
        return cls({node: int(n) for node, n in pairs})

    def compare(self, other: VectorClock) -> Ordering:
        """Before, after, equal or concurrent."""
        if not isinstance(other, Mapping):
            raise TypeError(f"A vector clock cannot be compared with {type(other).__name__}.")
        behind = any(n > self.get(node, 0) for node, n in other.items())
        ahead = any(n > other.get(node, 0) for node, n in self.items())
        if behind and ahead:
            return Ordering.CONCURRENT
        if behind:
            return Ordering.BEFORE
        return Ordering.AFTER if ahead else Ordering.EQUAL

    def merge(self, other: Mapping[str, int]) -> VectorClock:
        """The least clock that has seen what either has: the greater counter of each node."""
        return VectorClock({node: max(self.get(node, 0), other.get(node, 0)) for node in {*self, *other}})

    def with_node(self, node: str, n: int) -> VectorClock:
        """The same clock with one counter set."""
        return VectorClock({**self._counters, node: n})

    def is_zero(self) -> bool:
        """Whether it has seen nothing."""
        return not self._counters

    def __str__(self) -> str:
        return ",".join(f"{node}={n}" for node, n in sorted(self.items()))

    def __repr__(self) -> str:
        return f"VectorClock({self._counters!r})"

    def __getitem__(self, node: str) -> int:
        return self._counters[node]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counters)

    def __len__(self) -> int:
        return len(self._counters)

    def __hash__(self) -> int:
        return hash(frozenset(self._counters.items()))


def _check(node: str, n: int) -> None:
    if not isinstance(node, str) or not NODE.fullmatch(node):
        raise InvalidEvent(f"clock: {str(node)[:80]!r} is not a node of 1 to {MAX_NODE_LENGTH} characters.")
    if type(n) is not int or not 1 <= n <= MAX_SAFE_INTEGER:
        raise InvalidEvent(f"clock: the counter of {node} is not between 1 and 2^53-1.")
