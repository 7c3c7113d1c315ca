import hashlib
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.events import Entry
from syncline.core.log import NO_TAIL, RECEIPT_LENGTH, Head, Receipts, chain, chain_end, extend
from tests.core.samples import EPOCH, KEY, NOW, RECEIPTS, an_event

digests = st.binary(min_size=32, max_size=32)


def naive_tail(history: list[bytes]) -> bytes:
    if not history:
        return bytes(8)
    return hashlib.sha256(naive_tail(history[:-1]) + history[-1]).digest()[:8]


@given(st.lists(digests, max_size=6))
def test_a_tail_names_the_whole_history(history):
    assert chain_end(NO_TAIL, history) == naive_tail(history)
    assert chain(NO_TAIL, history) == [naive_tail(history[:length]) for length in range(1, len(history) + 1)]


@given(st.lists(digests, min_size=1, max_size=6), st.data())
def test_histories_that_differ_anywhere_have_other_tails(history, data):
    place = data.draw(st.integers(0, len(history) - 1))
    other = [*history[:place], bytes(32) if history[place] != bytes(32) else b"\1" * 32, *history[place + 1 :]]
    pairs = list(zip(chain(NO_TAIL, history), chain(NO_TAIL, other), strict=True))
    assert [one == two for one, two in pairs] == [True] * place + [False] * (len(history) - place)


# Receipts


@given(st.integers(1, 2**53), st.lists(digests, min_size=1, max_size=3))
def test_a_receipt_proves_epoch_seq_and_digest(seq, history):
    receipts = RECEIPTS.issue(EPOCH, seq, history)
    for place, receipt in enumerate(receipts):
        assert len(receipt) == RECEIPT_LENGTH
        assert RECEIPTS.verify(EPOCH, seq + place, history[place], receipt)
        assert not RECEIPTS.verify(EPOCH, seq + place + 1, history[place], receipt)
        assert not RECEIPTS.verify(EPOCH[::-1], seq + place, history[place], receipt)
        assert not RECEIPTS.verify(EPOCH, seq + place, bytes(31) + b"\x07", receipt)
        assert not Receipts(KEY[::-1]).verify(EPOCH, seq + place, history[place], receipt)


@pytest.mark.parametrize("receipt", ["", "A" * 24, "é" * 24, "A" * 10_000])
def test_another_text_is_no_receipt(receipt):
    assert not RECEIPTS.verify(EPOCH, 1, bytes(32), receipt)


def test_a_receipt_is_keyed_blake2b():
    body = bytes.fromhex(EPOCH) + (7).to_bytes(8, "big") + bytes(32)
    mac = hashlib.blake2b(body, key=KEY, digest_size=18, person=b"syncline-receipt").digest()
    assert RECEIPTS.issue(EPOCH, 7, [bytes(32)]) == [urlsafe_b64encode(mac).decode()]


# Extending a log


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(NOW - 5, NOW + 5)), max_size=5))
def test_a_log_grows_without_gaps_in_order_of_time(batches):
    head, rows, n = Head(EPOCH), [], 0
    for count, now in batches:
        events = [an_event(n + each) for each in range(1, count + 1)]
        n += count
        before, (head, new) = head, extend(head, events, now, RECEIPTS)
        assert head == before if not count else head.seq == before.seq + count
        rows += new
    entries = [Entry.read(row.encoded) for row in rows]
    times = [entry.at for entry in entries]
    assert [entry.seq for entry in entries] == [row.seq for row in rows] == list(range(1, n + 1))
    assert times == sorted(times)
    assert [row.tail for row in rows] == chain(NO_TAIL, [row.event.digest for row in rows])
    assert head == Head(EPOCH, n, rows[-1].tail if rows else NO_TAIL, times[-1] if times else 0)
    for row, entry in zip(rows, entries, strict=True):
        assert RECEIPTS.verify(EPOCH, row.seq, row.event.digest, entry.receipt)
        assert entry.event == row.event


def test_one_batch_or_many_make_the_same_log():
    events = [an_event(n) for n in range(1, 6)]
    at_once = extend(Head(EPOCH), events, NOW, RECEIPTS)
    head, rows = Head(EPOCH), []
    for event in events:
        head, new = extend(head, [event], NOW, RECEIPTS)
        rows += new
    assert (head, rows) == at_once
