"""An edge has the digests of its log, also of one that does not tell them itself."""

import pytest

from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.core.merkle import Tree, span
from syncline.stores.digests import leaves
from syncline.stores.memory import MemoryEventStore
from syncline.sync.relay import EdgeStore
from syncline.testing import Author
from syncline.testing.event_store import EPOCH
from syncline.testing.seeded import START_MS


class Silent:
    """A log that does no more than an ``EventStore`` must."""

    def __init__(self, log):
        self.append, self.slice, self.head, self.tail = log.append, log.slice, log.head, log.tail


@pytest.mark.parametrize("disguise", [lambda log: log, Silent])
def test_an_edge_has_the_tree_of_its_log(disguise):
    log = MemoryEventStore(EPOCH, Receipts(b"key"))
    for author in (Author("later"), Author("sooner", now_ms=lambda: START_MS - 1)):
        log.append([Submission(author.events(30), "ann")], now_ms=START_MS)
    edge = EdgeStore(disguise(log), lambda events: [])
    assert edge.digests(7, 20) == log.digests(7, 20)
    tree = Tree.of(leaves(edge.digests_by_id, lambda each: True, *span("")))
    assert tree == Tree.of(leaves(log.digests_by_id, lambda each: True, *span("")))
    assert tree.count == 60
