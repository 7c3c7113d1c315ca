"""Attestations: a proof that an event is in a log, with all that somebody needs to check it without that log.

    {"syncline_proof": 1, "epoch": "…", "seq": 1234, "root": "…", "count": 1234, "digest": "…", "leaf": ["…"],
     "steps": [{"left": ["…"], "right": []}], "event": {…}}

Hashes are in hex. ``root`` is that of the Merkle tree of ``count`` events up to ``seq`` (see ``core.merkle``): of all
that there are, or that somebody may read. Who checks compares it with one that they have from elsewhere. ``event`` is
left out if its content is gone.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, UnsetType

from syncline.core import canonical
from syncline.core.limits import MAX_DEPTH
from syncline.core.merkle import Proof, Step, check
from syncline.errors import BadRequest, SynclineError

FORMAT = 1


class Siblings(msgspec.Struct, frozen=True):
    """One step up the tree: the hashes before and after."""

    left: list[str]
    right: list[str]


class Attestation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A proof as it is written down."""

    syncline_proof: int
    epoch: str
    seq: int
    root: str
    count: int
    digest: str
    leaf: list[str]
    steps: list[Siblings]
    event: Raw | UnsetType = UNSET

    @classmethod
    def of(
        cls, proof: Proof, *, epoch: str, seq: int, root: bytes, count: int, digest: bytes, event: bytes | None
    ) -> Attestation:
        """The proof that a tree gave; ``event`` in canonical form, if its content is there."""
        return cls(
            syncline_proof=FORMAT,
            epoch=epoch,
            seq=seq,
            root=root.hex(),
            count=count,
            digest=digest.hex(),
            leaf=[each.hex() for each in proof.digests],
            steps=[
                Siblings([each.hex() for each in left], [each.hex() for each in right]) for left, right in proof.steps
            ],
            event=UNSET if event is None else Raw(event),
        )

    @classmethod
    def read(cls, text: bytes) -> Attestation:
        """Raises BadRequest for what is none."""
        try:
            read = msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"This is no proof: {error}") from None
        if read.syncline_proof != FORMAT:
            raise BadRequest(f"The proof is of format {read.syncline_proof}, which this version does not read.")
        return read

    @property
    def id(self) -> str | None:
        """Which event it is about, of one that holds; None if the event is left out, and its digest alone tells."""
        return None if self.event is UNSET else str(msgspec.json.decode(self.event)["id"])

    def wrong(self, root: str | None = None) -> str | None:
        """Why it proves nothing, in words; None if it holds. ``root``: one that is known from elsewhere."""
        if root is not None and root.lower() != self.root:
            return f"It is about a tree with another root: {self.root}."
        try:
            proof = Proof(tuple(map(bytes.fromhex, self.leaf)), tuple(map(_step, self.steps)))
            holds = check(bytes.fromhex(self.root), bytes.fromhex(self.digest), proof)
        except ValueError:
            return "Its hashes are not in hex."
        if not holds:
            return "Its hashes do not lead from the event to the root."
        if self.event is not UNSET and _digest(bytes(self.event)) != self.digest:
            return "The event in it is not the one that it proves."
        return None


def _digest(event: bytes) -> str | None:
    """The digest of an event, however it is written; None if it cannot be one."""
    try:
        return canonical.digest(canonical.encode(canonical.decode(event, max_depth=MAX_DEPTH))).hex()
    except SynclineError:
        return None


def _step(siblings: Siblings) -> Step:
    return Step(tuple(map(bytes.fromhex, siblings.left)), tuple(map(bytes.fromhex, siblings.right)))
