"""Who may call what over gRPC: each method, for each kind of caller, with what it is answered; see ``test_matrix``."""

import json

import grpc
import pytest

from tests.server.calling import REQUESTS, calling, refusal, services
from tests.server.running import Author, ServerProcess
from tests.server.test_matrix import (
    HOME,
    SECRET,
    UNNAMED,
    WHO,
    House,
    Row,
    Seen,
    check_for_leaks,
    code_of,
    rows,
    user_of,
)

CALLS = """
Hello -                             | 401 401 401 401 404 | 200 | 200 | 200
Authenticate -                      | 401 401 401 401 404 | 200 | 200 | 200
Push {open}                         | 401 401 401 401 404 | 403 | 200 | 200
Push {secret}                       | 401 401 401 401 404 | 403 | 403 | 200
Push .acl                    | 401 401 401 401 404 | 403 reserved_action | 403 reserved_action | 403 reserved_action
Pull -                              | 401 401 401 401 404 | 200 | 200 | 200
Live -                              | 401 401 401 401 404 | 200 | 200 | 200
Ask - merkle                        | 401 401 401 401 404 | 200 | 200 | 200
Ask - fetch                         | 401 401 401 401 404 | 200 | 200 | 200
Ask {open} give                     | 401 401 401 401 404 | 403 | 200 | 200
Ask {secret} give                   | 401 401 401 401 404 | 403 | 403 | 200
Ask - snapshot                      | 401 401 401 401 404 | 200 | 200 | 200
"""
"""Of a push or a gift the code of its one event; otherwise that of the call."""
STATUS = {"unauthorized": "UNAUTHENTICATED", "token_expired": "UNAUTHENTICATED", "unknown_space": "NOT_FOUND"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    server = ServerProcess(tmp_path_factory.mktemp("closed") / "data", grpc_port=0)
    yield House(server)
    assert server.stop() == 0
    assert "failed" not in server.log()


def test_every_method_has_a_row():
    methods = set(vars(services.SynclineStub(grpc.insecure_channel("127.0.0.1:1"))))
    assert {row.method for row in rows(CALLS)} == methods == set(REQUESTS)


def ask(house: House, row: Row, who: str) -> Seen:
    """What a caller is answered, and all that came."""
    item, key = house.fill_in(row.target), house.keys[who]
    fields = {"Hello": {"protocol": 1}, "Authenticate": {"token": key or ""}}.get(row.method, {})
    if row.method == "Push":
        fields = {"events": json.dumps([Author().event(item)]).encode()}
    if row.method == "Ask":
        fields = {"message": json.dumps(house.inquiry(row.more, item, user_of(who))).encode()}
    with calling(house.server, HOME, key) as call:
        try:
            answer = call(row.method, **fields)
            if row.method == "Live":
                return Seen(0, None, followed(house, answer), item)
        except grpc.RpcError as error:
            told = refusal(error)
            assert told["status"] == STATUS[told["code"]]
            return Seen(0, told["code"], json.dumps(told), item)
    code = None
    if row.method == "Push":
        code = json.loads(answer.results)[0].get("error", {}).get("code")
    if row.method == "Ask":
        code = code_of(answer.message.decode())
    return Seen(0, code, answer.SerializeToString().decode("latin-1"), item)


def followed(house: House, pages) -> str:
    """What comes over a stream until a change that everybody sees, after one that is hidden."""
    seen = [next(pages).SerializeToString().decode("latin-1")]
    for item in (UNNAMED, "open.milk"):
        house.root.patch(item, ("add", "/more", SECRET if item == UNNAMED else "the end"))
    while "the end" not in seen[-1]:
        seen.append(next(pages).SerializeToString().decode("latin-1"))
    pages.cancel()
    return "".join(seen)


@pytest.mark.parametrize("row", rows(CALLS), ids=lambda row: row.asked)
def test_what_each_is_answered(house, row):
    seen = {who: ask(house, row, who) for who in WHO}
    assert {who: each.code for who, each in seen.items()} == {who: row.cell(who)[1] for who in WHO}
    check_for_leaks(seen)
