"""Who may ask what: each route and each message, for each kind of caller, with what it is answered.

A route or message that stands in no row fails a test. Whoever may not read finds nothing in any answer of what is
hidden: neither a value nor the name of a document that they did not name themselves.
"""

import json
import re
from contextlib import contextmanager, nullcontext
from itertools import count
from typing import Any, NamedTuple

import pyotp
import pytest

from syncline.core import messages
from syncline.server.app import ADDRESSES
from syncline.server.auth.second_factor import SecondFactors
from syncline.server.auth.tokens import VALID_MS, AccessTokens
from syncline.server.dialects.commands.shapes import TYPES
from syncline.server.registry import Registry, open_registry
from tests.server.inquiries import TYPES as INQUIRIES
from tests.server.inquiries import inquiry, loose
from tests.server.rest import PATCH, PLAIN, Client
from tests.server.running import DEADLINE, Answer, Author, ServerProcess

HOME, ELSEWHERE = "home", "elsewhere"
SECRET, UNNAMED = "zq-planted-value", "secret.zq-unnamed"
PASSWORD = "a quiet harbour at noon"
"""A value that stands in every hidden document, and the name of one for which nobody asks."""

WHO = ["nobody", "expired", "lapsed", "revoked", "stranger", "reader", "writer", "administrator"]
"""Without credentials; with a key that has expired, an access token that has, a key that was revoked; from another
space; who may read what is open; who may read and write it; ``.root``.
"""

ROWS = """
POST hello                          | 401 401 401 401 404 | 200 | 200 | 200
POST push {open}                    | 401 401 401 401 404 | 200 forbidden | 200 | 200
POST push {secret}                  | 401 401 401 401 404 | 200 forbidden | 200 forbidden | 200
POST push .acl                   | 401 401 401 401 404 | 200 reserved_action | 200 reserved_action | 200 reserved_action
GET pull                            | 401 401 401 401 404 | 200 | 200 | 200
GET pull?items=secret.*,open.*      | 401 401 401 401 404 | 200 | 200 | 200
GET live                            | 401 401 401 401 404 | 200 | 200 | 200
POST merkle                         | 401 401 401 401 404 | 200 | 200 | 200
POST fetch                          | 401 401 401 401 404 | 200 | 200 | 200
POST give {open}                    | 401 401 401 401 404 | 200 forbidden | 200 | 200
POST give {secret}                  | 401 401 401 401 404 | 200 forbidden | 200 forbidden | 200
POST give .acl                   | 401 401 401 401 404 | 200 reserved_action | 200 reserved_action | 200 reserved_action
POST give {open} another's          | 401 401 401 401 404 | 200 unvouched | 200 unvouched | 200 unvouched
POST snapshot                       | 401 401 401 401 404 | 200 | 200 | 200
GET erasable                        | 401 401 401 401 404 | 200 | 200 | 200
PUT erasable                        | 401 401 401 401 404 | 403 | 403 | 200
POST erase                          | 401 401 401 401 404 | 403 | 403 | 200
GET proof/{open_event}              | 401 401 401 401 404 | 200 | 200 | 200
GET proof/{secret_event}            | 401 401 401 401 404 | 404 | 404 | 200
GET labels                          | 401 401 401 401 404 | 404 | 404 | 200
PUT labels/v1                       | 401 401 401 401 404 | 403 | 403 | 200
DELETE labels/{label}               | 401 401 401 401 404 | 403 | 403 | 200
GET docs                            | 401 401 401 401 404 | 200 | 200 | 200
GET docs?items=secret.*             | 401 401 401 401 404 | 200 | 200 | 200
GET docs/{open}                     | 401 401 401 401 404 | 200 | 200 | 200
GET docs/{secret}                   | 401 401 401 401 404 | 404 | 404 | 200
GET docs/{secret}?rev=1             | 401 401 401 401 404 | 404 | 404 | 200
GET docs/secret.nothing             | 401 401 401 401 404 | 404 | 404 | 404
GET docs/.acl                       | 401 401 401 401 404 | 404 | 404 | 404
PUT docs/{open}                     | 401 401 401 401 404 | 403 | 200 | 200
PUT docs/{secret}                   | 401 401 401 401 404 | 403 | 403 | 200
PUT docs/secret.new                 | 401 401 401 401 404 | 403 | 403 | 201
PUT docs/.acl                       | 401 401 401 401 404 | 403 | 403 | 403 reserved_action
PUT docs/{secret} typed             | 401 401 401 401 404 | 403 | 403 | 409 kind_mismatch
PUT docs/{new} typed                | 401 401 401 401 404 | 403 | 201 | 201
POST docs/{secret}/ops typed        | 401 401 401 401 404 | 403 | 403 | 409 kind_mismatch
PATCH docs/{open}                   | 401 401 401 401 404 | 403 | 200 | 200
PATCH docs/{secret}                 | 401 401 401 401 404 | 403 | 403 | 200
DELETE docs/{open}                  | 401 401 401 401 404 | 403 | 200 | 200
DELETE docs/{secret}                | 401 401 401 401 404 | 403 | 403 | 200
GET docs/{open}/ops                 | 401 401 401 401 404 | 200 | 200 | 200
GET docs/{secret}/ops               | 401 401 401 401 404 | 200 | 200 | 200
POST docs/{open}/ops                | 401 401 401 401 404 | 403 | 200 | 200
POST docs/{secret}/ops              | 401 401 401 401 404 | 403 | 403 | 200
POST docs/{open}/undo               | 401 401 401 401 404 | 403 | 200 | 200
POST docs/{secret}/undo             | 401 401 401 401 404 | 403 | 403 | 200
POST docs/{open}/redo               | 401 401 401 401 404 | 403 | 200 | 200
POST docs/{secret}/redo             | 401 401 401 401 404 | 403 | 403 | 200
POST docs/{open}/restore            | 401 401 401 401 404 | 403 | 200 | 200
POST docs/{secret}/restore          | 401 401 401 401 404 | 403 | 403 | 200
GET docs/{open}/revisions           | 401 401 401 401 404 | 200 | 200 | 200
GET docs/{secret}/revisions         | 401 401 401 401 404 | 404 | 404 | 200
GET docs/{open}/blame               | 401 401 401 401 404 | 200 | 200 | 200
GET docs/{secret}/blame             | 401 401 401 401 404 | 404 | 404 | 200
GET docs/{secret}/blame?path=/title | 401 401 401 401 404 | 404 | 404 | 200
GET docs/{open}/conflicts           | 401 401 401 401 404 | 200 | 200 | 200
GET docs/{secret}/conflicts         | 401 401 401 401 404 | 404 | 404 | 200
GET docs/{open}/live                | 401 401 401 401 404 | 200 | 200 | 200
GET docs/{secret}/live              | 401 401 401 401 404 | 404 | 404 | 200
GET policies                        | 401 401 401 401 404 | 200 | 200 | 200
PUT policies                        | 401 401 401 401 404 | 403 | 403 | 200
GET acl                             | 401 401 401 401 404 | 403 | 403 | 200
GET acl?user=writer                 | 401 401 401 401 404 | 403 | 403 | 200
POST acl                            | 401 401 401 401 404 | 403 | 403 | 201
DELETE acl?rule={rule}              | 401 401 401 401 404 | 403 | 403 | 200
DELETE acl/{rule}                   | 401 401 401 401 404 | 403 | 403 | 200
POST acl/explain                    | 401 401 401 401 404 | 200 | 200 | 200
GET audit                           | 401 401 401 401 404 | 403 | 403 | 200
GET upstream                        | 401 401 401 401 404 | 403 | 403 | 404
POST auth/login                     | 200 200 200 200 200 | 200 | 200 | 200
POST auth/refresh                   | 401 401 401 401 401 | 401 | 401 | 401
POST auth/logout                    | 401 401 401 401 200 | 200 | 200 | 200
POST auth/setup                     | 200 200 200 200 200 | 200 | 200 | 200
GET auth/issuers                    | 200 200 200 200 200 | 200 | 200 | 200
GET auth/me                         | 401 401 401 401 404 | 200 | 200 | 200
POST auth/password                  | 401 401 401 401 404 | 403 | 403 | 403
POST auth/totp                      | 401 401 401 401 404 | 403 | 403 | 403
POST auth/totp/confirm              | 401 401 401 401 404 | 403 | 403 | 403
DELETE auth/totp                    | 401 401 401 401 404 | 403 | 403 | 403
GET auth/sessions                   | 401 401 401 401 404 | 200 | 200 | 200
DELETE auth/sessions/abcdef         | 401 401 401 401 404 | 404 | 404 | 404
POST auth/ticket                    | 401 401 401 401 404 | 200 | 200 | 200
GET users                           | 401 401 401 401 404 | 200 | 200 | 200
POST users                          | 401 401 401 401 404 | 403 | 403 | 201
GET users/{user}                    | 401 401 401 401 404 | 404 unknown_user | 404 unknown_user | 200
POST users/{user}/suspend           | 401 401 401 401 404 | 403 | 403 | 200
POST users/{user}/resume            | 401 401 401 401 404 | 403 | 403 | 200
POST users/{user}/setup             | 401 401 401 401 404 | 403 | 403 | 201
DELETE users/{guarded}/totp         | 401 401 401 401 404 | 403 | 403 | 200
DELETE users/{user}                 | 401 401 401 401 404 | 403 | 403 | 200
GET keys                            | 401 401 401 401 404 | 200 | 200 | 200
POST keys                           | 401 401 401 401 404 | 201 | 201 | 201
DELETE keys/{key}                   | 401 401 401 401 404 | 404 | 404 | 200
GET /v1/spaces                      | 401 401 401 401 403 | 403 | 403 | 200
POST /v1/spaces                     | 401 401 401 401 403 | 403 | 403 | 201
GET /v1/spaces/home                 | 401 401 401 401 404 | 200 | 200 | 200
PATCH /v1/spaces/{space}            | 401 401 401 401 403 | 403 | 403 | 200
POST /v1/spaces/{space}/history     | 401 401 401 401 403 | 403 | 403 | 200
DELETE /v1/spaces/{space}           | 401 401 401 401 403 | 403 | 403 | 200
GET /livez                          | 200 200 200 200 200 | 200 | 200 | 200
GET /                               | 200 200 200 200 200 | 200 | 200 | 200
GET /setup                          | 200 200 200 200 200 | 200 | 200 | 200
GET /demo                           | 308 308 308 308 308 | 308 | 308 | 308
GET /demo/                          | 200 200 200 200 200 | 200 | 200 | 200
GET /demo/note                      | 308 308 308 308 308 | 308 | 308 | 308
GET /sdk/errors.js                  | 200 200 200 200 200 | 200 | 200 | 200
GET /readyz                         | 200 200 200 200 200 | 200 | 200 | 200
GET /openapi.json                   | 200 200 200 200 200 | 200 | 200 | 200
"""
"""In braces: something new each time. The first five columns are callers who have no business here."""

TALK = """
hello -                             | 401 401 401 401 404 | 200 | 200 | 200
authenticate -                      | 401 401 401 401 404 | 200 | 200 | 200
ping -                              | 401 401 401 401 404 | 200 | 200 | 200
pong -                              | 401 401 401 401 404 | 200 | 200 | 200
push {open}                         | 401 401 401 401 404 | 403 | 200 | 200
push {secret}                       | 401 401 401 401 404 | 403 | 403 | 200
pull -                              | 401 401 401 401 404 | 200 | 200 | 200
live -                              | 401 401 401 401 404 | 200 | 200 | 200
merkle -                            | 401 401 401 401 404 | 200 | 200 | 200
fetch -                             | 401 401 401 401 404 | 200 | 200 | 200
give {open}                         | 401 401 401 401 404 | 403 | 200 | 200
give {secret}                       | 401 401 401 401 404 | 403 | 403 | 200
snapshot -                          | 401 401 401 401 404 | 200 | 200 | 200
auth -                              | 401 401 401 401 404 | 200 | 200 | 200
presence {open}                     | 401 401 401 401 404 | 200 | 200 | 200
presence {secret}                   | 401 401 401 401 404 | 200 | 200 | 200
create_document {new}               | 401 401 401 401 404 | 403 | 200 | 200
create_document {secret}            | 401 401 401 401 404 | 403 | 403 | 409 document_exists
update_document {open}              | 401 401 401 401 404 | 403 | 200 | 200
update_document {secret}            | 401 401 401 401 404 | 403 | 403 | 200
delete_document {open}              | 401 401 401 401 404 | 403 | 200 | 200
delete_document {secret}            | 401 401 401 401 404 | 403 | 403 | 200
request_sync -                      | 401 401 401 401 404 | 200 | 200 | 200
get_changes_since -                 | 401 401 401 401 404 | 200 | 200 | 200
subscribe {open}                    | 401 401 401 401 404 | 200 | 200 | 200
subscribe {secret}                  | 401 401 401 401 404 | 200 | 200 | 200
unsubscribe {open}                  | 401 401 401 401 404 | 200 | 200 | 200
"""
"""Messages, with the item that they name."""

MEANING = {401: "unauthorized", 403: "forbidden", 404: "not_found"}
"""What a refusal is called, where a cell says no more than its status."""
STRANGERS, LAPSED = "unknown_space", "token_expired"
"""What 404 is for those of another space, and 401 for whoever shows an access token that has expired."""

BODIES: dict[str, Any] = {
    "POST hello": {"type": "hello", "node": "n"},
    "PUT docs/{id}": {"title": "Rye"},
    "PUT docs/{secret} typed": {"type": "text", "value": "Rye"},
    "PUT docs/{new} typed": {"type": "counter", "value": 3},
    "POST docs/{secret}/ops typed": {"type": "counter", "ops": [{"inc": 1}]},
    "PATCH docs/{id}": [{"op": "add", "path": "/note", "value": "fresh"}],
    "POST docs/{id}/ops": {"ops": [{"op": "put", "key": "note", "value": "fresh"}]},
    "POST docs/{id}/restore": {"revision": 1},
    "PUT policies": {"note.*": "merge"},
    "POST acl": {"user": "reader", "item": "note.*", "action": "x", "type": "allow"},
    "POST acl/explain": {"item": "open.milk", "action": "update"},
    "PUT erasable": {"items": ["person.*"]},
    "POST erase": {"items": ["{open}"]},
    "PUT labels/{name}": {},
    "POST auth/login": {"user": "{person}", "password": PASSWORD},
    "POST auth/refresh": {"refresh_token": "no token"},
    "POST auth/setup": {"token": "{setup}", "password": PASSWORD},
    "POST auth/password": {"old": PASSWORD, "new": PASSWORD + "r"},
    "POST auth/totp/confirm": {"code": "123456"},
    "DELETE auth/totp": {"code": "123456"},
    "POST users": {"name": "{new}"},
    "POST keys": {"name": "laptop"},
    "POST /v1/spaces": {"name": "{new}"},
    "PATCH /v1/spaces/{space}": {"quotas": {"events": 1_000_000}},
}
"""The bodies of requests."""
STREAMS = {"GET live", "GET docs/{id}/live"}
MESSAGES: dict[str, Any] = {
    "ping": {"ref": 1},
    "pong": {"ref": 1},
    "pull": {"ref": 1},
    "live": {},
    "auth": {"ref": 1},
    "presence": {"ref": 1, "item": "{item}", "state": "here"},
    "create_document": {"document": {"id": "{item}", "content": {"title": "Rye"}}},
    "update_document": {"patch": {"document_id": "{item}", "patch": [{"op": "add", "path": "/x", "value": 1}]}},
    "delete_document": {"document_id": "{item}"},
    "request_sync": {},
    "get_changes_since": {},
    "subscribe": {"documents": ["{item}"], "items": ["*"]},
    "unsubscribe": {"documents": ["{item}"]},
}
"""What messages say beside their type."""


class Seen(NamedTuple):
    """What came, and what was asked for."""

    status: int
    code: str | None
    text: str
    asked: str


class House:
    """A server with a space that has something to hide, and everybody who comes to it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.root = Client(server, HOME, key=server.key, node="root")
        self._numbers = count()
        for space in (HOME, ELSEWHERE):
            self._new_space(space)
        self._put(UNNAMED, SECRET)
        self._put("open.milk", "Milk")
        self._rule("*", "secret.*", "*", "deny")
        self._rule("reader", "*", "*", "deny")
        self._rule("reader", "*", ".read", "allow")
        self._rule("reader", "secret.*", ".read", "deny")
        self.keys = self._made_keys()
        self.epoch = self._done(self.root.ask("POST", "hello", {"type": "hello", "node": "root"})).json["epoch"]

    def inquiry(self, type: str, item: str, user: str) -> dict[str, Any]:
        """What heals: all ids of what is hidden and of what is not, or something of a user's given to an item."""
        if type == "fetch":
            asked = [self._done(self.root.ask("GET", f"docs/{each}/ops")).json for each in (UNNAMED, "open.milk")]
            return inquiry(type, ref=1, ids=[entry["event"]["id"] for each in asked for entry in each["entries"]])
        more = {"epoch": self.epoch, "entries": [loose(Author().event(item, user=user))]} if type == "give" else {}
        return inquiry(type, ref=1, **more)

    def _made_keys(self) -> dict[str, str | None]:
        registry = open_registry(self.server.data, "", lambda: 1)
        keys = {who: registry.create_key(who, who, HOME) for who in ("reader", "writer", "revoked")}
        keys["expired"] = registry.create_key("expired", "writer", HOME, expires_ms=2)
        keys["stranger"] = registry.create_key("stranger", "writer", ELSEWHERE)
        registry.revoke_key(next(key.id for key in registry.keys() if key.user == "revoked"))  # noqa: SIM118
        keys["lapsed"] = self._access_token(registry, "writer", expired_ms=40_000)
        registry.close()
        return {**keys, "administrator": self.server.key, "nobody": None}

    def _access_token(self, registry: Registry, user: str, *, expired_ms: int) -> str:
        """An access token, long expired, of a session that goes on."""
        setup = self._done(self.root.ask("POST", f"users/{user}/setup")).json["setup_token"]
        begun = self._done(self.root.ask("POST", "auth/setup", {"token": setup, "password": PASSWORD})).json
        issuer = f"syncline:{registry.secret('issuer').hex()[:16]}"
        tokens = AccessTokens(registry.database, lambda: begun["expires_ms"] - VALID_MS, issuer)
        session = tokens.verify(begun["access_token"]).session
        before = begun["expires_ms"] - 2 * VALID_MS - expired_ms
        return AccessTokens(registry.database, lambda: before, issuer).issue(HOME, user, session)[0]

    def _enrol(self, user: str) -> None:
        """Gives a user a second factor."""
        registry = open_registry(self.server.data, "", lambda: 60_000)
        factors = SecondFactors(registry.database, lambda: 60_000, registry.secret("recovery codes"))
        factors.confirm(HOME, user, pyotp.TOTP(factors.enrol(HOME, user).secret).at(60))
        registry.close()

    def client(self, who: str) -> Client:
        return Client(self.server, HOME, key=self.keys[who], node=f"node-{who}")

    def fill_in(self, text: str) -> str:
        """A text with names in place of what stands in braces: each is of something new."""
        return re.sub(r"\{(\w+)\}", lambda found: self._new(found[1]), text)

    def _new(self, what: str) -> str:
        name = f"{what}.{next(self._numbers)}"
        match what:
            case "open" | "secret":
                self._put(name, SECRET if what == "secret" else "Milk")
            case "open_event" | "secret_event":
                item = self._new(what.removesuffix("_event"))
                return str(self._done(self.root.ask("GET", f"docs/{item}/ops")).json["entries"][0]["event"]["id"])
            case "space":
                self._new_space(name)
            case "rule":
                return self._rule(name, "note", "x", "allow")
            case "label":
                self._done(self.root.ask("PUT", f"labels/{name}", {}))
            case "user" | "person":
                body = {"name": name, "password": PASSWORD} if what == "person" else {"name": name}
                self._done(self.root.ask("POST", "users", body))
            case "guarded":
                self._done(self.root.ask("POST", "users", {"name": name}))
                self._enrol(name)
            case "setup":
                return str(self._done(self.root.ask("POST", "users", {"name": name})).json["setup_token"])
            case "key":
                body = {"name": "laptop", "user": self._new("user")}
                return str(self._done(self.root.ask("POST", "keys", body)).json["id"])
        return name

    def _put(self, item: str, value: str) -> None:
        self._done(self.root.put(item, {"title": value, "tags": [value]}))
        self._done(self.root.patch(item, ("add", "/more", value)))

    def _new_space(self, name: str) -> None:
        self._done(self.server.request("POST", "/v1/spaces", json.dumps({"name": name}), self.server.bearer()))

    def _rule(self, user: str, item: str, action: str, type: str) -> str:
        made = self.root.ask("POST", "acl", {"user": user, "item": item, "action": action, "type": type})
        return str(self._done(made).json["rules"][0]["id"])

    @staticmethod
    def _done(answer: Answer) -> Answer:
        assert answer.status in (200, 201), answer
        return answer


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    server = ServerProcess(tmp_path_factory.mktemp("closed") / "data")
    yield House(server)
    assert server.stop() == 0
    assert "failed" not in server.log()


class Row:
    """One line of the table."""

    def __init__(self, line: str) -> None:
        asked, *cells = re.split(r"\s*\|\s*", line.strip(" |"))
        self.asked = asked
        self.method, self.target, self.more, *_ = [*asked.split(), "", ""]
        self.expected = dict(zip(WHO, [*cells[0].split(), *cells[1:]], strict=True))

    def cell(self, who: str) -> tuple[int, str | None]:
        """Status and code for a caller."""
        status, _, code = self.expected[who].partition(" ")
        number = int(status)
        if who == "stranger" and number == 404:
            return number, STRANGERS
        if who == "lapsed" and number == 401 and self.asked != "POST auth/refresh":  # which looks at no access token
            return number, LAPSED
        return number, code or MEANING.get(number)


def rows(text: str) -> list[Row]:
    return [Row(line) for line in text.strip().split("\n") if line.strip()]


ROUTES, TALKS = rows(ROWS), rows(TALK)
PLACES = [
    (method, address.path, re.compile(re.sub(r"\{\w+\}", "[^/]+", address.path.replace("{path:path}", ".*"))))
    for address in ADDRESSES
    for method in address.handlers
]


def place_of(row: Row) -> str:
    """The method and the path of a row, as the server's table of addresses spells it."""
    path = row.target.partition("?")[0]
    found = [place for method, place, shape in PLACES if method == row.method and shape.fullmatch(path)]
    assert found, f"{row.asked}: there is no such route"
    return f"{row.method} {min(found, key=lambda place: place.count('{'))}"


def test_every_route_has_a_row():
    assert {place_of(row) for row in ROUTES} == {f"{method} {path}" for method, path, _ in PLACES}


def test_every_message_has_a_row():
    requests = {kind.__struct_config__.tag for kind in messages.Request.__args__}
    assert {row.method for row in TALKS} == requests | TYPES


def ask(house: House, row: Row, who: str) -> Seen:
    """What a caller is answered, and all that came."""
    client, place = house.client(who), place_of(row)
    asked = house.fill_in(row.target)
    path = asked if asked.startswith("/") else f"/v1/spaces/{HOME}/{asked}"
    headers = dict(client.headers)
    if place in STREAMS:
        return stream(house, path, headers)
    body, data = BODIES.get(row.asked, BODIES.get(place)), None
    if place == "POST push":
        asked = house.fill_in(row.more)
        body = {"events": [Author().event(asked)]}
    if row.target in INQUIRIES:
        asked = house.fill_in(row.more)
        body = house.inquiry(row.target, asked, "eve" if row.asked.endswith("another's") else user_of(who))
    if body is not None:
        headers["Content-Type"] = PATCH if place == "PATCH docs/{id}" else PLAIN
        data = json.dumps(body) if row.target in ("push", *INQUIRIES) else house.fill_in(json.dumps(body))
    answer = client.server.request(row.method, path, data, headers)
    code = answer.code
    if place in ("POST push", "POST give") and answer.status == 200:
        code = answer.json["results"][0].get("error", {}).get("code")
    return Seen(answer.status, code, answer.body.decode(), asked)


def user_of(who: str) -> str:
    return ".root" if who == "administrator" else who


def stream(house: House, path: str, headers: dict[str, str]) -> Seen:
    """What comes until something that everybody may see; before that something hidden comes too."""
    connection = house.server.connect()
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            problem = response.read()
            return Seen(response.status, json.loads(problem)["code"], problem.decode(), path)
        seen = [response.readline() for _ in range(3)]
        item = path.split("/")[-2] if "/docs/" in path else "open.milk"
        for hidden in (UNNAMED, item):
            house.root.patch(hidden, ("add", "/more", SECRET if hidden == UNNAMED else "the end"))
        while b"the end" not in seen[-1]:
            seen.append(response.readline())
            assert seen[-1]
        return Seen(200, None, b"".join(seen).decode(), path)
    finally:
        connection.close()


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.asked)
def test_what_each_is_answered(house, row):
    seen = {who: ask(house, row, who) for who in WHO}
    assert {who: (each.status, each.code) for who, each in seen.items()} == {who: row.cell(who) for who in WHO}
    check_for_leaks(seen)


def check_for_leaks(seen: dict[str, Seen]) -> None:
    for who in WHO[:-1]:
        assert SECRET not in seen[who].text, who
        names = set(re.findall(r"secret\.[\w-]+(?:\.[\w-]+)*", seen[who].text))
        assert all(name in seen[who].asked for name in names), who


def talk(house: House, row: Row, who: str) -> Seen:
    """The same over a WebSocket: all that comes until a pong."""
    item, key = house.fill_in(row.target), house.keys[who]
    message = {"type": row.method, **json.loads(json.dumps(MESSAGES.get(row.method, {})).replace("{item}", item))}
    hello = {"type": "hello", "node": f"node-{who}", "space": HOME, "token": key}
    if row.method == "authenticate":
        hello = {"type": "authenticate", "space": HOME, "auth_token": key}
    with house.server.websocket() as ws, somebody_hidden(house, item) if row.method == "presence" else nullcontext():
        ws.send(json.dumps(hello))
        came = [ws.recv(DEADLINE)]
        if code_of(came[0]) or row.method in ("hello", "authenticate"):
            return Seen(0, code_of(came[0]), came[0], item)
        if row.method == "push":
            message |= {"ref": 1, "events": [Author().event(item)]}
        if row.method in INQUIRIES:
            message = house.inquiry(row.method, item, user_of(who))
        if row.method == "auth":
            message |= {"token": key}
        ws.send(json.dumps(message))
        for hidden in (UNNAMED, item) if item.startswith("secret") else (UNNAMED,):
            house.root.patch(hidden, ("add", "/more", SECRET))
        ws.send(json.dumps({"type": "ping", "ref": 99}))
        came = [ws.recv(DEADLINE)]
        while '"ref":99' not in came[-1]:
            came.append(ws.recv(DEADLINE))
        return Seen(0, code_of(came[0]), "".join(came), item)


@contextmanager
def somebody_hidden(house: House, item: str):
    """Somebody is here, with something to hide."""
    with house.server.session(HOME, "node-hidden", house.server.key) as ws:
        for place in (UNNAMED, item) if item.startswith("secret") else (UNNAMED,):
            ws.send(json.dumps({"type": "presence", "key": place[-9:], "item": place, "state": SECRET}))
        ws.send(json.dumps({"type": "ping", "ref": 98}))
        while '"ref":98' not in ws.recv(DEADLINE):
            pass
        yield


def code_of(text: str) -> str | None:
    """That of an error, or of the first event that was refused."""
    message = json.loads(text)
    if message["type"] == "ack":
        message = message["results"][0].get("error", {})
    return message.get("code")


@pytest.mark.parametrize("row", TALKS, ids=lambda row: row.asked)
def test_what_each_is_answered_in_a_session(house, row):
    seen = {who: talk(house, row, who) for who in WHO}
    assert {who: each.code for who, each in seen.items()} == {who: row.cell(who)[1] for who in WHO}
    check_for_leaks(seen)
