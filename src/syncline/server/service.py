"""A running server without its network: register, credentials and spaces, and the peers of in-process transports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from inspect import isawaitable
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

from syncline.core.log import Receipts
from syncline.core.messages import (
    PROTOCOL,
    AskSnapshot,
    Auth,
    ErrorMessage,
    Fetch,
    Give,
    Hello,
    Live,
    Merkle,
    Pull,
    Push,
    encode,
)
from syncline.core.requests import decode_request
from syncline.errors import BadRequest, SynclineError, Unauthorized, UnknownSpace, UnsupportedProtocol
from syncline.server.audit import ACCOUNT, FORBIDDEN, Audit
from syncline.server.auth.authenticator import Authenticator
from syncline.server.auth.identity import ANYONE, ROOT, Identity
from syncline.server.auth.tickets import TICKET_PREFIX
from syncline.server.bus import Bus
from syncline.server.bus.chosen import open_bus
from syncline.server.bus.messages import Seal
from syncline.server.endings import Endings
from syncline.server.limits import Limits
from syncline.server.logs import POSTGRES, kind_of, open_logs
from syncline.server.member import Member
from syncline.server.others import Others
from syncline.server.recording import Recording
from syncline.server.register.acts import ActTable
from syncline.server.register.audit import AuditTable
from syncline.server.register.users import check_user
from syncline.server.registry import DEFAULT_SPACE, open_registry
from syncline.server.resolving import Resolver, Resolving, check
from syncline.server.settings import Settings
from syncline.server.space import Terms
from syncline.server.spaces import Spaces
from syncline.stores import SharedLogs
from syncline.stores.tables.database import hold

if TYPE_CHECKING:
    from syncline.server.upstream import Upstream

__all__ = ["ANYONE", "ROOT", "Service", "ServicePeer", "wall_clock_ms"]


BY_HOST = "host:"
"""The credential of those for whom a host app vouches, if it names none."""


class Caller(NamedTuple):
    """Who asks for admission, as a host app's ``authenticate`` sees them."""

    token: str | None
    space: str
    """The space that they ask for."""
    headers: Mapping[str, str] = MappingProxyType({})
    """In lower case; of several with one name the last."""
    address: str = ""


Authenticate = Callable[[Caller], Awaitable[Identity | None] | Identity | None]
"""Says who somebody is; None: the server's own credentials decide. May raise Unauthorized.

It is called in the event loop, for each request and once for each socket: what takes its time is for an ``async def``.
"""


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
        authenticate: Authenticate | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
        bus: Bus | None = None,
    ) -> None:
        """``authenticate`` is asked first who comes; ``makes_key``: a data directory without any API key gets one.

        ``bus``: another one than the settings say. Raises BadSettings.
        """
        self.settings, self._resolvers = settings, dict(resolvers or {})
        check(self._resolvers)
        self.first_key: str | None = None
        """The key made at the first start of this data directory; shown once."""
        self.first_setup_token: str | None = None
        """With which the administrator sets a password, from the same start."""
        self.is_draining = False
        """Whether the server is about to stop: it still serves, but nobody new should come."""
        self.endings = Endings()
        self.limits = Limits(settings)
        self.links: dict[str, Callable[[], str]] = {}
        """What the server reaches out to, and how that stands: told by ``/readyz``."""
        self.upstream: Upstream | None = None
        """What keeps spaces in agreement with another server's, if there is one."""
        self._authenticate, self._makes_key, self._now_ms = authenticate, makes_key, now_ms
        self._bus = bus
        self._others: Others | None = None

    def start(self) -> None:
        """Opens the data directory; call it in the event loop. Raises StoreLocked if another server has it."""
        data = Path(self.settings.data)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds secrets
        self._lock = hold(data / "server.lock")
        self.registry = open_registry(data, self.settings.store, self._now_ms)
        self.audit = Audit(AuditTable(self.registry.database), self._now_ms)
        settings = self.settings
        self.authenticator = Authenticator(self.registry, self._now_ms, open=settings.is_open, issuers=settings.oidc)
        self.authenticator.on_ended = self._note_ended
        self.registry.create_space(DEFAULT_SPACE)
        logs = open_logs(settings.store, data, Receipts(self.registry.secret("receipts")))
        is_shared = kind_of(settings.store) == POSTGRES
        self.spaces = Spaces(
            logs,
            data / "spaces",
            self.registry,
            self._now_ms,
            Resolving(self._resolvers, self._now_ms, _name_of(data) if is_shared else None),
            max_open=self.settings.max_open_spaces,
            documents_bytes=self.settings.documents_megabytes * 1024 * 1024,
            terms=Terms(settings.quotas, burst_seconds=settings.burst_seconds),
            archives=Path(settings.archives) if settings.archives else data / "archives",
        )
        if is_shared:
            self._join(cast(SharedLogs, logs))
        self._make_first_key()
        self.endings.listeners.append(self.spaces.wake)
        opened = partial(self.spaces.use, create=settings.create_spaces)
        self._recording = Recording(ActTable(self.registry.database), opened)
        self._recording.look()
        self.endings.watch(self.registry.database, self._look_again, self.authenticator.confirm)

    def _make_first_key(self) -> None:
        """Makes what the administrator begins with, once, when all else is open: a start that fails shows no key."""
        with self.registry.database.holding("first start") as is_alone:
            if self._makes_key and is_alone and not self.registry.keys():
                self.first_key = self.registry.create_key("first", ROOT)
                self.first_setup_token = self.authenticator.accounts.setup_tokens.issue(DEFAULT_SPACE, ROOT)
                self.audit.note(ACCOUNT, ROOT, DEFAULT_SPACE, "", "first key and setup token")

    def _join(self, logs: SharedLogs) -> None:
        """Joins the other servers that have these logs."""
        settings, secret = self.settings, self.registry.secret("bus")
        bus = self._bus or open_bus(settings.bus, settings.store, secret)
        if bus is not None:
            self.links["bus"] = lambda: bus.state
        self._others = Others(
            bus,
            Seal(secret),
            logs,
            self.spaces,
            self.limits,
            self.endings.look,
            settings.away_seconds,
        )
        self.spaces.on_changed = self._others.registered
        self._others.start()

    def _note_ended(self, credentials: Sequence[str]) -> None:
        self.endings.note(credentials)
        if self._others is not None:
            self._others.registered()

    async def stop(self) -> None:
        """Finishes what was begun and closes everything."""
        await self.endings.stop()
        await self._recording.finish()
        if self._others is not None:
            await self._others.stop()
        self.endings.listeners.remove(self.spaces.wake)
        await self.spaces.close()
        await self.authenticator.close()
        await self.audit.close()
        self.registry.close()
        self._lock.close()

    async def _look_again(self) -> None:
        """Another program has changed the register."""
        await self.authenticator.look_again()
        self.endings.note()  # and not to the other servers, who have heard of it as this one has
        await self.spaces.review()
        self._recording.look()

    async def identify(self, token: str | None, caller: Callable[[], Caller]) -> Identity:
        """Who comes with these credentials. Raises Unauthorized, TokenExpired or IssuerUnavailable."""
        if token and token.startswith(TICKET_PREFIX):
            return await self.authenticator.redeem_ticket(token)
        if self._authenticate is not None:
            found = self._authenticate(caller())
            identity = await found if isawaitable(found) else found
            if identity is not None:
                return _vouched(identity)
        return await self.authenticator.identify(token)

    @asynccontextmanager
    async def enter(
        self, identity: Identity, space: str, *, create: bool = True, address: str = "", catch_up: bool = True
    ) -> AsyncIterator[Member]:
        """The space as its user sees it, open for as long as the block lasts. ``address``: where the user is.

        ``catch_up``: with all that other servers have stored there; otherwise it is for what judges in the store.
        Raises UnknownSpace for another's space, in the words for one that does not exist.
        """
        if not identity.belongs_to(space):
            self.audit.note(FORBIDDEN, identity.user, identity.space or "", address, f"space {space}")
            raise UnknownSpace(f"There is no space {space}.")  # in the words of the register
        async with self.spaces.use(space, create=create and self.settings.create_spaces) as opened:
            meter = self.limits.meter(identity, address)
            member = Member(opened, identity, self.authenticator.is_valid, self.endings, meter)
            member.on_refused = lambda error: self.audit.refused(error, identity.user, space, address, "push")
            if catch_up:
                await opened.refresh()
                member.has_caught_up = True
            member.check()
            yield member

    def peer(self) -> ServicePeer:
        """The server's end of a ``MemoryTransport``."""
        return ServicePeer(self)


def _vouched(identity: Identity) -> Identity:
    """Somebody of a host app. Raises Unauthorized for a name that the server has for itself, in a space."""
    try:
        check_user(identity.user)
    except BadRequest as error:
        raise Unauthorized(error.message) from None
    if identity.user == ROOT and identity.space is not None:
        raise Unauthorized(f"{ROOT} is of no space.")
    return identity._replace(credential=identity.credential or BY_HOST)


def _name_of(data: Path) -> str:
    """What tells the server that has this directory from others, for good."""
    path = data / "server.name"
    if not path.exists():
        path.write_text(token_hex(8))
    return path.read_text()


class ServicePeer:
    """One in-process conversation with a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._space = DEFAULT_SPACE
        self._identity: Identity

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
            self._identity = await self._identify(message.token, message.space)
            self._space = message.space
        if isinstance(message, Auth):
            identity = await self._identify(message.token, self._space)
            async with self._service.enter(self._identity, self._space) as member:
                answer = member.renew(identity, message.ref)
            self._identity = identity
            return encode(answer)
        is_judged = isinstance(message, Push | Give)
        async with self._service.enter(self._identity, self._space, catch_up=not is_judged) as member:
            match message:
                case Hello():
                    return encode(await member.welcome(message.node))
                case Push():
                    return b'{"type":"ack","ref":%d,%b}' % (
                        message.ref,
                        await member.push(bytes(message.events)),
                    )
                case Pull():
                    return await member.pull(message)
                case Merkle() | Fetch() | Give() | AskSnapshot():
                    return await member.answer(message)
        raise BadRequest("This message is not a request.")

    async def _identify(self, token: str | None, space: str) -> Identity:
        return await self._service.identify(token, lambda: Caller(token, space))

    async def follow(self, live: Live) -> AsyncIterator[bytes]:
        """Encoded pages, as they come."""
        try:
            async with self._service.enter(self._identity, self._space) as member:
                async for frame in member.follow(live):
                    yield frame.text.encode()
        except SynclineError as error:
            yield encode(ErrorMessage.of(error))
