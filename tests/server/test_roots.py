"""The root of what one may see of a space, over HTTP: computed anew here from the entries that a pull brings."""

import pytest

from syncline.core.events import Event
from syncline.core.merkle import Leaf, Tree
from tests.server.running import canonical


def root_of(entries):
    """The root of the entries of a page."""
    events = [Event.read(canonical(entry["event"])) for entry in entries]
    return Tree.of(sorted(Leaf(event.key, event.digest) for event in events)).root.hex()


@pytest.mark.parametrize("count", [0, 1, 16, 17, 600])
def test_the_root_is_that_of_the_entries_at_the_head(open_server, space, author, count):
    for start in range(0, count, 300):
        open_server.push(space, author.events(min(300, count - start)))
    open_server.push(space, [])
    shown = open_server.request("GET", f"/v1/spaces/{space}?root=1").json
    entries = open_server.entries(space)
    assert (shown["head"], shown["root"]) == (count, root_of(entries))
    assert open_server.request("GET", f"/v1/spaces/{space}").json["root"] is None


def test_the_root_of_some_items_is_that_of_their_entries(open_server, space, author):
    events = [author.event(item=f"task.{place % 3}") for place in range(60)]
    open_server.push(space, events)
    everything = open_server.request("GET", f"/v1/spaces/{space}?root=1").json["root"]
    for items in ("task.1", "task.*", "none", "task.1,task.2"):
        entries = open_server.pull(space, items=items).json["entries"]
        shown = open_server.request("GET", f"/v1/spaces/{space}?root=1&items={items}").json
        assert (shown["head"], shown["root"]) == (60, root_of(entries))
        assert (shown["root"] == everything) == (items == "task.*")


def test_the_root_follows_what_is_pushed(open_server, space, author):
    roots = set()
    for _ in range(4):
        open_server.push(space, author.events(5))
        shown = open_server.request("GET", f"/v1/spaces/{space}?root=1").json
        assert shown["root"] == root_of(open_server.entries(space))
        roots.add(shown["root"])
    assert len(roots) == 4


@pytest.mark.parametrize("asked", ["2", "-1", "yes"])
def test_what_is_no_answer_to_root_is_refused(open_server, space, author, asked):
    open_server.push(space, author.events(1))
    answer = open_server.request("GET", f"/v1/spaces/{space}?root={asked}")
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
