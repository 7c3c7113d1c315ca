"""The vectors of ``spec/vectors/bases.json``: what a base covers, documents that go on from one, snapshots taken."""

import json
from base64 import b64decode, b64encode

import pytest
from msgspec.structs import replace

from syncline.core import answers, canonical, messages
from syncline.core.bases import Base
from syncline.core.beginning import Take
from syncline.core.documents import snapshots
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed, replay
from syncline.core.effects import Rewind
from syncline.core.events import Event
from syncline.core.session import ClientSession, Local
from tests.core.test_vectors import VECTORS, code_of, effect_of, step_of


@pytest.mark.parametrize("case", VECTORS["bases"]["covers"])
def test_what_a_base_covers(case):
    base = Base(item="a", seq=9, at=1, count=1, clock=case["clock"])
    assert base.covers(case["node"], case["n"]) is case["covers"]


@pytest.mark.parametrize("case", VECTORS["bases"]["documents"], ids=lambda case: case["about"])
def test_a_document_goes_on_from_its_base(case):
    placed = [Placed(Event.of(each["event"]), each["seq"], each["at"]) for each in case["entries"]]
    before = Folded("task.milk")
    for each in placed[: case["cut"]]:
        before.fold(each, "merge")
    made = before.base()
    sent = dict(case["base"])
    if made.state:
        assert json.loads(snapshots.unpack(b64decode(made.state))) == sent["state"]
        sent["state"] = b64encode(snapshots.pack(canonical.encode(sent["state"]))).decode()
    base = Base(**sent)
    assert replace(made, state=base.state) == base
    assert json.loads(snapshots.encode(Folded("task.milk", base).document)) == json.loads(
        snapshots.encode(before.document)
    )
    rest = replay(Folded("task.milk", base).document, placed[case["cut"] :], base.revision + 1, group=base.group)
    assert [{"number": each.number, "forward": each.forward} for each in rest] == case["revisions"]
    after = Folded("task.milk", base)
    for each in placed[case["cut"] :]:
        after.fold(each, "merge")
    assert json.loads(snapshots.encode(after.document)) == case["state"]


@pytest.mark.parametrize("trace", VECTORS["bases"]["taking"], ids=lambda trace: trace["about"])
def test_a_snapshot_is_taken(trace):
    client = ClientSession(space="home", **trace["options"])
    for step in trace["steps"]:
        if "next" in step:
            told = step["next"] | {"pending": []}
            assert step_taken(client.next(Local(**told))) == step["step"]
            continue
        answer = answers.decode_answer(json.dumps(step["receive"]).encode())
        if "raises" in step:
            assert code_of(lambda answer=answer: client.receive(answer)) == step["raises"]
        else:
            assert [effect_taken(effect) for effect in client.receive(answer)] == step["effects"]


def step_taken(step):
    if isinstance(step, messages.AskSnapshot):
        return {"snapshot": {"items": list(step.items), "seq": step.seq, "after": step.after}}
    return step_of(step, {})


def effect_taken(effect):
    if isinstance(effect, Take):
        items, ids = [base.item for base in effect.part.bases], [entry.event.id for entry in effect.entries]
        told = {"bases": items, "first": effect.is_first, "last": effect.is_last, "entries": ids}
        return {"take": {**told, "cursor": effect.cursor}}
    if isinstance(effect, Rewind):
        return {"rewind": True}  # how far back is shown where the sessions are
    return effect_of(effect, {})
