"""A source of tokens for a program whose user signed in with ``syncline login``: the same sign-in, refreshed when due.

Whoever needs a token first refreshes it, for all programs of this person: a refresh token is used once, so they take
turns, and who waited finds the new one in the file.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from syncline.errors import BadSettings, Unauthorized, Unavailable
from syncline.sync.contexts import Book, Context, Contexts

if TYPE_CHECKING:
    from syncline.transports.device_grant import Tokens
    from syncline.transports.signing_in import Grant

MARGIN_MS = 60_000
"""A token that expires so soon is refreshed first."""
LONGEST_MS, SHORTEST_MS = 10 * 60_000, 2 * 60_000
"""How long a server's access token is taken to be valid, whatever the clocks of both say."""
PAUSES_SECONDS = (0.2, 1.0)
"""Before a refresh is tried again: within the 10 s in which a server repeats an answer that was lost."""
LOOK_SECONDS = 1.0

T = TypeVar("T")


class SignIn:
    """Call it for a token: ``syncline.open(…, server=me.server, space=me.space, token=me)``. Thread-safe.

    A token that is about to expire is refreshed over the network, in an event loop of its own. Raises Unauthorized when
    somebody has to run ``syncline login`` again, ConnectionLost while the server is away, BadSettings if the context is
    gone.
    """

    def __init__(self, name: str, contexts: Contexts | None = None) -> None:
        self.name, self._contexts = name, contexts or Contexts()
        self._refused = ""
        self._seen = self.context

    @property
    def context(self) -> Context:
        """The context as its file has it now. Raises BadSettings."""
        return self._contexts.read().find(self.name)

    @property
    def server(self) -> str:
        """The server's URL."""
        return self.context.server

    @property
    def space(self) -> str:
        """The space there."""
        return self.context.space

    def __call__(self) -> str | None:
        """A token that is valid for a while; None if nobody has to sign in there."""
        self._seen = context = self.context
        if not self._is_good(context):
            with self._contexts.signing_in(self.name):
                context = self.context
                if not self._is_good(context):
                    context = self._refresh(context)
            self._seen = context
        return context.key or context.access_token or None

    def refused(self) -> None:
        """The server did not take the token that was given last: it is not given again."""
        self._refused = self._seen.access_token

    async def changed(self) -> None:
        """Returns when somebody has signed in since a token was given last, or the context is another."""
        while True:
            if await asyncio.to_thread(self._look) != self._seen:
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> Context | None:
        try:
            return self.context
        except BadSettings:
            return None

    def _is_good(self, context: Context) -> bool:
        if context.key or not context.user:
            return True
        is_fresh = now_ms() < context.expires_ms - MARGIN_MS
        return bool(context.access_token) and is_fresh and context.access_token != self._refused

    def _refresh(self, context: Context) -> Context:
        used = context.refresh_token
        try:
            if not used:
                raise Unauthorized("There is no token to go on with.")
            return self._keep(used, asyncio.run(_again(lambda: _refreshed(context))))
        except Unauthorized as error:
            self._seen = self._keep(used, replace(context, access_token="", expires_ms=0, refresh_token=""))
            words = f"{context.user} is not signed in at {self.name} any more: run syncline login."
            raise type(error)(words, **error.details) from None

    def _keep(self, used: str, context: Context) -> Context:
        """Writes what became of a refresh token, unless somebody signed in meanwhile; the context afterwards."""

        def change(book: Book) -> Book:
            is_same = book.find(self.name).refresh_token == used
            return replace(book, contexts={**book.contexts, self.name: context}) if is_same else book

        return self._contexts.change(change).find(self.name)


def signed_in(context: str | None = None) -> SignIn:
    """The sign-in that ``syncline login`` left on this machine, to open replicas with.

    ``context`` is its name; without one it is that of ``SYNCLINE_CONTEXT``, or the one in use. Raises BadSettings if
    there is none.
    """
    contexts = Contexts()
    name = context or os.environ.get("SYNCLINE_CONTEXT") or contexts.read().current
    if not name:
        raise BadSettings("Nobody has signed in on this machine yet: run syncline login.")
    return SignIn(name, contexts)


def granted(context: Context, grant: Grant) -> Context:
    """The context with what a server gave."""
    lifetime = min(max(grant.expires_ms - now_ms(), SHORTEST_MS), LONGEST_MS)
    return Context(
        server=context.server,
        space=grant.space or context.space,
        user=grant.user,
        access_token=grant.access_token,
        expires_ms=now_ms() + lifetime,
        refresh_token=grant.refresh_token,
    )


def issued(context: Context, tokens: Tokens) -> Context:
    """The context with what an OpenID provider gave."""
    expires_ms = now_ms() + int(tokens.expires_in * 1_000)
    return replace(context, access_token=tokens.token, expires_ms=expires_ms, refresh_token=tokens.refresh_token)


def now_ms() -> int:
    """Milliseconds since 1970, by this machine."""
    return time.time_ns() // 1_000_000


async def _refreshed(context: Context) -> Context:
    if context.issuer:
        from syncline.transports.device_grant import DeviceGrant  # an HTTP client, which nobody else waits for

        grant = DeviceGrant(context.issuer, context.client_id, context.audience)
        return issued(context, await grant.refresh(context.refresh_token))
    from syncline.transports.signing_in import SigningIn  # as above

    async with SigningIn(context.server, space=context.space) as server:
        return granted(context, await server.refresh(context.refresh_token))


async def _again(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call, which is made again if that may help: the answer to the first one may have been lost."""
    for seconds in PAUSES_SECONDS:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(seconds)
    return await call()
