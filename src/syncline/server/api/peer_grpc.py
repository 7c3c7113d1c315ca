"""One replica, served to its peers over gRPC: those calls of ``spec/syncline.proto`` that a replica answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from syncline.core.limits import BODY_SECONDS, HEAD_SECONDS, IDLE_SECONDS
from syncline.core.messages import Auth, Authenticated, Live, Welcome, encode
from syncline.errors import BadRequest, InternalError, RequestTimeout, SynclineError
from syncline.replica import Replica
from syncline.sync.replica_peer import ReplicaPeer
from syncline.transports.grpc import wire
from syncline.transports.grpc.failures import status_of, trailers_of
from syncline.transports.grpc.library import END, Call, Listener

log = logging.getLogger("syncline.grpc")

Method = Callable[[Call, ReplicaPeer, Mapping[str, str]], Awaitable[None]]


async def hello(call: Call, peer: ReplicaPeer, headers: Mapping[str, str]) -> None:
    """``Hello``."""
    message = wire.read_hello(await _message(call), headers.get("x-node-id", ""))
    answer = peer.reply(message)
    assert isinstance(answer, Welcome)
    await call.write(wire.welcome(answer))


async def authenticate(call: Call, peer: ReplicaPeer, _: Mapping[str, str]) -> None:
    """``Authenticate``."""
    answer = peer.reply(Auth(token=wire.read_authenticate(await _message(call))))
    assert isinstance(answer, Authenticated)
    await call.write(wire.authenticated(answer))


async def ask(call: Call, peer: ReplicaPeer, _: Mapping[str, str]) -> None:
    """``Ask``: comparing, finding and giving."""
    inquiry = wire.read_inquiry(await _message(call))
    await call.write(wire.reply(encode(await asyncio.to_thread(peer.reply, inquiry))))


async def live(call: Call, peer: ReplicaPeer, _: Mapping[str, str]) -> None:
    """``Live``: hints, for ever."""
    wire.read_live(await _message(call))
    async with aclosing(peer.follow(Live())) as hints:
        async for hint in hints:
            await call.write(wire.page(hint))


METHODS: Mapping[str, Method] = {"Hello": hello, "Authenticate": authenticate, "Ask": ask, "Live": live}


def peer_listener(replica: Replica, token: str | None = None) -> Listener:
    """A server of gRPC for a replica; not bound to a port yet. ``token``: what peers have to show; None: nothing."""
    behaviours = {name: _behaviour(method, replica, token) for name, method in METHODS.items()}
    return Listener(behaviours, idle_seconds=IDLE_SECONDS, handshake_seconds=HEAD_SECONDS)


def _behaviour(method: Method, replica: Replica, token: str | None) -> Callable[[Any, Call], Awaitable[None]]:
    async def behaviour(_: Any, call: Call) -> None:
        try:
            pairs = call.invocation_metadata() or ()
            headers = {name: value for name, value in pairs if isinstance(value, str)}
            ReplicaPeer(replica, token=token).admit(headers.get("authorization", "").removeprefix("Bearer ") or None)
            checked = None if method is not authenticate else token  # each call shows a token; this one brings another
            await method(call, ReplicaPeer(replica, token=checked, is_open=True), headers)
            return
        except SynclineError as problem:
            error = problem
        except Exception:
            log.exception("a call failed")
            error = InternalError("The replica failed to answer; its log says why.")
        await call.abort(status_of(error), error.message, trailers_of(error))

    return behaviour


async def _message(call: Call) -> bytes:
    """The request itself. Raises RequestTimeout, or BadRequest if none came."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            data = await call.read()
    except TimeoutError:
        raise RequestTimeout("The message did not arrive in time.") from None
    if data is END:
        raise BadRequest("The call ended without a message.")
    return bytes(data)
