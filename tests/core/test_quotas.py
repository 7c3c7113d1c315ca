"""Quotas: what a log has room for, and that nothing else is judged otherwise because of them."""

from syncline.core.access.scope import Rights
from syncline.core.admission import Ledger, Submission
from syncline.core.log import Head
from syncline.core.quotas import RETRY_SECONDS, Quotas, Room
from syncline.errors import QuotaExceeded, SynclineError
from tests.core.samples import EPOCH, NOW, an_event, an_id


def a_ledger(quotas, *, events=0, size=0, items=(), known=()):
    return Ledger(
        Head(EPOCH, events),
        known={event.key: (place, event.digest) for place, event in enumerate(known, 1)},
        held={},
        nodes={},
        last_n=lambda item, node: 0,
        last_seq=lambda item, since: None,
        now_ms=NOW,
        room=Room(quotas, events=events, bytes=size, items=items),
    )


def submit(ledger, *events, **more):
    """Each outcome as its seq, its quota, or its code."""
    outcomes = ledger.submit(Submission(events, "ann", **more))
    return [
        each.details["quota"] if isinstance(each, QuotaExceeded) else getattr(each, "code", each) for each in outcomes
    ]


def series(count, item="task.a", first=1, **fields):
    return [an_event(n, item=item, **fields) for n in range(first, first + count)]


def test_events():
    ledger = a_ledger(Quotas(events=5), events=3)
    assert submit(ledger, *series(4)) == [4, 5, "events", "events"]
    assert submit(ledger, *series(1, "task.b", first=5)) == ["events"]
    assert len(ledger.accepted) == 2


def test_a_batch_that_fits_and_one_that_does_not():
    ledger = a_ledger(Quotas(events=4))
    assert submit(ledger, *series(3)) == [1, 2, 3]
    assert submit(ledger, *series(2, first=4)) == [4, "events"]


def test_bytes_are_those_of_the_canonical_form():
    first, second = series(2)
    size = len(first.body)
    assert submit(a_ledger(Quotas(bytes=size + 7), size=7), first, second) == [1, "bytes"]
    assert submit(a_ledger(Quotas(bytes=size + 6), size=7), first) == ["bytes"]


def test_items_are_those_of_the_app():
    ledger = a_ledger(Quotas(items=2), items={"task.a"})
    events = [an_event(n, item=item) for n, item in enumerate(("task.a", "task.b", "task.c", "task.b", "task.a"), 1)]
    assert submit(ledger, *events) == [1, 2, "items", 3, 4]
    assert submit(ledger, *series(1, "task.b", first=9)) == [5]
    lowered = a_ledger(Quotas(items=1), items={"task.a", "task.b"})
    assert submit(lowered, *series(1, "task.b"), *series(1, "task.c", first=2)) == [1, "items"]


def test_an_item_takes_nothing_after_what_was_refused_of_it():
    big, small, other = an_event(1, payload="x" * 500), an_event(2), an_event(3, item="task.b")
    room = len(small.body) + len(other.body)
    ledger = a_ledger(Quotas(bytes=room))
    assert submit(ledger, big, small, other) == ["bytes", "bytes", 1]
    assert submit(ledger, small) == [2]  # another submission


def test_a_transaction_is_refused_as_a_whole_and_so_is_what_comes_after_it():
    first, second = an_event(1, item="task.a", meta={"tx": "t"}), an_event(2, item="task.b", meta={"tx": "t"})
    later = an_event(3, item="task.a")
    ledger = a_ledger(Quotas(bytes=len(first.body) + 10))
    assert submit(ledger, first, second, later) == ["tx_refused", "bytes", "bytes"]
    assert ledger.accepted == []
    assert submit(ledger, an_event(4, item="task.c")) == [1]  # what it took was given back
    ledger = a_ledger(Quotas(events=10))
    wrong = an_event(2, item="task.b", user="bob", meta={"tx": "t"})
    assert submit(ledger, first, wrong, later) == ["tx_refused", "user_mismatch", 1]  # not because of a quota


def test_what_is_held_has_its_seq_though_the_log_is_full():
    held, new = series(2)
    assert submit(a_ledger(Quotas(events=1), events=1, known=[held]), held, new) == [1, "events"]


def test_the_system_writes_into_a_full_log():
    rule = an_event(1, item=".acl", action=".acl.addRule", payload={})
    assert submit(
        a_ledger(Quotas(events=1, items=1), events=1, items={"a"}), rule, is_system=True, rights=Rights(is_trusted=True)
    ) == [2]


def test_other_refusals_come_first_or_last_as_the_protocol_says():
    full = Quotas(events=1)
    far = an_event(1, ms=NOW + 3_600_000)
    assert submit(a_ledger(full, events=1), far) == ["clock_drift"]
    assert submit(a_ledger(full, events=1), an_event(1, user="bob")) == ["user_mismatch"]
    unheld = an_event(1, ops=[{"op": "del", "over": [f"{an_id(NOW - 5)}:0"], "key": "a"}])
    assert submit(a_ledger(Quotas()), unheld) == ["missing_dependency"]
    (error,) = a_ledger(full, events=1).submit(Submission([unheld], "ann"))
    assert (error.code, error.retryable, error.details["retry_after"]) == ("quota_exceeded", True, RETRY_SECONDS)
    assert isinstance(error, SynclineError)


def test_which_quotas_a_log_is_judged_by():
    assert not Quotas(connections=1, events_per_second=1).bound_a_log
    assert all(Quotas(**{name: 1}).bound_a_log for name in ("events", "bytes", "items"))
