"""A space lets go of its history: what goes, what stays, and that whatever breaks off leaves content or archive."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from syncline.core.access.scope import TRUSTED
from syncline.core.admission import Submission
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed
from syncline.core.documents.snapshots import encode
from syncline.core.log import Receipts
from syncline.core.retention import DAY_MS, LABELS_ITEM, SET_LABEL, Retention
from syncline.errors import StoreDamaged
from syncline.server.history import archives as archiving
from syncline.server.history.archives import Archives
from syncline.server.history.retaining import horizon_for, retain
from syncline.server.history.snapshotting import Snapshotting
from syncline.stores import load
from syncline.stores.bases import Point
from syncline.stores.lmdb import LmdbEventStore
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import Author
from syncline.testing.seeded import START_MS
from tests.core.documents import histories

RECEIPTS = Receipts(b"of these tests")
STORES = {"sqlite": SqliteEventStore, "lmdb": LmdbEventStore}
ROOT = Path(__file__).parents[2]


def open_log(folder, kind="sqlite"):
    return closing(STORES[kind](folder / f"log.{kind}", RECEIPTS))


def push(store, events, *, now_ms=START_MS, **more):
    outcomes = store.append([Submission(events, "ann", **more)], now_ms=now_ms).outcomes[0]
    assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    return outcomes


def put(author, item, n, over=None):
    names = {"over": [f"{over.id}:0"]} if over else {}
    return author.event(item, ops=[{"op": "put", "key": "n", "value": n, **names}], payload="x" * 200)


def fill(store, entries=60, items=3):
    """Documents of which each entry is a revision."""
    author, last = Author(), {}
    for n in range(entries):
        item = f"task.{n % items}"
        last[item] = put(author, item, n, last.get(item))
        push(store, [last[item]], now_ms=START_MS + n * DAY_MS)


def take(store):
    head = store.head()
    for _ in Snapshotting(store, Point(head.seq, head.at), is_floor=False).steps():
        pass


def run(store, folder, now_ms=START_MS, **retention):
    for _ in retain(store, Archives(folder / "kept", "home"), Retention(**retention), now_ms, is_asked=True):
        pass


def states(store, items=3):
    """The documents, as they are folded from the floor on."""
    return [encode(folded(store, f"task.{n}").document) for n in range(items)]


def folded(store, item):
    document = Folded(item, store.base(item))
    for entry in load(store, document.seq, items=[item]):
        document.fold(Placed.of(entry), "merge")
    return document


# What goes


@pytest.mark.parametrize("kind", STORES)
def test_the_last_revisions_of_each_item_stay(tmp_path, kind):
    with open_log(tmp_path, kind) as store:
        fill(store)
        push(store, [Author("other").event("task.rests"), Author("third").event("note.1")])
        before = states(store), {item: folded(store, item).base() for item in ("task.0", "task.rests")}
        take(store)
        run(store, tmp_path, revisions=5)
        left = list(load(store))
        assert states(store) == before[0]
        assert {item: folded(store, item).base() for item in before[1]} == before[1]
        assert [sum(entry.event.item == f"task.{n}" for entry in left) for n in range(3)] == [5, 5, 5]
        assert [entry.event.item for entry in left[-2:]] == ["task.rests", "note.1"]
        push(store, [Author("last").event("task.0", ops=[{"op": "put", "key": "m", "value": 1}])])
        take(store)
        run(store, tmp_path, revisions=2)
        assert [sum(entry.event.item == f"task.{n}" for entry in load(store)) for n in range(3)] == [2, 2, 2]
        assert folded(store, "task.0").revision == 21


@pytest.mark.parametrize(("days", "left"), [(1, 1), (10, 10), (59, 59), (60, 60), (1_000, 60)])
def test_what_came_in_the_last_days_stays(tmp_path, days, left):
    with open_log(tmp_path) as store:
        fill(store)
        before = states(store)
        take(store)
        run(store, tmp_path, START_MS + 60 * DAY_MS, days=days)
        assert len(list(load(store))) == left
        assert states(store) == before


def test_what_came_after_the_oldest_label_stays(tmp_path):
    with open_log(tmp_path) as store:
        fill(store)
        take(store)
        assert horizon_for(store, Retention(labels=True), 0) is None
        author = Author("root")
        for name, seq in (("a", 40), ("b", 20), ("c", 10), ("c", None)):
            payload = {"name": name, **({"seq": seq} if seq else {})}
            push(store, [author.event(LABELS_ITEM, action=SET_LABEL, payload=payload)], is_system=True, rights=TRUSTED)
        run(store, tmp_path, labels=True)
        assert store.points().horizon == 20
        assert next(entry.seq for entry in load(store)) == 21
        assert len(list(load(store, items=[LABELS_ITEM]))) == 4


def test_each_rule_keeps_what_it_says(tmp_path):
    with open_log(tmp_path) as store:
        fill(store)
        take(store)
        assert horizon_for(store, Retention(days=10, revisions=1), START_MS + 60 * DAY_MS).seq == 50
        assert horizon_for(store, Retention(revisions=1), 0).seq == 60
        assert horizon_for(store, Retention(), 0) is None


def test_little_is_left_until_it_is_worth_it(tmp_path):
    with open_log(tmp_path) as store:
        fill(store)
        take(store)
        assert not list(retain(store, Archives(tmp_path, "home"), Retention(revisions=1), 0, is_asked=False))
        assert store.points().horizon == 0


def test_groups_stay_whole(tmp_path):
    """A revision of several entries goes or stays as one, and numbers are as they were."""
    with open_log(tmp_path) as store:
        author, last = Author(), None
        for n in range(12):
            last = author.event(
                "task.0",
                ops=[{"op": "put", "key": "n", "value": n, **({"over": [f"{last.id}:0"]} if last else {})}],
                meta={"group": f"g{n // 3}"},
            )
            push(store, [last])
        take(store)
        run(store, tmp_path, revisions=2)
        assert [entry.seq for entry in load(store)] == [7, 8, 9, 10, 11, 12]
        assert (store.base("task.0").revision, folded(store, "task.0").revision) == (2, 4)


def test_random_histories_are_the_same_after_it(tmp_path):
    """Byte for byte, whatever they are made of."""
    for seed in range(25):
        history = histories.history(seed)
        with open_log(tmp_path / str(seed)) if (tmp_path / str(seed)).mkdir() is None else None as store:
            for event in history.events:
                push(store, [event.with_user("ann")] if not isinstance(event.user, str) else [event])
            whole = folded(store, histories.ITEM)
            take(store)
            for revisions in (7, 3, 1):
                push(store, [Author(f"later{revisions}").event("task.other")])
                take(store)
                run(store, tmp_path / str(seed), revisions=revisions)
                assert folded(store, histories.ITEM).base() == whole.base(), seed


# Archives


def test_archives_are_the_log_and_follow_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("syncline.server.history.retaining.ENTRIES", 7)
    with open_log(tmp_path) as store:
        fill(store)
        encoded = [entry.encoded for entry in load(store)]
        take(store)
        run(store, tmp_path, START_MS + 60 * DAY_MS, days=40)
        run(store, tmp_path, START_MS + 60 * DAY_MS, days=30)
        archives = Archives(tmp_path / "kept", "home")
        assert [each[1:] for each in archives.all()] == [(1, 7), (8, 14), (15, 20), (21, 27), (28, 30)]
        lines = [line for each in archives.all() for line in archives.read(each)[0]]
        assert lines == encoded[:30]
        assert store.tail(30).hex() == [seal for _, seal in archives.verify()][-1].after


@pytest.mark.parametrize("harm", ["cut", "line", "gone", "other"])
def test_harm_to_an_archive_is_told(tmp_path, monkeypatch, harm):
    monkeypatch.setattr("syncline.server.history.retaining.ENTRIES", 7)
    with open_log(tmp_path) as store:
        fill(store)
        take(store)
        run(store, tmp_path, START_MS + 60 * DAY_MS, days=40)
    archives = Archives(tmp_path / "kept", "home")
    _, second, third = archives.all()
    if harm == "cut":
        second.path.write_bytes(second.path.read_bytes()[:-20])
    elif harm == "line":
        text = archiving.gzip.decompress(second.path.read_bytes()).replace(b'"value":9', b'"value":8')
        second.path.write_bytes(archiving.gzip.compress(text))
    elif harm == "gone":
        second.path.unlink()
    else:
        second.path.write_bytes(third.path.read_bytes())
    with pytest.raises(StoreDamaged):
        list(archives.verify())


def test_archives_of_another_history_are_not_gone_on_with(tmp_path):
    (tmp_path / "other").mkdir()
    with open_log(tmp_path) as store, open_log(tmp_path / "other") as other:
        fill(store)
        fill(other, items=2)
        for each in (store, other):
            take(each)
        run(store, tmp_path, START_MS + 60 * DAY_MS, days=40)
        with pytest.raises(StoreDamaged, match="another history"):
            run(other, tmp_path, START_MS + 60 * DAY_MS, days=30)
        assert other.points().horizon == 0


# Whatever breaks off

KILLED = """
import os, signal, sys
from pathlib import Path
from syncline.server.history import retaining, snapshotting
from tests.server import test_retaining as tests
retaining.ENTRIES, snapshotting.STEP_ENTRIES, snapshotting.STEP_BASES, retaining.LOOKED_AT = 25, 30, 1, 20
folder, step = Path(sys.argv[1]), int(sys.argv[2])
with tests.open_log(folder, sys.argv[3]) as store:
    archives = retaining.Archives(folder / "kept", "home")
    for at, _ in enumerate(retaining.retain(store, archives, tests.Retention(revisions=4), 0, is_asked=True)):
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", STORES)
def test_killed_at_any_step_content_or_archive_is_left(tmp_path, kind):
    with open_log(tmp_path, kind) as store:
        fill(store)
        encoded, before = [entry.encoded for entry in load(store)], states(store)
        take(store)
    done = None
    for step in range(1, 200):
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(step), kind]
        done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
        archives = Archives(tmp_path / "kept", "home")
        archived = {line for each in archives.all() for line in archives.read(each)[0]}
        with open_log(tmp_path, kind) as store:
            assert archived | {entry.encoded for entry in load(store)} == set(encoded)
            assert states(store) == before
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.returncode == 0
    assert step > 3
    with open_log(tmp_path, kind) as store:
        assert [sum(entry.event.item == f"task.{n}" for entry in load(store)) for n in range(3)] == [4, 4, 4]
