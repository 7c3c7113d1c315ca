"""``GET /openapi.json``: the HTTP interface described for machines (OpenAPI 3.1), from the types that implement it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from syncline.core.attestation import Attestation
from syncline.core.limits import MAX_PAGE_ENTRIES, MAX_SAFE_INTEGER, MAX_WAIT_SECONDS
from syncline.core.messages import AskSnapshot, Fetch, Found, Hello, Merkle, Page, Snapshot, Tree, Welcome
from syncline.errors import BY_CODE
from syncline.server.api import account_shapes, acl, audit, centre, erasures, issuers, labels, shapes
from syncline.server.api.documents import JSON_PATCH, MAX_LISTED, MERGE_PATCH
from syncline.server.api.history import MAX_REVISIONS
from syncline.server.api.spaces import ChangeSpace, CreateSpace
from syncline.server.dialects.crdt.shapes import TypedOps, TypedState, TypedValue
from syncline.server.http import JSON, Address, Handler, Request
from syncline.server.streams import EVENT_STREAM

ANY: Any = Any
BODIES: Mapping[str, Mapping[bytes, Any]] = {
    "push": {JSON: shapes.Pushed},
    "hello": {JSON: Hello},
    "merkle": {JSON: Merkle},
    "fetch": {JSON: Fetch},
    "give": {JSON: shapes.Giving},
    "snapshot": {JSON: AskSnapshot},
    "create_space": {JSON: CreateSpace},
    "put_document": {JSON: (ANY, TypedValue)},
    "patch_document": {JSON_PATCH: shapes.JsonPatch, MERGE_PATCH: ANY},
    "add_ops": {JSON: (shapes.Ops, TypedOps)},
    "restore": {JSON: shapes.Restore},
    "set_policies": {JSON: shapes.Policies},
    "set_label": {JSON: labels.SetLabel},
    "change_space": {JSON: ChangeSpace},
    "add_rules": {JSON: (acl.NewRule, acl.NewRules)},
    "explain": {JSON: acl.Question},
    "erase": {JSON: erasures.Erase},
    "set_erasable": {JSON: erasures.Erasable},
    **account_shapes.BODIES,
}
"""What each handler takes, by content type; several shapes if a dialect has one of its own."""
ANSWERS: Mapping[str, Any] = {
    "push": shapes.Pushing,
    "hello": Welcome,
    "pull": Page,
    "merkle": Tree,
    "fetch": Found,
    "give": shapes.Given,
    "snapshot": Snapshot,
    "show_document": shapes.Document,
    **dict.fromkeys(("put_document", "add_ops"), (shapes.WrittenDocument, TypedState)),
    **dict.fromkeys(("patch_document", "delete_document", "undo", "redo", "restore"), shapes.WrittenDocument),
    "list_documents": shapes.Listing,
    "show_ops": shapes.Entries,
    "show_revisions": shapes.Revisions,
    "show_blame": shapes.Blaming,
    "show_conflicts": shapes.Disagreement,
    "show_policies": shapes.Policies,
    "set_policies": shapes.Policies,
    **dict.fromkeys(("list_rules", "add_rules"), acl.Rules),
    **dict.fromkeys(("remove_rule", "remove_rules"), acl.Removed),
    "explain": acl.Explanation,
    "erase": erasures.Erased,
    **dict.fromkeys(("show_erasable", "set_erasable"), erasures.Erasable),
    "show_proof": Attestation,
    "show_audit": audit.Audit,
    "show_upstream": centre.Standing,
    "list_issuers": issuers.KnownIssuers,
    **account_shapes.ANSWERS,
}
STREAMS = {"live", "follow_document"}
WRITES = {"put_document", "patch_document", "delete_document", "add_ops", "undo", "redo", "restore"}
OPTIONAL_BODIES = {"restore", "logout"}
CREATE = {"put_document", "add_ops", "restore", "create_space", "undo", "redo", "add_rules", *account_shapes.CREATE}


def _number(low: int, high: int = MAX_SAFE_INTEGER) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


TEXT = {"type": "string"}
PARAMETERS: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "show_space": {"back": _number(0), "items": TEXT, "root": _number(0, 1)},
    "keep_up": {"wait": _number(0, MAX_WAIT_SECONDS)},
    "pull": {
        "since": TEXT,
        "items": TEXT,
        "limit": _number(1, MAX_PAGE_ENTRIES),
        "wait": _number(0, MAX_WAIT_SECONDS),
    },
    "live": {"since": TEXT, "items": TEXT},
    "list_documents": {"items": TEXT, "limit": _number(1, MAX_LISTED), "after": TEXT},
    "show_document": {
        "view": {"type": "string", "enum": ["wire", "plain"]},
        "rev": _number(0),
        "seq": _number(0),
        "time": _number(0),
    },
    "patch_document": {"base": _number(0)},
    "show_ops": {"since": _number(0), "limit": _number(1, MAX_PAGE_ENTRIES)},
    "show_revisions": {"after": _number(0), "limit": _number(1, MAX_REVISIONS)},
    "show_blame": {"path": TEXT},
    "follow_document": {"since": TEXT},
    "list_rules": {"user": TEXT},
    "remove_rules": {"rule": TEXT},
    "show_audit": {
        "after": TEXT,
        "limit": _number(1, audit.MAX_LISTED),
        "user": TEXT,
        "kind": TEXT,
        "spaces": {"type": "string", "enum": [audit.EVERY_SPACE]},
    },
}
"""The parameters in the query of each handler."""
HEADERS: Mapping[str, tuple[str, ...]] = {
    "show_document": ("If-None-Match",),
    **dict.fromkeys(WRITES, ("X-Node-ID", "If-Match", "If-None-Match", "Prefer")),
    **dict.fromkeys(STREAMS, ("Last-Event-ID",)),
    "set_policies": ("X-Node-ID",),
}


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
    given = [*(kind for each in BODIES.values() for kind in each.values()), *ANSWERS.values()]
    kinds = {repr(kind): kind for several in given for kind in _each(several)}
    found, components = msgspec.json.schema_components(kinds.values(), ref_template="#/components/schemas/{name}")
    schemas = dict(zip(kinds, found, strict=True))
    described = {
        path: {
            method.lower(): _operation(path, handler, schemas) | ({"security": []} if address.is_public else {})
            for method, handler in address.handlers.items()
        }
        for address in addresses
        for path in address.paths
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


def _operation(path: str, handler: Any, schemas: Mapping[str, Any]) -> dict[str, Any]:
    name = handler.__name__
    answer = _schema(ANSWERS[name], schemas) if name in ANSWERS else {}
    media = EVENT_STREAM if name in STREAMS else JSON
    done = {"description": "Done.", "content": {media.decode(): {"schema": answer}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: dict[str, Any] = {
        "operationId": name + ("_in_space" if "{space}/" in path else ""),
        "summary": handler.__doc__.partition(": ")[2].partition("\n")[0] or handler.__doc__,
        "parameters": _parameters(path, name),
        "responses": {
            "200": done,
            **({"201": done} if name in CREATE else {}),
            **({"304": {"description": "As If-None-Match says."}} if name == "show_document" else {}),
            "default": {"description": "A problem; `code` says which.", "content": problem},
        },
    }
    if name in BODIES:
        content = {media.decode(): {"schema": _schema(kind, schemas)} for media, kind in BODIES[name].items()}
        operation["requestBody"] = {"required": name not in OPTIONAL_BODIES, "content": content}
    return operation


def _each(kinds: Any) -> tuple[Any, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _schema(kinds: Any, schemas: Mapping[str, Any]) -> Any:
    """The schema of one shape, or of any of several."""
    found = [schemas[repr(kind)] for kind in _each(kinds)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _parameters(path: str, name: str) -> list[dict[str, Any]]:
    parameters = [_parameter(each, "path", TEXT) for each in ("space", "id", "name") if f"{{{each}}}" in path]
    if "{space}" not in path and path.startswith("/v1/") and path != "/v1/spaces":
        parameters.append(_parameter("X-Tenant-ID", "header", TEXT))
    parameters += [_parameter(each, "query", schema) for each, schema in PARAMETERS.get(name, {}).items()]
    return parameters + [_parameter(each, "header", TEXT) for each in HEADERS.get(name, ())]


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
