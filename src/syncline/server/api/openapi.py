"""``GET /openapi.json``: the HTTP interface described for machines (OpenAPI 3.1), from the types that implement it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from syncline.core.limits import MAX_PAGE_ENTRIES, MAX_WAIT_SECONDS
from syncline.core.messages import Hello, Page, Result, Welcome
from syncline.errors import BY_CODE
from syncline.server.api.spaces import CreateSpace
from syncline.server.http import Address, Handler, Request


class Event(msgspec.Struct):
    """An event as it travels; see ``spec/PROTOCOL.md`` for the limits of each field."""

    id: str
    item: str
    action: str
    node: str
    clock: dict[str, int]
    user: str | None = None
    ops: list[dict[str, Any]] | None = None
    payload: Any = None
    meta: dict[str, Any] | None = None


class Pushed(msgspec.Struct):
    """The body of a push."""

    events: list[Event]


class Pushing(msgspec.Struct):
    """The answer to a push."""

    results: list[Result]
    head: int


def describing(addresses: Sequence[Address]) -> Handler:
    """The handler that serves the description of these addresses."""

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(_document(addresses))

    async def document(request: Request) -> None:
        """``GET openapi.json``: this description."""
        await request.answer(encoded())

    return document


def _document(addresses: Sequence[Address]) -> dict[str, Any]:
    (hello, welcome, page, pushed, pushing, create), components = msgspec.json.schema_components(
        [Hello, Welcome, Page, Pushed, Pushing, CreateSpace], ref_template="#/components/schemas/{name}"
    )
    bodies = {"push": pushed, "hello": hello, "create_space": create}
    answers = {"push": pushing, "hello": welcome, "pull": page}
    described: dict[str, Any] = {}
    for address in addresses:
        for path in address.paths:
            described[path] = {
                method.lower(): _operation(path, handler, bodies.get(handler.__name__), answers.get(handler.__name__))
                for method, handler in address.handlers.items()
            }
    problem = {"type": "object", "properties": {"code": {"type": "string", "enum": sorted(BY_CODE)}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Syncline", "version": version("syncline")},
        "paths": described,
        "components": {
            "schemas": {**components, "Problem": problem},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"bearer": []}, {"key": []}],
    }


def _operation(path: str, handler: Any, body: Any, answer: Any) -> dict[str, Any]:
    name = handler.__name__
    parameters = [_parameter("space", "path", {"type": "string"})] if "{space}" in path else []
    if "{space}" not in path and path.startswith("/v1/") and path != "/v1/spaces":
        parameters.append(_parameter("X-Tenant-ID", "header", {"type": "string"}))
    if name == "show_space":
        back = {"type": "integer", "minimum": 0}
        parameters += [_parameter("back", "query", back), _parameter("items", "query", {"type": "string"})]
    if name in ("pull", "live"):
        parameters += [
            _parameter("since", "query", {"type": "string"}),
            _parameter("items", "query", {"type": "string"}),
        ]
    if name == "pull":
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_ENTRIES}
        wait = {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS}
        parameters += [_parameter("limit", "query", limit), _parameter("wait", "query", wait)]
    kind = "text/event-stream" if name == "live" else "application/json"
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: dict[str, Any] = {
        "operationId": name + ("_in_space" if "{space}/" in path else ""),
        "summary": handler.__doc__.partition(": ")[2].partition("\n")[0] or handler.__doc__,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": {kind: {"schema": answer or {}}}},
            "default": {"description": "A problem; `code` says which.", "content": problem},
        },
    }
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
