"""Gifts: what a log gets back that it has lost, who is believed, and when a replica offers it."""

import pytest
from msgspec import Raw
from msgspec.structs import replace

from syncline.core import gifts
from syncline.core.access.rules import Rules, check_rule
from syncline.core.access.scope import MEMBER, TRUSTED, Rights, Scope
from syncline.core.access.state import Access
from syncline.core.admission import Ledger, NodeState, Submission, may_give_all
from syncline.core.effects import Given as Answered
from syncline.core.effects import Greet, Rewind
from syncline.core.events import Entry, Event, encode_entry
from syncline.core.gifts import Given, Offer, Voucher
from syncline.core.log import Head, Receipts, extend
from syncline.core.messages import Ack, ErrorMessage, Give, Hello, Page, Pull, Result
from syncline.core.session import ClientSession, Local
from syncline.errors import (
    BadCursor,
    BadJson,
    BadRequest,
    ConnectionLost,
    CursorReset,
    EpochChanged,
    EventIdConflict,
    Forbidden,
    InvalidEvent,
    MissingDependency,
    NodeConflict,
    Recovering,
    ReservedAction,
    SpaceDeleted,
    TooLarge,
    TooManyEvents,
    Unvouched,
)
from tests.core.samples import EPOCH, NOW, RECEIPTS, an_event
from tests.core.test_session import WELCOME, a_local, greeted, ready

OTHER = "f" * 32


def a_log(*events, receipts=RECEIPTS):
    """These events as the entries of a log."""
    _, rows = extend(Head(EPOCH), events, NOW, receipts)
    return [row.encoded for row in rows]


def array(entries) -> bytes:
    return b"[" + b",".join(entries) + b"]"


def an_offer(n=1, *, seq=None, **members) -> Offer:
    event = an_event(n, **members)
    return Offer(event, Voucher(EPOCH, seq or n, NOW, "r" * 24))


# What is read


def test_entries_are_read_with_the_receipts_they_had():
    events = [an_event(1), an_event(2)]
    given = gifts.decode(array(a_log(*events)))
    assert [each.event for each in given] == events
    assert [each.seq for each in given] == [1, 2]
    assert gifts.vouched(RECEIPTS, EPOCH, given) == {event.digest for event in events}
    assert gifts.vouched(Receipts(b"of another server"), EPOCH, given) == frozenset()
    assert gifts.vouched(RECEIPTS, OTHER, given) == gifts.vouched(RECEIPTS, "?", given) == frozenset()


def test_a_receipt_vouches_for_one_event_at_one_seq():
    one, other = gifts.decode(array(a_log(an_event(1), an_event(2))))
    moved = one._replace(seq=2)
    swapped = one._replace(receipt=other.receipt)
    strange = [one._replace(seq=0), one._replace(seq=1 << 63), one._replace(receipt="\ud800"), one._replace(receipt="")]
    malformed = Given(1, one.receipt, InvalidEvent("?"))
    assert gifts.vouched(RECEIPTS, EPOCH, [moved, swapped, *strange, malformed]) == frozenset()
    assert gifts.vouched(RECEIPTS, EPOCH, [moved, other]) == {other.event.digest}


def test_what_is_wrong_with_one_event_is_its_own_answer():
    (good,) = a_log(an_event(1))
    nobody = encode_entry(0, 0, b"", Event.of({**_plain(an_event(2))}).body)
    broken = encode_entry(3, NOW, b"x", b'{"id":"?"}')
    events = [each.event for each in gifts.decode(array([good, nobody, broken]))]
    assert events[0] == an_event(1)
    assert isinstance(events[1], InvalidEvent)
    assert events[1].details["id"] == an_event(2).id
    assert isinstance(events[2], InvalidEvent)


def _plain(event) -> dict:
    return {name: getattr(event, name) for name in ("action", "clock", "id", "item", "node")}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"{}", BadRequest),
        (b"[1]", BadRequest),
        (b"[[]]", BadRequest),
        (b'[{"seq":1,"at":1,"receipt":"x"}]', BadRequest),
        (b'[{"seq":"1","at":1,"receipt":"x","event":{}}]', BadRequest),
        (b'[{"seq":1,"seq":2,"at":1,"receipt":"x","event":{}}]', BadJson),
        (b'[{"seq":1,"at":1,"receipt":"\xff","event":{}}]', BadRequest),
        (b"[" + b",".join([b"{}"] * 1_001) + b"]", TooManyEvents),
    ],
)
def test_what_is_no_list_of_entries_is_refused_as_a_whole(text, error):
    with pytest.raises(error):
        gifts.decode(text)


def test_entries_in_another_spelling_are_read_too():
    (entry,) = a_log(an_event(1))
    ((_, receipt, event),) = gifts.decode(entry.replace(b',"at"', b' , "at"').join([b"[", b"]"]))
    assert (event, len(receipt)) == (an_event(1), 24)


def test_a_voucher_is_what_remains_of_an_entry():
    (encoded,) = a_log(an_event(1))
    entry = Entry.read(encoded)
    assert Offer(entry.event, Voucher.of(EPOCH, entry)).entry.encoded == encoded
    assert Voucher.of(None, entry).epoch == ""
    assert gifts.message([Offer(entry.event, Voucher.of(EPOCH, entry))]).entries == Raw(b"[" + encoded + b"]")


# Who is believed


def a_ledger(*, held=(), access=None, nodes=None) -> Ledger:
    return Ledger(
        Head(EPOCH, 10),
        known={event.key: (seq, event.digest) for seq, event in enumerate(held, 1)},
        held={event.id: event for event in held},
        nodes=nodes or {},
        last_n=lambda item, node: nodes[node].n if nodes and node in nodes else 0,
        last_seq=lambda item, since: None,
        now_ms=NOW,
        access=access or Access(),
    )


def give(ledger, *events, user="bob", rights=MEMBER, vouched=(), hold=None) -> list:
    digests = frozenset(event.digest for event in vouched)
    gift = Submission(events, user, rights=rights, is_gift=True, vouched=digests, hold=hold)
    return [each if isinstance(each, int) else type(each) for each in ledger.submit(gift)]


def an_access(*rules) -> Access:
    return Access(
        Rules(
            [
                *Access().rules,
                *(check_rule(dict(zip(("user", "item", "action", "type"), rule, strict=True))) for rule in rules),
            ]
        )
    )


def test_a_receipt_spares_drift_access_quota_and_node():
    nodes = {"n1": NodeState("eve", 99, "")}
    closed = an_access(("*", "*", "*", "deny"))
    late, system = an_event(1, ms=NOW + 10**9), an_event(2, item=".acl", action=".acl.addRule", user=".root")
    ledger = a_ledger(access=closed, nodes=nodes)
    assert give(ledger, late, system, vouched=[late, system]) == [11, 12]
    assert give(ledger, late, vouched=[late]) == [11]


def test_a_receipt_does_not_spare_what_an_event_names():
    put = an_event(3, ops=[{"op": "put", "key": "x", "value": 1, "over": [an_event(1).id + ":0"]}])
    assert give(a_ledger(), put, vouched=[put]) == [MissingDependency]


def test_an_id_that_is_taken_by_another_event_stays_so():
    event = an_event(1)
    other = replace(event, action="other")
    assert give(a_ledger(held=[event]), event, vouched=[event]) == [1]
    assert give(a_ledger(held=[event]), other, vouched=[other]) == [EventIdConflict]


def test_rules_that_come_back_hold_for_what_comes_after_them():
    rule = an_event(
        1, item=".acl", action=".acl.addRule", user=".root",
        payload={"user": "bob", "item": "*", "action": "*", "type": "deny"},
    )  # fmt: skip
    ledger = a_ledger()
    assert give(ledger, rule, vouched=[rule]) == [11]
    assert give(ledger, an_event(2, node="b", user="bob")) == [Forbidden]


def test_without_a_receipt_it_is_a_push_of_its_own_user():
    nodes = {"n1": NodeState("ann", 5, "")}
    ledger = a_ledger(nodes=nodes)
    assert give(ledger, an_event(6), user="ann") == [11]
    assert give(ledger, an_event(5), user="ann") == [NodeConflict]
    assert give(ledger, an_event(7), user="bob") == [Unvouched]


def test_a_transaction_of_which_a_part_is_back_already_is_completed():
    one, two = (an_event(n, meta={"tx": "t"}) for n in (1, 2))
    bad = an_event(
        3, meta={"tx": "t"}, ops=[{"op": "put", "key": "x", "value": 1, "over": [an_event(9, ms=NOW - 9).id + ":0"]}]
    )
    assert give(a_ledger(held=[one]), one, two, bad, vouched=[one, two, bad]) == [1, 11, MissingDependency]


GIVER = ("bob", "*", ".give", "allow")


def test_whoever_may_give_an_item_is_believed_about_it():
    access = an_access(GIVER, ("ann", "secret", "*", "deny"))
    ledger = a_ledger(access=access)
    assert give(ledger, an_event(2), an_event(1), an_event(3, item="secret")) == [11, 12, Forbidden]


@pytest.mark.parametrize(
    ("rights", "outcome"),
    [
        (Rights(is_trusted=True, scope=Scope((".give",))), ReservedAction),
        (Rights(is_trusted=True, scope=Scope((".give",), ("*",))), 11),
        (Rights(is_trusted=True, scope=Scope((".give",), (".policies",))), 11),
        (Rights(is_trusted=True, scope=Scope((".give",), ("task.*",))), Unvouched),
        (TRUSTED, Unvouched),
    ],
)
def test_what_the_system_wrote_is_taken_from_an_administrator_whose_key_names_items(rights, outcome):
    policy = an_event(1, item=".policies", action=".policy.set", user=".ada")
    assert give(a_ledger(), policy, user=".root", rights=rights) == [outcome]
    pushed = Submission([policy], ".root", rights=rights)
    assert not isinstance(a_ledger().submit(pushed)[0], int)


def test_what_the_system_wrote_is_taken_from_a_member_with_a_rule_that_means_it():
    policy = an_event(1, item=".policies", action=".policy.set", user=".ada")
    assert give(a_ledger(access=an_access(GIVER)), policy) == [Unvouched]
    assert give(a_ledger(access=an_access(("bob", ".policies", ".give", "allow"))), policy) == [11]


@pytest.mark.parametrize(
    ("user", "rights", "rules", "may"),
    [
        ("bob", MEMBER, [], False),
        ("bob", MEMBER, [GIVER], True),
        ("bob", MEMBER, [GIVER, ("bob", "secret.*", ".give", "deny")], False),
        ("bob", MEMBER, [GIVER, ("*", "secret", "*", "deny")], True),
        ("bob", MEMBER, [("bob", "task.*", ".give", "allow")], False),
        ("bob", Rights(scope=Scope((".read",))), [GIVER], False),
        ("bob", Rights(scope=Scope((), ("task.*",))), [GIVER], False),
        (".root", TRUSTED, [], False),
        (".root", Rights(is_trusted=True, scope=Scope((".give",))), [], True),
        (".root", Rights(is_trusted=True, scope=Scope((".give",), ("*",))), [], True),
        (".root", Rights(is_trusted=True, scope=Scope((".give",), ("task.*",))), [], False),
    ],
)
def test_who_may_give_everything(user, rights, rules, may):
    assert may_give_all(user, rights, an_access(*rules)) is may


def test_while_a_log_recovers_only_what_is_vouched_for_is_stored():
    hold = Recovering("wait", retry_after=9)
    lost, new, known = an_event(1), an_event(2), an_event(3)
    ledger = a_ledger(held=[known])
    assert give(ledger, lost, new, known, user="ann", vouched=[lost], hold=hold) == [11, Recovering, 1]
    by_system = Submission(
        [an_event(4, node="s", item=".acl", action=".acl.x", user=".root")], ".root", is_system=True, rights=TRUSTED
    )
    assert ledger.submit(by_system._replace(hold=hold)) == [12]
    assert [type(each) for each in ledger.submit(Submission([new], "ann", hold=hold))] == [Recovering]


# When a replica offers it


def lost(*offers, pending=(), epoch=EPOCH) -> Local:
    return Local("n1", "c", False, pending, offers, epoch, "ann")


def offered(step) -> list[int]:
    assert isinstance(step, Give)
    assert step.epoch == EPOCH
    return [each.event.n for each in gifts.decode(bytes(step.entries))]


def test_what_was_lost_goes_back_before_what_is_new():
    client = ready()
    assert offered(client.next(lost(an_offer(1), an_offer(2), pending=[an_event(3)]))) == [1, 2]
    effects = client.receive(Ack(results=[Result(seq=5), Result(error=Unvouched("no").to_wire())], head=5))
    ((one, seq), (other, error)) = effects[0].answers
    assert (one, seq, other, type(error)) == (an_event(1), 5, an_event(2), Unvouched)
    assert isinstance(client.next(lost(pending=[an_event(3)])), Pull)


def test_offers_have_the_order_of_their_log_but_what_the_system_wrote():
    offers = [an_offer(3), an_offer(1), an_offer(9, item=".policies", user=".root")]
    assert [offer.event.n for offer in gifts.in_order(offers)] == [9, 1, 3]


def test_of_a_log_that_was_put_back_twice_what_an_event_has_seen_goes_before_it():
    first, second, third = an_offer(1, seq=12), an_offer(2, seq=11), an_offer(3, seq=9)  # the first came back, and went
    other = an_offer(4, seq=8, node="n2", clock={"n2": 1, first.event.node: 2})
    assert gifts.in_order([first, third, second, other]) == [first, second, other, third]
    elsewhere = an_offer(5, seq=1, item="elsewhere")
    assert gifts.in_order([first, elsewhere, second]) == [elsewhere, first, second]


def test_what_others_wrote_waits_unless_something_of_ones_own_may_need_it():
    client = ready(gives_all=False)
    theirs, mine = an_offer(1, user="bob", node="b", item="x"), an_offer(2, item="y")
    before_mine, system = an_offer(3, user="bob", node="b", item="y"), an_offer(4, item=".acl", user=".root")
    assert offered(client.next(lost(system, theirs, mine, before_mine))) == [4, 2, 3]
    assert client.giving.withholds
    client = ready(gives_all=False)
    assert client.next(lost(theirs)) is None
    assert client.giving.withholds
    assert offered(client.next(lost(theirs, pending=[an_event(5, item="x")]))) == [1]
    client = ready(gives_all=False)
    client.giving.gives_all = True
    assert offered(client.next(lost(theirs))) == [1]
    assert not client.giving.withholds


def test_what_must_wait_holds_back_its_item_alone():
    client = ready()
    client.next(lost(an_offer(1), an_offer(2, item="y")))
    later = Recovering("wait", retry_after=7).to_wire()
    (effect,) = client.receive(Ack(results=[Result(error=later), Result(seq=3)], head=3))
    assert effect == Answered([(an_event(2, item="y"), 3)])
    assert client.postponed.seconds == 7
    assert isinstance(client.next(lost(an_offer(1))), Pull)
    client.receive(Page(entries=[], cursor="c"))
    assert client.next(lost(an_offer(1), pending=[an_event(3)])) is None
    client.release()
    assert offered(client.next(lost(an_offer(1)))) == [1]


def test_a_gift_has_bounds():
    client = greeted(batch_size=2)
    client.next(a_local())
    client.caught_up, client._request = True, None
    assert offered(client.next(lost(*map(an_offer, (1, 2, 3))))) == [1, 2]
    large = [an_offer(n, payload="x" * 40_000) for n in (1, 2, 3)]
    assert [offer.event.n for offer in gifts.batch(large, 1_000, 90_000)] == [1, 2]
    assert len(gifts.batch(large, 1_000, 10)) == 1


@pytest.mark.parametrize("error", [BadJson("?"), BadRequest("?"), TooLarge("!"), TooManyEvents("!")])
def test_a_gift_that_cannot_be_read_is_halved_until_its_culprit_is_alone(error):
    client, left, refused = ready(), {n: an_offer(n) for n in range(1, 8)}, []
    while left:
        client.caught_up = True
        numbers = offered(client.next(lost(*left.values())))
        answer = Ack(results=[Result(seq=n) for n in numbers], head=9)
        for effect in client.receive(ErrorMessage.of(error) if 6 in numbers else answer):
            for event, outcome in effect.answers:
                del left[event.n]
                refused += [] if isinstance(outcome, int) else [event.n]
    assert refused == [6]


def test_a_server_that_answers_another_number_is_not_believed():
    client = ready()
    client.next(lost(an_offer(1)))
    with pytest.raises(BadRequest):
        client.receive(Ack(results=[], head=1))


def test_a_replica_that_only_pulls_gives_nothing():
    client = ready(push=False)
    assert client.next(lost(an_offer(1))) is None


@pytest.mark.parametrize(("error", "most"), [(CursorReset("restored"), 7), (BadCursor("of another server"), 0)])
def test_cursors_beyond_the_head_are_let_go_of_at_once(error, most):
    client = greeted(replace(WELCOME, head=7))
    client.next(a_local(cursor="c"))
    assert client.receive(ErrorMessage.of(error)) == [Rewind(most)]


# A log of another epoch


def met(welcome=WELCOME, epoch=OTHER) -> ClientSession:
    """A session of a replica that holds another log than its server's."""
    client = ClientSession(space="home")
    assert isinstance(client.next(lost(epoch=epoch)), Hello)
    assert client.receive(welcome) == []
    return client


def test_a_log_of_another_epoch_is_offered_the_replica_s():
    client = met()
    assert client.next(lost(epoch=OTHER)) == Give(epoch=OTHER, entries=Raw(b"[]"))
    with pytest.raises(ConnectionLost):
        client.receive(Ack(results=[], head=0))


@pytest.mark.parametrize("error", [EpochChanged("holds entries"), BadRequest("what is give?")])
def test_if_it_does_not_take_it_a_person_has_to_look(error):
    client = met()
    client.next(lost(epoch=OTHER))
    assert client.receive(ErrorMessage.of(error)) == [Greet(WELCOME)]


@pytest.mark.parametrize("error", [SpaceDeleted("that epoch is a deleted log's"), Recovering("later")])
def test_what_else_is_said_about_it_ends_the_session(error):
    client = met()
    client.next(lost(epoch=OTHER))
    with pytest.raises(type(error)):
        client.receive(ErrorMessage.of(error))


def test_who_began_from_a_snapshot_offers_no_epoch():
    """It has not all of what an empty log would become, and would lose how items stood."""
    client = ClientSession(space="default")
    client.next(lost(epoch=OTHER)._replace(horizon=7))
    (greet,) = client.receive(WELCOME)
    assert greet == Greet(WELCOME)


def test_who_holds_no_entries_offers_no_epoch():
    client = ClientSession(space="home")
    client.next(lost(epoch=None))
    assert client.receive(WELCOME) == [Greet(WELCOME)]
    assert isinstance(client.next(a_local()), Pull)


def test_entries_that_come_apart_are_read_one_by_one():
    entries = [Entry.of(n, NOW, "r" * 24, an_event(n)) for n in (1, 2)]
    together, apart = (b"[" + mark.join(entry.encoded for entry in entries) + b"]" for mark in (b",", b" , "))
    assert gifts.decode(together) == gifts.decode(apart)
