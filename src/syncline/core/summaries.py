"""Nodes of a Merkle tree as they travel: a ``Summary`` each, whose hashes stand together in base64 (RFC 4648)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable

from syncline.core.merkle import HASH_BYTES, Node
from syncline.core.messages import Summary
from syncline.errors import BadRequest


def summaries_of(nodes: Iterable[Node]) -> list[Summary]:
    """The nodes, to be sent."""
    return [
        Summary(node.at, node.within, node.mask, b64encode(b"".join(node.hashes)).decode(), node.ids) for node in nodes
    ]


def nodes_of(summaries: Iterable[Summary]) -> list[Node]:
    """The nodes that were sent; ``check_node`` looks at their shape. Raises BadRequest."""
    return [_node_of(summary) for summary in summaries]


def _node_of(summary: Summary) -> Node:
    try:
        joined = b64decode(summary.hashes, validate=True)
    except ValueError:
        raise BadRequest(f"merkle: the hashes at {summary.at[:32]!r} are not base64.") from None
    hashes = tuple(joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES))
    return Node(summary.at, summary.within, summary.mask, hashes, summary.ids)
