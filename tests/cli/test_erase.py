"""``erase``: content goes for good, after it was said what would, and by who may."""

import pytest


@pytest.fixture
def filled(syncline):
    """A space with three events of ann and two documents."""
    syncline("spaces", "create", syncline.variables["SYNCLINE_SPACE"])
    lines = [
        '{"item":"task.a","action":"say","payload":"secret"}',
        '{"item":"task.b","action":"say","payload":"secret"}',
    ]
    (syncline.directory / "events.jsonl").write_text("\n".join(lines))
    assert syncline("push", "events.jsonl").code == 0
    return syncline


def test_what_would_be_erased_is_said_and_then_it_is_gone(filled):
    assert filled("erase", "--items", "task.*", "--dry-run").out == "2 events of 2 items would be erased.\n"
    refused = filled("erase", "--items", "task.*")
    assert (refused.code, refused.out) == (2, "")
    assert "Say --yes" in refused.err
    assert "secret" in filled("pull").out
    assert filled("erase", "--items", "task.a", "--yes").out == "1 event of 1 item erased.\n"
    assert filled("erase", "--items", "task.*", "--yes", "--json").json == {"events": 1, "items": ["task.b"]}
    assert "secret" not in filled("pull").out
    again = filled("erase", "--items", "task.*", "--yes")
    assert (again.code, again.out, again.err) == (0, "", "There is nothing to erase.\n")
    assert "events erased: 1, of items: 1" in filled("audit").out


def test_events_are_named_by_their_ids(filled):
    first = filled("log", "--json").lines[0]["event"]["id"]
    assert filled("erase", first, "--yes", "--json").json["events"] == 1
    assert filled("erase", "018bcfe5-6800-7001-99da-e2ee00000000", "--yes").code == 1
    assert filled("erase").code == 2


def test_all_that_a_user_wrote(filled):
    assert filled("erase", "--user", ".root", "--yes").out == "2 events of 2 items erased.\n"


def test_items_are_said_to_be_erasable(filled):
    space = filled.variables["SYNCLINE_SPACE"]
    assert filled("spaces", "erasable", space).err == "No items are.\n"
    assert filled("spaces", "erasable", space, "task.*", "user.ann").out == "task.*\nuser.ann\n"
    assert filled("spaces", "erasable", space, "--json").json == {"items": ["task.*", "user.ann"]}
    assert filled("spaces", "erasable", space, "--none", "--json").json == {"items": []}
    assert filled("spaces", "erasable", space, "a", "--none").code == 2
