"""A running server without its network: register, credentials and spaces, and the peers of in-process transports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from syncline.core.messages import PROTOCOL, ErrorMessage, Hello, Live, Pull, Push, decode_request, encode
from syncline.errors import BadRequest, SynclineError, UnsupportedProtocol
from syncline.server.auth.authenticator import Authenticator
from syncline.server.auth.identity import ANYONE, ROOT
from syncline.server.registry import DEFAULT_SPACE, Registry
from syncline.server.resolving import Resolver, Resolving, check
from syncline.server.settings import Settings
from syncline.server.space import Space
from syncline.server.spaces import Spaces
from syncline.stores.sqlite.database import hold

__all__ = ["ANYONE", "ROOT", "Service", "ServicePeer", "wall_clock_ms"]


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Service:
    """What requests are answered from. Start and stop it in one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        resolvers: Mapping[str, Resolver] | None = None,
        makes_key: bool = False,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """``makes_key``: a data directory without any API key gets one, for somebody to show. Raises BadSettings."""
        self.settings, self._resolvers = settings, dict(resolvers or {})
        check(self._resolvers)
        self.first_key: str | None = None
        """The key made at the first start of this data directory; shown once."""
        self.first_setup_token: str | None = None
        """With which the administrator sets a password, from the same start."""
        self._makes_key, self._now_ms = makes_key, now_ms

    def start(self) -> None:
        """Opens the data directory; call it in the event loop. Raises StoreLocked if another server has it."""
        data = Path(self.settings.data)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds secrets
        self._lock = hold(data / "server.lock")
        self.registry = Registry(data / "server.db", self._now_ms)
        settings = self.settings
        self.authenticator = Authenticator(self.registry, self._now_ms, open=settings.open, issuers=settings.oidc)
        if self._makes_key and not self.registry.keys():
            self.first_key = self.registry.create_key("first", ROOT)
            self.first_setup_token = self.authenticator.accounts.setup_tokens.issue(DEFAULT_SPACE, ROOT)
        self.registry.create_space(DEFAULT_SPACE)
        self.spaces = Spaces(
            data / "spaces",
            self.registry,
            self._now_ms,
            Resolving(self._resolvers, self._now_ms),
            max_open=self.settings.max_open_spaces,
            documents_bytes=self.settings.documents_megabytes * 1024 * 1024,
        )

    async def stop(self) -> None:
        """Finishes what was begun and closes everything."""
        await self.spaces.close()
        await self.authenticator.close()
        self.registry.close()
        self._lock.close()

    def user_of(self, token: str | None) -> str:
        """Whose credentials these are. Raises Unauthorized. A revoked key is noticed within a second."""
        return self.authenticator.identify_local(token).user

    def use(self, space: str) -> AbstractAsyncContextManager[Space]:
        """The space, open for as long as the block lasts."""
        return self.spaces.use(space, create=self.settings.create_spaces)

    def peer(self) -> ServicePeer:
        """The server's end of a ``MemoryTransport``."""
        return ServicePeer(self)


class ServicePeer:
    """One in-process conversation with a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._space = DEFAULT_SPACE
        self._user = ""

    async def answer(self, request: bytes) -> bytes:
        """The encoded answer to one encoded request."""
        try:
            return await self._answer(request)
        except SynclineError as error:
            return encode(ErrorMessage.of(error))

    async def _answer(self, request: bytes) -> bytes:
        message = decode_request(request)
        if isinstance(message, Hello):
            if message.protocol != PROTOCOL:
                raise UnsupportedProtocol(f"This server speaks protocol {PROTOCOL}, not {message.protocol}.")
            self._user, self._space = self._service.user_of(message.token), message.space
        async with self._service.use(self._space) as space:
            match message:
                case Hello():
                    return encode(await space.welcome(message.node, self._user))
                case Push():
                    return b'{"type":"ack","ref":%d,%b}' % (
                        message.ref,
                        await space.push(bytes(message.events), self._user),
                    )
                case Pull():
                    return await space.pull(message)
        raise BadRequest("This message is not a request.")

    async def follow(self, live: Live) -> AsyncIterator[bytes]:
        """Encoded pages, as they come."""
        try:
            async with self._service.use(self._space) as space:
                async for frame in space.follow(live):
                    yield frame.text.encode()
        except SynclineError as error:
            yield encode(ErrorMessage.of(error))
