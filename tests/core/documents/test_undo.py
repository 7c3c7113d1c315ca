"""Undo, redo and restore, amid other people's edits and on two devices, against an oracle that folds without."""

import os
import random

import pytest

from tests.core.documents.people import Device, Log, create, fold_without_undone, random_edit

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
