"""A server with spaces side by side, each with users of its own."""

import json
from typing import Any

from syncline.server.registry import open_registry
from tests.server.running import Answer, ServerProcess


def administer(server: ServerProcess, method: str, path: str, body: Any = None) -> Answer:
    """A request of the server's administrator."""
    data = None if body is None else json.dumps(body).encode()
    return server.request(method, path, data, server.bearer())


def change(server: ServerProcess, space: str, **terms: Any) -> Any:
    """Quotas of a space, or ``suspended``; what the administrator is told of it then."""
    body = {"suspended": terms.pop("suspended")} if "suspended" in terms else {"quotas": terms}
    answer = administer(server, "PATCH", f"/v1/spaces/{space}", body)
    assert answer.status == 200, answer
    return answer.json


def make(server: ServerProcess, space: str) -> None:
    """A space that is there."""
    assert administer(server, "POST", "/v1/spaces", {"name": space}).status in (200, 201)


def key(server: ServerProcess, space: str, user: str = "ann") -> str:
    """A key of a user of one space."""
    registry = open_registry(server.data, "", lambda: 1)
    try:
        return registry.create_key("laptop", user, space)
    finally:
        registry.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
