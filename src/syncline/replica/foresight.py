"""What a server would say, as far as its rules are known: a hint, and never a refusal.

A member is told its own rules, and what its credentials are limited to, at the beginning of each conversation. They may
have changed since, so nothing here keeps anybody from recording: what may be stored is decided when it is pushed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from msgspec import UNSET

from syncline.core.access.rules import GIVE, Rule, Rules
from syncline.core.access.scope import Scope
from syncline.core.access.state import Access
from syncline.core.events import Event
from syncline.stores import ReplicaState

__all__ = ["doomed", "may", "may_pass_on"]


def may(state: ReplicaState, item: str, action: str) -> bool | None:
    """Whether the replica's user might do an action with an item under the rules known last; None if none are known.

    Credentials that are not for this allow it under no rules.
    """
    if not Scope(state.actions, state.items).allows(item, action):
        return False
    if state.rules is None or state.user is None:
        return None
    return _access(state.rules).may(state.user, item, action)


def may_pass_on(state: ReplicaState, event: Event) -> bool:
    """Whether the replica's user might push an event that was heard: of another node of theirs, or by ``.give``.

    Whose an event is that does not say it, only its author knows.
    """
    if event.user is UNSET or state.user is None:
        return False
    if state.user.startswith("."):  # administrators: by credentials made for that alone
        return GIVE in state.actions and Scope(state.actions, state.items).allows(event.item, GIVE)
    return event.user == state.user or may(state, event.item, GIVE) is True


def doomed(state: ReplicaState, events: Iterable[Event]) -> list[Event]:
    """The events that would be refused, as far as that is known."""
    return [event for event in events if may(state, event.item, event.action) is False]


@lru_cache(maxsize=16)
def _access(rules: tuple[Rule, ...]) -> Access:
    return Access(Rules(rules))
