"""Random histories, folded in Python and in JavaScript: the same values, conflicts and bytes.

2,000 histories on all processors (``make suite``), 100 on one. For a night, and for one seed:

    HISTORIES=100000 pytest -n logical tests/js/test_documents.py
    HISTORY=17 pytest tests/js/test_documents.py
"""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import canonical
from syncline.core.documents import snapshots
from syncline.core.documents.conflicts import conflicts_of
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.policies import POLICIES
from syncline.core.events import Event
from syncline.core.stamps import Stamp
from tests.core.documents.histories import ITEM, LEAST, NOW, history
from tests.core.documents.test_convergence import MADE, START, fitting, some_ops
from tests.js.driving import BLOCKS, each_seed


@pytest.mark.parametrize("block", range(BLOCKS))
def test_histories(node, block):
    each_seed(block, lambda seed: check(node, seed))


def check(node, seed):
    past, dice = history(seed), random.Random(seed)
    order = past.order(dice)
    start = dice.randint(0, len(order))
    document = Document(ITEM)
    changed = [document.fold(past.events[place], policy=past.policies[place]) for place in order]
    events = [canonical.decode(event.body, max_depth=64) for event in past.events]
    answer = node.ask("fold", item=ITEM, events=events, policies=past.policies, order=order, start=start)
    assert answer["told"] == told(document)
    assert answer["changed"] == changed
    assert answer["middle"] == snapshots.encode(past.fold(order[:start])).decode()
    assert answer["later"] == told(document)
    assert answer["conflicts"] == listed(conflicts_of(document, past.events, past.policies[-1]))
    assert node.ask("load", item=ITEM, snapshot=answer["told"]["snapshot"]) == told(document)


@pytest.mark.parametrize("seed", range(6))
def test_long_texts(node, seed):
    """Two who type keys with an event each, paste and delete, apart and together: runs both ways, cut often."""
    dice, texts, log = random.Random(seed), (LongText("n1"), LongText("n2")), []
    for _ in range(30):
        text = dice.choice(texts)
        if dice.random() < 0.6:
            text.take(log)
        log += text.write(dice)
    for text in texts:
        text.take(log)
    policies, order = ["merge"] * len(log), list(range(len(log)))
    answer = node.ask("fold", item=ITEM, events=log, policies=policies, order=order, start=dice.randrange(len(log)))
    assert answer["told"] == answer["later"] == told(texts[0].document) == told(texts[1].document)


class LongText:
    """One who writes a text."""

    def __init__(self, node):
        self.node, self.document = node, Document(ITEM)
        self.time = self.taken = self.n = 0

    def take(self, log):
        for event in log[self.taken :]:
            self.document.fold(Event(**event))
            self.time = max(self.time, int(event["id"][:8] + event["id"][9:13], 16))
        self.taken = len(log)

    def write(self, dice):
        length, roll = len(self.document.plain() or ""), dice.random()
        start = dice.randint(0, length)
        if roll < 0.5:
            return [self.edit(start + at, 0, dice.choice("abc é😀")) for at in range(dice.choice((5, 90)))]
        if roll < 0.7:
            return [self.edit(start, 0, "".join(dice.choices("abc é😀", k=dice.choice((3, 200)))))]
        if roll < 0.8:
            return [self.edit(at, 1, "") for at in range(start, max(start - 30, 0), -1) if at < length]
        return [self.edit(start, min(dice.choice((1, 100)), length - start), "")]

    def edit(self, start, deleted, inserted):
        self.time, self.n = max(self.time, NOW) + 1, self.n + 1
        editor = Editor(self.document, str(Stamp(self.time, 0, LEAST[self.node], 0)))
        editor.splice(editor.ensure_root("text"), start, deleted, inserted)
        self.document.clock[self.node] = self.n
        names = {"action": "edit", "id": editor.event, "item": ITEM, "node": self.node}
        return {**names, "clock": dict(self.document.clock), "ops": editor.wire()}


@given(st.lists(st.lists(some_ops | some_ops.map(fitting), max_size=4), max_size=2), st.sampled_from(sorted(POLICIES)))
def test_nonsense_does_no_harm(node, changes, policy):
    document, events = Document(ITEM), []
    for n, ops in enumerate([START, *changes]):
        events.append({"action": "edit", "clock": {"n1": n + 1}, "id": MADE[n], "item": ITEM, "node": "n1", "ops": ops})
    changed = [document.fold(Event(**event), policy=policy) for event in events]
    order, policies = list(range(len(events))), [policy] * len(events)
    answer = node.ask("fold", item=ITEM, events=events, policies=policies, order=order, start=1)
    assert answer["changed"] == changed
    assert answer["told"] == answer["later"] == told(document)


def told(document):
    conflicts = [[path, name, [list(other) for other in others]] for path, name, others in document.conflicts()]
    shown = {"value": document.value(), "plain": document.plain(), "conflicts": conflicts}
    texts = {name: canonical.encode(value).decode() for name, value in shown.items()}
    return {**texts, "overruled": sorted(document.overruled), "snapshot": snapshots.encode(document).decode()}


def listed(conflicts):
    values = [
        {"path": each.path, "shown": each.shown, "others": [*map(list, each.others)]} for each in conflicts.values
    ]
    overruled, unseen = (
        [msgspec.to_builtins(edit) for edit in edits] for edits in (conflicts.overruled, conflicts.unseen)
    )
    return {"values": values, "overruled": overruled, "unseen": unseen, "isMarked": conflicts.is_marked}
