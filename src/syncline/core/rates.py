"""Rates: token buckets, one for each who is counted, in one number each.

A bucket holds ``burst`` tokens and is filled at so many per second. What is kept is the time at which it would be full
again (the generic cell rate algorithm, ITU-T I.371, is the same bucket seen so). So a full bucket is no bucket: it is
dropped when there are many, and nothing is lost by it. What costs more than a whole bucket goes when that is full, and
the bucket is in debt afterwards. Time is an argument, in seconds of any clock that does not go back.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

MAX_BUCKETS = 10_000


class Rate(NamedTuple):
    """So many tokens per second, and so many at once; a rate of 0 is no limit."""

    per_second: float
    burst: float


class Refusal(NamedTuple):
    """The seconds until the same may be asked for again, and what the bucket holds now."""

    seconds: float
    remaining: int


class Buckets:
    """The buckets of one rate, by whoever is counted."""

    def __init__(self, rate: Rate, *, max_buckets: int = MAX_BUCKETS) -> None:
        """Beyond ``max_buckets`` those go that are full, and if none is, the half that will be full first."""
        self.rate = rate
        self._max = max_buckets
        self._full_at: dict[Hashable, float] = {}
        self._token_seconds = 1 / rate.per_second if rate.per_second else 0.0
        self._burst_seconds = rate.burst * self._token_seconds

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, cost: float, now: float) -> Refusal | None:
        """Takes tokens out of a bucket, or says why not and takes none."""
        full_at = self._full_at.get(key, 0.0)
        if full_at < now:
            full_at = now
        after = full_at + cost * self._token_seconds
        if after - now > self._burst_seconds and full_at > now:
            wait = min(full_at, after - self._burst_seconds) - now
            return Refusal(wait, int(max(0.0, now + self._burst_seconds - full_at) / self._token_seconds))
        self._set(key, after, now)
        return None

    def charge(self, key: Hashable, cost: float, now: float) -> None:
        """Takes what was spent elsewhere, whether it is there or not."""
        self._set(key, max(self._full_at.get(key, 0.0), now) + cost * self._token_seconds, now)

    def _set(self, key: Hashable, full_at: float, now: float) -> None:
        if key not in self._full_at and len(self._full_at) >= self._max:
            self._sweep(now)
        self._full_at[key] = full_at

    def give_back(self, key: Hashable, cost: float) -> None:
        """What was taken was not used after all."""
        if key in self._full_at:
            self._full_at[key] -= cost * self._token_seconds

    def _sweep(self, now: float) -> None:
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        if len(self._full_at) >= self._max:
            first = sorted(self._full_at, key=self._full_at.__getitem__)
            for key in first[: len(first) // 2 + 1]:
                del self._full_at[key]
