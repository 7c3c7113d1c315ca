"""What a server would say, as far as its rules are known: a hint, and never a refusal.

A member is told its own rules, and what its credentials are limited to, at the beginning of each conversation. They may
have changed since, so nothing here keeps anybody from recording: what may be stored is decided when it is pushed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from syncline.core.access.rules import Rule, Rules
from syncline.core.access.scope import Scope
from syncline.core.access.state import Access
from syncline.core.events import Event
from syncline.stores import ReplicaState

__all__ = ["doomed", "may"]


def may(state: ReplicaState, item: str, action: str) -> bool | None:
    """Whether the replica's user might do an action with an item under the rules known last; None if none are known.

    Credentials that are not for this allow it under no rules.
    """
    if not Scope(state.actions, state.items).allows(item, action):
        return False
    if state.rules is None or state.user is None:
        return None
    return _access(state.rules).may(state.user, item, action)


def doomed(state: ReplicaState, events: Iterable[Event]) -> list[Event]:
    """The events that would be refused, as far as that is known."""
    return [event for event in events if may(state, event.item, event.action) is False]


@lru_cache(maxsize=16)
def _access(rules: tuple[Rule, ...]) -> Access:
    return Access(Rules(rules))
