"""Token buckets, against the bucket that is written as one thinks of it: a level that rises with time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.rates import Buckets, Rate


def test_a_burst_and_then_the_rate():
    buckets = Buckets(Rate(10, 5))
    assert [buckets.take("a", 1, 100.0) for _ in range(5)] == [None] * 5
    refusal = buckets.take("a", 1, 100.0)
    assert (refusal.seconds, refusal.remaining) == (pytest.approx(0.1), 0)
    assert buckets.take("b", 1, 100.0) is None
    assert buckets.take("a", 1, 100.0 + refusal.seconds + 1e-6) is None
    assert buckets.take("a", 1, 100.0 + refusal.seconds + 1e-6) is not None


def test_what_is_refused_takes_nothing():
    buckets = Buckets(Rate(1, 10))
    assert buckets.take("a", 6, 0.0) is None
    for _ in range(3):
        refusal = buckets.take("a", 5, 0.0)
        assert (refusal.seconds, refusal.remaining) == (pytest.approx(1.0), 4)
    assert buckets.take("a", 4, 0.0) is None


def test_what_costs_more_than_a_bucket_goes_when_that_is_full_and_is_paid_off_afterwards():
    buckets = Buckets(Rate(10, 5))
    assert buckets.take("a", 100, 0.0) is None
    assert buckets.take("a", 1, 9.0).seconds == pytest.approx(0.6)  # 95 owed, and one to be there
    assert buckets.take("a", 100, 9.0).seconds == pytest.approx(1.0)
    assert buckets.take("a", 100, 10.0) is None


def test_what_was_given_back_can_be_taken():
    buckets = Buckets(Rate(1, 2))
    assert buckets.take("a", 2, 0.0) is None
    buckets.give_back("a", 2)
    buckets.give_back("nobody", 2)
    assert buckets.take("a", 2, 0.0) is None
    assert buckets.take("a", 1, 0.0) is not None


def test_full_buckets_make_room_first():
    buckets = Buckets(Rate(1, 100), max_buckets=10)
    for count in range(9):
        buckets.take(f"full{count}", 1, 0.0)
    buckets.take("used", 100, 0.0)
    buckets.take("new", 1, 50.0)
    assert len(buckets) == 2
    assert buckets.take("used", 51, 50.0) is not None


def test_what_was_spent_elsewhere_is_taken_whether_it_is_there_or_not():
    buckets = Buckets(Rate(10, 100), max_buckets=2)
    buckets.charge("a", 150, 0.0)
    refusal = buckets.take("a", 1, 1.0)
    assert refusal is not None
    assert refusal.seconds == pytest.approx(4.1)  # 50 owed, of which 10 came since, and 1 asked for
    assert buckets.take("a", 1, 5.2) is None
    buckets.take("b", 1, 100.0)
    buckets.charge("c", 5, 100.0)  # of "a" nothing has to be known any more
    assert len(buckets) == 2


def test_there_are_never_more_than_so_many():
    buckets = Buckets(Rate(1, 100), max_buckets=10)
    buckets.take("most", 90, 0.0)
    for count in range(1_000):
        buckets.take(count, 1, 0.0)
        assert len(buckets) <= 10
    assert buckets.take("most", 11, 0.0) is not None  # who used most is forgotten last


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=40), st.integers(1, 8), st.integers(1, 20))
def test_it_is_a_bucket(asked, per_second, burst):
    buckets, level, last, now = Buckets(Rate(per_second, burst)), float(burst), 0.0, 0.0
    for pause, cost in asked:
        now += pause / 8
        level, last = min(burst, level + (now - last) * per_second), now
        goes = level >= min(cost, burst) - 1e-9
        refusal = buckets.take("a", cost, now)
        if abs(level - min(cost, burst)) > 1e-6:
            assert (refusal is None) == goes
        if refusal is None:
            level -= cost
        else:
            assert refusal.seconds == pytest.approx((min(cost, burst) - level) / per_second, abs=1e-6)
            assert refusal.remaining == pytest.approx(max(level, 0), abs=1)
