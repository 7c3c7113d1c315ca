"""The labels of a space over HTTP: names for places in its history, which retention may be told to keep."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from syncline.core.retention import LABELS_ITEM, SET_LABEL, labels_of
from syncline.errors import BadRequest, NotFound
from syncline.server.administration import record
from syncline.server.http import Request
from syncline.server.member import Member
from syncline.stores import load

NAME = re.compile(r"[A-Za-z0-9_.~:-]{1,128}")


class SetLabel(msgspec.Struct, forbid_unknown_fields=True):
    """The body that sets a label; without a seq at the head."""

    seq: int | None = None


async def list_labels(request: Request) -> None:
    """``GET labels``: the seq that each label names."""
    async with request.enter() as member:
        member.check_read(LABELS_ITEM)
        await request.answer(msgspec.json.encode({"labels": await _labels(member)}))


async def set_label(request: Request) -> None:
    """``PUT labels/{name}``: has a label name a seq, the head if none is given."""
    name, seq = _name(request), (await request.message(SetLabel)).seq
    async with request.enter() as member:
        member.check_may(LABELS_ITEM, SET_LABEL)
        head = member.space.hub.head.seq
        seq = head if seq is None else seq
        if not 0 < seq <= head:
            raise BadRequest(f"seq: the log has entries from 1 to {head}.")
        await record(member, LABELS_ITEM, SET_LABEL, {"name": name, "seq": seq})
    await request.answer(msgspec.json.encode({"name": name, "seq": seq}))


async def remove_label(request: Request) -> None:
    """``DELETE labels/{name}``: takes a label away."""
    name = _name(request)
    async with request.enter() as member:
        member.check_may(LABELS_ITEM, SET_LABEL)
        if name not in await _labels(member):
            raise NotFound(f"There is no label {name}.")
        await record(member, LABELS_ITEM, SET_LABEL, {"name": name})
    await request.answer(b"{}")


def _name(request: Request) -> str:
    name: str = unquote(request.scope["path_params"]["name"], errors="replace")
    if not NAME.fullmatch(name):
        raise BadRequest("name: a label has 1 to 128 of the characters A-Z a-z 0-9 _ . ~ : -")
    return name


async def _labels(member: Member) -> dict[str, int]:
    store = member.space.store
    return await member.space.run(lambda: labels_of(load(store, items=[LABELS_ITEM])))
