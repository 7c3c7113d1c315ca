"""Conflict resolvers: what becomes of pending events when concurrent ones of others arrive on the same item.

``ConflictResolver`` is the seam; four resolvers ship, and ``ResolveByRules`` puts several together. What their answers
lead to is in ``syncline.sync.rulings``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Protocol

from syncline.core import patterns
from syncline.core.events import Event
from syncline.errors import BadRequest, BadSettings, NeedsReview
from syncline.replica import Draft, Refused

Answer = Iterable[Event | Draft | Refused]
"""What a resolver answers."""

NAMED_EVENTS = 10


class ConflictResolver(Protocol):
    """Decides about pending events of one item that met events of others; both were made without knowing of each other.

    Its answer should depend on its arguments alone: it may be asked again, with more, if something arrives or is
    recorded meanwhile.
    """

    def resolve(self, local: Sequence[Event], remote: Sequence[Event]) -> Answer | Awaitable[Answer]:
        """What stands in place of the ``local`` events. May be an ``async def``.

        A local event that is answered stands, as it is. A ``Draft`` (of the same item) is recorded as a new event, as
        if its author had seen both sides. A ``Refused`` goes to the refused inbox with its error, and a local event
        that is not answered goes there as ``withdrawn``. Remote events stand, answered or not. If this raises, or
        answers anything else, the local events go to the refused inbox as ``resolver_failed``.
        """


class LastWriteWins:
    """Lets the local events stand if the last of all, by its stamp, is one of them; otherwise they are withdrawn."""

    def resolve(self, local: Sequence[Event], remote: Sequence[Event]) -> Answer:
        """See ``ConflictResolver.resolve``."""
        last_local, last_remote = max(event.id for event in local), max(event.id for event in remote)
        return local if last_local > last_remote else []


class FirstWriteWins:
    """What the log has first stands: the local events are withdrawn."""

    def resolve(self, local: Sequence[Event], remote: Sequence[Event]) -> Answer:
        """See ``ConflictResolver.resolve``."""
        return []


class KeepBoth:
    """Both sides stand, the local events after the others: what they mean together is for who reads them."""

    def resolve(self, local: Sequence[Event], remote: Sequence[Event]) -> Answer:
        """See ``ConflictResolver.resolve``."""
        return local


class ManualReview:
    """The local events wait in the refused inbox, as ``needs_review``, until a person retries or drops them.

    ``tell`` is called with both sides, just before they are put there.
    """

    def __init__(self, tell: Callable[[Sequence[Event], Sequence[Event]], Any] | None = None) -> None:
        self._tell = tell

    def resolve(self, local: Sequence[Event], remote: Sequence[Event]) -> Answer:
        """See ``ConflictResolver.resolve``."""
        if self._tell is not None:
            self._tell(local, remote)
        reason = NeedsReview("Others changed this, too; a person has to decide.", remote=last_ids(remote))
        return [Refused(event, reason.to_wire()) for event in local]


@dataclass(frozen=True)
class Rule:
    """Which local events a resolver decides about: those that match everything given here. Raises BadSettings.

    ``item`` and ``action`` are patterns, literals or prefixes with one trailing ``*``. ``when`` gets a local event and
    all the remote ones it met.
    """

    item: str
    resolver: ConflictResolver
    action: str = "*"
    when: Callable[[Event, Sequence[Event]], bool] | None = None
    _matchers: tuple[Callable[[str], bool], Callable[[str], bool]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            patterns.check([self.item, self.action])
        except BadRequest as error:
            raise BadSettings(f"Rule: {error.message}") from None
        matchers = patterns.matcher([self.item]), patterns.matcher([self.action])
        object.__setattr__(self, "_matchers", matchers)

    def matches(self, event: Event, remote: Sequence[Event]) -> bool:
        """Whether this rule decides about a local event."""
        is_item, is_action = self._matchers
        return is_item(event.item) and is_action(event.action) and (self.when is None or self.when(event, remote))


class ResolveByRules:
    """Gives each local event to the resolver of the first rule that matches it, or else to ``fallback``.

    Events that the same rule decides about are given to its resolver together, with all the remote events.
    """

    def __init__(self, rules: Iterable[Rule], *, fallback: ConflictResolver) -> None:
        self._rules, self._fallback = tuple(rules), fallback

    async def resolve(self, local: Sequence[Event], remote: Sequence[Event]) -> Answer:
        """See ``ConflictResolver.resolve``."""
        shares: dict[int, list[Event]] = {}
        for event in local:
            shares.setdefault(self._first(event, remote), []).append(event)
        resolvers = [*(rule.resolver for rule in self._rules), self._fallback]
        return [each for at, events in shares.items() for each in await ask(resolvers[at], events, remote)]

    def _first(self, event: Event, remote: Sequence[Event]) -> int:
        """The place of the first rule that matches; that of the fallback is behind all."""
        matching = (at for at, rule in enumerate(self._rules) if rule.matches(event, remote))
        return next(matching, len(self._rules))


async def ask(resolver: ConflictResolver, local: Sequence[Event], remote: Sequence[Event]) -> Answer:
    """The answer of a resolver, be it asynchronous or not."""
    answer = resolver.resolve(local, remote)
    return await answer if isawaitable(answer) else answer


def last_ids(events: Sequence[Event]) -> list[str]:
    """The ids of the last few events, for the details of an error."""
    return [event.id for event in events[-NAMED_EVENTS:]]
