"""A store that cannot be reached, or that has another log than before: told as it is, and over when it is over."""

import asyncio

import pytest

from tests.postgres import Cluster
from tests.server.fellows import Fellows
from tests.server.running import Author

pytestmark = pytest.mark.timeout(180)


PUT_BACK = """
    DELETE FROM syncline.{0};
    INSERT INTO syncline.{0} OVERRIDING SYSTEM VALUE SELECT * FROM syncline.{0}_copy;
"""


@pytest.fixture
def cluster():
    """A PostgreSQL of this test's own."""
    started = Cluster()
    yield started
    started.close()


@pytest.fixture
async def fellows(cluster, tmp_path):
    async with Fellows(tmp_path, store=cluster.new_database()) as several:
        yield several


async def test_while_the_database_is_away_pushes_may_be_tried_again_and_then_all_goes_on(cluster, fellows):
    one, two = await fellows.several()
    author = Author()
    ws = await two.follow("s")
    await one.push("s", author.events(2))
    await ws.until(lambda: len(ws.entries) == 2)
    cluster.kill()
    events = author.events(3)
    asked = [one.push("s", events), one.push("s", Author().events(1)), one.pull("s"), one.ask("GET", "/readyz")]
    for status, answer in await asyncio.gather(*asked):
        assert (status, answer["code"]) == (503, "store_unavailable")
    cluster.start()
    for _ in range(2):
        status, answer = await one.push("s", events)
        assert (status, [result["seq"] for result in answer["results"]]) == (200, [3, 4, 5])
    await ws.until(lambda: len(ws.entries) == 5)
    assert [entry["seq"] for entry in ws.entries] == [1, 2, 3, 4, 5]
    assert (await one.ask("GET", "/readyz"))[0] == 200
    await ws.close()


async def test_a_log_that_was_put_back_from_a_copy_is_opened_anew(cluster, fellows):
    one, two = await fellows.several()
    author = Author()
    await one.push("s", author.events(3))
    tables = ("logs", "entries", "nodes")
    for table in tables:
        cluster.execute(f"CREATE TABLE syncline.{table}_copy AS TABLE syncline.{table}", fellows.store)
    _, page = await one.push("s", author.events(2))
    _, page = await two.pull("s")
    ws = await two.follow("s")
    assert page["entries"][-1]["seq"] == 5
    cluster.execute("".join(map(PUT_BACK.format, tables)), fellows.store)
    await ws.until(lambda: ws.messages[-1].get("code") == "overloaded")
    status, answer = await two.pull("s", query=f"since={page['cursor']}")
    assert (status, answer.get("code")) == (409, "cursor_reset")
    status, answer = await two.push("s", Author("new").events(1))  # what was lost comes first
    assert (status, answer["results"][0]["error"]["code"]) == (200, "recovering")
    status, answer = await one.push("s", Author("new").events(1))
    assert (status, answer["head"]) == (200, 4)
    await ws.close()
