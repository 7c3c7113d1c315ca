"""What a space keeps, and the labels that it may be told to keep."""

import pytest

from syncline.core.events import Entry
from syncline.core.retention import KEEP_ALL, LABELS_ITEM, SET_LABEL, Retention, labels_of
from tests.core.samples import an_event


def labelled(*payloads, action=SET_LABEL):
    events = [an_event(n, item=LABELS_ITEM, action=action, payload=payload) for n, payload in enumerate(payloads, 1)]
    return labels_of(Entry.of(seq, 1, "", event) for seq, event in enumerate(events, 10))


def test_nothing_said_is_all_kept():
    assert KEEP_ALL.keeps_all
    for retention in (Retention(days=1), Retention(revisions=1), Retention(labels=True)):
        assert not retention.keeps_all


def test_the_last_word_on_a_label_counts():
    first, other, again = {"name": "a", "seq": 3}, {"name": "b", "seq": 4}, {"name": "a", "seq": 9}
    assert labelled(first, other, again) == {"a": 9, "b": 4}
    assert labelled(first, other, {"name": "a"}) == {"b": 4}


@pytest.mark.parametrize("payload", [7, {"seq": 3}, {"name": 1, "seq": 3}, {"name": "a", "seq": 0}])
def test_what_is_no_label_is_passed_over(payload):
    assert labelled(payload) == {}


@pytest.mark.parametrize("seq", [True, "3", 11, 2.0])
def test_a_label_names_an_entry_before_it(seq):
    assert labelled({"name": "a", "seq": seq}) == {}


def test_other_actions_say_nothing_of_labels():
    assert labelled({"name": "a", "seq": 3}, action=".x") == {}
