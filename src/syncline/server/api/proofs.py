"""Proofs over HTTP: that an event is among what the asker may read, by the root of the Merkle tree of that."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from syncline.core import stamps
from syncline.core.access.views import View
from syncline.core.attestation import Attestation
from syncline.errors import InvalidEvent, NotFound, UnknownEvent
from syncline.server.healing.trees import Grown
from syncline.server.http import Request
from syncline.stores import LogStore


async def show_proof(request: Request) -> None:
    """``GET proof/{id}``: the proof that an event is in the log; whoever may not read it hears that there is none."""
    id: str = unquote(request.scope["path_params"]["id"], errors="replace")
    async with request.enter() as member:

        def view() -> View:
            member.check()  # the tree may have been waited for
            return member.view()

        space = member.space
        grown = await space.trees.at(view)
        attestation = await space.run(_attested, grown, space.store, space.hub.head.epoch, id)
    await request.answer(msgspec.json.encode(attestation))


def _attested(grown: Grown, store: LogStore, epoch: str, id: str) -> Attestation:
    try:
        key = stamps.key(stamps.check_id(id))
        proof = grown.tree.proof(key, grown.read)
    except (InvalidEvent, UnknownEvent):
        raise NotFound(f"There is no event {id[:64]}.") from None
    ((_, digest),) = grown.read(key, key)
    (event, *_) = [*(entry.event for entry in store.find([id])), None]
    return Attestation.of(
        proof,
        epoch=epoch,
        seq=grown.seq,
        root=grown.tree.root,
        count=grown.tree.count,
        digest=digest,
        event=None if event is None or event.is_erased else event.body,
    )
