"""The replica's half of a session, alone."""

import pytest
from msgspec.structs import replace

from syncline.core.batch import decode_events
from syncline.core.effects import WAIT_SECONDS, Apply, Greet, MarkCopied, Restamp, Rewind, Settle, retry_seconds
from syncline.core.events import Event
from syncline.core.limits import MAX_DRIFT_MS, Limits
from syncline.core.messages import (
    Ack,
    ErrorMessage,
    Hello,
    Page,
    Pong,
    Pull,
    Push,
    Result,
    Welcome,
    encode,
)
from syncline.core.session import ClientSession, Local
from syncline.errors import (
    BadCursor,
    BadJson,
    BadRequest,
    ClockDrift,
    ConnectionLost,
    CursorReset,
    EpochChanged,
    HelloRequired,
    InvalidEvent,
    MissingDependency,
    NodeConflict,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    ShuttingDown,
    TooLarge,
    TooManyEvents,
    TxRefused,
    Unauthorized,
    UnknownSpace,
    UnsupportedProtocol,
)
from tests.core.samples import EPOCH, NOW, an_event

WELCOME = Welcome(epoch=EPOCH, head=0, time=NOW, user="ann")
TX = {"tx": "t1"}


def a_local(*pending: Event, cursor=None, copied=False) -> Local:
    return Local("n1", cursor, copied, pending)


def greeted(welcome: Welcome = WELCOME, **options) -> ClientSession:
    """A session whose hello was answered."""
    client = ClientSession(space="home", **options)
    client.next(a_local())
    client.receive(welcome)
    return client


def ready(welcome: Welcome = WELCOME, **options) -> ClientSession:
    """A session that has pulled all there is."""
    client = greeted(welcome, **options)
    if isinstance(client.next(a_local()), Pull):
        client.receive(Page(entries=[], cursor="c"))
    return client


def pushed(step) -> list[int]:
    """The counters of the events in a push."""
    assert isinstance(step, Push)
    return [event.n for event in decode_events(bytes(step.events))]


def ack(*outcomes) -> Ack:
    results = [Result(seq=each) if isinstance(each, int) else Result(error=each.to_wire()) for each in outcomes]
    return Ack(results=results, head=99)


def answers(effects) -> list:
    """What a Settle says of each event: counter, then seq or code."""
    (settle,) = (effect for effect in effects if isinstance(effect, Settle))
    return [(event.n, answer if isinstance(answer, int) else answer.code) for event, answer in settle.answers]


def test_a_session_says_hello_first_and_waits_for_the_answer():
    client = ClientSession(space="home", token="key")
    assert not client.greeted
    assert client.next(a_local(an_event())) == Hello(node="n1", space="home", token="key")
    assert client.next(a_local(an_event())) is None
    assert client.receive(WELCOME) == [Greet(WELCOME)]
    assert client.greeted


def test_a_session_pulls_everything_then_pushes_then_pulls_what_that_became():
    client = greeted(items=("task.*",))
    events = [an_event(1), an_event(2)]
    assert client.next(a_local(*events)) == Pull(limit=10_000, items=("task.*",))
    assert client.next(a_local(*events)) is None
    page = Page(entries=[], cursor="c1", more=True)
    assert client.receive(page) == [Apply(page, ("task.*",))]
    assert not client.caught_up
    assert client.next(a_local(*events, cursor="c1")) == Pull(cursor="c1", limit=10_000, items=("task.*",))
    client.receive(Page(entries=[], cursor="c2"))
    assert client.caught_up
    assert pushed(client.next(a_local(*events, cursor="c2"))) == [1, 2]
    assert answers(client.receive(ack(7, 8))) == [(1, 7), (2, 8)]
    assert client.next(a_local(cursor="c2")) == Pull(cursor="c2", limit=10_000, items=("task.*",))
    client.receive(Page(entries=[], cursor="c3"))
    assert client.next(a_local(cursor="c3")) is None


def test_a_session_that_only_pulls():
    client = greeted(push=False)
    assert isinstance(client.next(a_local(an_event())), Pull)


def test_a_session_that_only_pushes():
    client = greeted(pull=False)
    assert client.next(a_local()) is None
    assert pushed(client.next(a_local(an_event(1)))) == [1]
    client.receive(ack(1))
    assert client.next(a_local()) is None


def test_what_is_recorded_while_live_is_pushed_and_nothing_pulled():
    client = greeted()
    client.live = True
    assert client.next(a_local()) is None
    assert pushed(client.next(a_local(an_event(1)))) == [1]
    page = Page(entries=[], cursor="c")
    assert client.receive(page) == [Apply(page, ())]
    assert client.next(a_local()) is None, "a page of the live stream answers no push"
    client.receive(ack(1))
    assert client.next(a_local()) is None


def test_a_live_session_ends_when_a_pull_has_to_begin_from_the_start():
    """Its live pages go on behind what was forgotten."""
    client = ready()
    client.next(a_local(an_event(1)))
    client.receive(ack(NodeConflict("copied")))
    client.live = True
    for forget in (["task.milk"], ["*"]):
        client.receive(Page(entries=[], cursor="c", more=True))
        assert isinstance(client.next(a_local(an_event(1), copied=True)), Pull)
        page = Page(entries=[], cursor="c", more=True, forget=forget, ref=1)
        if forget == ["*"]:
            with pytest.raises(ConnectionLost):
                client.receive(page)
        else:
            assert client.receive(page) == [Apply(page, ())]
    assert client.receive(page) == [Apply(page, ())], "a live page goes on from there itself"


def test_what_is_pushed_is_under_way_until_it_is_answered():
    client = ready()
    client.live = True
    assert client.under_way == ()
    event = an_event(1)
    client.next(a_local(event))
    assert client.under_way == [event]
    client.receive(Page(entries=[], cursor="c1"))
    assert client.under_way == [event]
    client.receive(ack(Overloaded("later")))
    assert client.under_way == ()


def test_pings_are_nobody_s_business():
    assert greeted().receive(Pong()) == []


# Batches


def test_a_push_carries_as_much_as_the_server_takes():
    limits = Limits(push_events=2, page_entries=5)
    client = ready(Welcome(epoch=EPOCH, head=0, time=NOW, user="ann", limits=limits))
    assert pushed(client.next(a_local(*map(an_event, (1, 2, 3))))) == [1, 2]
    client.receive(ack(1, 2))
    assert client.next(a_local()).limit == 5


@pytest.mark.parametrize(("body_bytes", "count"), [(10, 1), (300, 1), (400, 2), (10_000, 3)])
def test_a_push_is_no_larger_than_the_server_takes(body_bytes, count):
    client = ready(Welcome(epoch=EPOCH, head=0, time=NOW, user="ann", limits=Limits(body_bytes=body_bytes)))
    step = client.next(a_local(*map(an_event, (1, 2, 3))))
    assert pushed(step) == [1, 2, 3][:count]
    assert count == 1 or len(encode(step)) <= body_bytes


@pytest.mark.parametrize(
    ("batch_size", "batch"), [(1, [1]), (2, [1]), (3, [1]), (4, [1, 2, 3, 4]), (5, [1, 2, 3, 4, 5])]
)
def test_a_transaction_is_not_torn_apart(batch_size, batch):
    events = [an_event(1), *(an_event(n, meta=TX) for n in (2, 3, 4)), an_event(5)]
    assert pushed(ready(batch_size=batch_size).next(a_local(*events))) == batch


def test_a_transaction_larger_than_a_batch_goes_whole():
    events = [an_event(n, meta=TX) for n in (1, 2, 3)]
    assert pushed(ready(batch_size=2).next(a_local(*events, an_event(4)))) == [1, 2, 3]


# Answers


def test_each_event_gets_its_answer():
    client = ready()
    client.next(a_local(*map(an_event, (1, 2, 3))))
    assert answers(client.receive(ack(7, InvalidEvent("no"), 8))) == [(1, 7), (2, "invalid_event"), (3, 8)]


def test_a_retryable_answer_holds_back_its_item_alone():
    client = ready()
    milk, bread = an_event(1), an_event(2, item="task.bread")
    client.next(a_local(milk, bread))
    assert answers(client.receive(ack(Overloaded("later"), 8))) == [(2, 8)]
    assert client.holds_back
    client.receive(Page(entries=[], cursor="c"))
    assert client.next(a_local(milk)) is None
    assert pushed(client.next(a_local(milk, an_event(3, item="task.bread")))) == [3]
    client.receive(ack(9))
    client.receive(Page(entries=[], cursor="c"))
    client.release()
    assert not client.holds_back
    assert pushed(client.next(a_local(milk))) == [1]


def test_a_transaction_waits_for_its_postponed_member():
    client = ready()
    events = [an_event(1, meta=TX), an_event(2, meta=TX, item="b"), an_event(3)]
    client.next(a_local(*events))
    assert answers(client.receive(ack(TxRefused("no"), Overloaded("later"), 7))) == [(3, 7)]


def test_a_transaction_refused_for_good_goes_to_the_inbox():
    client = ready()
    client.next(a_local(an_event(1, meta=TX), an_event(2, meta=TX)))
    assert answers(client.receive(ack(TxRefused("no"), InvalidEvent("no")))) == [
        (1, "tx_refused"),
        (2, "invalid_event"),
    ]


def test_what_names_an_event_that_gets_another_id_waits_for_that():
    client = ready()
    events = [an_event(n) for n in (1, 2, 3, 4)]
    client.next(a_local(*events))
    needs = [MissingDependency("no", name=f"{event.id}:{n}") for n, event in enumerate(events)]
    settle, *others = client.receive(ack(NodeConflict("no"), needs[0], needs[1], MissingDependency("no", name="?")))
    assert answers([settle]) == [(4, "missing_dependency")]
    assert others == [MarkCopied(events[0])]


def test_another_number_of_answers_is_no_answer():
    client = ready()
    client.next(a_local(an_event(1)))
    with pytest.raises(BadRequest):
        client.receive(ack(1, 2))


# Time


def test_events_ahead_of_the_server_are_restamped_once_everything_is_pulled():
    client = greeted()
    ahead = an_event(1, ms=NOW + MAX_DRIFT_MS + 1)
    assert isinstance(client.next(a_local(ahead)), Pull)
    client.receive(Page(entries=[], cursor="c", more=True))
    assert isinstance(client.next(a_local(ahead)), Pull)
    client.receive(Page(entries=[], cursor="d"))
    assert client.next(a_local(ahead)) == Restamp(NOW)
    assert pushed(client.next(a_local(an_event(2)))) == [2]


def test_an_event_at_the_limit_is_not_restamped():
    edge = an_event(1, ms=NOW + MAX_DRIFT_MS)
    client = greeted()
    assert isinstance(client.next(a_local(edge)), Pull)
    client.receive(Page(entries=[], cursor="c"))
    assert pushed(client.next(a_local(edge))) == [1]


def test_what_is_recorded_later_is_not_measured_by_the_time_of_the_welcome():
    """A session may stay live for days; the time it was told at its beginning says nothing then."""
    client = greeted()
    client.receive(Page(entries=[], cursor="c"))
    client.live = True
    assert client.next(a_local()) is None
    assert pushed(client.next(a_local(an_event(1, ms=NOW + 3_600_000)))) == [1]


def test_a_drift_that_the_server_sees_is_mended_with_its_time():
    client = greeted()
    client.next(a_local())
    client.receive(Page(entries=[], cursor="c"))
    assert client.next(a_local()) is None  # at rest: the time of the welcome is old from now on
    ahead = an_event(1, ms=NOW + 3_600_000)
    assert pushed(client.next(a_local(ahead))) == [1]
    assert answers(client.receive(ack(ClockDrift("late", time=NOW + 60_000)))) == []
    assert isinstance(client.next(a_local(ahead)), Pull)
    client.receive(Page(entries=[], cursor="c"))
    assert client.next(a_local(ahead)) == Restamp(NOW + 60_000)


def test_a_server_whose_clock_was_set_back_is_not_asked_for_ever():
    """Confirmed ids are ahead of it, so that no new id can be above them and within its limit: wait."""
    client = greeted()
    client.receive(Page(entries=[], cursor="c"))
    ahead = an_event(1, ms=NOW + 3_600_000)
    assert client.next(a_local(ahead)) == Restamp(NOW)
    assert pushed(client.next(a_local(ahead))) == [1]
    assert answers(client.receive(ack(ClockDrift("late", time=NOW)))) == []
    client.receive(Page(entries=[], cursor="c"))
    assert client.next(a_local(ahead)) is None
    assert client.holds_back
    client.release()
    assert pushed(client.next(a_local(ahead))) == [1]


# Copies


def test_a_copied_replica_pulls_everything_before_it_takes_a_new_name():
    client = greeted()
    local = a_local(an_event(1), copied=True)
    assert isinstance(client.next(local), Pull)
    client.receive(Page(entries=[], cursor="c"))
    assert client.next(local) == Restamp(NOW)
    assert pushed(client.next(a_local(an_event(1)))) == [1]


def test_a_copy_that_the_server_notices():
    client = ready()
    client.next(a_local(an_event(1)))
    effects = client.receive(ack(NodeConflict("copied")))
    assert answers(effects) == []
    assert [type(effect) for effect in effects] == [Settle, MarkCopied]


def test_a_copied_replica_pulls_before_it_takes_new_ids_even_if_it_only_pushes():
    client = greeted(pull=False)
    assert isinstance(client.next(a_local(an_event(1), copied=True)), Pull)
    client.receive(Page(entries=[], cursor="c"))
    assert isinstance(client.next(a_local(an_event(1), copied=True)), Restamp)


# Errors of a whole request


@pytest.mark.parametrize("error", [CursorReset("restored"), BadCursor("forged")])
def test_a_cursor_that_the_server_does_not_know_is_given_up(error):
    client = greeted()
    client.next(a_local(cursor="c"))
    assert client.receive(ErrorMessage.of(error)) == [Rewind(0)]
    assert client.next(a_local(cursor="older")) == Pull(cursor="older", limit=10_000)


def test_a_live_stream_may_lose_its_cursor_too():
    client = greeted()
    client.live = True
    assert client.receive(ErrorMessage.of(CursorReset("restored"))) == [Rewind(0)]
    assert not client.live
    assert isinstance(client.next(a_local()), Pull)


@pytest.mark.parametrize("error", [BadJson("?"), BadRequest("?"), TooLarge("!"), TooManyEvents("!")])
def test_a_push_that_cannot_be_read_is_halved_until_its_culprit_is_alone(error):
    client = greeted(pull=False)
    events = {n: an_event(n) for n in range(1, 8)}
    stored, refused, pushes = [], [], 0
    while events:
        batch, pushes = pushed(client.next(a_local(*events.values()))), pushes + 1
        effects = client.receive(ErrorMessage.of(error) if 6 in batch else ack(*batch))
        for n, answer in answers(effects) if effects else []:
            del events[n]
            (stored if isinstance(answer, int) else refused).append(n)
    assert (stored, refused) == ([1, 2, 3, 4, 5, 7], [6])
    assert pushes < 12


def test_a_transaction_that_cannot_be_read_is_refused_whole():
    client = greeted(pull=False)
    client.next(a_local(an_event(1, meta=TX), an_event(2, meta=TX)))
    assert answers(client.receive(ErrorMessage.of(TooLarge("!")))) == [(1, "too_large"), (2, "too_large")]


@pytest.mark.parametrize(
    "error",
    [
        Unauthorized("who?"),
        EpochChanged("new"),
        Overloaded("busy"),
        ShuttingDown("bye"),
        RequestTimeout("slow"),
        UnknownSpace("gone"),
        HelloRequired("hello?"),
        UnsupportedProtocol("2"),
    ],
)
def test_any_other_error_ends_the_session_and_refuses_nothing(error):
    client = ready()
    client.next(a_local(an_event(1)))
    with pytest.raises(type(error)):
        client.receive(ErrorMessage.of(error))


def test_a_bad_pull_ends_the_session():
    client = greeted()
    client.next(a_local())
    with pytest.raises(BadRequest):
        client.receive(ErrorMessage.of(BadRequest("limit")))


# Waiting


def test_a_replica_that_was_too_quick_waits_and_asks_the_same_again():
    client = ClientSession(space="home")
    events = [an_event(1), an_event(2)]
    local = Local("n1", None, False, events)
    assert isinstance(client.next(local), Hello)
    client.receive(WELCOME)
    pull = client.next(local)
    limited = ErrorMessage.of(RateLimited("Too much.", retry_after=2.5))
    (wait,) = client.receive(limited)
    assert wait.seconds == 2.5
    assert client.next(local) == pull
    client.receive(Page(entries=[], cursor="c"))
    push = client.next(local)
    (wait,) = client.receive(ErrorMessage.of(RateLimited("Too much.")))
    assert wait.seconds == WAIT_SECONDS
    assert client.next(local) == push


def test_what_finds_no_room_waits_as_long_as_the_server_says():
    client = ClientSession(space="home", pull=False)
    events = [an_event(1, item="task.a"), an_event(2, item="task.b"), an_event(3, item="task.c")]
    local = Local("n1", None, False, events)
    client.next(local)
    client.receive(WELCOME)
    client.next(local)
    assert client.postponed.seconds == 0
    full = [QuotaExceeded("Full.", retry_after=seconds).to_wire() for seconds in (30, 7)]
    results = [Result(events[0].id, 1), *(Result(e.id, error=error) for e, error in zip(events[1:], full, strict=True))]
    (settle,) = client.receive(Ack(results=results, head=1))
    assert settle.answers == [(events[0], 1)]
    assert client.holds_back
    assert (client.postponed.seconds, list(client.postponed.errors)) == (30, ["quota_exceeded"])
    assert client.next(local._replace(pending=events[1:])) is None
    client.release()
    assert (client.postponed.seconds, client.postponed.errors) == (0, {})
    assert client.next(local._replace(pending=events[1:])) == Push.of(events[1:])


@pytest.mark.parametrize(("said", "seconds"), [(3, 3.0), (-1, 0.0), ("soon", 0.0), (None, 0.0)])
def test_how_long_a_server_says(said, seconds):
    assert retry_seconds(QuotaExceeded("Full.", retry_after=said)) == seconds


def test_a_session_with_a_peer_asks_nothing_by_itself():
    client = greeted(replace(WELCOME, peer=True, epoch=""))
    assert client.peer == replace(WELCOME, peer=True, epoch="")
    assert client.next(a_local(an_event(1))) is None
