"""An empty log takes another epoch whatever breaks off meanwhile, and a log recovers once for each opening."""

from contextlib import closing, suppress

import pytest

from syncline.core.access.scope import TRUSTED
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.errors import EpochChanged, SpaceDeleted
from syncline.server.healing import epochs
from syncline.server.healing.recovery import RECOVERING_MS, Recovery
from syncline.server.logs import open_logs
from syncline.server.registry import open_registry
from syncline.stores import load
from syncline.testing import Author, ManualClock
from syncline.testing.seeded import START_MS

RECEIPTS, EPOCH = Receipts(b"of this server"), "e" * 32
STORES = pytest.mark.parametrize("store", ["sqlite", "lmdb", "jsonl"])


class Broken(Exception):
    """The power fails."""


@pytest.fixture
def registry(tmp_path):
    with closing(open_registry(tmp_path, "", lambda: START_MS)) as opened:
        opened.create_space("home")
        yield opened


def with_rules(logs, count=3):
    """The log of a space to which only the system has written; its entries."""
    rule = {"user": "bob", "item": "*", "action": "*", "type": "deny"}
    events = [Author(f"s{n}", ".root").event(".acl", ".acl.addRule", rule) for n in range(count)]
    with closing(logs.open("home")) as store:
        store.append([Submission(events, ".root", is_system=True, rights=TRUSTED)], now_ms=START_MS)
        return list(load(store))


def check_taken(logs, before):
    with closing(logs.open("home")) as store:
        after = list(load(store))
        assert store.head().epoch == EPOCH
        assert [(e.seq, e.at, e.event) for e in after] == [(e.seq, e.at, e.event) for e in before]
        digests = [(entry.seq, entry.event.digest, entry.receipt) for entry in after]
        assert len(RECEIPTS.vouched(EPOCH, digests)) == len(before)


@STORES
def test_what_the_system_wrote_stays_under_new_receipts(tmp_path, registry, store):
    logs = open_logs(store, tmp_path, RECEIPTS)
    before = with_rules(logs)
    epochs.take(logs, registry, RECEIPTS, "home", EPOCH)
    check_taken(logs, before)
    epochs.take(logs, registry, RECEIPTS, "home", EPOCH)
    epochs.finish(logs, registry, RECEIPTS, "home")
    check_taken(logs, before)
    logs.close()


@STORES
@pytest.mark.parametrize("at", ["before it is deleted", "after that", "before it is told"])
def test_what_breaks_off_is_finished_at_the_next_opening(tmp_path, registry, store, at, monkeypatch):
    logs = open_logs(store, tmp_path, RECEIPTS)
    before, delete, finish = with_rules(logs), logs.delete, registry.epochs.finish

    def broken(*arguments):
        if at == "after that":
            delete(*arguments)
        raise Broken

    monkeypatch.setattr(*(registry.epochs, "finish") if at == "before it is told" else (logs, "delete"), broken)
    with suppress(Broken):
        epochs.take(logs, registry, RECEIPTS, "home", EPOCH)
        pytest.fail("nothing broke")
    monkeypatch.setattr(logs, "delete", delete)
    monkeypatch.setattr(registry.epochs, "finish", finish)
    epochs.finish(logs, registry, RECEIPTS, "home")
    assert registry.epochs.begun("home") is None
    check_taken(logs, before)
    logs.close()


def test_what_is_not_empty_or_not_free_is_left_alone(tmp_path, registry):
    logs = open_logs("sqlite", tmp_path, RECEIPTS)
    before = with_rules(logs)
    registry.create_space("other")
    registry.epochs.note(EPOCH, "other")
    with pytest.raises(EpochChanged):
        epochs.take(logs, registry, RECEIPTS, "home", EPOCH)
    registry.delete_space("other")
    with pytest.raises(SpaceDeleted):
        epochs.take(logs, registry, RECEIPTS, "home", EPOCH)
    with closing(logs.open("home")) as store:
        store.append([Submission([Author().event()], "ann")], now_ms=START_MS)
    with pytest.raises(EpochChanged):
        epochs.take(logs, registry, RECEIPTS, "home", "d" * 32)
    with closing(logs.open("home")) as store:
        assert [entry.encoded for entry in load(store)][:3] == [entry.encoded for entry in before]
    logs.close()


def test_a_log_recovers_for_a_while_and_only_once():
    clock = ManualClock()
    recovery = Recovery(clock)
    assert recovery.hold is None
    recovery.prove()
    clock.advance(RECOVERING_MS - 500)
    recovery.prove()
    assert recovery.hold is not None
    assert recovery.hold.details["retry_after"] == 0.5
    clock.advance(500)
    assert recovery.hold is None
    recovery.prove()
    assert recovery.hold is None
