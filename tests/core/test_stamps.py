import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import stamps
from syncline.core.limits import MAX_DRIFT_MS
from syncline.core.stamps import MAX_COUNTER, MAX_MS, NIL_ID, Stamp, StampClock
from syncline.errors import InvalidEvent
from tests.core.samples import NOW, an_id

parts = st.builds(
    Stamp,
    st.integers(0, MAX_MS),
    st.integers(0, MAX_COUNTER),
    st.integers(0, 2**30 - 1),
    st.integers(0, 2**32 - 1),
)
wall_clock = st.integers(0, 2**47) | st.integers(NOW, NOW + 3)
entropy = st.integers(0, 2**32 - 1)


@given(parts)
def test_an_id_holds_its_parts(stamp):
    assert Stamp.parse(str(stamp)) == stamp


@given(parts)
def test_an_id_is_a_uuid_of_version_7(stamp):
    uuid = UUID(str(stamp))
    assert (uuid.version, uuid.variant, str(uuid)) == (7, "specified in RFC 4122", str(stamp))


@given(parts, parts)
def test_ids_and_keys_are_ordered_as_their_parts(left, right):
    assert (str(left) < str(right)) == (left < right)
    assert (stamps.key(str(left)) < stamps.key(str(right))) == (left < right)


@given(parts)
def test_a_key_is_the_bytes_of_its_id(stamp):
    assert stamps.key(str(stamp)) == UUID(str(stamp)).bytes
    assert stamps.from_key(stamps.key(str(stamp))) == str(stamp)
    assert stamps.maker(stamps.key(str(stamp))) == stamp.node_hash


@given(st.lists(st.tuples(wall_clock, entropy, st.none() | parts.filter(lambda each: each.ms < 2**47)), max_size=30))
def test_ids_rise_above_all_made_and_received_whatever_the_clock_does(steps):
    clock, greatest = StampClock("n1"), NIL_ID
    for now, random, received in steps:
        if received is not None:
            clock.receive(str(received))
            greatest = max(greatest, str(received))
        made = clock.next(now, random)
        assert made > greatest
        greatest = made
        stamp = Stamp.parse(made)
        assert stamp.ms >= now
        assert (stamp.node_hash, stamp.random) == (stamps.node_hash("n1"), random)


def test_the_counter_overflows_into_the_next_millisecond():
    clock = StampClock("n1")
    ids = [clock.next(NOW, 0) for _ in range(MAX_COUNTER + 3)]
    assert ids == sorted(set(ids))
    ends = [Stamp.parse(id)[:2] for id in (ids[0], ids[MAX_COUNTER], ids[MAX_COUNTER + 1], ids[-1])]
    assert ends == [(NOW, 0), (NOW, MAX_COUNTER), (NOW + 1, 0), (NOW + 1, 1)]
    assert Stamp.parse(clock.next(NOW + 1, 0))[:2] == (NOW + 1, 2)
    assert Stamp.parse(clock.next(NOW + 2, 0))[:2] == (NOW + 2, 0)


def test_a_clock_goes_on_where_it_was_left():
    last = StampClock("n1").next(NOW, 7)
    assert Stamp.parse(StampClock("n1", last).next(NOW - 60_000, 0))[:2] == (NOW, 1)


def test_receiving_an_older_id_changes_nothing():
    clock = StampClock("n1", an_id(NOW, 5))
    clock.receive(an_id(NOW - 1))
    assert clock.last == an_id(NOW, 5)


@pytest.mark.parametrize("now", [MAX_MS + 1, 2**60])
def test_a_time_that_no_id_can_hold_is_refused_and_changes_nothing(now):
    clock = StampClock("n1", an_id())
    with pytest.raises(InvalidEvent):
        clock.next(now, 0)
    assert clock.last == an_id()


def test_the_last_id_of_all_has_no_successor():
    with pytest.raises(InvalidEvent):
        StampClock("n1", str(Stamp(MAX_MS, MAX_COUNTER, 0, 0))).next(0, 0)


def test_the_drift_limit_is_five_minutes_to_the_millisecond():
    limit = stamps.drift_limit(NOW)
    assert str(Stamp(NOW + MAX_DRIFT_MS, MAX_COUNTER, 2**30 - 1, 2**32 - 1)) < limit
    assert str(Stamp(NOW + MAX_DRIFT_MS + 1, 0, 0, 0)) >= limit
    assert Stamp.parse(stamps.drift_limit(2**60)).ms == MAX_MS


@pytest.mark.parametrize(
    "id",
    [
        "",
        NIL_ID,
        an_id().upper(),
        an_id()[:-1],
        an_id() + "0",
        an_id() + "\n",
        " " + an_id(),
        an_id().replace("-", ""),
        "{" + an_id() + "}",
        an_id()[:14] + "4" + an_id()[15:],
        an_id()[:19] + "c" + an_id()[20:],
        an_id()[:19] + "7" + an_id()[20:],
        an_id()[:35] + "g",
        an_id()[:35] + "٠",
    ],
)
def test_what_is_no_lowercase_uuidv7_is_refused(id):
    for read in (stamps.check_id, Stamp.parse):
        with pytest.raises(InvalidEvent):
            read(id)


@given(st.text(min_size=1, max_size=64))
def test_a_node_hash_has_30_bits(node):
    assert 0 <= stamps.node_hash(node) < 2**30


@given(st.text("0123456789abcdef-", min_size=36, max_size=36) | parts.map(str))
def test_the_check_is_the_uuid_library_s(id):
    try:
        uuid = UUID(id)
        valid = uuid.version == 7 and str(uuid) == id
    except ValueError:
        valid = False
    try:
        assert stamps.check_id(id) == id
        assert valid
    except InvalidEvent:
        assert not valid


def test_the_nil_id_is_before_every_stamp():
    assert str(Stamp(0, 0, 0, 0)) > NIL_ID
    assert re.fullmatch("[0-]{36}", NIL_ID)


def test_the_key_of_an_id_tells_whose_it_is():
    id = str(Stamp(NOW, 1, stamps.node_hash("n1"), 7))
    assert stamps.maker(stamps.key(id)) == stamps.node_hash("n1")
