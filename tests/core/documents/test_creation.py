"""What replicas create apart is one document."""

from typing import Any

import pytest

from syncline.core.documents import creation, ops
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.values import mark_map
from syncline.core.events import Event
from tests.core.samples import NOW, an_id

ITEM = "task.milk"
NODES = ("n1", "n2", "n3")


def event(n: int, editor: Editor) -> Event:
    """The n-th node's event."""
    wire = editor.wire()
    ops.check(wire)
    clock = {**editor.document.clock, NODES[n]: 1}
    return Event(action="create", clock=clock, id=editor.event, item=ITEM, node=NODES[n], ops=wire)


def created(n: int, members: dict[str, Any], *seen: Event) -> Event:
    editor = Editor(folded(*seen), an_id(NOW + n))
    creation.create(editor, members)
    return event(n, editor)


def folded(*events: Event) -> Document:
    document = Document(ITEM)
    for each in events:
        document.fold(each)
    return document


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"a": 1, "$b": None, "": {}},
        {
            "tags": {"$set": [1]},
            "body": {"$text": "hi"},
            "n": {"$counter": 3},
            "l": [1, [2]],
            "m": {"x": {"$counter": 0}},
        },
    ],
)
def test_what_is_created_is_there_and_creating_it_apart_changes_no_more_than_lists_and_texts(members):
    one, other = created(0, members), created(1, members)
    assert folded(one).exists
    assert folded(one).value() == mark_map(members)
    both = {"l": [1, [2], 1, [2]], "body": {"$text": "hihi"}}
    expected = {key: both.get(key, value) for key, value in members.items()}
    assert folded(one, other).value() == folded(other, one).value() == mark_map(expected)
    assert [*folded(one, other).conflicts()] == []


def test_a_counter_begins_once_but_is_set_again_by_what_is_added():
    one, other = created(0, {"n": {"$counter": 3}}), created(1, {"n": {"$counter": 5}})
    assert folded(one, other).value() == {"n": {"$counter": 3}}
    assert folded(one, created(2, {"n": {"$counter": 5}}, one)).value() == {"n": {"$counter": 5}}


def test_what_was_deleted_is_created_anew_without_what_was_there():
    one = created(0, {"a": 1, "m": {"x": 1, "y": 2}})
    editor = Editor(folded(one), an_id(NOW + 1))
    editor.delete_document()
    gone = event(1, editor)
    assert not folded(one, gone).exists
    again = created(2, {"m": {"y": 2}}, one, gone)
    assert folded(one, gone, again).value() == {"m": {"y": 2}}
