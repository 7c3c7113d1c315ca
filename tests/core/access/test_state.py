from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.access import state
from syncline.core.access.rules import ALLOW, DEFAULTS, DENY, Rule, Rules
from syncline.core.access.state import (
    ACL_ITEM,
    ADD_RULE,
    CREATE_KEY,
    CREATE_USER,
    READ,
    REMOVE_RULE,
    REMOVE_USER,
    RESUME_USER,
    REVOKE_KEY,
    REVOKE_SESSION,
    ROOT,
    SUSPEND_USER,
    USER_PREFIX,
    Access,
    Decision,
    user_item,
    user_of,
)
from syncline.core.access.views import View
from syncline.core.events import ITEM, Event
from syncline.errors import BadRequest
from tests.core.access import model
from tests.core.access.model import ITEMS, asked, questions, shapes, users
from tests.core.samples import an_event, an_id, json_values


class Placed(NamedTuple):
    seq: int
    event: Event


def log(*told: tuple[str, str, Any]) -> list[Placed]:
    """Entries of these items, actions and payloads, the first with seq 1."""
    events = [
        an_event(n, item=item, action=action, payload=payload) for n, (item, action, payload) in enumerate(told, 1)
    ]
    return [Placed(event.n, event) for event in events]


def id_at(seq: int) -> str:
    return an_id(counter=seq)


def adding(user: str, item: str, action: str, type: str) -> tuple[str, str, Any]:
    return ACL_ITEM, ADD_RULE, {"user": user, "item": item, "action": action, "type": type}


def removing(seq: int) -> tuple[str, str, Any]:
    return ACL_ITEM, REMOVE_RULE, {"rule": id_at(seq)}


def about(user: str, action: str, **payload: Any) -> tuple[str, str, Any]:
    return USER_PREFIX + user, action, payload


administrative = st.sampled_from([CREATE_USER, SUSPEND_USER, RESUME_USER, REMOVE_USER])
credentials = st.sampled_from(["key-1", "key-2"])
told = st.lists(
    st.one_of(
        shapes.map(lambda shape: adding(*shape)),
        st.builds(removing, st.integers(1, 12)),
        st.builds(about, users, administrative),
        st.builds(lambda user, action, id: about(user, action, credential=id), users,
                  st.sampled_from([REVOKE_KEY, REVOKE_SESSION, CREATE_KEY]), credentials),
        st.just(("task.milk", "create", None)),
    ),
    max_size=12,
)  # fmt: skip


ACTIONS = [ADD_RULE, REMOVE_RULE, CREATE_USER, SUSPEND_USER, RESUME_USER, REMOVE_USER, REVOKE_KEY, REVOKE_SESSION]


class Model:
    """Everything is read off the whole log, from its beginning, with every question."""

    def __init__(self, entries: list[Placed]) -> None:
        self.rules = list(DEFAULTS)
        self.barred: dict[str, str] = {}
        self.revoked: set[tuple[str, str]] = set()
        for seq, event in entries:
            name, payload = event.item.removeprefix(USER_PREFIX), event.payload
            if event.action == ADD_RULE:
                self.rules.append(Rule(**payload, seq=seq, id=event.id))
            elif event.action == REMOVE_RULE:
                self.rules = [rule for rule in self.rules if rule.id != payload["rule"]]
            elif event.action in (REVOKE_KEY, REVOKE_SESSION):
                self.revoked.add((name, payload["credential"]))
            elif event.action != CREATE_KEY and not name.startswith("."):
                self.administer(name, event.action)

    def administer(self, name: str, action: str) -> None:
        is_removed = self.barred.get(name) == REMOVE_USER
        if action == REMOVE_USER or (action == SUSPEND_USER and not is_removed):
            self.barred[name] = action
        elif (action == CREATE_USER) == is_removed:
            self.barred.pop(name, None)

    def may(self, user: str, item: str, action: str) -> bool:
        if user.startswith("."):
            return True
        return user not in self.barred and model.allows(self.rules, user, item, action)


# The fold


@given(told, questions, credentials)
def test_access_is_a_fold_of_the_log(told, question, credential):
    access, plain = Access.of(log(*told)), Model(log(*told))
    user = question[0]
    assert access.may(*question) == plain.may(*question)
    assert access.is_barred(user) == (user in plain.barred)
    assert access.is_barred(user, credential) == (user in plain.barred or (user, credential) in plain.revoked)
    assert sorted(access.rules, key=model.rank) == sorted(plain.rules, key=model.rank)


@given(told, st.integers(0, 12), questions, asked)
def test_it_can_be_folded_in_parts_and_again(told, place, question, items):
    entries = log(*told)
    whole, first = Access.of(entries), Access.of(entries[:place])
    first.view(question[0], items)
    parts = first.after(entries[place:])
    again = parts.after(entries)
    for access in (parts, again):
        assert access.seq == whole.seq
        assert list(access.rules) == list(whole.rules)
        assert access.may(*question) == whole.may(*question)
        assert access.is_barred(question[0], "key-1") == whole.is_barred(question[0], "key-1")
        assert access.view(question[0], items) == whole.view(question[0], items)
    assert again is parts


@given(told, st.integers(0, 12), questions)
def test_an_access_is_a_value(told, place, question):
    entries = log(*told)
    access = Access.of(entries[:place])
    before = access.explain(*question), access.seq, access.view(question[0]), list(access.rules)
    access.after(entries[place:])
    assert (access.explain(*question), access.seq, access.view(question[0]), list(access.rules)) == before


@given(told, users, asked, asked)
def test_a_view_shows_what_may_be_read(told, user, items, scope):
    access = Access.of(log(*told))
    view = access.view(user, items, scope)
    for item in ITEMS[:84]:
        wanted = model.is_asked(items, item) and model.is_asked(scope, item)
        assert view.shows(item) == (wanted and access.may(user, item, READ))


@given(told, questions)
def test_a_replica_decides_by_its_own_rules(told, question):
    access = Access.of(log(*told))
    replica = Access(Rules(access.rules_of(question[0])))
    assert replica.may(*question) == access.may(*question)
    assert replica.view(question[0]) == access.view(question[0])


# What an event does


def test_a_space_is_open_to_its_members():
    access = Access()
    assert access.seq == 0
    assert access.may("ann", "task.milk", "create")
    assert access.may("ann", ".policies", READ)
    assert not access.may("ann", ".policies", ".policy.set")
    assert not access.may("ann", ACL_ITEM, ADD_RULE)
    assert access.may(ROOT, ACL_ITEM, ADD_RULE)
    assert access.may(".resolver", "task.milk", "edit")


def test_a_rule_holds_until_it_is_removed():
    access = Access.of(log(adding("*", "secret.*", "*", DENY), ("task.milk", "create", None)))
    assert access.seq == 1
    assert not access.may("ann", "secret.plan", READ)
    open_again = access.after([Placed(3, log(*[removing(1)] * 3)[2].event)])
    assert open_again.seq == 3
    assert open_again.may("ann", "secret.plan", READ)
    assert not access.may("ann", "secret.plan", READ)


@pytest.mark.parametrize(
    ("item", "action", "payload"),
    [
        ("task.milk", "create", None),
        ("task.milk", ADD_RULE, {"user": "*", "item": "*", "action": "*", "type": "deny"}),
        (ACL_ITEM, "create", {}),
        (ACL_ITEM, ADD_RULE, None),
        (ACL_ITEM, ADD_RULE, {"user": "*", "item": "**", "action": "*", "type": "deny"}),
        (ACL_ITEM, REMOVE_RULE, None),
        (ACL_ITEM, REMOVE_RULE, {"rule": 3}),
        (ACL_ITEM, REMOVE_RULE, {"rule": id_at(7)}),
        (ACL_ITEM, REMOVE_RULE, {"rule": ""}),
        (".user.ann", RESUME_USER, None),
        (".user.ann", CREATE_USER, None),
        (".user.ann", CREATE_KEY, {"credential": "key-1"}),
        (".user.ann", REVOKE_KEY, None),
        (".user.ann", REVOKE_KEY, {"credential": ["key-1"]}),
        (".user.ann", ADD_RULE, {"user": "*", "item": "*", "action": "*", "type": "deny"}),
        (".user..root", SUSPEND_USER, None),
        (".policies", ".policy.set", {"item": "*", "policy": "manual"}),
    ],
)
def test_other_events_do_nothing(item, action, payload):
    access = Access()
    assert access.after(log((item, action, payload))) is access


def test_a_rule_may_come_and_go_in_one_batch():
    gone = Access.of(log(removing(2), adding("*", "*", "*", DENY), removing(2)))
    assert list(gone.rules) == list(DEFAULTS)
    assert gone.seq == 3
    assert gone.may("ann", "task.milk", "create")


def test_a_rule_is_removed_once():
    first = Access.of(log(adding("*", "*", "*", DENY)))
    again = first.after([Placed(2 + n, event) for n, (_, event) in enumerate(log(removing(1), removing(1)))])
    assert again.seq == 2


def test_who_is_removed_is_created_again_but_not_resumed():
    steps = [SUSPEND_USER, CREATE_USER, RESUME_USER, SUSPEND_USER, REMOVE_USER, RESUME_USER, SUSPEND_USER, CREATE_USER]
    barred = [True, True, False, True, True, True, True, False]
    entries = log(*[about("ann", action) for action in steps])
    assert [Access.of(entries[:count]).is_barred("ann") for count in range(1, 9)] == barred


def test_a_credential_is_revoked_for_good_and_for_its_user_alone():
    entries = log(about("ann", REVOKE_KEY, credential="key-1"), about(".root", REVOKE_SESSION, credential="s"))
    access = Access.of(entries)
    assert access.is_barred("ann", "key-1")
    assert access.is_barred(ROOT, "s")
    assert not any((access.is_barred("ann"), access.is_barred("ann", "key-2"), access.is_barred("bob", "key-1")))
    assert access.may("ann", "task.milk", "create")
    revoked_again = [Placed(3, entries[0].event)]
    assert access.after(revoked_again) is access


def test_who_is_barred_needs_no_rules_and_sees_nothing():
    access = Access.of(log(about("ann", SUSPEND_USER)))
    assert access.rules_of("ann") == []
    assert access.rules_of("bob") == sorted(DEFAULTS, key=model.place)
    assert access.view("ann").is_nothing


# Reasons


def test_every_answer_has_its_reason():
    access = Access.of(log(adding("ann", "task.*", "edit", DENY), about("bob", SUSPEND_USER)))
    rule = Rule("ann", "task.*", "edit", DENY, 1, id_at(1))
    assert access.explain(ROOT, "task.milk", "edit") == Decision(True, None, "root")
    assert access.explain("bob", "task.milk", "edit") == Decision(False, None, "suspended")
    assert access.explain("ann", "task.milk", "edit") == Decision(False, rule, "rule")
    assert access.explain("ann", "task.milk", "create") == Decision(True, DEFAULTS[0], "rule")
    assert access.explain("ann", ACL_ITEM, ADD_RULE) == Decision(False, None, "nothing matches")


@given(told, questions)
def test_an_explanation_agrees(told, question):
    access = Access.of(log(*told))
    decision = access.explain(*question)
    assert decision.is_allowed == access.may(*question)
    assert (decision.rule is not None) == (decision.reason == "rule")


# Views are shared and kept


def test_readers_with_equal_rights_share_a_view():
    access = Access.of(log(adding("bob", "secret.*", READ, DENY)))
    assert access.view("ann") is access.view("cat") is access.view("ann")
    assert access.view("bob") != access.view("ann")
    assert access.view(ROOT) == View.everything()
    assert access.view("ann", scope=["task.*"]) == View.of({"task.*": True})


def test_a_view_stays_when_the_change_concerns_others():
    access = Access.of(log(adding("ann", "secret.*", READ, DENY)))
    kept = {user: access.view(user) for user in ("ann", "bob", "bert", ROOT)}
    after = access.after([Placed(2, log(*[adding("b*", "secret.*", READ, ALLOW)] * 2)[1].event)])
    assert {asked[0] for asked in after._views} == {"ann", ROOT}
    assert after.view("ann") is kept["ann"]
    again = access.after([Placed(2, log(*[adding("*", "secret.a", READ, ALLOW)] * 2)[1].event)])
    assert {asked[0] for asked in again._views} == {ROOT}


def test_the_views_kept_are_bounded(monkeypatch):
    monkeypatch.setattr(state, "MAX_VIEWS", 3)
    access = Access()
    for number in range(10):
        access.view(f"user{number}")
        assert len(access._views) <= 3


def test_what_is_asked_for_is_checked():
    with pytest.raises(BadRequest):
        Access().view("ann", ["a*b"])
    with pytest.raises(BadRequest):
        Access().view("ann", scope=["a*b"])


payloads = json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(("rule", "credential", "user"), json_values))


@given(st.lists(st.tuples(st.sampled_from([ACL_ITEM, ".user.ann", ".user."]), st.sampled_from(ACTIONS), payloads)))
def test_nothing_raises(told):
    Access.of(log(*told))


@pytest.mark.parametrize(
    ("user", "item"),
    [
        ("alice", ".user.alice"),
        ("a@b.example", ".user.a~40b.example"),
        ("x~y", ".user.x~7ey"),
        ("é b*", ".user.~c3~a9~20b~2a"),
    ],
)
def test_every_user_has_an_item(user, item):
    assert user_item(user) == item
    assert user_of(item) == user
    assert ITEM.fullmatch(item)
