"""The store in JSON Lines keeps the contracts, its segments are what one reads with cat, and a crash tears nothing."""

import errno
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from syncline.core.admission import Submission
from syncline.core.erasure import erased_entry
from syncline.core.log import Receipts
from syncline.errors import ForeignFile, NewerSchema, StorageFull, StoreDamaged, StoreLocked
from syncline.stores import load
from syncline.stores.jsonl import JsonLinesEventStore, JsonLinesLogs, rewriting
from syncline.stores.jsonl.lines import read_head
from syncline.stores.jsonl.scan import Mark, Scan
from syncline.testing import AdoptionContract, Author, LogStoreContract
from syncline.testing.seeded import START_MS

RECEIPTS = Receipts(b"of these tests")
FIRST = f"{1:016}.jsonl"


class TestJsonLinesEventStore(LogStoreContract, AdoptionContract):
    def make(self, directory, epoch, receipts):
        return JsonLinesEventStore(directory / "log.jsonl", receipts)


class TestJsonLinesEventStoreOfShortSegments(LogStoreContract, AdoptionContract):
    def make(self, directory, epoch, receipts):
        return JsonLinesEventStore(directory / "log.jsonl", receipts, segment_bytes=4_000, index_run=70)


def open_log(folder, **options):
    return closing(JsonLinesEventStore(folder, RECEIPTS, **options))


def push(store, events):
    return store.append([Submission(events, "ann")], now_ms=START_MS)


def fill(folder, *counts, author=None, **options):
    """A log with a batch of each count; the entries it holds."""
    author = author or Author()
    with open_log(folder, **options) as store:
        for count in counts:
            push(store, author.events(count, action="buyMilk"))
        return contents(store)


def contents(store):
    return [entry.encoded for entry in load(store)]


def read(folder, **options):
    with open_log(folder, **options) as store:
        return contents(store)


def drop_index(folder):
    for path in folder.glob("index.db*"):
        path.unlink()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "log.jsonl"


# What one sees


def test_a_log_is_read_with_cat(folder):
    entries = fill(folder, 2, 1)
    with open_log(folder) as store:
        head, second = store.head(), store.tail(2)
    begin, *lines = (folder / FIRST).read_bytes().splitlines()
    assert json.loads(begin) == {"log": {"format": 1, "epoch": head.epoch, "seq": 0, "tail": "0" * 16, "at": 0}}
    assert lines[:2] + lines[3:4] == entries
    assert [json.loads(line) for line in (lines[2], lines[4])] == [
        {"commit": {"seq": 2, "tail": second.hex()}},
        {"commit": {"seq": 3, "tail": head.tail.hex()}},
    ]
    assert len(lines) == 5


def test_segments_are_named_by_their_first_seq(folder):
    entries = fill(folder, *[2] * 10, segment_bytes=1_000)
    names = sorted(path.name for path in folder.glob("*.jsonl"))
    assert len(names) > 3
    lines = b"".join((folder / name).read_bytes() for name in names).splitlines()
    assert [line for line in lines if line.startswith(b'{"seq"')] == entries
    for name in names:
        begin, first, *_ = map(json.loads, (folder / name).read_bytes().splitlines())
        assert begin["log"]["seq"] + 1 == first["seq"] == int(name.removesuffix(".jsonl"))
    drop_index(folder)
    assert read(folder) == entries


def test_the_logs_of_spaces_are_folders(tmp_path):
    logs = JsonLinesLogs(tmp_path / "logs", RECEIPTS)
    with closing(logs.open("home")) as home, closing(logs.open("work")):
        push(home, Author().events(1))
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["home.jsonl", "work.jsonl"]
    logs.delete("home")
    logs.delete("home")
    with closing(logs.open("home")) as again:
        assert again.head().seq == 0
    logs.close()


# Folders that are not ours


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path):
    (tmp_path / "diary.txt").write_text("Dear diary")
    with pytest.raises(ForeignFile):
        open_log(tmp_path)
    (tmp_path / FIRST).write_text("Dear diary\n")
    with pytest.raises(ForeignFile):
        open_log(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [FIRST, "diary.txt"]
    with pytest.raises(ForeignFile):
        open_log(tmp_path / "diary.txt")


def test_a_log_of_a_newer_version_is_left_as_it_is(folder):
    fill(folder, 1)
    path = folder / FIRST
    newer = path.read_bytes().replace(b'"format":1', b'"format":2,"more":[]')
    path.write_bytes(newer)
    with pytest.raises(NewerSchema):
        open_log(folder)
    assert path.read_bytes() == newer


def test_a_log_has_one_owner(folder):
    with open_log(folder), pytest.raises(StoreLocked):
        open_log(folder)
    fill(folder, 1)


# Crashes


def torn(folder, author):
    """Of a log with two batches: where the first ends, all bytes, and what it holds without and with the second."""
    before = fill(folder, 2, author=author)
    whole = (folder / FIRST).stat().st_size
    after = fill(folder, 2, author=author)
    return whole, (folder / FIRST).read_bytes(), before, after


def test_a_batch_that_was_torn_at_any_byte_does_not_count(folder, tmp_path):
    whole, segment, before, after = torn(folder, Author())
    path, head = tmp_path / FIRST, segment[: segment.index(b"\n") + 1]
    for end in range(whole, len(segment) + 1):
        path.write_bytes(segment[:end])
        scan = Scan(path, Mark(read_head(head), len(head), 1), is_last=True)
        is_whole = end == len(segment)
        assert [row.encoded for batch in scan.batches() for row in batch.rows] == (after if is_whole else before), end
        assert (scan.mark.offset, scan.is_torn) == (end if is_whole else whole, end not in (whole, len(segment))), end


def test_a_torn_batch_vanishes_whole(folder, tmp_path):
    author = Author()
    whole, segment, before, after = torn(folder, author)
    (again,) = author.events(1)
    ends = {found.end() + near for found in re.finditer(rb"\n", segment) for near in (-1, 0, 1)}
    for end in [*sorted(ends & {*range(whole, len(segment) + 1)}), whole + 150]:
        copy = tmp_path / "copy.jsonl"
        copy.mkdir()
        (copy / FIRST).write_bytes(segment[:end])
        is_whole = end == len(segment)
        with open_log(copy) as store:
            assert contents(store) == (after if is_whole else before), end
            assert (copy / FIRST).stat().st_size == (end if is_whole else whole)
            assert push(store, [again]).outcomes == [[5 if is_whole else 3]]
        shutil.rmtree(copy)


def test_a_torn_batch_vanishes_beside_an_index_that_knows_it(folder, tmp_path):
    author = Author()
    before = fill(folder, 2, author=author)
    whole = (folder / FIRST).stat().st_size
    fill(folder, 3, author=author)
    for end in range(whole, (folder / FIRST).stat().st_size, 37):
        copy = shutil.copytree(folder, tmp_path / "copy.jsonl")
        os.truncate(copy / FIRST, end)
        assert read(copy) == before
        shutil.rmtree(copy)


def test_zeros_where_nothing_was_written_yet_vanish_too(folder, tmp_path):
    author = Author()
    before = fill(folder, 2, author=author)
    whole = (folder / FIRST).stat().st_size
    fill(folder, 3, author=author)
    segment = (folder / FIRST).read_bytes()
    for start, end in [(whole, len(segment)), (whole + 100, len(segment)), (whole + 100, whole + 400)]:
        copy = tmp_path / "copy.jsonl"
        copy.mkdir()
        (copy / FIRST).write_bytes(segment[:start] + bytes(end - start) + segment[end:])
        assert read(copy) == before
        shutil.rmtree(copy)


def test_zeros_above_what_was_committed_later_are_damage(folder):
    fill(folder, 2, 2)
    path = folder / FIRST
    text = bytearray(path.read_bytes())
    text[200:250] = bytes(50)
    path.write_bytes(text)
    drop_index(folder)
    with pytest.raises(StoreDamaged, match=rf"{FIRST}, line 2:"):
        open_log(folder)
    assert path.read_bytes() == text


KILLED = """
import sys
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.stores.jsonl import JsonLinesEventStore
from syncline.testing import Author
store, author = JsonLinesEventStore(sys.argv[1], Receipts(b"of these tests"), segment_bytes=20_000), Author()
while True:
    head = store.append([Submission(author.events(7), "ann")], now_ms=1_750_000_000_000).head
    print(head.seq, flush=True)
"""


@pytest.mark.parametrize("acks", [1, 8, 37])
def test_what_was_acknowledged_before_a_kill_is_there(folder, acks):
    command = [sys.executable, "-c", KILLED, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        for _ in range(acks):
            last = writer.stdout.readline()
        writer.kill()
        last = (writer.stdout.read().rpartition("\n")[0] or last).split()[-1]
    found = read(folder)
    assert len(found) >= int(last)
    assert len(found) % 7 == 0
    drop_index(folder)
    assert read(folder) == found


def test_a_segment_that_was_being_made_is_made_again(folder):
    entries = fill(folder, 2)
    (folder / "segment.new").write_bytes(b'{"log":')
    assert read(folder) == entries
    assert not (folder / "segment.new").exists()


# Damage


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (1, b'"seq":0', b'"seq":9'),
        (2, b'"seq":1', b'"seq": 1'),
        (3, None, b"\n"),
        (3, None, b""),
        (5, b'"seq":3', b'"seq":2'),
        (6, b'"node"', b'"none"'),
        (7, b"tail", b"tale"),
        (8, b"", b"# a note\n"),
        (8, b"", b"# a note"),
    ],
)
def test_what_does_not_read_is_told_with_segment_and_line(folder, line, old, new):
    fill(folder, 2, 2)
    path = folder / FIRST
    lines = [*path.read_bytes().splitlines(keepends=True), b""]
    lines[line - 1] = new if old is None else lines[line - 1].replace(old, new)
    text = b"".join(lines)
    path.write_bytes(text)
    drop_index(folder)
    with pytest.raises(StoreDamaged, match=rf"{FIRST}, line {7 if line == 6 else line}:"):
        open_log(folder)
    assert path.read_bytes() == text


def test_a_changed_event_is_noticed_at_its_mark_or_when_it_is_read(folder):
    fill(folder, 2, 2)
    path = folder / FIRST
    path.write_bytes(path.read_bytes().replace(b"Milk", b"Silk", 1))
    with open_log(folder) as store:
        assert store.head().seq == 4
        with pytest.raises(StoreDamaged, match=rf"{FIRST}, line 2:"):
            contents(store)
        assert len(list(load(store, 1))) == 3
    drop_index(folder)
    with pytest.raises(StoreDamaged, match=rf"{FIRST}, line 4:"):
        open_log(folder)


def test_a_missing_segment_is_noticed(folder):
    fill(folder, *[2] * 10, segment_bytes=1_000)
    names = sorted(path.name for path in folder.glob("*.jsonl"))
    (folder / names[1]).unlink()
    with pytest.raises(StoreDamaged):
        open_log(folder)


# The index


def test_an_index_that_was_deleted_is_made_again(folder):
    entries = fill(folder, *[2] * 30, index_run=8, segment_bytes=1_000)
    drop_index(folder)
    with open_log(folder, index_run=8) as store:
        assert contents(store) == entries
        assert store.node("node").n == 60
        assert store.items("*", "", 10) == ["task.milk"]
        assert store.size() == sum(len(entry.event.body) for entry in load(store))


def test_an_index_that_is_no_index_is_made_again(folder):
    entries = fill(folder, 3)
    index = folder / "index.db"
    index.write_bytes(index.read_bytes()[:5_000] + b"\xff" * 100_000)
    for path in folder.glob("index.db-*"):
        path.unlink()
    assert read(folder) == entries


@pytest.mark.parametrize("segment_bytes", [1_000, 10**6])
def test_an_index_older_than_the_log_catches_up(folder, tmp_path, segment_bytes):
    author = Author()
    fill(folder, 2, 2, author=author, segment_bytes=segment_bytes)
    old = shutil.copytree(folder, tmp_path / "old")
    entries = fill(folder, *[3] * 5, author=author, segment_bytes=segment_bytes)
    drop_index(folder)
    for path in old.glob("index.db*"):
        shutil.copy(path, folder)
    assert read(folder) == entries
    assert fill(folder, 1, author=author)[:-1] == entries


@pytest.mark.parametrize("segment_bytes", [1_000, 10**6])
def test_an_index_newer_than_the_log_is_made_again(folder, tmp_path, segment_bytes):
    author, other = Author(), Author("other")
    entries = fill(folder, 2, 2, author=author, segment_bytes=segment_bytes)
    old = shutil.copytree(folder, tmp_path / "old")
    fill(folder, *[3] * 5, author=author, segment_bytes=segment_bytes)
    for path in folder.glob("*.jsonl"):
        path.unlink()
    for path in old.glob("*.jsonl"):
        shutil.copy(path, folder)
    assert read(folder) == entries
    longer = fill(folder, *[3] * 9, author=other, segment_bytes=segment_bytes)  # another history, and a longer one
    for path in old.glob("index.db*"):
        shutil.copy(path, folder)
    assert read(folder) == longer


def test_opening_reads_what_came_after_the_index_alone(folder):
    entries = fill(folder, 2, 2)
    path = folder / FIRST
    text = path.read_bytes()
    path.write_bytes(text.replace(entries[0], b"x" * len(entries[0])))  # whoever reads this line again complains
    with open_log(folder) as store:
        push(store, Author("other").events(1))
    with open_log(folder) as store:
        assert store.head().seq == 5


# A full disk


@contextmanager
def files_up_to(size):
    """No file may grow beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_stores_nothing_and_leaves_the_file_as_it_was(folder):
    author = Author()
    with open_log(folder) as store:
        push(store, [author.event(payload="x" * 500) for _ in range(900)])
        before, entries = (folder / FIRST).read_bytes(), contents(store)
        large = [author.event(payload="x" * 10_000) for _ in range(20)]
        with files_up_to(len(before) + 100_000), pytest.raises(StorageFull):
            push(store, large)
        assert (folder / FIRST).read_bytes() == before
        assert (contents(store), store.head().seq) == (entries, 900)
        assert push(store, author.events(1)).outcomes == [[901]]
    drop_index(folder)
    assert len(read(folder)) == 901


def test_a_disk_that_is_full_for_the_index_stores_nothing_either(folder):
    author = Author()
    with open_log(folder) as store:
        push(store, author.events(10))
        before = (folder / FIRST).read_bytes()
        with files_up_to(len(before) + 4_000), pytest.raises(StorageFull):
            push(store, author.events(5))
        assert (folder / FIRST).read_bytes() == before
        assert push(store, Author("other").events(1)).outcomes == [[11]]


def test_a_write_that_cannot_be_taken_back_yet_is_taken_back_later(folder, monkeypatch):
    """The disk fails when a batch is synced, and when it is taken back, and then not any more."""
    fails, sync = iter([True, True, True, False]), os.fsync

    def fsync(file):
        if next(fails, False):
            raise OSError(errno.EIO, "as of a broken disk")
        sync(file)

    author = Author()
    with open_log(folder) as store:
        push(store, author.events(2))
        before = (folder / FIRST).read_bytes()
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="broken disk"):
            push(store, author.events(2))
        with pytest.raises(StoreDamaged):
            push(store, author.events(2))
        assert store.head().seq == 2
        assert push(store, Author("other").events(1)).outcomes == [[3]]
        assert (folder / FIRST).read_bytes().startswith(before)
    drop_index(folder)
    assert len(read(folder)) == 3


def test_a_segment_for_which_there_is_no_room_is_not_begun(folder):
    author = Author()
    with open_log(folder, segment_bytes=1_000) as store:
        push(store, author.events(10))
        with files_up_to(50), pytest.raises(StorageFull):
            push(store, author.events(1))
        assert [path.name for path in folder.glob("*.jsonl")] == [FIRST]
        assert push(store, Author("other").events(1)).outcomes == [[11]]
    assert len(read(folder)) == 11


def test_a_segment_that_was_written_anew_before_a_crash_is_indexed_anew(tmp_path):
    with closing(JsonLinesEventStore(tmp_path / "log", RECEIPTS)) as store:
        store.append([Submission(Author().events(20), "ann")], now_ms=START_MS)
        entries = list(load(store))
    gone = {entry.seq: erased_entry(entry) for entry in entries[3:9]}
    rewriting.rewrite(tmp_path / "log" / f"{1:016}.jsonl", {seq: entry.encoded for seq, entry in gone.items()})
    (tmp_path / "log" / "index.stale").touch()
    with closing(JsonLinesEventStore(tmp_path / "log", RECEIPTS)) as store:
        assert [each.encoded for each in load(store)] == [gone.get(each.seq, each).encoded for each in entries]
        assert not (tmp_path / "log" / "index.stale").exists()
