"""Undo, redo and restore, amid other people's edits and on two devices, against an oracle that folds without."""

import os
import random

import pytest

from syncline.core.events import Event
from tests.core.documents.people import ITEM, Device, Log, create, fold_without_undone, random_edit
from tests.core.samples import a_value

HISTORIES = int(os.environ.get("HISTORIES", "2000" if "PYTEST_XDIST_WORKER" in os.environ else "100"))
SEEDS_IN_ONE = 50


def oracle(device):
    return fold_without_undone(device.events).value()


def play(seed, *, steps=16):
    """A random history. Yields each device before and after it undid or redid something."""
    dice = random.Random(seed)
    log = Log()
    devices = [Device(log, "ann", "ann1"), Device(log, "ann", "ann2"), Device(log, "bob", "bob1")]
    Device(log, "eve", "eve1").make(create)
    for device in devices:
        device.sync()
    for _ in range(steps):
        device = dice.choice(devices)
        roll = dice.random()
        if roll < 0.4:
            device.edit(lambda editor: random_edit(dice, editor))
        elif roll < 0.75:
            yield device
            (device.undo if roll < 0.62 else device.redo)()
            yield device
        else:
            device.sync()
    for device in [*devices, *devices]:
        device.sync()
    assert all(device.document.value() == devices[0].document.value() for device in devices), f"seed {seed}"


@pytest.mark.parametrize("block", range(HISTORIES // SEEDS_IN_ONE))
def test_undo_and_redo_show_what_a_fold_without_them_shows(block):
    """A document differs from the oracle only where somebody emptied a slot while another one undid there."""
    differed = steps = 0
    for seed in range(block * SEEDS_IN_ONE, (block + 1) * SEEDS_IN_ONE):
        play_on = play(seed)
        for device in play_on:
            was_equal = device.document.value() == oracle(device)
            device = next(play_on)
            steps += 1
            differed += not was_equal
            assert not was_equal or device.document.value() == oracle(device), f"seed {seed}"
    assert differed <= steps / 10


@pytest.mark.parametrize("block", range(HISTORIES // SEEDS_IN_ONE))
def test_undo_and_restore_show_what_was_shown_where_nobody_else_wrote(block):
    for seed in range(block * SEEDS_IN_ONE, (block + 1) * SEEDS_IN_ONE):
        dice, device = random.Random(seed), Device(Log(), "ann", "ann")
        device.edit(create)
        values = [device.document.value()]
        for _ in range(12):
            edit = device.edit(lambda editor, dice=dice: random_edit(dice, editor))
            values.append(device.document.value())
            if edit.ops and dice.random() < 0.3:
                assert device.undo()
                assert device.document.value() == values[-2], f"seed {seed}"
                assert device.redo()
                values += [values[-2], device.document.value()]
                assert values[-1] == values[-3], f"seed {seed}"
            if dice.random() < 0.2:
                seq = dice.randint(1, len(values))
                device.restore(seq)
                assert device.document.value() == values[seq - 1], f"seed {seed}"
                values.append(device.document.value())


# What is easy to get wrong


@pytest.fixture
def ann():
    device = Device(Log(), "ann", "ann")
    device.edit(create)
    return device


def root(editor):
    return editor.document.objects[""]


def child(editor, key):
    return editor.document.objects[root(editor).shows(key)]


def test_undoing_the_creation_deletes_and_redoing_it_restores(ann):
    value = ann.document.value()
    assert ann.undo()
    assert not ann.document.exists
    assert not ann.undo()
    assert ann.redo()
    assert ann.document.value() == value


def test_a_group_is_undone_together(ann):
    before = ann.document.value()
    ann.edit(lambda editor: editor.put(root(editor), "title", "a"), group="g")
    ann.edit(lambda editor: editor.increment(child(editor, "count"), 3), group="g")
    assert ann.undo()
    assert ann.document.value() == before


def test_an_undo_that_finds_nothing_to_change_is_an_undo_nevertheless(ann):
    ann.edit(lambda editor: editor.put(root(editor), "x", 1))
    other = Device(ann.log, "bob", "bob")
    ann.sync()
    other.sync()
    other.make(lambda editor: editor.put(root(editor), "x", 2))
    ann.sync()
    assert ann.undo()
    assert root(ann).shows("x") == 2
    assert ann.undo()  # the creation, so the edit is not undone again
    assert ann.document.value() == {"x": 2}


def test_undoing_a_delete_and_a_restore_of_the_document(ann):
    value = ann.document.value()
    ann.edit(lambda editor: editor.delete_document())
    assert ann.undo()
    assert ann.document.value() == value
    assert ann.redo()
    assert not ann.document.exists
    ann.edit(lambda editor: editor.restore_document())
    assert ann.undo()
    assert not ann.document.exists


def test_restoring_another_root(ann):
    ann.edit(lambda editor: editor.put_root(["a", {"$text": "b"}]))
    ann.edit(lambda editor: editor.ensure_root("counter"))
    ann.edit(lambda editor: editor.increment(editor.document.objects[":counter"], 5))
    counted = ann.document.value()
    ann.restore(2)
    assert ann.document.value() == ["a", {"$text": "b"}]
    ann.restore(4)
    assert ann.document.value() == counted == {"$counter": 5}
    ann.edit(lambda editor: editor.put_root("scalar"))
    ann.restore(1)
    ann.restore(len(ann.events) - 1)
    assert ann.document.value() == "scalar"
    ann.restore(1)
    assert ann.document.value()["title"] == "Milk"


def test_a_counter_that_went_far_comes_back(ann):
    for _ in range(3):
        ann.edit(lambda editor: editor.increment(child(editor, "count"), 2**53 - 1), group="far")
    assert ann.undo()
    assert ann.document.value()["count"] == {"$counter": 2}


def test_nobody_undoes_what_others_did(ann):
    other = Device(ann.log, "bob", "bob")
    ann.sync()
    other.sync()
    assert not other.undo()
    assert not other.redo()
    assert not Device(Log(), "eve", "eve").undo()


def test_an_edit_that_fitted_nothing_is_undone_by_nothing(ann):
    nowhere = "018bcfe5-6800-7000-8000-000000000000"
    value = ann.document.value()
    ops = [
        {"op": "put", "in": f"{nowhere}:1", "key": "a", "value": 1},
        {"op": "del", "in": child(ann, "steps").name, "elems": [f"{nowhere}:2"]},
        {"op": "del", "in": child(ann, "body").name, "elems": [f"{nowhere}:2"]},
        {"op": "what"},
    ]
    made = Event(**a_value(1, item=ITEM, node="odd") | {"user": "ann", "ops": ops})
    ann.document.fold(made)
    ann.pending.append(made)
    assert ann.undo()
    assert ann.events[-1].ops == []
    assert ann.document.value() == value


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_redo_goes_forward_as_far_as_undo_went_back(ann, steps):
    values = [ann.document.value()]
    for n in range(5):
        ann.edit(lambda editor, n=n: editor.put(editor.document.objects[""], "title", n))
        values.append(ann.document.value())
    for _ in range(2):
        for step in range(steps):
            assert ann.undo()
            assert ann.document.value() == values[4 - step]
        for step in range(steps):
            assert ann.redo()
            assert ann.document.value() == values[6 - steps + step]
        assert not ann.redo()
