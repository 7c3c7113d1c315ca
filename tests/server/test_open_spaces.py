"""More spaces than may be open take turns: closed and opened again while others are used, they lose nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.running import Author, serving

SPACES, ROUNDS = 4, 25


@pytest.fixture(params=["sqlite", "lmdb"])
def server(request, tmp_path):
    with serving(tmp_path, open=True, max_open_spaces=2, store=request.param) as server:
        yield server


def test_spaces_take_turns(server):
    """Two who push go round in opposite directions, so that what one closes the other wants."""
    names = [f"space-{number}" for number in range(SPACES)]

    def push(order):
        author = Author()
        for name in order * ROUNDS:
            results = server.push(name, author.events(2)).json["results"]
            assert all("seq" in result for result in results), results

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(push, [names, names[::-1]]))
    assert [server.head(name) for name in names] == [4 * ROUNDS] * SPACES
    assert all(len(server.entries(name)) == 4 * ROUNDS for name in names)


def test_a_space_may_be_deleted_while_it_is_being_closed(server):
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        server.push(name, Author().events(1))
        for other in names[: names.index(name)]:
            server.push(other, Author().events(1))
    for name in names:
        assert server.request("DELETE", f"/v1/spaces/{name}").status in (200, 204)
    assert not [file.name for folder in ("spaces", "lmdb") for file in (server.data / folder).glob("?.*")]
