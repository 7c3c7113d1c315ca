"""A replica's session that begins from a snapshot: when it asks, how it goes on, and what it must not rename before."""

import pytest

from syncline.core.bases import Base
from syncline.core.beginning import MAX_BEGINNINGS, Take
from syncline.core.effects import Apply, MarkCopied, Restamp, Rewind, Settle
from syncline.core.erasure import erased_entry
from syncline.core.events import Entry, Event
from syncline.core.messages import Ack, AskSnapshot, ErrorMessage, Page, Pull, Push, Result, Snapshot, Welcome
from syncline.core.session import ClientSession, Local
from syncline.errors import BadRequest, CursorExpired, CursorReset, NodeConflict, Overloaded, SnapshotGone
from tests.core.samples import EPOCH, NOW, an_event

WELCOME = Welcome(epoch=EPOCH, head=9, time=NOW, user="ann")
EXPIRED = ErrorMessage.of(CursorExpired("Too old."))
GONE = ErrorMessage.of(SnapshotGone("Made anew."))


def a_local(*pending: Event, cursor=None, copied=False, **more) -> Local:
    return Local("n1", cursor, copied, pending, **more)


def greeted(**options) -> ClientSession:
    client = ClientSession(space="home", **options)
    client.next(a_local())
    client.receive(WELCOME)
    return client


def a_part(*items, seq=9, after=None, entries=(), cursor=None):
    bases = [Base(item=item, seq=seq, at=NOW, count=1, clock={"n2": 1}) for item in items]
    return Snapshot(seq=seq, at=NOW, cursor=cursor or f"at {seq}", bases=bases, entries=list(entries), after=after)


def test_a_base_covers_what_its_nodes_had_written():
    base = a_part("a").bases[0]
    assert [base.covers("n2", n) for n in (1, 2)] == [True, False]
    assert not base.covers("n3", 1)


def test_who_wants_no_history_takes_a_snapshot_part_by_part_and_goes_on_from_it():
    client = greeted(history=False, items=("task.*",))
    assert client.next(a_local()) == AskSnapshot(items=("task.*",))
    assert client.next(a_local()) is None  # one request at a time
    system = [Entry.of(2, NOW, "r", an_event(item=".policies"))]
    first, last = a_part("a", "b", after="b", entries=system), a_part("c", entries=system, cursor="later")
    assert client.receive(first) == [Take(first, True, tuple(system), "at 9")]
    assert client.next(a_local()) == AskSnapshot(items=("task.*",), seq=9, after="b")
    (take,) = client.receive(last)
    assert take == Take(last, False, (*system, *system), "at 9")
    assert take.is_last
    assert client.next(a_local(cursor="at 9")) == Pull(cursor="at 9", limit=10_000, items=("task.*",))
    assert not client.caught_up


def test_who_holds_something_goes_on_from_there():
    assert greeted(history=False).next(a_local(cursor="here")) == Pull(cursor="here", limit=10_000)


def test_who_wants_history_takes_none_until_it_has_expired():
    client = greeted()
    assert client.next(a_local()) == Pull(cursor=None, limit=10_000)
    assert client.receive(EXPIRED) == []
    assert client.next(a_local()) == AskSnapshot()
    client.receive(a_part("a"))
    assert client.next(a_local(cursor="at 9")) == Pull(cursor="at 9", limit=10_000)


def test_a_live_session_whose_place_has_expired_begins_anew():
    client = greeted()
    client.next(a_local(cursor="old"))
    client.receive(Page(entries=[], cursor="old"))
    client.live = True
    client.receive(EXPIRED)
    assert (client.live, client.caught_up) == (False, False)
    assert client.next(a_local(cursor="old")) == AskSnapshot()


def test_before_its_horizon_a_replica_has_nowhere_to_go_back_to():
    client = greeted()
    client.next(a_local(cursor="old", horizon=5))
    assert client.receive(ErrorMessage.of(CursorReset("Restored."))) == [Rewind(9)]
    assert client.next(a_local(cursor=None, horizon=5)) == AskSnapshot()


@pytest.mark.parametrize("options", [{"pull": False}, {}])
def test_who_cannot_take_a_snapshot_hears_of_it(options):
    client = greeted(**options)
    local = a_local(an_event(), cursor="old", takes_bases=bool(not options))
    if not options:
        local = local._replace(takes_bases=False)
    client.next(local)
    with pytest.raises(CursorExpired):
        client.receive(EXPIRED)


def test_a_snapshot_that_is_gone_is_begun_again_but_not_for_ever():
    client = greeted(history=False)
    for _ in range(MAX_BEGINNINGS - 1):
        assert client.next(a_local()) == AskSnapshot()
        client.receive(a_part("a", after="a"))
        assert client.next(a_local()) == AskSnapshot(seq=9, after="a")
        assert client.receive(GONE) == []
    client.next(a_local())
    with pytest.raises(SnapshotGone):
        client.receive(GONE)
    with pytest.raises(SnapshotGone):
        greeted().receive(GONE)  # nobody had asked


def test_a_part_of_another_snapshot_is_refused():
    for other in (a_part("b", seq=8), a_part("b", after="a"), a_part("b", after="A")):
        client = greeted(history=False)
        client.next(a_local())
        client.receive(a_part("a", after="a"))
        client.next(a_local())
        with pytest.raises(BadRequest):
            client.receive(other)


def test_an_answer_nobody_asked_for_does_nothing():
    assert greeted().receive(a_part("a")) == []


def test_what_a_base_may_hold_is_asked_about_before_it_gets_another_id():
    doubtful, other = an_event(1, item="a"), an_event(2, item="b")
    local = a_local(doubtful, other, cursor="at 9", copied=True, horizon=9, doubtful=lambda: [doubtful])
    client = greeted()
    client.next(local)
    assert [type(effect) for effect in client.receive(Page(entries=[], cursor="at 9"))] == [Apply]
    assert client.next(local) == Push.of([doubtful])
    effects = client.receive(_ack(NodeConflict("Another's.")))
    assert effects == [Settle([]), MarkCopied(doubtful)]
    assert isinstance(client.next(local), Pull)
    client.receive(Page(entries=[], cursor="at 9"))
    assert client.next(local) == Restamp(NOW)  # now it is known to be nowhere


def test_nothing_is_renamed_while_the_answer_is_put_off():
    doubtful, other = an_event(1, item="a"), an_event(2, item="b")
    local = a_local(doubtful, other, cursor="at 9", copied=True, horizon=9, doubtful=lambda: [doubtful])
    client = greeted()
    client.next(local)
    client.receive(Page(entries=[], cursor="at 9"))
    client.next(local)
    client.receive(_ack(Overloaded("Later.")))
    client.next(local)
    client.receive(Page(entries=[], cursor="at 9"))
    assert client.next(local) is None
    client.release()
    assert client.next(local) == Push.of([doubtful])


def _ack(error):
    return Ack(results=[Result(id="x", error=error.to_wire())], head=9)


# What was erased from bases


def erased_page(seq: int) -> Page:
    return Page(entries=[], late=[erased_entry(Entry.of(seq, NOW, "r" * 24, an_event(1)))], cursor="past")


def with_bases() -> ClientSession:
    client = ClientSession(space="home")
    client.next(a_local(cursor="c", horizon=9))
    client.receive(WELCOME)
    assert isinstance(client.next(a_local(cursor="c", horizon=9)), Pull)
    return client


def test_bases_in_which_something_was_erased_are_taken_anew_before_it_goes_on():
    client = with_bases()
    assert client.receive(erased_page(9)) == []
    assert client.next(a_local(cursor="c", horizon=9)) == AskSnapshot()
    client.receive(a_part("a", seq=12))
    assert isinstance(client.next(a_local(cursor="at 12", horizon=12)), Pull)
    assert client.receive(erased_page(12)) == []  # which is another one: of that before, its cursor knows
    assert client.next(a_local(cursor="at 12", horizon=12)) == AskSnapshot()


def test_what_was_erased_since_the_bases_is_applied():
    assert with_bases().receive(erased_page(10)) == [Apply(erased_page(10), ())]


def test_live_pages_end_where_bases_have_to_be_taken_anew():
    client = with_bases()
    client.receive(Page(entries=[], cursor="c"))
    client.live = True
    with pytest.raises(CursorExpired):
        client.receive(erased_page(9))
    assert client.receive(EXPIRED) == []
    assert client.next(a_local(cursor="c", horizon=9)) == AskSnapshot()
