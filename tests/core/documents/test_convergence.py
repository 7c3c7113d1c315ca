"""Whatever order events arrive in, and however often, the same document comes of it; and a plainer model agrees.

2,000 histories on all processors (``make suite``), 100 on one (``make test-core``). For a night, and for one seed:

    HISTORIES=100000 pytest -n logical tests/core/documents/test_convergence.py
    HISTORY=17 pytest tests/core/documents/test_convergence.py
"""

import os
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.documents import dependencies, names, snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.policies import POLICIES
from syncline.core.events import Event
from tests.core.documents.histories import ITEM, NOW, History, history
from tests.core.documents.model import Model
from tests.core.samples import an_id

BLOCKS = 20
COUNT = int(os.environ.get("HISTORIES", "2000" if "PYTEST_XDIST_WORKER" in os.environ else "100"))


def seeds(block: int) -> range:
    if "HISTORY" in os.environ:
        return range(int(os.environ["HISTORY"]), int(os.environ["HISTORY"]) + (block == 0))
    return range(block * COUNT // BLOCKS, (block + 1) * COUNT // BLOCKS)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_histories(block):
    for seed in seeds(block):
        try:
            check(history(seed))
        except Exception as error:
            error.add_note(f"HISTORY={seed} pytest tests/core/documents/test_convergence.py")
            raise


def check(past: History) -> None:
    dice = random.Random(past.seed)
    places = range(len(past.events))
    document = past.fold(places)
    shown = shown_by(document)
    assert shown == shown_by_model(past, document.overruled)

    # An authority would take every event after those before it.
    held: dict[str, Event] = {}
    for event in past.events:
        dependencies.check(event, held.get)
        held[event.id] = event

    # Any order of arrival that keeps causes before effects, some events twice.
    state = snapshots.encode(document)
    other = past.fold(past.order(dice))
    assert shown_by(other) == shown
    assert snapshots.encode(other) == state

    # Replicas that edited through an Editor, and took in what others did bit by bit.
    for replica in past.replicas:
        assert snapshots.encode(replica) == state

    # From a snapshot it goes on as if it had never stopped.
    start = dice.randrange(len(past.events))
    later = snapshots.decode(ITEM, snapshots.encode(past.fold(range(start))))
    for place in places[start:]:
        before = None if dice.random() < 0.8 else later.value()
        has_changed = later.fold(past.events[place], policy=past.policies[place])
        assert has_changed or before is None or later.value() == before
    assert snapshots.encode(later) == state


def shown_by(document: Document) -> Any:
    conflicts = [[path, name, [list(other) for other in others]] for path, name, others in document.conflicts()]
    return document.value(), document.plain(), conflicts


def shown_by_model(past: History, overruled: set[str]) -> Any:
    model = Model()
    for event in past.events:
        model.take(event.id, event.ops, event.id not in overruled)
    return model.value(), model.value(marked=False), model.conflicts()


def test_who_is_overruled_depends_on_what_is_left_unnamed():
    """In the words of the model: an event that leaves a put unnamed that stands in a slot it writes."""
    overruled_ever = 0
    for seed in range(100):
        past = history(seed)
        if not past.has_order:
            continue
        document = Document(ITEM)
        for event, policy in zip(past.events, past.policies, strict=True):
            model = Model()
            for earlier in past.events[: past.events.index(event)]:
                model.take(earlier.id, earlier.ops, earlier.id not in document.overruled)
            expected = rests_on(event, document.overruled) or (policy == "server_wins" and model.is_contradicted(event))
            document.fold(event, policy=policy)
            assert (event.id in document.overruled) == expected, f"HISTORY={seed}"
            overruled_ever += expected
    assert overruled_ever > 10


def rests_on(event: Event, overruled: set[str]) -> bool:
    """Whether an event changes objects or elements that overruled events made."""
    return any(op.get(member, "")[:36] in overruled for op in event.ops for member in ("in", "elem"))


# Nonsense

MADE = [an_id(NOW + n, 0, "n1") for n in range(3)]
START = [
    {"op": "put", "key": "a", "value": {"b": [1, {"$text": "é😀"}]}},
    {"op": "ensure", "key": "c", "kind": "counter"},
    {"op": "ensure", "key": "s", "kind": "set"},
    {"op": "put", "key": "l", "value": [1, [2], {"x": {}}]},
]
MEMBERS = {
    "put": {"in", "key", "elem", "elems", "value", "object", "again", "over"},
    "del": {"in", "key", "elems", "over"},
    "ensure": {"in", "key", "kind", "over"},
    "insert": {"in", "after", "values", "text"},
    "move": {"in", "elem", "after", "again", "over"},
    "inc": {"in", "by", "once"},
    "add": {"in", "value", "over"},
    "discard": {"in", "value", "over"},
    "restore": {"over"},
}

some_names = st.one_of(
    st.builds(names.make, st.sampled_from([*MADE, ""]), st.sampled_from([*range(20), 65535, 65536])),
    st.sampled_from(["", "/a:map", "/c:counter", "/s:set", "/a:map/b:list", ":list", ":text", ":map", "x", ":", "/"]),
)
some_stretches = st.builds("{}+{}".format, some_names, st.sampled_from([0, 1, 2, 7, 65535, 65536, "x"])) | some_names
some_scalars = st.sampled_from([None, True, 0, -1.5, 2**53, 1e300, "", "x", "/a:map"])
some_marks = st.sampled_from(["a", "$text", "$counter", "$set", "$map", "$"])
some_flat = st.one_of(
    some_scalars, st.lists(some_scalars, max_size=2), st.dictionaries(some_marks, some_scalars, max_size=2)
)
some_values = st.one_of(some_flat, st.lists(some_flat, max_size=2), st.dictionaries(some_marks, some_flat, max_size=2))
some_ops = st.fixed_dictionaries(
    {
        "op": st.sampled_from(
            ["put", "del", "ensure", "insert", "move", "inc", "add", "discard", "delete", "restore", "frob"]
        )
    },
    optional={
        "in": some_names,
        "key": st.sampled_from(["a", "c", "l", "", "~/"]),
        "elem": some_names,
        "elems": st.lists(some_stretches, max_size=3),
        "value": some_values,
        "values": st.lists(some_values, max_size=3),
        "text": st.sampled_from(["", "x", "é😀"]),
        "object": some_names,
        "again": some_names,
        "after": some_names,
        "over": st.lists(some_names, max_size=3),
        "kind": st.sampled_from([*sorted(names.KINDS), "zzz"]),
        "by": st.sampled_from([1, -1, 1.5, 2**53, True]),
        "once": st.sampled_from(["", "x"]),
    },
)


def fitting(op: dict[str, Any]) -> dict[str, Any]:
    """An op with no members but its own."""
    return {name: value for name, value in op.items() if name == "op" or name in MEMBERS.get(op["op"], ())}


@given(st.lists(st.lists(some_ops | some_ops.map(fitting), max_size=4), max_size=2), st.sampled_from(sorted(POLICIES)))
def test_nonsense_does_no_harm(changes, policy):
    document = Document(ITEM)
    for n, ops in enumerate([START, *changes]):
        event = Event(action="edit", clock={"n1": n + 1}, id=MADE[n], item=ITEM, node="n1", ops=ops)
        before = document.value()
        has_changed = document.fold(event, policy=policy)
        assert has_changed or document.value() == before
    state = snapshots.encode(document)
    assert shown_by(snapshots.decode(ITEM, state)) == shown_by(document)
    assert snapshots.encode(snapshots.decode(ITEM, state)) == state
