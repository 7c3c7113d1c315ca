import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.core.documents import sequence as module
from syncline.core.documents.sequence import EVENT, GONE, ORIGINAL, Change, Events, Sequence

LETTERS = "abcdefghé\u0416\ud7ff\U0001f600\U0010ffff"
AUTHORS = 3


@contextmanager
def small_parts() -> Iterator[None]:
    """Small cells and nodes, so that short texts fill many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CELL", 4)
        patch.setattr(module, "FANOUT", 4)
        patch.setattr(module, "STEPS", 2)
        yield


def gone(_state):
    return GONE


# The same thing with lists and long walks


class Naive:
    """RGA as the paper has it: elements are [name, content, state], names (event, k)."""

    def __init__(self):
        self.elements = []

    @property
    def shown(self):
        return [each for each in self.elements if each[2]]

    def insert(self, after, event, k, content, state=ORIGINAL):
        index = [each[0] for each in self.elements].index(after) + 1 if after else 0
        for name, element in zip([(event, k + n) for n in range(len(content))], content, strict=True):
            while index < len(self.elements) and self.elements[index][0] > name:
                index += 1
            self.elements.insert(index, [name, element, state])
            index += 1

    def change(self, event, k, many, new_state):
        for each in self.elements:
            if each[0][0] == event and k <= each[0][1] < k + many:
                each[2] = new_state(each[2])

    def runs(self):
        """The longest runs: names, content, state."""
        ranks = {event: rank for rank, event in enumerate(sorted({name[0] for name, _, _ in self.elements}))}
        runs, steps = [], ()
        for (event, k), element, state in self.elements:
            point = ranks[event], k
            if runs and state == runs[-1][2]:
                step = point[0] - runs[-1][0][-1][0], point[1] - runs[-1][0][-1][1]
                if step in steps:
                    steps = (step,)
                    runs[-1][0].append(point)
                    runs[-1][1].append(element)
                    continue
            steps = (0, 1), (1, 0)
            runs.append(([point], [element], state))
        return runs


class Author:
    """One who edits a sequence of its own and hears of the others' edits."""

    def __init__(self, name, empty=""):
        self.name = name
        self.events = Events()
        self.sequence = Sequence(self.events, empty)
        self.naive = Naive()
        self.known = {}  # op: the ops its author knew
        self.stamp = 0
        self.event = None  # goes on until something is heard
        self.k = 0

    def place(self, name):
        return self.events.index(name[0]) << 16 | name[1]

    def content(self, text):
        return text if self.sequence._empty == "" else tuple(text)

    def record(self, op):
        self.known[op] = frozenset(self.known)

    def write(self, position, text, *, anew):
        if anew or self.event is None:
            self.stamp, self.k = self.stamp + 1, 0
            self.event = f"{self.stamp:06}-{self.name}"
        position %= len(self.sequence) + 1
        after = self.naive.shown[position - 1][0] if position else None
        assert self.sequence.before(position) == (self.place(after) if after else None)
        returned = self.sequence.insert_at(position, self.place((self.event, self.k)), self.content(text))
        assert returned == (self.place(after) if after else None)
        self.naive.insert(after, self.event, self.k, text)
        self.record(("insert", after, self.event, self.k, text))
        self.k += len(text)

    def delete(self, position, many):
        position %= len(self.sequence) + 1
        many = min(many, len(self.sequence) - position)
        doomed = self.naive.shown[position : position + many]
        seen = frozenset().union(*(state for _, _, state in doomed))
        places = self.sequence.places(position, many)
        assert self.sequence.delete_at(position, many) == places
        names = [(*self.events.name(first), number) for first, number in places]
        assert [(event, k + n) for event, k, number in names for n in range(number)] == [each[0] for each in doomed]
        for event, k, number in names:
            self.naive.change(event, k, number, lambda state: state - seen)
            self.record(("change", event, k, number, seen, GONE))

    def put_back(self, index, many):
        if self.naive.elements:
            event, k = self.naive.elements[index % len(self.naive.elements)][0]
            many = min(many, 1 + max(name[1] for name, _, _ in self.naive.elements if name[0] == event) - k)
            op = ("change", event, k, many, GONE, frozenset({f"{len(self.known)}-{self.name}"}))
            self.apply(op)
            self.record(op)

    def apply(self, op):
        kind, *what = op
        if kind == "insert":
            after, event, k, text = what
            place = self.place((event, k))
            assert self.sequence.insert(self.place(after) if after else None, place, self.content(text))
            assert not self.sequence.insert(None, place, self.content(text))
            self.naive.insert(after, event, k, text)
            return
        event, k, many, old, new = what
        before = [element for _, element, _ in self.naive.shown]
        for change in self.sequence.change(self.place((event, k)), many, lambda state: state - old | new):
            old_content = list(change.content) if change.was_visible else []
            assert before[change.position :][: len(old_content)] == old_content
            before[change.position : change.position + len(old_content)] = change.content if change.is_visible else []
        self.naive.change(event, k, many, lambda state: state - old | new)
        assert before == [element for _, element, _ in self.naive.shown]

    def hear(self, other):
        for op, seen in other.known.items():
            if op not in self.known:
                self.apply(op)
                self.known[op] = seen
                self.event = None
        self.stamp = max(self.stamp, other.stamp)

    def check(self):
        """Every question has the answer that the naive sequence gives."""
        sequence, elements, shown = self.sequence, self.naive.elements, self.naive.shown
        named = [(self.events.name(place), element, visible) for place, element, visible in sequence]
        assert named == [(name, element, bool(state)) for name, element, state in elements]
        assert sequence.visible() == self.content("".join(element for _, element, _ in shown))
        assert len(sequence) == len(shown)
        before = 0
        for name, element, state in elements:
            place = self.place(name)
            assert sequence.holds(place)
            assert sequence.position(place) == before
            assert sequence.is_visible(place) == bool(state)
            assert sequence.state_of(place) == state
            assert sequence.content(place) == self.content(element)
            before += bool(state)
        for position, (name, element, _) in enumerate(shown):
            assert sequence.place_at(position) == self.place(name)
            assert sequence.content_at(position) == element
        runs = [
            ([divmod(first + offset * stride, EVENT) for offset in range(len(content))], list(content), state)
            for first, stride, content, state in sequence.runs()
        ]
        assert runs == self.naive.runs()
        assert_bounded(sequence)


def assert_bounded(sequence):
    """Nothing grows with the sequence: neither cells, nor runs, nor nodes."""
    assert all(len(run.content) <= module.CELL for run in sequence._runs())
    assert sorted(map(id, sequence._runs())) == sorted(id(run) for cell in sequence._cells.values() for run in cell)
    nodes = [sequence._root]
    for node in nodes:
        assert 1 <= len(node.children) <= module.FANOUT
        assert node.visible == sum(child.visible for child in node.children)
        nodes += [child for child in node.children if isinstance(child, module.Node)]


def play(steps, empty=""):
    """Authors who do as ``steps`` say, and in the end have heard of everything."""
    authors = [Author(name, empty) for name in range(AUTHORS)]
    for who, kind, position, many in steps:
        author = authors[who]
        text = "".join(random.Random(position).choices(LETTERS, k=many))
        if kind == "write":
            author.write(position, text, anew=position % 2)
        elif kind == "type":
            for n, key in enumerate(text):
                author.write(position % (len(author.sequence) + 1) + n, key, anew=True)
        elif kind == "hear":
            author.hear(authors[position % AUTHORS])
        else:
            getattr(author, kind)(position, many)
        assert len(author.sequence) == len(author.naive.shown)
        assert author.sequence._before_near == module._visible_before(author.sequence._near)
    for _ in range(2):
        for author in authors:
            for other in authors:
                author.hear(other)
    return authors


def retold(author, seed):
    """Someone who hears of what an author knows, in another order that respects what each had seen."""
    new, waiting, chance = Author("new", author.sequence._empty), dict(author.known), random.Random(seed)
    while waiting:
        op = chance.choice([op for op, seen in waiting.items() if seen <= new.known.keys()])
        new.apply(op)
        new.known[op] = waiting.pop(op)
    return new


def assert_converged(authors, seed):
    authors = [*authors, retold(authors[0], seed)]
    for author in authors:
        author.check()
        assert list(author.sequence.runs()) == list(authors[0].sequence.runs())
    ranked = Events(sorted(authors[0].events.ids))
    told = authors[0].sequence
    ranked = Events(sorted(authors[0].events.ids))
    rebuilt = Sequence.of(ranked, authors[0].content(""), told.runs())
    assert list(rebuilt.runs(list(range(len(ranked.ids))))) == list(told.runs())
    assert rebuilt.visible() == told.visible()
    assert_bounded(rebuilt)


kinds = st.sampled_from(["write", "write", "type", "delete", "put_back", "hear"])
steps = st.lists(st.tuples(st.integers(0, AUTHORS - 1), kinds, st.integers(0, 200), st.integers(1, 9)), max_size=16)


@given(steps, st.integers(0, 99))
def test_authors_agree_whatever_they_hear_first(steps, seed):
    assert_converged(play(steps), seed)


@settings(max_examples=2 * settings.default.max_examples)
@given(steps, st.integers(0, 99))
def test_authors_agree_across_many_small_parts(steps, seed):
    with small_parts():
        assert_converged(play(steps), seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("empty", ["", ()])
def test_authors_agree_after_long_work(seed, empty):
    chance = random.Random(seed)
    kinds = ["write", "type", "delete", "put_back", *["hear"] * (seed % 2)]
    steps = [
        (chance.randrange(AUTHORS), chance.choice(kinds), chance.randrange(1000), chance.randrange(1, 9))
        for _ in range(60)
    ]
    with small_parts():
        assert_converged(play(steps, empty), seed)


# The rule


def numbered(*ids):
    """Events that came in this order."""
    events = Events()
    for id in ids:
        events.index(id)
    return events


def sequence_of(*texts):
    """A sequence that has one event for each text, one after another."""
    events = numbered(*(f"{n}" for n in range(len(texts))))
    sequence = Sequence(events, "")
    after = None
    for number, text in enumerate(texts):
        assert sequence.insert(after, number << 16, text)
        after = (number << 16) + len(text) - 1
    return sequence


def test_after_the_same_place_the_greatest_name_comes_first():
    events = numbered("a", "c")
    sequence = Sequence(events, "")
    sequence.insert(None, 0 << 16, "x")
    sequence.insert(0, 1 << 16, "later")
    sequence.insert(0, events.index("b") << 16, "between")  # numbered last, but not named last
    assert sequence.visible() == "xlaterbetween"


def test_an_old_name_goes_past_all_that_came_after_it():
    with small_parts():
        events = numbered(*(f"{n:03}" for n in range(1, 200)))
        sequence = Sequence(events, "")
        for number in range(199):
            sequence.insert(None, number << 16, "ab")
        assert sequence.insert(None, events.index("000") << 16, "old")
        assert sequence.visible() == "ab" * 199 + "old"
        assert sequence.insert(150 << 16, events.index("100+") << 16, "z")
        assert sequence.visible() == "ab" * 48 + "a" + "b" + "ab" * 50 + "z" + "ab" * 100 + "old"


def test_words_of_two_who_write_at_one_place_do_not_mix():
    sequence = sequence_of("ab")
    sequence._events.index("2")
    sequence._events.index("1")
    sequence.insert(0, 2 << 16, "one")
    sequence.insert(0, 1 << 16, "two")
    assert sequence.visible() == "atwooneb"


def test_what_is_not_there_is_passed_over():
    sequence = sequence_of("ab")
    assert not sequence.insert(5 << 16, 1 << 16, "x")
    assert not sequence.insert(None, 1, "x")
    assert sequence.change(7, 5, gone) == []
    assert sequence.insert(None, 9, "")
    assert sequence.visible() == "ab"


def test_a_change_finds_what_there_is_of_an_event():
    sequence = Sequence(Events("ab"), "")
    sequence.insert(None, 64, "a")
    sequence.insert(64, 5000, "b")
    sequence.insert(5000, EVENT + 5000, "c")
    sequence.insert(None, EVENT - 1, "z")
    assert [change.content for change in sequence.change(1, EVENT, gone)] == ["a", "b", "z"]
    assert sequence.visible() == "c"


# States


def test_a_change_says_where_it_was_seen():
    sequence = sequence_of("abcdef")
    sequence.insert(2, sequence._events.index("1") << 16, "XY")
    assert sequence.change(1, 4, gone) == [Change(1, 1, "bc", True, False), Change(3, 3, "de", True, False)]
    assert sequence.visible() == "aXYf"
    again = frozenset({"again"})
    assert sequence.change(2, 9, lambda state: state or again) == [
        Change(2, 1, "c", False, True),
        Change(3, 4, "de", False, True),
    ]
    assert sequence.visible() == "acXYdef"
    assert sequence.state_of(3) == again
    assert sequence.state_of(0) == ORIGINAL
    assert sequence.change(3, 1, lambda state: state | {"more"}) == [Change(3, 4, "d", True, True)]


def test_a_change_ends_with_its_event():
    sequence = Sequence(Events("ab"), "")
    sequence.insert(None, EVENT - 2, "xy")
    sequence.insert(EVENT - 1, EVENT, "z")
    assert sequence.places(0, 3) == [(EVENT - 2, 2), (EVENT, 1)]
    assert [run[:3] for run in sequence.runs()] == [(EVENT - 2, 1, "xy"), (EVENT, 1, "z")]
    assert sequence.change(EVENT - 1, 9, gone) == [Change(EVENT - 1, 1, "y", True, False)]


def test_what_was_deleted_in_pieces_is_one_run_again():
    sequence = sequence_of("abcdefgh")
    for position in (3, 2, 2, 4, 0):  # d, then c before it and e after it
        sequence.delete_at(position, 1)
    assert [run[2:] for run in sequence.runs()] == [
        ("a", GONE),
        ("b", ORIGINAL),
        ("cde", GONE),
        ("fg", ORIGINAL),
        ("h", GONE),
    ]
    assert len(list(sequence._runs())) == 5


# Keys with an event each


def test_keys_with_an_event_each_are_one_run():
    sequence = sequence_of(*"hello")
    assert list(sequence.runs()) == [(0, EVENT, "hello", ORIGINAL)]
    assert sequence.places(1, 3) == [(1 << 16, 1), (2 << 16, 1), (3 << 16, 1)]
    assert sequence.change(1 << 16, 3, gone) == [Change(1 << 16, 1, "e", True, False)]
    assert sequence.delete_at(1, 2) == [(2 << 16, 1), (3 << 16, 1)]
    assert list(sequence.runs()) == [(0, 1, "h", ORIGINAL), (1 << 16, EVENT, "ell", GONE), (4 << 16, 1, "o", ORIGINAL)]


def test_a_run_down_the_events_can_be_inserted_at_once():
    sequence = Sequence(Events("abc"), "")
    assert sequence.insert(None, 7, "xyz", GONE, EVENT)
    assert list(sequence) == [(7, "x", False), (EVENT + 7, "y", False), (2 * EVENT + 7, "z", False)]


def test_neighbours_whose_names_descend_are_two_runs():
    events = numbered("b", "a")
    sequence = Sequence(events, "")
    sequence.insert(None, 0, "x")
    sequence.insert(None, EVENT, "y")
    assert sequence.visible() == "xy"
    assert list(sequence.runs()) == [(EVENT, 1, "x", ORIGINAL), (0, 1, "y", ORIGINAL)]
    assert sequence.insert(None, events.index("aa") << 16, "z")
    assert sequence.visible() == "xzy"


def test_runs_do_not_tell_in_what_order_events_were_heard_of():
    events = numbered("a", "c")
    sequence = Sequence(events, "")
    sequence.insert(None, 0, "x")
    sequence.insert(0, EVENT, "y")
    assert [run[:3] for run in sequence.runs()] == [(0, EVENT, "xy")]
    events.index("b")
    assert [run[:3] for run in sequence.runs()] == [(0, 1, "x"), (2 * EVENT, 1, "y")]
    assert [run[:3] for run in sequence.runs([0, 1])] == [(0, EVENT, "xy")]


def test_a_run_takes_the_first_of_the_next_when_that_is_longest():
    sequence = sequence_of("a", "bc")
    assert [run[:3] for run in sequence.runs()] == [(0, EVENT, "ab"), (EVENT + 1, 1, "c")]


# Questions


def test_a_slice_is_one_of_code_points():
    sequence = sequence_of("a\U0001f600", "\U0010ffffz")
    assert sequence.visible(1, 3) == "\U0001f600\U0010ffff"
    assert sequence.visible(-1) == "z"
    assert sequence.visible(3, 1) == ""
    assert sequence.visible(2, 99) == "\U0010ffffz"


def test_a_list_holds_anything():
    sequence = Sequence(Events("ab"), ())
    sequence.insert(None, 0, (1, None))
    sequence.insert_at(1, EVENT, ([2],))
    assert sequence.visible() == (1, [2], None)
    assert sequence.visible(1, 2) == ([2],)
    assert sequence.content(EVENT) == ([2],)


@pytest.mark.parametrize("position", [-1, 3, 99])
def test_a_position_that_is_not_there_is_an_index_error(position):
    sequence = sequence_of("abc")
    for ask in (
        sequence.place_at,
        sequence.content_at,
        lambda at: sequence.places(at, 1),
        lambda at: sequence.delete_at(at, 1),
        lambda at: sequence.insert_at(at + 1 if at > 0 else at, 9, "x"),
    ):
        with pytest.raises(IndexError):
            ask(position)
    with pytest.raises(IndexError):
        sequence.delete_at(1, 3)
    assert sequence.visible() == "abc"


def test_a_place_that_is_not_there_is_a_key_error():
    sequence = sequence_of("abc")
    assert not sequence.holds(3)
    for ask in (sequence.position, sequence.is_visible, sequence.state_of, sequence.content):
        with pytest.raises(KeyError):
            ask(3)


def test_events_of_a_snapshot_are_known_by_their_order():
    events = Events(["a", "c", "e"])
    assert [events.find(id) for id in "aceb0z"] == [0, 1, 2, None, None, None]
    assert [events.index(id) for id in "cbz"] == [1, 3, 4]
    assert events.ids == ["a", "c", "e", "b", "z"]
    assert events.less(0 << 16 | 9, 1 << 16)
    assert events.less(3 << 16, 1 << 16)
    assert not events.less(4 << 16, 2 << 16)
    assert events.least([2 << 16, 1 << 16]) == 1 << 16
    assert events.least([2 << 16, 1 << 16, 3 << 16]) == 3 << 16


def test_events_are_numbered_as_they_come():
    events = numbered("b", "a")
    assert (events.index("b"), events.index("c"), events.find("a"), events.find("d")) == (0, 2, 1, None)
    assert events.ids == ["b", "a", "c"]
    assert events.ranks() == [1, 0, 2]
    assert events.name(2 << 16 | 5) == ("c", 5)
