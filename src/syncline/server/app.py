"""The ASGI app: every route, in one table. A host app mounts ``create_app``; ``syncline serve`` runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route, Router, WebSocketRoute

from syncline.errors import NotFound, SynclineError
from syncline.server import upstream
from syncline.server.api import (
    acl,
    assets,
    audit,
    auth,
    centre,
    documents,
    erasures,
    heal,
    history,
    issuers,
    keys,
    labels,
    log,
    openapi,
    pages,
    policies,
    proofs,
    sessions,
    spaces,
    users,
)
from syncline.server.api.websocket import WebSocketEndpoint
from syncline.server.dialects.commands.conversation import Commands
from syncline.server.dialects.crdt import routes as crdt
from syncline.server.gate import Gate
from syncline.server.http import Address, Endpoint, Receive, Request, Scope, Send
from syncline.server.resolving import Resolver
from syncline.server.service import Authenticate, Service
from syncline.server.settings import Settings

if TYPE_CHECKING:
    from syncline.server.api.nats_group import NatsEndpoint

DESCRIBED = (
    Address("hello", {"POST": log.hello}),
    Address("push", {"POST": log.push}),
    Address("pull", {"GET": log.pull}),
    Address("live", {"GET": log.live}),
    Address("merkle", {"POST": heal.merkle}),
    Address("fetch", {"POST": heal.fetch}),
    Address("give", {"POST": heal.give}),
    Address("snapshot", {"POST": heal.snapshot}),
    Address("docs", {"GET": documents.list_documents}),
    Address(
        "docs/{id}",
        {
            "GET": documents.show_document,
            "PUT": crdt.put_or(documents.put_document),
            "PATCH": documents.patch_document,
            "DELETE": documents.delete_document,
        },
    ),
    Address("docs/{id}/ops", {"GET": history.show_ops, "POST": crdt.ops_or(documents.add_ops)}),
    Address("docs/{id}/undo", {"POST": documents.undo}),
    Address("docs/{id}/redo", {"POST": documents.redo}),
    Address("docs/{id}/restore", {"POST": documents.restore}),
    Address("docs/{id}/revisions", {"GET": history.show_revisions}),
    Address("docs/{id}/blame", {"GET": history.show_blame}),
    Address("docs/{id}/conflicts", {"GET": history.show_conflicts}),
    Address("docs/{id}/live", {"GET": history.follow_document}),
    Address("policies", {"GET": policies.show_policies, "PUT": policies.set_policies}),
    Address("proof/{id}", {"GET": proofs.show_proof}),
    Address("labels", {"GET": labels.list_labels}),
    Address("labels/{name}", {"PUT": labels.set_label, "DELETE": labels.remove_label}),
    Address("acl", {"GET": acl.list_rules, "POST": acl.add_rules, "DELETE": acl.remove_rules}),
    Address("acl/explain", {"POST": acl.explain}),
    Address("acl/{id}", {"DELETE": acl.remove_rule}),
    Address("erase", {"POST": erasures.erase}),
    Address("erasable", {"GET": erasures.show_erasable, "PUT": erasures.set_erasable}),
    Address("audit", {"GET": audit.show_audit}),
    Address("upstream", {"GET": centre.show_upstream}),
    Address("auth/login", {"POST": auth.login}, is_public=True),
    Address("auth/refresh", {"POST": auth.refresh}, is_public=True),
    Address("auth/logout", {"POST": auth.logout}, is_public=True),
    Address("auth/setup", {"POST": auth.set_up}, is_public=True),
    Address("auth/issuers", {"GET": issuers.list_issuers}, is_public=True),
    Address("auth/me", {"GET": auth.show_me}),
    Address("auth/password", {"POST": auth.change_password}),
    Address("auth/totp", {"POST": sessions.enrol_second_factor, "DELETE": sessions.turn_off_second_factor}),
    Address("auth/totp/confirm", {"POST": sessions.confirm_second_factor}),
    Address("auth/sessions", {"GET": sessions.list_sessions}),
    Address("auth/sessions/{id}", {"DELETE": sessions.end_session}),
    Address("auth/ticket", {"POST": sessions.make_ticket}),
    Address("users", {"GET": users.list_users, "POST": users.create_user}),
    Address("users/{name}", {"GET": users.show_user, "DELETE": users.remove_user}),
    Address("users/{name}/suspend", {"POST": users.suspend_user}),
    Address("users/{name}/resume", {"POST": users.resume_user}),
    Address("users/{name}/setup", {"POST": users.issue_setup_token}),
    Address("users/{name}/totp", {"DELETE": users.reset_totp}),
    Address("keys", {"GET": keys.list_keys, "POST": keys.create_key}),
    Address("keys/{id}", {"DELETE": keys.revoke_key}),
    Address("/v1/spaces", {"GET": spaces.list_spaces, "POST": spaces.create_space}, is_per_space=False),
    Address(
        "/v1/spaces/{space}",
        {"GET": spaces.show_space, "PATCH": spaces.change_space, "DELETE": spaces.delete_space},
        is_per_space=False,
    ),
    Address("/v1/spaces/{space}/history", {"POST": spaces.keep_up}, is_per_space=False),
    Address("/livez", {"GET": spaces.alive}, is_per_space=False, is_public=True),
    Address("/readyz", {"GET": spaces.ready}, is_per_space=False, is_public=True),
)
ADDRESSES = (
    *DESCRIBED,
    Address("/openapi.json", {"GET": openapi.describing(DESCRIBED)}, is_per_space=False, is_public=True),
    Address("/", {"GET": pages.show_home}, is_per_space=False, is_public=True),
    Address("/setup", {"GET": pages.show_setup}, is_per_space=False, is_public=True),
    Address("/demo", {"GET": assets.enter_demo}, is_per_space=False, is_public=True),
    Address("/demo/{path:path}", {"GET": assets.show_demo}, is_per_space=False, is_public=True),
    Address("/sdk/{path:path}", {"GET": assets.show_sdk}, is_per_space=False, is_public=True),
)
SEGMENTED = ("/docs/", "/users/")
WEBSOCKETS = ("/ws", "/v1/ws", "/v1/spaces/{space}/ws")


class App:
    """The server as an ASGI app. It starts with its host's lifespan, or with the first request if that sends none."""

    def __init__(self, service: Service) -> None:
        """Raises BadSettings."""
        self.service = service
        self.failure: Exception | None = None
        """Why the app could not start, if it could not."""
        self.grpc_port: int | None = None
        """Where gRPC is served beside the app, if it is; see ``run``."""
        self._nats = _nats_endpoint(self.service)
        self._is_started = False
        self._websocket = WebSocketEndpoint(self.service, Commands)
        routes: list[BaseRoute] = [WebSocketRoute(path, self._websocket) for path in WEBSOCKETS]
        self._exact: dict[str, Endpoint] = {}
        for address in ADDRESSES:
            endpoint = Endpoint(self.service, address)
            for path in address.paths:
                routes.append(Route(path, endpoint))
                if "{" not in path:
                    self._exact[path] = endpoint
        self._router = Router(routes, default=self._not_found, redirect_slashes=False)
        self._gate = Gate(self._route, service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection's request, WebSocket or lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        self.start()
        await self._gate(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._exact.get(scope["path"]) if scope["type"] == "http" else None
        await (endpoint or self._router)(_with_segments(scope), receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.start()
        except SynclineError as error:
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": error.message})
            return
        except Exception as error:
            self.failure = error
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4404, "reason": NotFound.code})
            return
        await Request(self.service, scope, receive, send).refuse(NotFound("There is nothing at this address."))

    def start(self) -> None:
        """Opens the data directory; starting twice does nothing."""
        if not self._is_started:
            self.service.start()
            if self._nats is not None:
                self._nats.start()
            upstream.start(self.service)
            self._is_started = True

    async def end_sessions(self) -> None:
        """Ends live sessions, after what they have begun is answered, so that a server can wait for what is left."""
        if self._is_started:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.service.settings.shutdown_seconds):
                    if self._nats is not None:
                        await self._nats.finish()
            self.service.spaces.stop_following()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.service.settings.shutdown_seconds):
                    await self._websocket.finish()

    async def stop(self) -> None:
        """Finishes what was begun and closes everything. A host without lifespan calls it at its end."""
        if self._is_started:
            self._is_started = False
            if self.service.upstream is not None:
                await self.service.upstream.stop()
            if self._nats is not None:
                await self._nats.stop()
            await self.service.stop()


def create_app(
    settings: Settings | None = None,
    *,
    resolvers: Mapping[str, Resolver] | None = None,
    authenticate: Authenticate | None = None,
    **changes: object,
) -> App:
    """The ASGI app of a server; ``changes`` are single settings, as in ``create_app(data="…", open=True)``.

    ``resolvers`` decide about conflicts, each on the items that match its pattern: a ``ConflictResolver``, or a
    function that is called with a ``LiveDocument`` and writes over its conflicts. ``authenticate`` is a function, plain
    or async, that says of a ``Caller`` who it is; if it says None, the server's own credentials decide.
    Raises BadSettings.
    """
    values = {name: getattr(settings or Settings(), name) for name in Settings.__struct_fields__}
    return App(Service(Settings(**{**values, **changes}), resolvers=resolvers, authenticate=authenticate))


def _nats_endpoint(service: Service) -> NatsEndpoint | None:
    """What answers over NATS, if that is set. Raises BadSettings."""
    if not service.settings.nats:
        return None
    from syncline.server.api.nats_group import NatsEndpoint  # an extra: who does not ask for it does without

    return NatsEndpoint(service)


def _with_segments(scope: Scope) -> Scope:
    """The same request with its path as it came: an id or a name with a slash in it is one segment, encoded."""
    raw = scope.get("raw_path") or b""
    if b"%" not in raw or not any(each in scope["path"] for each in SEGMENTED):
        return scope
    return {**scope, "path": raw.partition(b"?")[0].decode("latin-1")}
