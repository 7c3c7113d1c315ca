import json
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import canonical
from syncline.core.documents import snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.ops import read
from syncline.core.documents.snapshots import decode, encode, pack, unpack
from syncline.core.stamps import Stamp
from syncline.errors import NewerSchema, StoreDamaged, TooLarge
from tests.core.documents import histories, people

ITEM = people.ITEM


def stamp(number, node=1):
    return str(Stamp(1_700_000_000_000 + number, number % 3, node, 7 * number))


def typed(*texts):
    """A text into which each event inserts one of these at the start."""
    document = Document(ITEM)
    for number, text in enumerate(texts):
        editor = Editor(document, stamp(number))
        editor.splice(editor.ensure_root("text"), 0, 0, text)
    return document


def edited(act):
    """A document after one event."""
    document = Document(ITEM)
    act(Editor(document, stamp(0)))
    return document


def holds(document):
    """That a document comes back whole, in canonical form."""
    data = encode(document)
    assert canonical.encode(canonical.decode(data, max_depth=100)) == data
    back = decode(document.item, data)
    assert encode(back) == data
    assert back.value() == document.value()
    assert list(back.conflicts()) == list(document.conflicts())
    return back


# The same state, the same bytes


@given(st.integers(0, 2**32))
def test_the_same_events_give_the_same_bytes_in_any_order(seed):
    history = histories.history(seed)
    document = history.fold(history.order(random.Random(seed)))
    assert {encode(replica) for replica in history.replicas} == {encode(document)}
    holds(document)


@given(st.integers(0, 2**32))
def test_a_snapshot_and_the_tail_are_the_whole(seed):
    dice, history = random.Random(seed), histories.history(seed)
    document = Document(ITEM)
    for event, policy in zip(history.events, history.policies, strict=True):
        if dice.random() < 0.5:
            document = decode(ITEM, unpack(pack(encode(document))))
        document.fold(event, policy=policy)
    assert encode(document) == encode(history.replicas[0])


def test_who_looked_at_a_child_does_not_show():
    document = edited(people.create)
    before = encode(document)
    for name in (
        "/a:map",
        "/a:map/b:text",
        "/n:counter",
        "/s:set",
        "/l:list",
        ":list",
        ":text",
        f"{stamp(0)}:26/x:set",
    ):
        assert document.find(name)
    assert encode(document) == before


def test_a_child_that_holds_something_is_kept_wherever_it_shows():
    def act(editor):
        root = editor.document.objects[""]
        first = editor.ensure(root, "a~/b", "map")
        editor.put(editor.ensure(first, "", "map"), "\U0001f600", 1)
        editor.put(first, "\uffff", 2)
        editor.delete(root, "a~/b")
        editor.ensure(root, "empty", "list")

    back = holds(edited(act))
    assert back.value() == {"empty": []}
    assert back.objects["/a~0~1b:map"].slots["\uffff"][0].value == 2


def test_events_without_a_trace_leave_none():
    document = typed("ab")
    document.run(
        stamp(5), read([{"op": "insert", "in": ":text", "after": f"{stamp(3)}:1", "text": "x"}]), has_effect=True
    )
    assert encode(document) == encode(typed("ab"))
    assert stamp(5) not in decode(ITEM, encode(document)).events.ids


@pytest.mark.parametrize("kind", ["map", "list", "text", "counter", "set"])
def test_every_kind_may_be_the_root(kind):
    back = holds(edited(lambda editor: editor.ensure_root(kind)))
    assert back.root == ("" if kind == "map" else f":{kind}")
    holds(edited(lambda editor: editor.put_root(3)))


def test_a_new_document_has_a_snapshot():
    assert encode(Document(ITEM)) == b'[1,{},false,[[],[],[],"",""],[],[],[],[],{},[]]'
    assert not holds(Document(ITEM)).exists


def test_the_form_is_as_described():
    def act(editor):
        editor.put(editor.document.objects[""], "title", "Milk")
        editor.put(editor.document.objects[""], "body", {"$text": "ab"})
        editor.splice(editor.document.objects[f"{editor.event}:2"], 1, 1)

    document = edited(act)
    document.clock = {"n1": 1}
    assert json.loads(encode(document)) == [
        1,
        {"n1": 1},
        True,
        [[1_700_000_000_000], [0], [0], "80000001", "00000000"],
        [],
        [],
        [],
        [[0, 2, "text", "", "body", 0]],
        {"": {"body": [[[0], 0, 1]], "title": [["Milk", 0, 0]]}},
        [[[[0, 0], [3, 0], [1, 1], [0, 1]], "ab", []]],
    ]


# What is held


def test_deleted_overruled_and_unseen():
    document = Document(ITEM)
    people.create(Editor(document, stamp(0)))
    document.overruled.add(stamp(3))
    document.run(stamp(3), read([{"op": "put", "key": "x", "value": [1, {"a": 2}]}]), has_effect=False)
    Editor(document, stamp(4)).delete_document()
    back = holds(document)
    assert back.deletes == {f"{stamp(4)}:0"}
    assert back.overruled == {stamp(3)}
    assert back.value() is None


def test_characters_that_were_put_back_and_by_whom():
    document = typed("abc", "d")
    back = [{"op": "put", "in": ":text", "elems": [f"{stamp(0)}:2+2"]}]
    gone = [{"op": "del", "in": ":text", "elems": [f"{stamp(0)}:2+3"]}]
    for number, wire in enumerate([gone, back, back, back], 4):
        document.run(stamp(number), read(wire), has_effect=True)
    again = holds(document)
    assert again.value() == {"$text": "dab"}
    assert again.objects[":text"].sequence.content(again.place(f"{stamp(0)}:4")) == "c"


def test_counters_are_exact_and_count_once():
    def act(editor):
        root = editor.document.objects[""]
        editor.put(root, "n", {"$counter": 2**53 - 1})
        counter = editor.document.objects[f"{editor.event}:1"]
        for _ in range(3):
            editor.increment(counter, 2**53 - 1)
        editor.increment(counter, 5, once="x")
        editor.increment(editor.ensure(root, "m", "counter"), 1, once="y")

    counter = holds(edited(act)).objects[f"{stamp(0)}:1"]
    assert counter.total == 4 * (2**53 - 1) + 5


def test_numbers_are_what_they_were():
    values = [2.0**60, -(2.0**70), 0.1, 1e300, 2**53 - 1, True, None, "\u2028\U0001f600"]
    back = holds(edited(lambda editor: editor.insert(editor.ensure_root("list"), 0, values)))
    shown = [element.value for element in back.objects[":list"].visible()]
    assert [(type(value), value) for value in shown] == [(type(value), value) for value in values]


def test_elements_that_were_moved_apart():
    def move(to):
        return [{"op": "move", "in": ":list", "elem": f"{stamp(0)}:2", "after": f"{stamp(0)}:{to}"}]

    document = edited(lambda editor: editor.insert(editor.ensure_root("list"), 0, [*"abcd"]))
    document.run(stamp(2), read(move(3)), has_effect=True)
    document.run(stamp(3), read(move(5)), has_effect=True)
    document.run(stamp(4), read([{"op": "del", "in": ":list", "elems": [f"{stamp(0)}:3"]}]), has_effect=True)
    back = holds(document)
    assert back.value() == ["c", "d", "a"]
    back.run(stamp(5), read([{"op": "del", "in": ":list", "elems": [f"{stamp(0)}:2"]}]), has_effect=True)
    assert back.value() == ["c", "d"]


# Small and fast


def test_a_key_an_event_is_one_run():
    document = Document(ITEM)
    for number, letter in enumerate("hello world"):
        editor = Editor(document, stamp(number))
        text = editor.ensure_root("text")
        editor.splice(text, number, 0, letter)
    columns = json.loads(encode(document))[-1][0][0]
    assert columns == [[0, 1], [2, 1], [1, -10], [0, 0]]
    assert holds(document).value() == {"$text": "hello world"}


def test_many_edits_of_a_few_fields_stay_small():
    document = Document(ITEM)
    for number in range(2_000):
        editor = Editor(document, stamp(number))
        editor.put(document.objects[""], f"field{number % 7}", number)
    assert len(encode(document)) < 1_000


# Never trusted


def test_a_newer_version_is_named():
    with pytest.raises(NewerSchema, match="version 2"):
        decode(ITEM, b"[2,{}]")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[0]", b"[1", b"[1]", b"[01,{}]", b"[[[[", b"[1," + b"[" * 100_000, b"\xff"]
)
def test_what_is_no_snapshot_is_damaged(data):
    with pytest.raises(StoreDamaged):
        decode(ITEM, data)


def test_a_packed_snapshot_is_bounded(monkeypatch):
    monkeypatch.setattr(snapshots, "MAX_SNAPSHOT_BYTES", 1_000)
    with pytest.raises(TooLarge):
        unpack(zlib.compress(bytes(1_000_000)))
    with pytest.raises(TooLarge):
        pack(bytes(1_001))
    assert unpack(pack(bytes(1_000))) == bytes(1_000)


def test_a_damaged_pack_is_told():
    packed = pack(b"[1]")
    for damaged in (packed[:-1], packed + b"x", b"no", b""):
        with pytest.raises(StoreDamaged):
            unpack(damaged)


def whole():
    """A snapshot of everything there is."""
    document = Document(ITEM)
    people.create(Editor(document, stamp(0)))
    editor = Editor(document, stamp(1))
    editor.move(document.objects[f"{stamp(0)}:18"], 0, 1)
    editor.put(editor.ensure(document.objects[""], "more", "map"), "x", {"$text": "deep"})
    editor.increment(document.objects[f"{stamp(0)}:16"], 1, once="x")
    return json.loads(encode(document))


SNAPSHOT = whole()


def change(snapshot, path, value):
    """A snapshot with something else at a path."""
    *way, last = path
    inner = snapshot
    for step in way:
        inner = inner[step]
    inner[last] = value


def row(kind):
    """Where the object of a kind stands in the snapshot."""
    return (7, next(index for index, each in enumerate(SNAPSHOT[7]) if each[2] == kind))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((1, "n"), 0),
        ((3, 0), [5, -1]),
        ((3, 0), [0]),
        ((3, 1, 0), 4096),
        ((3, 2, 0), 9),
        ((3, 3), "zz000000"),
        ((3, 4), "00000000000000zz"),
        ((3, 0, 1), -1),
        ((4,), [[0, 1], [7, 1]]),
        ((4,), [[0, 100_000]]),
        ((5,), [-1]),
        ((6,), [[1]]),
        ((6,), [[10**400, 0, 1]]),
        ((6,), [[{}, 0, 1]]),
        ((6,), [[["/no/name"], 0, 1]]),
        ((6,), [[["/a:map"], 0, 1]]),
        ((6,), [[["/a:map/b:map"], 0, 1]]),
        ((6,), [[["/a:map" * 65], 0, 1]]),
        ((6,), [[["01890000-0000-7000-8000-000000000000:1/a:map"], 0, 1]]),
        ((*row("set"), 2), "sort"),
        ((*row("set"), 3), "/a:set"),
        ((*row("set"), 3), -1),
        ((*row("set"), 3), None),
        ((*row("set"), 4), 5),
        ((*row("list"), 0), 1),
        ((*row("set"), 5), {'"b" ': [[]]}),
        ((*row("set"), 5), {'"b"': []}),
        ((*row("set"), 5), 3),
        ((*row("map"), 5), {"a": []}),
        ((*row("text"), 5), 1),
        ((*row("counter"), 5), [1.5, {}]),
        ((*row("counter"), 5), ["x", {}]),
        ((*row("counter"), 5), [1, {"x": [0, 1, 0.5]}]),
        ((*row("list"), 5, 0), [[0], [19], [4], [0]]),
        ((*row("list"), 5, 1, 0), []),
        ((*row("list"), 5, 1, 0), 9),
        ((8,), {"/a:set": {}, "x": {}}),
        ((9,), []),
        ((9, 0, 0), [[0], [1], [3], [0]]),
        ((9, 0, 0, 0), [9]),
        ((9, 0, 0, 1), [-1]),
        ((9, 0, 0, 3), [2]),
        ((9, 0, 0), [[0], [65_530], [10], [0]]),
        ((9, 0, 0), [[0, 0], [5, -5], [5, 5], [0, 0]]),
        ((9, 0, 0), [[0, 0], [5, -5], [8, -2], [0, 0]]),
        ((9, 0, 0), [[0], [5], [-10], [0]]),
    ],
)
def test_what_contradicts_itself_is_damaged(path, value):
    snapshot = json.loads(json.dumps(SNAPSHOT))
    change(snapshot, path, value)
    with pytest.raises(StoreDamaged):
        decode(ITEM, json.dumps(snapshot).encode()).value()  # a text is read when somebody looks at it


def shaken(dice, value):
    """Changes something somewhere in a snapshot."""
    inner = value
    while isinstance(inner, list | dict) and inner:
        step = dice.randrange(len(inner)) if isinstance(inner, list) else dice.choice(sorted(inner))
        if dice.random() < 0.2 or not isinstance(inner[step], list | dict):
            break
        inner = inner[step]
    if isinstance(inner, list | dict) and inner:
        choices = [
            None,
            True,
            -1,
            0,
            1,
            2,
            2**53,
            2**64,
            "",
            "x",
            [],
            {},
            [[]],
            1.5,
            "/a:map",
            ":list",
            [0],
            [1],
            "/a:map" * 999,
        ]
        inner[step] = dice.choice(choices)


@given(st.integers(0, 2**32))
def test_what_is_damaged_is_refused_or_a_document(seed):
    dice = random.Random(seed)
    snapshot = json.loads(json.dumps(SNAPSHOT))
    for _ in range(dice.randint(1, 3)):
        shaken(dice, snapshot)
    data = json.dumps(snapshot).encode()
    if dice.random() < 0.3:
        data = bytes(byte if dice.random() < 0.99 else dice.randrange(256) for byte in data)
    try:
        written = encode(decode(ITEM, data))
    except (StoreDamaged, NewerSchema):
        return
    holds(decode(ITEM, written))
