"""By what right a replica syncs: a token, or a function that is asked for a fresh one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from syncline.errors import SynclineError, Unauthorized, UserMismatch
from syncline.sync.sign_in import SignIn

Token = str | Callable[[], str | Awaitable[str | None] | None] | None
"""A token (an API key, or what a login gave), or a function that returns a fresh one, which may be an ``async def``.

A function is asked at the beginning of each conversation, before its token expires, and once more when its token was
refused. Another thread waits for it, so it may take its time.
"""


class Credentials:
    """What one manager says of itself to its server."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self._was_refused = False

    @property
    def may_change(self) -> bool:
        """Whether there is somebody to ask for another token."""
        return callable(self.token)

    async def ask(self) -> str | None:
        """The token for the next conversation. Raises what its function raises."""
        if not callable(self.token):
            return self.token
        answer = await asyncio.to_thread(self.token)
        return await answer if isawaitable(answer) else answer

    def may_help(self, error: SynclineError | None) -> bool:
        """Whether to ask again at once, after a conversation that ended so: a token may have expired, but not twice."""
        is_refused = isinstance(error, Unauthorized)
        is_first = callable(self.token) and not self._was_refused
        self._was_refused = is_refused and is_first
        if self._was_refused and isinstance(self.token, SignIn):
            self.token.refused()
        return self._was_refused

    async def renewed(self) -> bool:
        """Waits until somebody has signed in anew, where that can be noticed; False at once where it cannot."""
        if not isinstance(self.token, SignIn):
            return False
        await self.token.changed()
        return True


def is_about_credentials(error: SynclineError | None) -> bool:
    """Whether only other credentials can help: those of somebody, or those of whose replica this is."""
    return isinstance(error, Unauthorized | UserMismatch)
