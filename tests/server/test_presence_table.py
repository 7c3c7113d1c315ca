"""The table of who is here, against a model of it: whatever happens, each listener comes to know what it may see.

A listener knows its part as soon as nothing wakes it any more, and never learns of anything else.
"""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.core.access.views import View
from syncline.errors import TooManyPresences
from syncline.server import presence
from syncline.server.presence import Listener, Presences, Sight

SESSION, SPACE, LISTENERS = 2, 5, 3
ITEMS = [None, "note.x", "secret.x", "secret.y"]


@pytest.fixture(autouse=True, scope="module")
def small():
    """Limits that are soon reached, and messages that are soon full."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presence, "MAX_SESSION_PRESENCES", SESSION)
        patch.setattr(presence, "MAX_SPACE_PRESENCES", SPACE)
        patch.setattr(presence, "MAX_LISTENERS", LISTENERS)
        patch.setattr(presence, "MESSAGE_BYTES", 100)
        yield


class Somebody:
    """A session: an owner, and once it listens what it was told."""

    def __init__(self, user: str, node: str) -> None:
        self.user, self.node, self.is_away = user, node, False
        self.hidden: set[str] = set()
        self.sees_space = True
        self.news = asyncio.Event()
        self.listener: Listener | None = None
        self.knows: dict[tuple[str, str, str], Any] = {}
        self.is_asleep = False

    def sight(self) -> Sight:
        return Sight(View.of({"*": True} | dict.fromkeys(self.hidden, False)), self.sees_space)

    def may_see(self, item: str | None) -> bool:
        return self.sees_space if item is None else not any(item.startswith(each[:-1]) for each in self.hidden)


class House:
    """The table and its model: by name the owner, the item and the state."""

    def __init__(self) -> None:
        self.table = Presences()
        self.model: dict[tuple[str, str, str], tuple[Somebody, str | None, Any]] = {}
        # two sessions of one node, another node of that user, and another user who says to be that node
        self.people = [Somebody("ann", "a"), Somebody("ann", "a"), Somebody("ann", "b"), Somebody("bob", "a")]

    def visible(self, who: Somebody) -> dict[tuple[str, str, str], Any]:
        return {
            name: (item, state)
            for name, (owner, item, state) in self.model.items()
            if owner is not who and not owner.is_away and owner.may_see(item) and who.may_see(item)
        }

    # Steps

    def put(self, who: Somebody, key: str, item: str | None, state: Any) -> None:
        name = (who.user, who.node, key)
        own = [each for each, (owner, *_) in self.model.items() if owner is who]
        is_full = (name not in own and len(own) >= SESSION) or (name not in self.model and len(self.model) >= SPACE)
        if state is not None and is_full:
            with pytest.raises(TooManyPresences):
                self.table.put(who, key, item, json.dumps(state).encode())
            return
        self.table.put(who, key, item, None if state is None else json.dumps(state).encode())
        if state is not None:
            self.model[name] = (who, item, state)
        elif name in own:
            del self.model[name]

    def leave(self, who: Somebody) -> None:
        self.table.leave(who)
        self.model = {name: row for name, row in self.model.items() if row[0] is not who}

    def toggle(self, who: Somebody, pattern: str) -> None:
        who.hidden ^= {pattern}
        self.table.review()

    def go_away(self, who: Somebody) -> None:
        who.is_away = not who.is_away
        self.table.note(who)

    def look_past(self, who: Somebody) -> None:
        who.sees_space = not who.sees_space
        self.table.review()

    def listen(self, who: Somebody) -> None:
        """Begins to listen, or stops."""
        if who.listener is not None:
            who.listener.close()
            who.listener = None
            who.knows = {}
        elif sum(each.listener is not None for each in self.people) >= LISTENERS:
            with pytest.raises(TooManyPresences):
                self.table.listen(who, who.news)
        else:
            who.listener = self.table.listen(who, who.news)
            who.is_asleep = False
            who.news.clear()

    def ask(self, who: Somebody) -> None:
        if who.listener is None:
            return
        who.news.clear()
        message = who.listener.next()
        who.is_asleep = message is None
        for peer in json.loads(message)["peers"] if message is not None else ():
            name = (peer["user"], peer["node"], peer.get("key", ""))
            if peer.get("state") is None:
                del who.knows[name]
            else:
                who.knows[name] = (peer.get("item"), peer["state"])
                assert self.visible(who).get(name) == who.knows[name], "told what may not be seen, or what was before"

    def check(self) -> None:
        for who in self.people:
            if who.listener is not None and who.is_asleep and not who.news.is_set():
                assert who.knows == self.visible(who)


people = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("put"), people, st.sampled_from(["", "k", "l"]), st.sampled_from(ITEMS), st.integers(0, 3)),
    st.tuples(st.just("put"), people, st.sampled_from(["", "k", "l"]), st.none(), st.none()),
    st.tuples(st.just("leave"), people),
    st.tuples(st.just("toggle"), people, st.sampled_from(["secret.*", "note.*", "*"])),
    st.tuples(st.just("go_away"), people),
    st.tuples(st.just("look_past"), people),
    st.tuples(st.just("listen"), people),
    st.tuples(st.just("ask"), people),
    st.tuples(st.just("ask"), people),
)


@given(st.lists(steps, min_size=20, max_size=60))
@settings(max_examples=10 * settings.default.max_examples, deadline=None)
def test_everybody_comes_to_know_what_they_may_see(walk):
    house = House()
    for who in (0, 2, 3):
        house.listen(house.people[who])
    for step, who, *rest in walk:
        getattr(house, step)(house.people[who], *rest)
        house.check()
    for who in house.people:
        for _ in range(SPACE * 3):
            house.ask(who)
        assert who.listener is None or who.is_asleep
    house.check()


def test_a_listener_is_told_no_more_than_there_is():
    """However much happened meanwhile, a message has the last states."""
    house = House()
    ann, other = house.people[0], house.people[2]
    house.listen(other)
    house.ask(other)
    for n in range(1_000):
        house.put(ann, "k", "note.x", n)
        house.put(ann, "", None, None if n % 2 else n)
    assert json.loads(other.listener.next())["peers"] == [
        {"user": "ann", "node": "a", "key": "k", "item": "note.x", "state": 999}
    ]
    assert other.listener.next() is None


def test_what_nobody_is_told_of_wakes_once():
    house = House()
    ann, other = house.people[0], house.people[2]
    house.toggle(other, "secret.*")
    house.listen(other)
    house.ask(other)
    house.ask(other)
    house.put(ann, "", "secret.x", 1)
    assert other.news.is_set()
    house.ask(other)
    assert other.is_asleep
    assert other.knows == {}
