"""Random edits, carried out in Python and in JavaScript: the same events, byte for byte, and all that follows of them.

2,000 scripts on all processors (``make suite``), 100 on one. For a night, and for one seed:

    HISTORIES=100000 pytest -n logical tests/js/test_edits.py
    HISTORY=17 pytest tests/js/test_edits.py
"""

import os

import pytest

from tests.js.driving import NODE, driver
from tests.js.editing import Game, canonical_text

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no Node here")

BLOCKS = 20
COUNT = int(os.environ.get("HISTORIES", "2000" if "PYTEST_XDIST_WORKER" in os.environ else "100"))


@pytest.fixture(scope="module")
def node():
    with driver() as process:
        yield process


def seeds(block: int) -> range:
    if "HISTORY" in os.environ:
        return range(int(os.environ["HISTORY"]), int(os.environ["HISTORY"]) + (block == 0))
    return range(block * COUNT // BLOCKS, (block + 1) * COUNT // BLOCKS)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_edits(node, block):
    for seed in seeds(block):
        try:
            check(node, seed)
        except Exception as error:
            error.add_note(f"HISTORY={seed} pytest tests/js/test_edits.py")
            raise


def check(node, seed):
    script, expected = Game(seed).play()
    found = node.ask("play", script=script)
    for number, step in enumerate(script["steps"]):
        assert found["answers"][number] == canonical_text(expected["answers"][number]), step
    for member in ("documents", "revisions", "blames"):
        assert found[member] == canonical_text(expected[member])
