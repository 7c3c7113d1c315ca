"""How much one may ask for in a short time: requests and events per second, by address, by credential and by user.

Nothing is stored: a restart fills every bucket. Whoever is refused is told how long to wait, and nothing was done.
Servers that share their logs tell each other what was spent; each takes it from its own buckets.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from syncline.core.rates import Buckets, Rate, Refusal
from syncline.errors import RateLimited
from syncline.server.auth.guard import network
from syncline.server.auth.identity import Identity
from syncline.server.settings import Settings

ADDRESS, CREDENTIAL, USER, SPACE = "address", "credential", "user", "space"
REQUESTS, EVENTS = "requests", "events"

REMEMBERED = 4_096
"""How many addresses, and how many who came from there, are worked out once."""

_network = lru_cache(REMEMBERED)(network)


class Account(NamedTuple):
    """One bucket that is asked: which policy it belongs to, the buckets, and whose it is."""

    policy: str
    buckets: Buckets
    key: Hashable


SPACE_EVENTS = "space-events"


def rate(per_second: float, burst_seconds: float) -> Rate:
    """A rate that at once allows what it allows in so many seconds, and one at least."""
    return Rate(per_second, max(1.0, per_second * burst_seconds))


class Limits:
    """The buckets of a server. Belongs to the event loop."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        """``now``: seconds of a clock that does not go back."""
        self.now = now
        self.burst_seconds = settings.burst_seconds
        self._requests = self._buckets(settings, REQUESTS)
        self._events = self._buckets(settings, EVENTS)
        self.meter = lru_cache(REMEMBERED)(self._meter)
        self._spent: Counter[tuple[str, Hashable]] | None = None

    def _buckets(self, settings: Settings, what: str) -> dict[str, Buckets]:
        rates = {who: getattr(settings, f"{who}_{what}_per_second") for who in (ADDRESS, CREDENTIAL, USER)}
        return {who: Buckets(rate(each, self.burst_seconds)) for who, each in rates.items() if each}

    def knock(self, address: str) -> None:
        """A request comes from an address. Raises RateLimited."""
        if address and ADDRESS in self._requests:
            self.spend([Account("address-requests", self._requests[ADDRESS], _network(address))], 1)

    def _meter(self, identity: Identity, address: str) -> Meter:
        """What counts the requests and events of somebody."""
        user = identity.space, identity.user
        keys = ((CREDENTIAL, identity.credential), (USER, user), (ADDRESS, address and _network(address)))
        return Meter(self, _accounts(REQUESTS, self._requests, keys[:2]), _accounts(EVENTS, self._events, keys))

    def note_spending(self) -> None:
        """From now on ``spent`` knows what is spent."""
        self._spent = Counter()

    def spent(self) -> list[tuple[str, Hashable, float]]:
        """What was spent since this was called last: of which policy, whose, how much."""
        found, self._spent = self._spent or Counter(), Counter()
        return [(policy, key, cost) for (policy, key), cost in found.items()]

    def charge(self, policy: str, key: Hashable, cost: float) -> None:
        """Something was spent at another server. The rates of spaces are not here."""
        who, _, what = policy.partition("-")
        buckets = {REQUESTS: self._requests, EVENTS: self._events}.get(what, {}).get(who)
        if buckets is not None:
            buckets.charge(key, cost, self.now())

    def spend(self, accounts: list[Account], cost: float) -> None:
        """Takes from all buckets, or from none. Raises RateLimited."""
        now = self.now()
        for place, (_, buckets, key) in enumerate(accounts):
            refusal = buckets.take(key, cost, now)
            if refusal is not None:
                for _, earlier, paid in accounts[:place]:
                    earlier.give_back(paid, cost)
                raise _refused(accounts[place], refusal)
        if self._spent is not None:
            for policy, _, key in accounts:
                self._spent[policy, key] += cost  # type: ignore[assignment]


class Meter:
    """Counts the requests and events of one who came with one credential from one address."""

    def __init__(self, limits: Limits, requests: list[Account], events: list[Account]) -> None:
        self._limits, self._requests, self._events = limits, requests, events

    def request(self) -> None:
        """Another request, or message; that it came from its address was counted before. Raises RateLimited."""
        if self._requests:
            self._limits.spend(self._requests, 1)

    def events(self, count: int, space: Account | None = None) -> None:
        """So many events come, to a space with a rate of its own. Raises RateLimited."""
        accounts = self._events if space is None else [*self._events, space]
        if accounts:
            self._limits.spend(accounts, count)


UNMETERED = Meter(Limits(Settings()), [], [])
"""For the server's own voices."""


def _accounts(what: str, buckets: dict[str, Buckets], keys: Iterable[tuple[str, Hashable]]) -> list[Account]:
    return [Account(f"{who}-{what}", buckets[who], key) for who, key in keys if key and who in buckets]


def _refused(account: Account, refusal: Refusal) -> RateLimited:
    rate = account.buckets.rate
    what = account.policy.partition("-")[2]
    return RateLimited(
        f"Too many {what} at a time: {rate.per_second:g} per second are allowed, and {int(rate.burst):,} at once.",
        policy=account.policy,
        limit=int(rate.burst),
        window=max(1, ceil(rate.burst / rate.per_second)),
        remaining=refusal.remaining,
        retry_after=ceil(max(refusal.seconds, 0.001) * 1000) / 1000,
    )


def headers_of(error: RateLimited) -> dict[str, str]:
    """What a refusal says in headers (draft-ietf-httpapi-ratelimit-headers-11)."""
    policy, details = error.details.get("policy", "requests"), error.details
    return {
        "ratelimit_policy": f'"{policy}";q={details["limit"]};w={details["window"]}',
        "ratelimit": f'"{policy}";r={details["remaining"]};t={ceil(details["retry_after"])}',
    }
