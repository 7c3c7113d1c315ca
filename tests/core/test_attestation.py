"""Proofs as they are written down: they hold, and nothing can be changed in them."""

import msgspec
import pytest

from syncline.core.attestation import Attestation
from syncline.core.merkle import Leaf, Tree, held_in
from syncline.errors import BadRequest
from syncline.testing import Author


def attested(event, events, *, content=True):
    leaves = sorted(Leaf(each.key, each.digest) for each in events)
    tree = Tree.of(leaves)
    return Attestation.of(
        tree.proof(event.key, held_in(leaves)),
        epoch="00" * 16,
        seq=len(events),
        root=tree.root,
        count=tree.count,
        digest=event.digest,
        event=event.body if content else None,
    )


@pytest.fixture
def events():
    author = Author()
    return [author.event(payload={"n": n}) for n in range(1_000)]


@pytest.mark.parametrize("content", [True, False])
def test_a_proof_holds_for_whoever_reads_it(events, content):
    made = attested(events[500], events, content=content)
    read = Attestation.read(msgspec.json.encode(made))
    assert read == made
    assert read.wrong() is None
    assert read.id == (events[500].id if content else None)
    assert read.wrong(made.root.upper()) is None
    assert len(read.steps) > 1


def test_another_root_is_told(events):
    other = attested(events[500], events[:-1])
    assert "another root" in attested(events[500], events).wrong(other.root)


@pytest.mark.parametrize("name", ["root", "digest", "leaf", "steps"])
def test_what_is_changed_proves_nothing(events, name):
    made, other = attested(events[1], events), attested(events[600], events)
    value = "00" * 32 if name == "root" else getattr(other, name)
    changed = msgspec.structs.replace(made, **{name: value})
    assert "do not lead" in changed.wrong()


def test_the_event_in_it_is_the_one(events):
    made = attested(events[1], events)
    changed = msgspec.structs.replace(made, event=msgspec.Raw(events[2].body))
    assert "not the one" in changed.wrong()


def test_the_event_may_be_written_otherwise(events):
    made = attested(events[1], events)
    spaced = msgspec.Raw(msgspec.json.format(events[1].body, indent=2))
    assert msgspec.structs.replace(made, event=spaced).wrong() is None
    doubled = msgspec.Raw(b'{"id":1,"id":2}')
    assert "not the one" in msgspec.structs.replace(made, event=doubled).wrong()


def test_hashes_are_hex(events):
    assert "hex" in msgspec.structs.replace(attested(events[1], events), digest="no").wrong()


@pytest.mark.parametrize("text", [b"{}", b"no", b'{"syncline_proof": 1}'])
def test_what_is_no_proof_is_not_read(text):
    with pytest.raises(BadRequest):
        Attestation.read(text)


def test_a_proof_of_another_format_is_not_read(events):
    made = msgspec.structs.replace(attested(events[1], events), syncline_proof=2)
    with pytest.raises(BadRequest, match="format 2"):
        Attestation.read(msgspec.json.encode(made))
