"""What a view shows, as an expression of SQL over ``item``: one for all databases, so that nobody sees more in one."""

from __future__ import annotations

from syncline.core.access.views import View


def condition(view: View, shown: str, hidden: str) -> str:
    """``shown`` where a view shows the item, otherwise ``hidden``: its decisions, the most specific first.

    Not for a view that shows nothing.
    """
    cases = (f"WHEN {_matches(pattern)} THEN {shown if is_shown else hidden}" for pattern, is_shown in view.decisions)
    return f"CASE {' '.join(cases)} ELSE {hidden} END"


def _matches(pattern: str) -> str:
    """Whether an item fits a pattern. Patterns have no quotes in them; ``*`` alone fits what begins with no dot."""
    if pattern == "*":
        return "NOT (item >= '.' AND item < '/')"
    prefix = pattern.removesuffix("*")
    return f"item = '{pattern}'" if prefix == pattern else f"(item >= '{prefix}' AND item < '{prefix}\x7f')"
