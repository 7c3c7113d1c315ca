"""The access of a space: the fold of its system events, a value from which every question is answered.

Rules are events on ``.acl``; that users come, are suspended and removed, and that keys and sessions are revoked, are
events on ``.user.<name>``. What such an event may do, and who may write it, is judged before it gets here; one that
says nothing sensible does nothing. Names with a leading dot are the server's own voices: rules do not bind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from syncline.core.access.index import PatternMap
from syncline.core.access.rules import ALLOW, DEFAULTS, Rule, Rules, check_rule
from syncline.core.access.rules import READ as READ
from syncline.core.access.views import View
from syncline.core.documents.settings import Placed
from syncline.core.events import Event
from syncline.errors import BadRequest

ROOT = ".root"

ACL_ITEM = ".acl"
ADD_RULE = ".acl.addRule"
REMOVE_RULE = ".acl.removeRule"

USER_PREFIX = ".user."
SYSTEM_ITEMS = (ACL_ITEM, USER_PREFIX + "*")
"""Whose events make the access of a space."""
CREATE_USER = ".user.create"
SUSPEND_USER = ".user.suspend"
RESUME_USER = ".user.resume"
REMOVE_USER = ".user.remove"
CREATE_KEY = ".key.create"
REVOKE_KEY = ".key.revoke"
REVOKE_SESSION = ".session.revoke"

BY_ROOT, BY_SUSPENSION, BY_RULE, BY_NOTHING = "root", "suspended", "rule", "nothing matches"

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-")
_ESCAPED = re.compile(rb"~([0-9a-f]{2})")

MAX_VIEWS = 4_096

_TURNS: Mapping[tuple[str | None, str], str | None] = {
    (None, SUSPEND_USER): SUSPEND_USER,
    (SUSPEND_USER, RESUME_USER): None,
    (None, REMOVE_USER): REMOVE_USER,
    (SUSPEND_USER, REMOVE_USER): REMOVE_USER,
    (REMOVE_USER, CREATE_USER): None,
}
"""What bars a user after an action, by what did before; who is removed is not resumed, only created again."""

_Asked = tuple[str, tuple[str, ...], tuple[str, ...]]


def user_item(user: str) -> str:
    """The item on which a user is administered: what an item cannot hold stands as ``~`` and two digits a byte."""
    return USER_PREFIX + "".join(
        chr(byte) if byte in _PLAIN else f"~{byte:02x}" for byte in user.encode("utf-8", "surrogatepass")
    )


def user_of(item: str) -> str:
    """The user who is administered on an item."""
    escaped = item.removeprefix(USER_PREFIX).encode()
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), escaped).decode("utf-8", "replace")


class Decision(NamedTuple):
    """Whether something is allowed, the rule that says so, if one does, and why: one of the reasons above."""

    is_allowed: bool
    rule: Rule | None
    reason: str


class Access:
    """Who may do what in a space up to ``seq``, that of the last event that changed it. An immutable value."""

    __slots__ = ("_barred", "_revoked", "_views", "rules", "seq")

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        seq: int = 0,
        barred: Mapping[str, str] = MappingProxyType({}),
        revoked: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        """``barred`` says of a user by which action, ``revoked`` are pairs of user and credential. A replica has its
        ``rules`` alone.
        """
        self.rules = Rules(DEFAULTS) if rules is None else rules
        self.seq = seq
        self._barred, self._revoked = barred, revoked
        self._views: dict[_Asked, View] = {}

    @classmethod
    def of(cls, entries: Iterable[Placed]) -> Access:
        """The access that a log's entries come to; those before its first system event may be left out."""
        return cls().after(entries)

    def after(self, placed: Iterable[Placed]) -> Access:
        """The access after further entries, in order; itself if none of them changes anything."""
        draft = _Draft(self)
        for entry in placed:
            if entry.seq > draft.seq and entry.event.item.startswith("."):
                draft.note(entry.seq, entry.event)
        if draft.seq == self.seq:
            return self
        access = Access(
            self.rules.minus(*draft.lifted).plus(*draft.added.values()),
            seq=draft.seq,
            barred={user: action for user, action in draft.barred.items() if action},
            revoked=frozenset(draft.revoked),
        )
        access._views = draft.carried(self._views.copy())
        return access

    def is_barred(self, user: str, credential: str = "") -> bool:
        """Whether a user is suspended or removed, or the credential a user comes with is revoked."""
        return user in self._barred or (user, credential) in self._revoked

    def may(self, user: str, item: str, action: str) -> bool:
        """Whether a user may do an action with an item. Which credential the user came with is another question."""
        return user.startswith(".") or (user not in self._barred and self.rules.allows(user, item, action))

    def may_all(self, user: str, action: str) -> bool:
        """Whether a user may do an action with every item that does not begin with a dot."""
        patterns = {"*", *(rule.item for rule in self.rules.of(user) if rule.item[0] != ".")}
        return all(self.may(user, pattern.replace("*", "~"), action) for pattern in patterns)  # one of each kind

    def explain(self, user: str, item: str, action: str) -> Decision:
        """The same, with the reason."""
        if user.startswith("."):
            return Decision(True, None, BY_ROOT)
        if user in self._barred:
            return Decision(False, None, BY_SUSPENSION)
        rule = self.rules.decide(user, item, action)
        return Decision(rule is not None and rule.type == ALLOW, rule, BY_RULE if rule else BY_NOTHING)

    def rules_of(self, user: str) -> list[Rule]:
        """What a user's replica has to know: of these rules, ``Access(Rules(...))`` decides alike for this user."""
        return [] if user in self._barred else self.rules.of(user)

    def view(self, user: str, items: Sequence[str] = (), scope: Sequence[str] | None = None) -> View:
        """What a user sees who asks for these items, with a credential of this scope. Raises BadRequest."""
        asked = (user, tuple(items), tuple(scope or ()))
        view = self._views.get(asked)
        if view is None:
            if len(self._views) >= MAX_VIEWS:
                self._views.clear()
            view = self._views[asked] = _view(self._reading(user), *asked[1:])
        return view

    def _reading(self, user: str) -> tuple[tuple[str, bool], ...] | None:
        """A user's decisions about reading; None if nothing is closed."""
        if user.startswith("."):
            return None
        return () if user in self._barred else tuple(sorted(self.rules.decisions(user).items()))


OPEN: Final = Access()
"""The access of a space without system events."""


@lru_cache(1_024)
def _view(reading: tuple[tuple[str, bool], ...] | None, items: tuple[str, ...], scope: tuple[str, ...]) -> View:
    """One view for all who read alike, so that they share what it remembers."""
    view = View.everything(items) if reading is None else View.of(dict(reading), items)
    return view.narrowed(scope)


class _Draft:
    """What further events make of an access, gathered so that the next one is made once."""

    def __init__(self, access: Access) -> None:
        self.seq = access.seq
        self.added: dict[str, Rule] = {}
        self.lifted: set[str] = set()
        self.barred: dict[str, str | None] = {**access._barred}
        self.revoked = set(access._revoked)
        self._rules = access.rules
        self._concerned: set[str] = set()

    def note(self, seq: int, event: Event) -> None:
        """Takes a system event into account, if it changes something."""
        payload: Any = event.payload if isinstance(event.payload, dict) else {}
        if event.item == ACL_ITEM and event.action == ADD_RULE:
            concerned = self._add(seq, event)
        elif event.item == ACL_ITEM and event.action == REMOVE_RULE:
            concerned = self._remove(payload.get("rule"))
        elif event.item.startswith(USER_PREFIX):
            concerned = self._administer(user_of(event.item), event.action, payload)
        else:
            concerned = None
        if concerned is not None:
            self.seq = seq
            self._concerned.add(concerned)

    def carried(self, views: dict[_Asked, View]) -> dict[_Asked, View]:
        """The views of users for whom nothing changed."""
        concerned = PatternMap(dict.fromkeys(self._concerned, True))

        def concerns(user: str) -> bool:
            return any(concerned.matching(user, wide=not user.startswith(".")))

        return {asked: view for asked, view in views.items() if not concerns(asked[0])}

    def _add(self, seq: int, event: Event) -> str | None:
        try:
            shape = check_rule(event.payload)
        except BadRequest:
            return None
        self.added[event.id] = Rule(shape.user, shape.item, shape.action, shape.type, seq, event.id)
        return shape.user

    def _remove(self, id: Any) -> str | None:
        if not isinstance(id, str):
            return None
        rule = self.added.pop(id, None)
        if rule is None and id not in self.lifted and (rule := self._rules.get(id)) is not None:
            self.lifted.add(id)
        return rule.user if rule else None

    def _administer(self, user: str, action: str, payload: dict[str, Any]) -> str | None:
        """Events about one user, or about a credential of that user's."""
        turn, credential = (self.barred.get(user), action), payload.get("credential")
        if turn in _TURNS and not user.startswith("."):
            self.barred[user] = _TURNS[turn]
            return user
        if action in (REVOKE_KEY, REVOKE_SESSION) and isinstance(credential, str):
            is_new = (user, credential) not in self.revoked
            self.revoked.add((user, credential))
            return user if is_new else None
        return None
