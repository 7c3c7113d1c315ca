"""Documents over HTTP as a thin client sees them: one request each, nothing kept."""

import json
from typing import Any
from urllib.parse import quote

from tests.server.running import Answer, ServerProcess

PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
PLAIN = "application/json"


class Client:
    """One user's way to the documents of one space."""

    def __init__(self, server: ServerProcess, space: str, *, key: str | None = None, node: str | None = None) -> None:
        self.server, self.space = server, space
        self.headers = ({"Authorization": f"Bearer {key}"} if key else {}) | ({"X-Node-ID": node} if node else {})

    def ask(self, method: str, path: str, body: Any = ..., kind: str = PLAIN, **headers: str) -> Answer:
        """``body`` is JSON, or bytes that are sent as they are; ``If_Match`` is a header."""
        data = body if isinstance(body, bytes) else None if body is ... else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**self.headers, **({"Content-Type": kind} if data is not None else {}), **more}
        return self.server.request(method, f"/v1/spaces/{self.space}/{path}", data, sent)

    def doc(self, method: str, id: str, rest: str = "", body: Any = ..., kind: str = PLAIN, **headers: str) -> Answer:
        return self.ask(method, f"docs/{quote(id, safe='')}{rest}", body, kind, **headers)

    def get(self, id: str, **query: Any) -> Answer:
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return self.doc("GET", id, f"?{parameters}" if parameters else "")

    def put(self, id: str, value: Any, **headers: str) -> Answer:
        return self.doc("PUT", id, "", value, **headers)

    def patch(self, id: str, *operations: Any, base: int | None = None, **headers: str) -> Answer:
        """``operations``: as (op, path, value) or as objects."""
        names = ("op", "path", "value")
        patch = [dict(zip(names, each, strict=False)) if type(each) is tuple else each for each in operations]
        return self.doc("PATCH", id, "" if base is None else f"?base={base}", patch, PATCH, **headers)

    def merge(self, id: str, patch: Any, **headers: str) -> Answer:
        return self.doc("PATCH", id, "", patch, MERGE, **headers)

    def post(self, id: str, verb: str, body: Any = ...) -> Answer:
        return self.doc("POST", id, f"/{verb}", body)

    def value(self, id: str, **query: Any) -> Any:
        answer = self.get(id, **query)
        assert answer.status == 200, answer
        return answer.json["value"]

    def revisions(self, id: str, **query: Any) -> list[Any]:
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return self.doc("GET", id, f"/revisions?{parameters}").json["revisions"]

    def head(self) -> int:
        return self.server.head(self.space)
