"""The conflict policies of a space over HTTP."""

from __future__ import annotations

import msgspec

from syncline.core import patterns
from syncline.core.documents.policies import POLICIES
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY
from syncline.errors import BadRequest
from syncline.replica.documents.library import Library
from syncline.server.desk import Change, Desk
from syncline.server.http import Request
from syncline.server.member import Member


async def show_policies(request: Request) -> None:
    """``GET policies``: the conflict policy of each item pattern; what fits none merges."""
    async with request.enter() as member:
        await request.answer(msgspec.json.encode(await _current(member)))


async def set_policies(request: Request) -> None:
    """``PUT policies``: makes these the policies, from here on; patterns that are left out have none any more."""
    wanted = _checked(await request.value())
    async with request.enter() as member:
        current = await _current(member)
        for pattern in sorted({*current, *wanted}):
            if current.get(pattern) != wanted.get(pattern):
                await _set(member, request, pattern, wanted.get(pattern))
        await request.answer(msgspec.json.encode(await _current(member)))


def _checked(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadRequest('The body must be an object of patterns, as {"task.*": "server_wins"}.')
    patterns.check(list(value))
    for pattern, policy in value.items():
        if not isinstance(policy, str) or policy not in POLICIES:
            raise BadRequest(f"{pattern[:80]}: the policy must be one of {', '.join(sorted(POLICIES))}.")
    return value


async def _current(member: Member) -> dict[str, str]:
    def look(_library: Library) -> dict[str, str]:
        return dict(sorted(member.space.documents.policies.current().items()))

    return await member.look(POLICIES_ITEM, look)


async def _set(member: Member, request: Request, pattern: str, policy: str | None) -> None:
    def draft(desk: Desk) -> None:
        desk.payload = {"item": pattern, "policy": policy}

    change = Change(SET_POLICY, draft, request.node, is_system=True)
    await member.write(POLICIES_ITEM, change, lambda library: None)
