from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import canonical
from syncline.core.answers import decode_answer
from syncline.core.limits import MAX_PRESENCE_BYTES, MAX_SESSION_PRESENCES
from syncline.core.messages import NULL, Peers, Presence, encode
from syncline.core.messages import Peer as Told
from syncline.core.presence import Announcements, Peer, Roster
from syncline.errors import BadRequest, NumberOutOfRange, TooDeep, TooLarge, TooManyPresences
from tests.core.samples import json_values, same


def told(user: str, node: str, state: Any = None, item: str | None = None, key: str = "") -> Told:
    return Told(user, node, key, item, msgspec.Raw(canonical.encode(state)))


def said(announcements: Announcements) -> list[tuple[str, str | None, Any]]:
    """Key, item and state of what is to be said now."""
    return [(each.key, each.item, canonical.decode(bytes(each.state), max_depth=64)) for each in announcements.take()]


# Whom one was told of


def test_the_last_that_was_told_is_so():
    roster = Roster()
    roster.begin("ann", "n1")
    roster.take(Peers(peers=[told("bob", "n2", 1, "note.x"), told("eve", "n3", 2), told("bob", "n2", 3, key="b")]))
    assert roster.peers() == [
        Peer("n2", "bob", "note.x", 1),
        Peer("n2", "bob", None, 3, "b"),
        Peer("n3", "eve", None, 2),
    ]
    roster.take(Peers(peers=[told("bob", "n2", 4), told("eve", "n3")]))
    assert roster.peers() == [Peer("n2", "bob", None, 4), Peer("n2", "bob", None, 3, "b")]


def test_who_has_gone_without_having_been_here_is_nobody():
    roster = Roster()
    roster.take(Peers(peers=[told("bob", "n2")]))
    assert roster.peers() == []


def test_one_is_not_among_the_others():
    roster = Roster()
    roster.begin("ann", "n1")
    roster.take(Peers(peers=[told("ann", "n1", "earlier"), told("ann", "n2", "phone"), told("bob", "n1", "a forger")]))
    assert [peer.state for peer in roster.peers()] == ["phone", "a forger"]


def test_a_session_begins_with_nobody():
    roster = Roster()
    roster.begin("ann", "n1")
    roster.take(Peers(peers=[told("bob", "n2", 1)]))
    roster.begin("ann", "n1")
    assert roster.peers() == []


@given(json_values.filter(lambda value: value is not None))
def test_a_state_arrives_as_it_was_set(state):
    mine, roster = Announcements(), Roster()
    mine.set("", "note.x", state)
    (presence,) = mine.take()
    answer = decode_answer(encode(Peers(peers=[Told("bob", "n2", "", presence.item, presence.state)])))
    roster.take(answer)
    (peer,) = roster.peers()
    assert same(peer.state, canonical.decode(canonical.encode(state), max_depth=64))


# What one says


def test_of_several_states_the_last_is_said():
    mine = Announcements()
    for caret in range(9):
        mine.set("", "note.x", {"caret": caret})
    mine.set("b", None, [])
    assert said(mine) == [("", "note.x", {"caret": 8}), ("b", None, [])]
    assert said(mine) == []


def test_that_one_has_gone_is_said_if_one_was_here():
    mine = Announcements()
    mine.set("never", None, None)
    assert said(mine) == []
    mine.set("", None, 1)
    assert said(mine) == [("", None, 1)]
    mine.set("", None, None)
    assert said(mine) == [("", None, None)]


def test_a_session_begins_with_all_that_stands():
    mine = Announcements()
    mine.set("a", "note.x", 1)
    mine.set("b", None, 2)
    mine.take()
    mine.set("b", None, None)
    mine.begin()
    assert said(mine) == [("a", "note.x", 1)]


def test_whoever_has_nothing_to_say_asks():
    mine = Announcements()
    mine.begin()
    assert mine.take() == [Presence()]
    assert Presence().state is NULL


@pytest.mark.parametrize(
    ("key", "item", "state", "error"),
    [
        ("k" * 65, None, 1, BadRequest),
        ("a\nb", None, 1, BadRequest),
        ("", "a b", 1, BadRequest),
        ("", None, "x" * MAX_PRESENCE_BYTES, TooLarge),
        ("", None, 2**53 + 1, NumberOutOfRange),
        ("", None, float("nan"), NumberOutOfRange),
    ],
)
def test_what_is_not_taken_leaves_what_was(key, item, state, error):
    mine = Announcements()
    mine.set(key[:1] if key == "k" * 65 else "", None, "before")
    mine.take()
    with pytest.raises(error):
        mine.set(key, item, state)
    assert mine.take() == []
    mine.begin()
    assert [state for _, _, state in said(mine)] == ["before"]


def test_what_is_too_deep_is_not_taken():
    deep: list[Any] = []
    for _ in range(64):
        deep = [deep]
    with pytest.raises(TooDeep):
        Announcements().set("", None, deep)
    Announcements().set("", None, deep[0])


def test_there_is_room_for_so_many():
    mine = Announcements()
    for n in range(MAX_SESSION_PRESENCES):
        mine.set(str(n), None, n)
    with pytest.raises(TooManyPresences):
        mine.set("more", None, 1)
    mine.set("7", None, "again")
    mine.set("8", None, None)
    mine.set("more", None, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9)) | st.sampled_from(["take", "begin"])))
def test_what_was_said_is_what_stands(steps):
    """Whatever is set, and whenever some of it is said: a server that was told knows what stands."""
    mine, stands, known = Announcements(), {}, {}
    for step in [*steps, "take"]:
        if step == "begin":
            mine.begin()
            known = {}
        if step in ("take", "begin"):
            for key, _, state in said(mine):
                known[key] = state
            assert {key: state for key, state in known.items() if state is not None} == stands
        else:
            key, state = step
            mine.set(key, None, state)
            if state is None:
                stands.pop(key, None)
            else:
                stands[key] = state
