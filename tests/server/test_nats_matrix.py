"""Who may ask what over NATS: each subject, for each kind of caller, with what it is answered; see ``test_matrix``."""

import pytest

from syncline.transports.nats_wire import VERBS
from tests.nats import nats_server
from tests.server.inquiries import TYPES as INQUIRIES
from tests.server.nats_asking import asking, until_connected
from tests.server.running import Author, ServerProcess
from tests.server.test_matrix import HOME, SECRET, UNNAMED, WHO, House, Row, Seen, check_for_leaks, rows, user_of

ASKED = """
hello -                             | 401 401 401 401 404 | 200 | 200 | 200
auth -                              | 401 401 401 401 404 | 200 | 200 | 200
push {open}                         | 401 401 401 401 404 | 403 | 200 | 200
push {secret}                       | 401 401 401 401 404 | 403 | 403 | 200
push .acl                      | 401 401 401 401 404 | 403 reserved_action | 403 reserved_action | 403 reserved_action
pull -                              | 401 401 401 401 404 | 200 | 200 | 200
live -                              | 401 401 401 401 404 | 200 | 200 | 200
merkle -                            | 401 401 401 401 404 | 200 | 200 | 200
fetch -                             | 401 401 401 401 404 | 200 | 200 | 200
give {open}                         | 401 401 401 401 404 | 403 | 200 | 200
give {secret}                       | 401 401 401 401 404 | 403 | 403 | 200
snapshot -                          | 401 401 401 401 404 | 200 | 200 | 200
"""
"""Of a push the code of its one event; otherwise that of the request."""


@pytest.fixture(scope="module")
def nats():
    with nats_server() as server:
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory, nats):
    server = ServerProcess(tmp_path_factory.mktemp("closed") / "data", nats=nats.url)
    until_connected(server)
    yield House(server)
    assert server.stop() == 0
    assert "failed" not in server.log()


def test_every_verb_has_a_row():
    assert {row.method for row in rows(ASKED)} == set(VERBS)


async def ask(nats, house: House, row: Row, who: str) -> Seen:
    """What a caller is answered, and all that came."""
    item, key = house.fill_in(row.target), house.keys[who]
    members = {"hello": {"node": f"node-{who}"}, "auth": {"token": key or ""}}.get(row.method, {})
    if row.method == "push":
        members = {"events": [Author().event(item)]}
    if row.method in INQUIRIES:
        members = house.inquiry(row.method, item, user_of(who))
    async with asking(nats, HOME, key) as caller:
        told = await caller(row.method, **members)
        text = told.text.decode()
        if row.method == "live" and told.code is None:
            text += await followed(house, caller, told.json["cursor"], f"the end for {who}")
        return Seen(0, told.code, text, item)


async def followed(house: House, caller, cursor: str, end: str) -> str:
    """What comes to who follows until a change that everybody sees, after one that is hidden."""
    for item in (UNNAMED, "open.milk"):
        house.root.patch(item, ("add", "/more", f"{SECRET} {end}" if item == UNNAMED else end))
    seen = ""
    while end not in seen:
        told = await caller("live", wait=5, cursor=cursor)
        seen, cursor = seen + told.text.decode(), told.json["cursor"]
    return seen


@pytest.mark.parametrize("row", rows(ASKED), ids=lambda row: row.asked)
async def test_what_each_is_answered(nats, house, row):
    seen = {who: await ask(nats, house, row, who) for who in WHO}
    assert {who: each.code for who, each in seen.items()} == {who: row.cell(who)[1] for who in WHO}
    check_for_leaks(seen)
