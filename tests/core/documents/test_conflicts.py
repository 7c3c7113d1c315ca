"""What people of one document do not agree on, and what a space's policies are."""

import pytest

from syncline.core.documents.conflicts import Conflicts, conflicts_of
from syncline.core.documents.document import Document
from syncline.core.documents.ops import Del
from syncline.core.documents.policies import LAST_WRITE_WINS, MANUAL, MERGE, SERVER_WINS
from syncline.core.documents.revisions import Placed
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY, Policies
from syncline.core.documents.snapshots import decode, encode
from tests.core.documents.people import ITEM, Device, Log, create
from tests.core.samples import an_event


@pytest.fixture
def people():
    """Two people who have the same document, and nothing in common after that."""
    log = Log()
    Device(log, "eve", "eve").make(create)
    ann, bob = Device(log, "ann", "ann"), Device(log, "bob", "bob")
    ann.sync()
    bob.sync()
    return ann, bob


def meet(*people):
    for each in [*people, *people]:
        each.sync()


def root(editor):
    return editor.document.objects[""]


def child(editor, key):
    return editor.document.objects[root(editor).shows(key)]


def found(device, policy=MERGE):
    document = Document(ITEM)
    for event in device.events:
        document.fold(event, policy=policy)
    return conflicts_of(document, device.events, policy)


def test_no_conflict(people):
    assert not found(people[0])
    assert found(people[0]) == Conflicts()


@pytest.mark.parametrize(("policy", "is_reported"), [(MERGE, True), (MANUAL, True), (LAST_WRITE_WINS, False)])
def test_two_values_in_one_slot(people, policy, is_reported):
    ann, bob = people
    ann.edit(lambda editor: editor.put(root(editor), "title", "Oat"))
    bob.edit(lambda editor: editor.put(root(editor), "title", "Rye"))
    meet(*people)
    conflicts = found(ann, policy)
    assert bool(conflicts) == is_reported
    assert conflicts.is_marked == (policy == MANUAL)
    if is_reported:
        assert [(each.path, each.others[0][1]) for each in conflicts.values] == [(["title"], "Oat")]


def test_an_overruled_edit(people):
    ann, bob = people
    ann.edit(lambda editor: editor.put(root(editor), "title", "Oat"))
    late = bob.edit(lambda editor: editor.put(root(editor), "title", "Rye"))
    meet(*people)
    (overruled,) = found(ann, SERVER_WINS).overruled
    assert (overruled.id, overruled.user, overruled.node, overruled.action) == (late.id, "bob", "bob", "edit")


def test_an_edit_of_a_deleted_document(people):
    ann, bob = people
    seen = ann.edit(lambda editor: editor.put(root(editor), "title", "Oat"))
    ann.edit(lambda editor: editor.delete_document())
    unseen = bob.edit(lambda editor: editor.put(root(editor), "title", "Rye"))
    meet(*people)
    assert [each.id for each in found(bob).unseen] == [unseen.id] != [seen.id]
    bob.edit(lambda editor: editor.restore_document())
    assert not found(bob).unseen


@pytest.mark.parametrize(
    "remove",
    [
        lambda editor: editor.delete(root(editor), "inner"),
        lambda editor: editor.put(root(editor), "inner", 1),
        lambda editor: editor.delete(child(editor, "inner"), "b"),
    ],
    ids=["deleted", "replaced", "deleted inside"],
)
def test_an_edit_inside_what_was_removed(people, remove):
    ann, bob = people
    ann.edit(remove)
    unseen = bob.edit(lambda editor: editor.put(editor.document.objects[child(editor, "inner").shows("b")], "c", False))
    bob.edit(lambda editor: editor.increment(child(editor, "count"), 1))
    meet(*people)
    assert [each.id for each in found(ann).unseen] == [unseen.id]


def test_an_edit_inside_a_removed_element(people):
    ann, bob = people
    ann.edit(lambda editor: editor.remove(child(editor, "steps"), 1, 2))
    unseen = bob.edit(
        lambda editor: editor.put(editor.document.objects[child(editor, "steps").visible()[2].value], "x", 1)
    )
    meet(*people)
    assert [each.id for each in found(ann).unseen] == [unseen.id]


def test_an_edit_inside_a_replaced_element(people):
    ann, bob = people
    ann.edit(lambda editor: editor.put_at(child(editor, "steps"), 2, "instead"))
    unseen = bob.edit(
        lambda editor: editor.put(editor.document.objects[child(editor, "steps").visible()[2].value], "x", 1)
    )
    meet(*people)
    assert [each.id for each in found(bob).unseen] == [unseen.id]


def test_an_edit_of_a_child_that_was_never_there(people):
    ann, bob = people
    ann.edit(lambda editor: editor.delete(root(editor), "inner"))
    bob.edit(lambda editor: editor.do(Del(inside="/ghost:map", key="a", over=[])))
    meet(*people)
    assert not found(ann)


def test_who_removes_what_they_have_seen_edited_leaves_no_conflict(people):
    ann, _ = people
    ann.edit(lambda editor: editor.put(child(editor, "inner"), "a", 2))
    ann.edit(lambda editor: editor.delete(root(editor), "inner"))
    assert not found(ann)


def test_conflicts_are_the_same_whether_a_document_was_folded_or_comes_from_a_snapshot(people):
    ann, bob = people
    ann.make(lambda editor: editor.put(editor.ensure(root(editor), "box", "map"), "b", 1))
    bob.sync()
    ann.edit(lambda editor: editor.delete(child(editor, "box"), "b"))
    bob.edit(lambda editor: editor.put(root(editor), "box", "flat"))
    meet(*people)
    opened = decode(ITEM, encode(ann.document))
    assert conflicts_of(opened, ann.events, MERGE) == conflicts_of(ann.document, ann.events, MERGE)


# Policies


def rule(seq, item, policy, action=SET_POLICY, on=POLICIES_ITEM):
    return Placed(an_event(seq, item=on, action=action, payload={"item": item, "policy": policy}), seq)


def test_the_newest_rule_before_an_entry_decides_and_the_most_specific_pattern():
    policies = Policies([rule(3, "task.*", SERVER_WINS), rule(5, "task.milk", MANUAL), rule(9, "task.*", MERGE)])
    assert policies.of("note.a") == MERGE
    assert policies.of("task.b", 3) == MERGE
    assert policies.of("task.b", 4) == SERVER_WINS
    assert policies.of("task.b") == MERGE
    assert policies.of("task.milk", 4) == SERVER_WINS
    assert policies.of("task.milk") == MANUAL
    assert policies.current() == {"task.*": MERGE, "task.milk": MANUAL}
    assert policies.has_changed("task.milk", 8)
    assert not policies.has_changed("task.milk", 9)
    assert not policies.has_changed("note.a", 0)
    policies.note(rule(11, "task.milk", None))
    policies.note(rule(11, "task.milk", None))
    assert policies.of("task.milk") == MERGE
    assert policies.current() == {"task.*": MERGE}


def test_what_is_no_rule_changes_nothing():
    nothing = Placed(an_event(4, item=POLICIES_ITEM, action=SET_POLICY, payload=[1]), 4)
    rules = [
        rule(1, "task.*", SERVER_WINS, action="other"),
        rule(2, "task.*", SERVER_WINS, on="task.milk"),
        rule(3, "task.*", "whatever"),
        rule(3, 7, SERVER_WINS),
        nothing,
    ]
    assert Policies(rules).current() == {}


def test_rules_are_kept_in_order_of_seq_once_each_and_may_begin_anew():
    newer, older = rule(5, "task.*", MANUAL), rule(3, "task.*", SERVER_WINS)
    policies = Policies([newer, older, newer])
    assert policies.of("task.milk") == MANUAL
    assert policies.has_changed("task.milk", 4)
    assert not policies.has_changed("task.milk", 5)
    assert not policies.has_changed("note", 0)
    policies.begin([older])
    assert policies.of("task.milk") == SERVER_WINS
    assert not policies.has_changed("task.milk", 3)
