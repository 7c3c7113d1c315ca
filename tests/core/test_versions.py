import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.clocks import VectorClock
from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.core.stamps import NIL_ID
from syncline.core.versions import Ordering, SequenceVersion, StampVersion, Version
from syncline.errors import InvalidEvent
from tests.core.samples import NOW, an_id

ids = st.builds(an_id, st.integers(NOW, NOW + 2), st.integers(0, 2)) | st.just(NIL_ID)
kinds = [st.integers(0, 5).map(SequenceVersion), ids.map(StampVersion)]


@pytest.mark.parametrize("kind", kinds)
@given(data=st.data())
def test_a_total_order(kind, data):
    left, right = data.draw(kind), data.draw(kind)
    expected = Ordering.EQUAL if left == right else Ordering.BEFORE if left < right else Ordering.AFTER
    assert left.compare(right) is expected
    assert [left < right, left == right, left > right].count(True) == 1
    assert left != right or hash(left) == hash(right)


@pytest.mark.parametrize("kind", kinds)
@given(data=st.data())
def test_the_text_form_is_read_back(kind, data):
    version = data.draw(kind)
    names = {"SequenceVersion": SequenceVersion, "StampVersion": StampVersion}
    assert type(version).parse(str(version)) == version
    assert eval(repr(version), names) == version


@pytest.mark.parametrize("zero", [SequenceVersion(), StampVersion(), VectorClock()])
def test_zero(zero):
    assert isinstance(zero, Version)
    assert zero.is_zero()
    assert zero.compare(type(zero)()) is Ordering.EQUAL


def test_not_zero():
    assert not SequenceVersion(1).is_zero()
    assert not StampVersion(an_id()).is_zero()


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "01", "00", " 1", "1.0", "1e3", "²", "١", "9007199254740992", "9" * 17]
)
def test_what_is_no_sequence_is_refused(text):
    with pytest.raises(InvalidEvent):
        SequenceVersion.parse(text)


@pytest.mark.parametrize("seq", [-1, MAX_SAFE_INTEGER + 1])
def test_a_sequence_stays_within_the_safe_integers(seq):
    with pytest.raises(InvalidEvent):
        SequenceVersion(seq)
    assert SequenceVersion.parse(str(MAX_SAFE_INTEGER)).seq == MAX_SAFE_INTEGER


def test_what_is_no_stamp_is_refused():
    with pytest.raises(InvalidEvent):
        StampVersion.parse("now")


@pytest.mark.parametrize(
    ("left", "right"),
    [(SequenceVersion(1), StampVersion()), (StampVersion(), SequenceVersion(1)), (SequenceVersion(), VectorClock())],
)
def test_different_kinds_do_not_compare(left, right):
    assert left != right
    with pytest.raises(TypeError):
        left.compare(right)
    with pytest.raises(TypeError):
        left < right  # noqa: B015
