"""Nodes of a Merkle tree as they travel."""

import pytest

from syncline.core.merkle import Leaf, Tree, check_node, held_in
from syncline.core.messages import Merkle, encode
from syncline.core.requests import decode_request
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import BadRequest
from syncline.testing import Author


@pytest.mark.parametrize("count", [0, 1, 16, 17, 300])
def test_nodes_come_as_they_went(count):
    leaves = [Leaf(event.key, event.digest) for event in Author().events(count)]
    node = Tree.of(leaves).at("", held_in(leaves))
    message = decode_request(encode(Merkle(summaries=summaries_of([node]))))
    assert [check_node(each) for each in nodes_of(message.summaries)] == [node]


@pytest.mark.parametrize("hashes", ["!", "AAAA", "AAA", "é", "1iwg19UG16OqhJZ4AAAA"])
def test_what_is_no_row_of_hashes_is_refused(hashes):
    (summary,) = summaries_of([Tree.of([]).at("", held_in([]))])
    text = encode(Merkle(summaries=[summary])).replace(b'0,""', b'0,"%b"' % hashes.encode())
    with pytest.raises(BadRequest):
        [check_node(node) for node in nodes_of(decode_request(text).summaries)]
