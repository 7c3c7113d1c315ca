"""Administrative acts as events of the log: rules on ``.acl``, users and their credentials on ``.user.<name>``.

Whether somebody may is judged where everything is, in the transaction that stores the event; so what is recorded here
was allowed. Whoever also changes the server's register does that apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from syncline.core.access.scope import Rights
from syncline.core.access.state import CREATE_KEY, user_item
from syncline.core.admission import Submission
from syncline.core.events import Event
from syncline.errors import NodeConflict, SynclineError, TxRefused
from syncline.server.author import Author
from syncline.server.member import Member
from syncline.server.register.keys import Key
from syncline.server.space import Space

NODE = "~system"
"""A user's node for these events: another than for documents, whose events may be on their way at the same time."""


TRIES = 16
"""How often an act is drafted anew because another server wrote at the same time."""


class Act(NamedTuple):
    """What an administrator does."""

    item: str
    action: str
    payload: Any = UNSET


def key_made(key: Key) -> Act:
    """That a key was made; the key itself is not told."""
    payload = {"credential": f"key:{key.id}", "name": key.name, "actions": [*key.actions], "items": [*key.items]}
    return Act(user_item(key.user), CREATE_KEY, {**payload, "expires_ms": key.expires})


class Recorded(NamedTuple):
    """The event that tells of an act, and its place in the log."""

    id: str
    seq: int


async def record(
    member: Member, item: str, action: str, payload: Any = UNSET, *, rights: Rights | None = None
) -> Recorded:
    """Writes one system event as this member. Raises Forbidden, Unauthorized, or what the log refuses."""
    (recorded,) = await record_all(member, [Act(item, action, payload)], rights=rights)
    return recorded


async def record_all(member: Member, acts: Sequence[Act], *, rights: Rights | None = None) -> list[Recorded]:
    """Writes several in one commit: all of them, or none. Raises what the first refused one raises.

    ``rights``: other ones than the member's, for what everybody may do about themselves.
    """
    member.check()
    return await write(member.space, member.user, acts, rights or member.rights)


async def write(space: Space, user: str, acts: Sequence[Act], rights: Rights) -> list[Recorded]:
    """The same as somebody whose credentials need no look."""
    async with space.administering:
        for _ in range(TRIES):
            events = await space.run(_drafted, space, user, acts)
            outcomes, _ = await space.submit(Submission(events, user, is_system=True, rights=rights))
            if not any(isinstance(outcome, NodeConflict) for outcome in outcomes):
                break  # otherwise another server wrote as this user's node
    refused = [outcome for outcome in outcomes if isinstance(outcome, SynclineError)]
    if refused:
        raise next((error for error in refused if not isinstance(error, TxRefused)), refused[0])
    return [
        Recorded(event.id, seq) for event, seq in zip(events, outcomes, strict=True) if not isinstance(seq, Exception)
    ]


def _drafted(space: Space, user: str, acts: Sequence[Act]) -> list[Event]:
    author = Author(space.store, space.now_ms)
    node = author.node(user, NODE)
    ids = [author.next_id(node) for _ in acts]
    meta = {"tx": ids[0]} if len(ids) > 1 else UNSET
    return [
        author.event(id, node, {}, item=act.item, action=act.action, user=user, payload=act.payload, meta=meta)
        for id, act in zip(ids, acts, strict=True)
    ]
