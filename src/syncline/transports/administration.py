"""What an administrator asks of a server beside the log: how it is, its spaces, and the users and keys of a space."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from syncline.transports.requests import Requests

__all__ = ["Administration"]

KEEP_UP_SECONDS = 5
ERASE_SECONDS = 600.0
"""Who erases reads all of the history, and waits for whatever else is being done to it."""


class Administration(Requests):
    """Requests to one server; those about users and keys are about one space. Raises its errors, or ConnectionLost."""

    def __init__(self, url: str, token: str | None = None, space: str = "default") -> None:
        super().__init__(url, token)
        self._place = f"v1/spaces/{_segment(space)}"

    async def ready(self) -> None:
        """Returns if the server takes requests."""
        await self.ask("GET", "readyz")

    # Spaces

    async def spaces(self) -> list[str]:
        """The names of all spaces."""
        return list((await self.ask("GET", "v1/spaces"))["spaces"])

    async def space(self, name: str, *, back: int = 0, items: Sequence[str] = (), root: bool = False) -> dict[str, Any]:
        """A space: its name, epoch, head (last seq), the tail there, the milliseconds ``at`` which that was, and the
        ``cursor`` which is ``back`` entries before the head, for a reader of ``items``. ``root``: also the root of the
        Merkle tree of what that reader may see, in hex; otherwise it is None."""
        wanted = {"back": back, **({"items": ",".join(items)} if items else {}), **({"root": 1} if root else {})}
        query = urlencode(wanted)
        return await self.ask("GET", f"v1/spaces/{_segment(name)}?{query}")

    async def create_space(self, name: str) -> bool:
        """Makes a space; whether it is new."""
        status, _ = await self._answer("POST", "v1/spaces", {"name": name})
        return status == 201

    async def change_space(self, name: str, **terms: Any) -> dict[str, Any]:
        """Changes ``quotas`` (a number each, 0 for none, None for the server's default), ``suspended`` or ``retention``
        (``days``, ``revisions``, ``labels``; none of them: all is kept); all of them, with what is ``used``."""
        return await self.ask("PATCH", f"v1/spaces/{_segment(name)}", terms)

    async def keep_up(self, name: str) -> dict[str, Any]:
        """Makes a snapshot of a space, and lets go of what it does not keep: its ``snapshot`` and ``horizon`` then.

        Returns when that is done, however long it takes; asks about it meanwhile.
        """
        history = await self.ask("POST", f"v1/spaces/{_segment(name)}/history?wait={KEEP_UP_SECONDS}", {})
        while history.get("working"):
            await asyncio.sleep(1)
            history = (await self.space(name))["history"]
        return history

    async def labels(self) -> dict[str, int]:
        """The seq that each label of the space names."""
        return dict((await self.ask("GET", f"{self._place}/labels"))["labels"])

    async def set_label(self, name: str, seq: int | None = None) -> int:
        """Has a label name a seq, or the head; which."""
        body = {} if seq is None else {"seq": seq}
        return int((await self.ask("PUT", f"{self._place}/labels/{_segment(name)}", body))["seq"])

    async def remove_label(self, name: str) -> None:
        """Takes a label away. Raises NotFound if there is none."""
        await self.ask("DELETE", f"{self._place}/labels/{_segment(name)}")

    async def proof(self, id: str) -> dict[str, Any]:
        """The proof that an event is in the space's log; see ``core.attestation``. Raises NotFound."""
        return await self.ask("GET", f"{self._place}/proof/{_segment(id)}")

    async def delete_space(self, name: str) -> None:
        """Deletes a space for ever."""
        await self.ask("DELETE", f"v1/spaces/{_segment(name)}")

    # Users

    async def users(self) -> list[dict[str, Any]]:
        """The users of the space."""
        return list((await self.ask("GET", f"{self._place}/users"))["users"])

    async def user(self, name: str) -> dict[str, Any]:
        """One user."""
        return await self.ask("GET", f"{self._place}/users/{_segment(name)}")

    async def create_user(self, name: str, password: str | None = None) -> dict[str, Any]:
        """Makes a user: ``name``, and ``setup_token`` unless there is a password already."""
        return await self.ask(
            "POST", f"{self._place}/users", {"name": name} | ({"password": password} if password else {})
        )

    async def remove_user(self, name: str) -> None:
        """Removes a user for ever."""
        await self.ask("DELETE", f"{self._place}/users/{_segment(name)}")

    async def change_user(self, name: str, how: str) -> dict[str, Any]:
        """``suspend``, ``resume``, or ``setup``, which gives a ``setup_token``."""
        return await self.ask("POST", f"{self._place}/users/{_segment(name)}/{how}", {})

    async def reset_totp(self, name: str) -> None:
        """Takes away a user's second factor. Raises NotFound if there is none."""
        await self.ask("DELETE", f"{self._place}/users/{_segment(name)}/totp")

    # Keys

    async def keys(self) -> list[dict[str, Any]]:
        """The keys of the space that were not revoked."""
        return list((await self.ask("GET", f"{self._place}/keys"))["keys"])

    async def create_key(self, name: str, user: str, **scope: Any) -> dict[str, Any]:
        """A new key: ``id`` and ``key``. ``scope``: ``actions``, ``items``, ``expires_ms``."""
        return await self.ask("POST", f"{self._place}/keys", {"name": name, "user": user, **scope})

    async def revoke_key(self, id: str) -> None:
        """Revokes a key for ever."""
        await self.ask("DELETE", f"{self._place}/keys/{_segment(id)}")

    # Rules

    async def rules(self, user: str | None = None) -> list[dict[str, Any]]:
        """The rules of the space in the order in which they were made; or those that concern a user."""
        return list((await self.ask("GET", f"{self._place}/acl" + _query(user=user)))["rules"])

    async def add_rules(self, rules: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        """Makes up to 100 rules ``{user, item, action, type}`` in one commit; gives them with ``id`` and ``seq``."""
        return list((await self.ask("POST", f"{self._place}/acl", {"rules": list(rules)}))["rules"])

    async def remove_rules(self, ids: Sequence[str]) -> None:
        """Removes up to 100 rules in one commit. Raises NotFound if one of them is not there."""
        await self.ask("DELETE", f"{self._place}/acl?" + urlencode([("rule", id) for id in ids]))

    async def explain(self, user: str, item: str, action: str) -> dict[str, Any]:
        """Whether a user may do something: ``allowed``, ``reason``, and the ``rule`` that says so."""
        return await self.ask("POST", f"{self._place}/acl/explain", {"user": user, "item": item, "action": action})

    # Erasing

    async def erase(self, **what: Any) -> dict[str, Any]:
        """Erases ``events`` (ids), all of ``items`` (patterns), all that ``users`` wrote: how many ``events``, of which
        ``items``. ``dry_run=True``: says it, and erases nothing."""
        return await self.ask("POST", f"{self._place}/erase", what, silence_seconds=ERASE_SECONDS)

    async def erasable(self) -> list[str]:
        """Patterns of the items whose events are salted."""
        return list((await self.ask("GET", f"{self._place}/erasable"))["items"])

    async def set_erasable(self, items: Sequence[str]) -> list[str]:
        """Has the events of these items, and of no others, salted from now on."""
        return list((await self.ask("PUT", f"{self._place}/erasable", {"items": list(items)}))["items"])

    # Audit

    async def audit(self, **wanted: Any) -> dict[str, Any]:
        """A page of the audit, the newest first: ``entries``, and the ``next`` page's ``after``. ``wanted``: ``after``,
        ``limit``, ``user``, ``kind``; ``spaces="all"``."""
        return await self.ask("GET", f"{self._place}/audit" + _query(**wanted))


def _query(**parameters: Any) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _segment(name: str) -> str:
    return quote(name, safe="")
