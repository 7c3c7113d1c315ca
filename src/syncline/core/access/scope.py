"""What credentials allow: a key for backups may read, one for a sensor may write a few items."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from syncline.core.patterns import matcher


class Scope(NamedTuple):
    """Patterns of actions (reading is ``.read``) and of items. A scope without any sets no limit."""

    actions: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    def allows(self, item: str, action: str) -> bool:
        """Whether the credential may be used for this."""
        return self is UNSCOPED or (_matcher(self.items)(item) and self.allows_action(action))

    def allows_action(self, action: str) -> bool:
        """Whether it may be used for this with some item."""
        return _matcher(self.actions)(action)

    def includes(self, other: Scope) -> bool:
        """Whether all that another scope allows, this one does too."""
        return _covers(self.actions, other.actions) and _covers(self.items, other.items)


def _covers(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether each of the narrow patterns lies within one of the wide ones; none at all are everything."""
    return not wide or (bool(narrow) and all(any(_lies_in(each, pattern) for pattern in wide) for each in narrow))


def _lies_in(narrow: str, wide: str) -> bool:
    return narrow == wide or (wide.endswith("*") and narrow.startswith(wide[:-1]))


UNSCOPED: Final = Scope()

_matcher = lru_cache(1_024)(matcher)


class Rights(NamedTuple):
    """What somebody's credentials say beside who it is."""

    is_trusted: bool = False
    """Whether no rule of a space is asked: the administrator of the server, or the server itself."""
    credential: str = ""
    """What was shown, as ``Access.is_barred`` knows it; nothing if nothing had to be."""
    scope: Scope = UNSCOPED
    is_own: bool = False
    """Whether it is an act that everybody may do about themselves: no rule is asked, but whether they are barred is."""


MEMBER: Final = Rights()
TRUSTED: Final = Rights(is_trusted=True)
