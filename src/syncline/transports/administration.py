"""What an administrator asks of a server beside the log: how it is, its spaces, and the users and keys of a space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from syncline.transports.requests import Requests

__all__ = ["Administration"]


class Administration(Requests):
    """Requests to one server, about the space that was named. Raises the server's errors, or ConnectionLost."""

    async def ready(self) -> None:
        """Returns if the server takes requests."""
        await self.ask("GET", "readyz")

    # Spaces

    async def spaces(self) -> list[str]:
        """The names of all spaces."""
        return list((await self.ask("GET", "v1/spaces"))["spaces"])

    async def space(self, name: str, *, back: int = 0, items: Sequence[str] = ()) -> dict[str, Any]:
        """A space: its name, epoch, head (last seq), the tail there, the milliseconds ``at`` which that was, and the
        ``cursor`` which is ``back`` entries before the head, for a reader of ``items``."""
        query = urlencode({"back": back, **({"items": ",".join(items)} if items else {})})
        return await self.ask("GET", f"v1/spaces/{_segment(name)}?{query}")

    async def create_space(self, name: str) -> bool:
        """Makes a space; whether it is new."""
        status, _ = await self._answer("POST", "v1/spaces", {"name": name})
        return status == 201

    async def delete_space(self, name: str) -> None:
        """Deletes a space for ever."""
        await self.ask("DELETE", f"v1/spaces/{_segment(name)}")

    # Users

    async def users(self) -> list[dict[str, Any]]:
        """The users of the space."""
        return list((await self.ask("GET", "v1/users"))["users"])

    async def user(self, name: str) -> dict[str, Any]:
        """One user."""
        return await self.ask("GET", f"v1/users/{_segment(name)}")

    async def create_user(self, name: str, password: str | None = None) -> dict[str, Any]:
        """Makes a user: ``name``, and ``setup_token`` unless there is a password already."""
        return await self.ask("POST", "v1/users", {"name": name} | ({"password": password} if password else {}))

    async def remove_user(self, name: str) -> None:
        """Removes a user for ever."""
        await self.ask("DELETE", f"v1/users/{_segment(name)}")

    async def change_user(self, name: str, how: str) -> dict[str, Any]:
        """``suspend``, ``resume``, or ``setup``, which gives a ``setup_token``."""
        return await self.ask("POST", f"v1/users/{_segment(name)}/{how}", {})

    # Keys

    async def keys(self) -> list[dict[str, Any]]:
        """The keys of the space that were not revoked."""
        return list((await self.ask("GET", "v1/keys"))["keys"])

    async def create_key(self, name: str, user: str, **scope: Any) -> dict[str, Any]:
        """A new key: ``id`` and ``key``. ``scope``: ``actions``, ``items``, ``expires_ms``."""
        return await self.ask("POST", "v1/keys", {"name": name, "user": user, **scope})

    async def revoke_key(self, id: str) -> None:
        """Revokes a key for ever."""
        await self.ask("DELETE", f"v1/keys/{_segment(id)}")


def _segment(name: str) -> str:
    return quote(name, safe="")
