from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.cursors import KEPT_CURSORS, Cursor, CursorCodec, Stand, Way, check_place, thin
from syncline.core.log import NO_TAIL, Head
from syncline.errors import BadCursor, CursorReset, EpochChanged
from tests.core.samples import EPOCH, KEY

CODEC = CursorCodec(KEY)
eight = st.binary(min_size=8, max_size=8)
seqs = st.integers(0, 2**53 - 1)
items = st.lists(st.text("ab.*", min_size=1, max_size=9), max_size=3).map(tuple)
stands = st.builds(Stand, eight, seqs, items)
ways = st.none() | st.builds(Way, stands, st.text("ab.", max_size=9), seqs)
cursors = st.builds(Cursor, st.binary(min_size=16, max_size=16).map(bytes.hex), seqs, eight, stands, ways, seqs)
A_CURSOR = Cursor(EPOCH, 7, b"tail at7")


@given(cursors)
def test_a_cursor_is_read_back(cursor):
    text = CODEC.encode(cursor)
    known = cursor.erased if cursor.erased > cursor.seq else 0  # what came before is passed anyway
    assert CODEC.decode(text) == cursor._replace(erased=known)
    assert len(text) == 87 or cursor.way or cursor.stand.items or known
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_cursor_with_any_one_bit_changed_is_refused():
    data = urlsafe_b64decode(CODEC.encode(A_CURSOR) + "=")
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadCursor):
            CODEC.decode(urlsafe_b64encode(changed).decode())


def test_a_cursor_with_any_one_character_changed_is_refused():
    text = CODEC.encode(A_CURSOR)
    for place in range(len(text)):
        for character in "A9_-=+/ \n.é":
            if character != text[place]:
                with pytest.raises(BadCursor):
                    CODEC.decode(text[:place] + character + text[place + 1 :])


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda data: urlsafe_b64encode(data).decode()))
def test_what_the_server_did_not_make_is_refused(text):
    with pytest.raises(BadCursor):
        CODEC.decode(text)


def test_another_spelling_is_refused():
    text = CODEC.encode(A_CURSOR)
    for other in (text.lower(), text + "=", text[:-1], " " + text, ""):
        with pytest.raises(BadCursor):
            CODEC.decode(other)


def test_another_key_is_another_server():
    with pytest.raises(BadCursor):
        CursorCodec(KEY[::-1]).decode(CODEC.encode(A_CURSOR))


# Resuming

HEAD = Head(EPOCH, 9, b"tail at9")
TAILS = {seq: f"tail at{seq}".encode() for seq in range(1, 10)}


def test_a_reader_goes_on_where_it_was():
    for cursor in (Cursor(EPOCH, 0, NO_TAIL), Cursor(EPOCH, 7, TAILS[7]), Cursor(EPOCH, 9, TAILS[9])):
        check_place(cursor, HEAD, TAILS.get)


@pytest.mark.parametrize(
    ("cursor", "error"),
    [
        (Cursor("f" * 32, 7, TAILS[7]), EpochChanged),
        (Cursor("f" * 32, 99, TAILS[7]), EpochChanged),
        (Cursor(EPOCH, 10, TAILS[9]), CursorReset),
        (Cursor(EPOCH, 7, b"another!"), CursorReset),
    ],
)
def test_a_log_that_changed_is_noticed(cursor, error):
    with pytest.raises(error):
        check_place(cursor, HEAD, TAILS.get)


# Thinning


def kept_after(seqs: list[int]) -> list[int]:
    kept: list[int] = []
    for seq in seqs:
        kept = thin([*kept, seq])
    return kept


def covers(kept: list[int], newest: int) -> None:
    """For each age a copy may have there is a cursor that is older than it, but at most about twice as old."""
    for age in range(newest - kept[0] + 1):
        older = next(newest - seq for seq in reversed(kept) if newest - seq >= age)
        assert older <= 2 * age


@pytest.mark.parametrize("length", [1, 2, 3, 10, 64, 65, 500, 3_000])
def test_step_by_step_every_age_is_covered(length):
    kept = kept_after(list(range(1, length + 1)))
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (1, length)
    assert len(kept) <= KEPT_CURSORS
    covers(kept, length)


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=60))
def test_with_uneven_steps_the_gaps_are_covered_as_far_as_there_were_cursors(gaps):
    seqs = [sum(gaps[: count + 1]) for count in range(len(gaps))]
    kept = kept_after(seqs)
    assert set(kept) <= set(seqs)
    assert (kept[0], kept[-1]) == (seqs[0], seqs[-1])
    for older, newer in pairwise(kept):
        between = [seq for seq in seqs if older < seq < newer]
        assert not between or newer - older <= seqs[-1] - newer


def test_at_most_64_are_kept_and_the_newest_of_them():
    seqs = [2**53 - int(1.5**power) for power in range(90, -1, -1)]
    kept = thin(seqs)
    assert len(kept) == KEPT_CURSORS
    assert kept[-1] == seqs[-1]
    assert kept[0] > seqs[0]
