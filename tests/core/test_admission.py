import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.core.access.rules import DEFAULTS, Rule, Rules
from syncline.core.access.scope import MEMBER, Rights, Scope
from syncline.core.access.state import CREATE_KEY, Access, user_item
from syncline.core.admission import Ledger, NodeState, Submission, needed
from syncline.core.events import Event
from syncline.core.limits import MAX_DRIFT_MS
from syncline.core.log import Head
from syncline.core.stamps import drift_limit
from syncline.errors import (
    ClockDrift,
    EventIdConflict,
    InvalidEvent,
    NodeConflict,
    ReservedAction,
    SynclineError,
    TxRefused,
    UserMismatch,
)
from tests.core.samples import EPOCH, NOW, an_event, an_id


def a_ledger(held=(), *, seq=10, last_n=None, now_ms=NOW) -> Ledger:
    """A ledger over a log that holds these events, from seq 1 on."""
    known, nodes, last = {}, {}, {}
    log = {event.id: event for event in held}
    for place, event in enumerate(held, 1):
        known[event.key] = place, event.digest
        state = nodes.get(event.node, NodeState(event.user, 0, ""))
        nodes[event.node] = NodeState(event.user, max(state.n, event.n), max(state.own, event.id))
        last[event.item, event.node] = event.n
    last_n = last_n or (lambda item, node: last.get((item, node), 0))
    places = {event.item: place for place, event in enumerate(held, 1)}
    return Ledger(
        Head(EPOCH, seq),
        known=known,
        held=log,
        nodes=nodes,
        last_n=last_n,
        last_seq=lambda item, since: place if (place := places.get(item, 0)) > since else None,
        now_ms=now_ms,
    )


def submit(ledger: Ledger, *events, user: str = "ann") -> list:
    """Each outcome as its seq or code."""
    outcomes = ledger.submit(Submission(events, user))
    return [each.code if isinstance(each, SynclineError) else each for each in outcomes]


# A model that is as simple as the rules


class Model:
    """The rules of the protocol one after the other, over plain lists."""

    def __init__(self, held: list[Event], seq: int) -> None:
        self.seq, self.held = seq, [(place, event) for place, event in enumerate(held, 1)]

    def submit(self, events, user: str) -> list:
        answers = []
        for run in self.runs(events):
            before = self.seq, list(self.held)
            given = [self.judge(event, user) for event in run]
            if run[0].tx and any(isinstance(each, str) for each in given):
                self.seq, self.held = before
                known = {event.id: seq for seq, event in self.held}
                given = [
                    each if isinstance(each, str) or known.get(event.id) == each else "tx_refused"
                    for event, each in zip(run, given, strict=True)
                ]
            answers += given
        return answers

    @staticmethod
    def runs(events):
        runs = []
        for event in events:
            if runs and event.tx and runs[-1][-1].tx == event.tx:
                runs[-1].append(event)
            else:
                runs.append([event])
        return runs

    def judge(self, event, user: str):
        if isinstance(event, SynclineError):
            return event.code
        for seq, other in self.held:
            if other.id == event.id:
                return seq if other.body == event.body else "event_id_conflict"
        mine = [other for _, other in self.held if other.node == event.node]
        above = max((other.n for other in mine if other.item == event.item), default=0)
        if event.id[:13] > an_id(NOW + MAX_DRIFT_MS)[:13]:
            return "clock_drift"
        if event.user != user:
            return "user_mismatch"
        if event.item.startswith(".") or event.action.startswith("."):
            return "reserved_action"
        if any(other.user != user for other in mine) or event.n <= above:
            return "node_conflict"
        self.seq += 1
        self.held.append((self.seq, event))
        return self.seq


def malformed(tx: str | None = None) -> InvalidEvent:
    error = InvalidEvent("broken")
    error.tx = tx
    return error


item_names = st.sampled_from(["a", "b", ".acl"])
txs = st.sampled_from([{}, {}, {}, {"meta": {"tx": "t1"}}, {"meta": {"tx": "t2"}}, {"meta": {"group": "g"}}])
events = st.builds(
    lambda n, node, ms, item, action, user, more: an_event(
        n, node=node, ms=ms, item=item, action=action, user=user, **more
    ),
    st.integers(1, 5),
    st.sampled_from(["n1", "n1", "n2"]),
    st.sampled_from([NOW, NOW, NOW, NOW + 1, NOW + MAX_DRIFT_MS, NOW + MAX_DRIFT_MS + 1]),
    st.sampled_from(["a", "a", "a", "b", ".acl"]),
    st.sampled_from(["put", "put", "put", ".acl.addRule"]),
    st.sampled_from(["ann", "ann", "ann", "bob"]),
    txs,
)
pushed = st.lists(events | st.builds(malformed, st.sampled_from([None, "t1"])), max_size=6)
lawful = st.lists(st.builds(lambda n, item: (n, item), st.integers(1, 9), st.sampled_from("ab")), max_size=6)


@settings(max_examples=3 * settings.default.max_examples)
@given(st.lists(st.tuples(pushed, st.sampled_from(["ann", "ann", "bob"])), max_size=3))
def test_judging_follows_the_rules(submissions):
    model, ledger = Model([], 10), a_ledger()
    for batch, user in submissions:
        assert submit(ledger, *batch, user=user) == model.submit(batch, user)
    assert ledger.accepted == [event for _, event in model.held]
    for node in {event.node for event in ledger.accepted}:
        mine = [event for event in ledger.accepted if event.node == node]
        assert ledger.nodes[node] == NodeState(mine[0].user, max(e.n for e in mine), max(e.id for e in mine))


@given(lawful, lawful)
def test_judging_over_a_log_that_holds_something(before, after):
    held = Model([], 0)
    held.submit([an_event(n, item=item, ms=NOW - 9) for n, item in before], "ann")
    log = [event for _, event in held.held]
    batch = [an_event(n, item=item) for n, item in after]
    assert submit(a_ledger(log, seq=len(log)), *log, *batch) == Model(log, len(log)).submit([*log, *batch], "ann")


# Examples


def test_seqs_continue_the_log():
    ledger = a_ledger(seq=41)
    assert submit(ledger, an_event(1), an_event(2)) == [42, 43]
    assert submit(ledger, an_event(3)) == [44]
    assert submit(ledger) == []
    assert [event.n for event in ledger.accepted] == [1, 2, 3]


def test_an_event_is_stored_once():
    ledger = a_ledger([an_event(1)])
    assert submit(ledger, an_event(1), an_event(2), an_event(2), an_event(1)) == [1, 11, 11, 1]
    assert ledger.accepted == [an_event(2)]


def test_an_id_holds_one_event():
    ledger = a_ledger([an_event(1)])
    other = an_event(1, payload="other")
    assert submit(ledger, other, an_event(2), an_event(2, payload=2)) == ["event_id_conflict", 11, "event_id_conflict"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (an_event(1, payload="x", ms=NOW + 10**9), EventIdConflict),
        (an_event(3, ms=NOW + MAX_DRIFT_MS + 1, user="bob", action=".x"), ClockDrift),
        (an_event(1, ms=NOW + 1, user="bob", action=".x"), UserMismatch),
        (an_event(1, ms=NOW + 1, action=".x"), ReservedAction),
        (an_event(1, ms=NOW + 1, item=".acl"), ReservedAction),
        (an_event(1, ms=NOW + 1), NodeConflict),
    ],
)
def test_the_first_rule_that_is_broken_answers(event, error):
    (outcome,) = a_ledger([an_event(1), an_event(1, ms=NOW + 10**9)]).submit(Submission([event], "ann"))
    assert type(outcome) is error


def test_a_known_id_is_answered_whoever_asks_and_whatever_time_it_is():
    held = [an_event(1, action=".acl.addRule", item=".acl")]
    assert submit(a_ledger(held, now_ms=0), *held, user="bob") == [1]


def test_drift_tells_the_server_s_time():
    limit = an_event(1, ms=NOW + MAX_DRIFT_MS), an_event(2, ms=NOW + MAX_DRIFT_MS + 1)
    stored, refused = a_ledger().submit(Submission(limit, "ann"))
    assert stored == 11
    assert refused.details == {"time": NOW}


def test_the_least_id_that_is_too_far_ahead_is_refused():
    assert submit(a_ledger(), an_event(1, id=drift_limit(NOW))) == ["clock_drift"]
    assert submit(a_ledger(), an_event(1, id=an_id(NOW + MAX_DRIFT_MS, 4095, random=2**32 - 1))) == [11]


def test_an_id_is_taken_even_by_an_event_whose_counter_rises():
    held, later = an_event(1), an_event(2, id=an_event(1).id)
    assert submit(a_ledger([held]), later) == ["event_id_conflict"]
    assert submit(a_ledger(), held, later) == [11, "event_id_conflict"]


def test_a_user_must_be_named():
    event = Event.of({"action": "a", "clock": {"n1": 1}, "id": an_id(), "item": "i", "node": "n1"})
    assert submit(a_ledger(), event) == ["user_mismatch"]


def test_a_node_belongs_to_one_user():
    ledger = a_ledger([an_event(1)])
    assert submit(ledger, an_event(2, user="bob"), user="bob") == ["node_conflict"]
    assert submit(ledger, an_event(2, node="n2", user="bob"), user="bob") == [11]
    assert submit(ledger, an_event(3, node="n2")) == ["node_conflict"]


def test_a_counter_rises_on_each_item_for_itself():
    ledger = a_ledger([an_event(5, item="a"), an_event(9, item="b")])
    assert submit(ledger, an_event(6, item="a"), an_event(7, item="c"), an_event(8, item="b")) == [
        *(11, 12),
        "node_conflict",
    ]
    assert submit(ledger, an_event(6, item="a", ms=NOW + 1), an_event(7, item="a", ms=NOW + 1)) == ["node_conflict", 13]


def test_what_would_take_too_long_to_find_out_counts_as_a_copy():
    ledger = a_ledger([an_event(5)], last_n=lambda item, node: None)
    assert submit(ledger, an_event(4, item="b"), an_event(6, item="b")) == ["node_conflict", 11]


def test_a_refused_event_leaves_no_trace():
    ledger = a_ledger()
    assert submit(ledger, an_event(1, action=".x"), an_event(1)) == ["reserved_action", 11]


# Transactions

TX = {"tx": "t1"}


def test_a_transaction_is_stored_whole():
    assert submit(a_ledger(), *(an_event(n, meta=TX) for n in (1, 2, 3))) == [11, 12, 13]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_or_not_at_all(place):
    events = [an_event(n, meta=TX, action=".x" if n == place + 1 else "x") for n in (1, 2, 3)]
    ledger = a_ledger()
    codes = ["tx_refused"] * 3
    codes[place] = "reserved_action"
    assert submit(ledger, an_event(9, node="n2"), *events, an_event(4)) == [11, *codes, 12]
    assert [event.n for event in ledger.accepted] == [9, 4]
    assert ledger.nodes["n1"] == NodeState("ann", 4, an_event(4).id)


def test_a_malformed_event_takes_its_transaction_with_it():
    events = [an_event(1, meta=TX), malformed("t1"), malformed(), an_event(2)]
    assert submit(a_ledger(), *events) == ["tx_refused", "invalid_event", "invalid_event", 11]


def test_a_transaction_pushed_again_answers_its_seqs():
    held = [an_event(n, meta=TX) for n in (1, 2)]
    assert submit(a_ledger(held), *held) == [1, 2]
    assert submit(a_ledger(held), *held, an_event(3, meta=TX, action=".x")) == [1, 2, "reserved_action"]
    assert submit(a_ledger(held[:1]), *held, an_event(3, meta=TX, action=".x")) == [1, "tx_refused", "reserved_action"]


def test_events_of_a_transaction_are_neighbours():
    apart = [an_event(1, meta=TX), an_event(2), an_event(3, meta=TX, action=".x")]
    assert submit(a_ledger(), *apart) == [11, 12, "reserved_action"]
    two = [an_event(1, meta=TX), an_event(2, meta={"tx": "t2"}, action=".x")]
    assert submit(a_ledger(), *two) == [11, "reserved_action"]


def test_the_same_event_twice_in_a_refused_transaction():
    events = [an_event(1, meta=TX), an_event(1, meta=TX), an_event(2, meta=TX, action=".x")]
    assert submit(a_ledger(), *events) == ["tx_refused", "tx_refused", "reserved_action"]


def test_a_refusal_says_why():
    outcomes = a_ledger().submit(Submission([an_event(1, meta=TX), an_event(2, meta=TX, action=".x")], "ann"))
    assert [type(each) for each in outcomes] == [TxRefused, ReservedAction]


def test_the_good_ones_of_a_submission():
    assert Submission([an_event(1), malformed()], "ann").good == [an_event(1)]


# Dependencies


def a_put(*over: int, key: str = "x") -> dict:
    return {"ops": [{"op": "put", "key": key, "value": 1, "over": [f"{an_event(n).id}:0" for n in over]}]}


def test_what_an_event_needs_is_looked_up_unless_it_is_known_or_comes_along():
    events = [an_event(1, **a_put()), an_event(3, **a_put(1, 2)), an_event(5, **a_put(3, 4)), an_event(6)]
    assert needed(events, {}) == {an_event(2).id, an_event(4).id}
    assert needed(events, {events[2].key: (1, b"")}) == {an_event(2).id}
    assert needed([events[3]], {}) == needed([], {}) == set()


def test_an_event_needs_what_is_held_or_was_accepted_before():
    ledger = a_ledger([an_event(1, **a_put())])
    assert submit(ledger, an_event(2, **a_put(1)), an_event(3, **a_put(1, 2))) == [11, 12]
    assert submit(ledger, an_event(4, **a_put(1, 2, 3)), an_event(5, **a_put(4))) == [13, 14]
    assert submit(ledger, an_event(6, **a_put(4)), an_event(7, **a_put(4, key="y")), an_event(9, **a_put(8))) == [
        *(15, "bad_op", "missing_dependency")
    ]
    assert submit(ledger, an_event(10, **a_put(7)), an_event(11, **a_put(6))) == ["missing_dependency", 16]


def test_what_was_refused_with_its_transaction_is_missing():
    ledger = a_ledger()
    group = [an_event(1, meta=TX, **a_put()), an_event(2, meta=TX, **a_put(1)), an_event(3, meta=TX, action=".x")]
    assert submit(ledger, *group, an_event(4, **a_put(1))) == [
        *["tx_refused"] * 2,
        "reserved_action",
        "missing_dependency",
    ]
    assert submit(ledger, *group[:2], an_event(4, **a_put(1))) == [11, 12, 13]


def test_dependencies_are_looked_at_last():
    ledger = a_ledger([an_event(5)])
    assert submit(ledger, an_event(4, **a_put(3)), an_event(6, user="bob", **a_put(3))) == [
        "node_conflict",
        "user_mismatch",
    ]


def test_nothing_may_have_come_to_an_item_that_was_expected_to_be_as_it_was():
    theirs, mine = an_event(1, node="n2"), an_event(1)
    ledger = a_ledger([theirs])
    (refused,) = ledger.submit(Submission([mine], "ann", {"task.milk": 0}))
    assert refused.code == "document_changed"
    assert ledger.submit(Submission([mine], "ann", {"task.milk": 1})) == [11]
    (refused,) = ledger.submit(Submission([an_event(2)], "ann", {"task.milk": 1}))  # what came in this very commit
    assert refused.code == "document_changed"
    assert ledger.submit(Submission([an_event(3, item="task.bread")], "ann", {"task.bread": 0})) == [12]


# Acts of one's own


@pytest.mark.parametrize(
    ("rights", "outcome"),
    [
        (Rights(), "forbidden"),
        (Rights(is_own=True), 11),
        (Rights(is_own=True, scope=Scope((CREATE_KEY,), (".user.*",))), 11),
        (Rights(is_own=True, scope=Scope((), ("task.*",))), "forbidden"),
        (Rights(is_own=True, scope=Scope((".read",))), "forbidden"),
        (Rights(is_own=True, credential="key:old"), "unauthorized"),
    ],
)
def test_what_all_may_do_about_themselves_asks_no_rule_but_whether_they_are_barred(rights, outcome):
    ledger = a_ledger()
    ledger.access = Access(revoked=frozenset({("ann", "key:old")}))
    event = an_event(user="ann", item=user_item("ann"), action=CREATE_KEY)
    (judged,) = ledger.submit(Submission([event], "ann", is_system=True, rights=rights))
    assert (judged.code if isinstance(judged, SynclineError) else judged) == outcome


# Giving, and what another log has judged

GIVER = Rule("edge", "*", ".give", "allow", 1, "r1")
BARS = {"user": "bob", "item": "*", "action": "*", "type": "deny"}


def giving(ledger: Ledger, *events, user="edge", rights=MEMBER) -> list:
    outcomes = ledger.submit(Submission(events, user, rights=rights))
    return [each.code if isinstance(each, SynclineError) else each for each in outcomes]


def a_ledger_of(*rules, held=()) -> Ledger:
    ledger = a_ledger(held)
    ledger.access = Access(Rules([*DEFAULTS, *rules]))
    return ledger


def test_another_authors_events_are_given_with_the_right_to_give_their_items():
    anns, edges = an_event(1), an_event(1, node="n2", id=an_id(NOW, 1, "n2"), user="edge")
    assert giving(a_ledger_of(), anns, edges) == ["user_mismatch", 11]
    assert giving(a_ledger_of(GIVER), anns, edges) == [11, 12]
    elsewhere = Rule("edge", "note.*", ".give", "allow", 1, "r1")
    assert giving(a_ledger_of(elsewhere), anns, edges) == ["user_mismatch", 11]


def test_what_is_given_is_stored_as_its_authors():
    ledger = a_ledger_of(GIVER)
    assert giving(ledger, an_event(1), an_event(2)) == [11, 12]
    assert ledger.nodes["n1"] == NodeState("ann", 2, an_event(2).id)
    assert giving(ledger, an_event(3, user="bob")) == ["node_conflict"]
    assert giving(ledger, an_event(3), an_event(3, id=an_id(NOW, 9))) == [13, 14]  # counted by another log
    assert submit(ledger, an_event(3, id=an_id(NOW, 10))) == ["node_conflict"]


def test_who_gives_can_give_no_more_than_the_author_may():
    bars = Rule("bob", "*", "*", "deny", 2, "r2")
    assert giving(a_ledger_of(GIVER, bars), an_event(1, user="bob")) == ["forbidden"]
    assert giving(a_ledger_of(GIVER), an_event(1, action=".x")) == ["reserved_action"]
    assert giving(a_ledger_of(GIVER), an_event(1, item=".acl")) == ["user_mismatch"]
    assert giving(a_ledger_of(GIVER), an_event(1, ms=NOW + MAX_DRIFT_MS + 1)) == ["clock_drift"]


@pytest.mark.parametrize(
    ("actions", "items", "code"),
    [
        ((), (), 11),
        ((".give",), (), 11),
        ((".read", ".give"), ("task.*",), 11),
        ((".read",), (), "user_mismatch"),
        ((".give",), ("note.*",), "user_mismatch"),
    ],
)
def test_giving_is_in_the_scope_of_the_credentials(actions, items, code):
    assert giving(a_ledger_of(GIVER), an_event(1), rights=Rights(scope=Scope(actions, items))) == [code]


@pytest.mark.parametrize(
    ("actions", "code"), [((), "user_mismatch"), (("*",), "user_mismatch"), ((".read", ".give"), 11)]
)
def test_an_administrator_is_believed_with_credentials_that_name_giving(actions, code):
    rights = Rights(is_trusted=True, scope=Scope(actions))
    assert giving(a_ledger_of(), an_event(1), user=".root", rights=rights) == [code]


def test_credentials_for_giving_give_their_own_users_events_too():
    rights = Rights(is_trusted=True, scope=Scope((".give",)))
    assert giving(a_ledger_of(), an_event(1, user=".root"), user=".root", rights=rights) == [11]
    assert giving(a_ledger_of(), an_event(1), user="ann", rights=Rights(scope=Scope((".read",)))) == ["forbidden"]


def test_what_another_log_has_judged_is_asked_for_what_it_names_alone():
    ahead = an_event(1, ms=NOW + MAX_DRIFT_MS + 1, user="bob")
    rule = an_event(2, item=".acl", action=".acl.addRule", payload=BARS)
    after = an_event(3, user="bob")
    lost = an_event(4, ops=[{"op": "put", "key": "a", "value": 1, "over": [f"{an_id(NOW - 5)}:0"]}])
    ledger = a_ledger_of(held=[an_event(9, user="carl")])
    outcomes = ledger.submit(
        Submission([ahead, rule, after, lost], ".upstream", rights=Rights(is_trusted=True), is_vouched=True)
    )
    assert outcomes[:3] == [11, 12, 13]
    assert outcomes[3].code == "missing_dependency"
    assert not ledger.access.may("bob", "task.milk", "update")
    assert ledger.nodes["n1"].user == "bob"
