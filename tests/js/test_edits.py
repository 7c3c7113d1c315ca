"""Random edits, carried out in Python and in JavaScript: the same events, byte for byte, and all that follows of them.

2,000 scripts on all processors (``make suite``), 100 on one. For a night, and for one seed:

    HISTORIES=100000 pytest -n logical tests/js/test_edits.py
    HISTORY=17 pytest tests/js/test_edits.py
"""

import pytest

from tests.js.driving import BLOCKS, each_seed
from tests.js.editing import Game, canonical_text


@pytest.mark.parametrize("block", range(BLOCKS))
def test_edits(node, block):
    each_seed(block, lambda seed: check(node, seed))


def check(node, seed):
    script, expected = Game(seed).play()
    found = node.ask("play", script=script)
    for number, step in enumerate(script["steps"]):
        assert found["answers"][number] == canonical_text(expected["answers"][number]), step
    for member in ("documents", "revisions", "blames"):
        assert found[member] == canonical_text(expected[member])
