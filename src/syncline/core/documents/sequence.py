"""Sequences: what texts and lists are made of.

RGA (Roh et al. 2011, Replicated abstract data types): a sequence of *places*, each inserted after another or at
the start; of those inserted after the same place the greatest name comes first. A child's name is greater than its
parent's, so a new place goes right from its neighbour, past all names greater than its own. Places are never
removed; what stands in one is its *state*, which belongs to the caller.

A name is an event and k, and a place is one integer made of both: a point in a grid of events by k. Neighbours with
equal states whose points lie in a line, along one event or down consecutive events (a key an event), are one *run*.
Three things find a place, and none of them looks at more than a few runs:

- by position: a tree over the runs (a B+-tree whose nodes count what is visible), and a cursor at the last edit;
- by name: the grid is cut into *cells*, 64 k of one event or 64 by 64 for runs that go down, which no run leaves;
- past greater names: each node of the tree also knows the least name below it.

Which events exist, what a state means and what an element is are left to the document.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as KnownIds
from itertools import chain
from typing import Any, Final, Generic, NamedTuple, TypeVar

C = TypeVar("C", str, tuple[Any, ...])

State = frozenset[str]
"""Names of the puts that stand in a place; a place is visible while there are any."""

ORIGINAL: Final[State] = frozenset({""})
"""The insertion itself stands, and nothing else."""

GONE: Final[State] = frozenset()
"""Nothing stands."""

EVENT: Final = 1 << 16
"""From a place to the one with the same k in the next event: the stride of a run down the events."""

CELL: Final = 64
FANOUT: Final = 32
STEPS: Final = 4
"""How many runs a cursor goes on by itself before the tree is asked."""


class Events:
    """The events of one document, numbered as they come, so that a name is one integer: ``number << 16 | k``.

    ``known``: the first of them, with ascending ids, each of which is read only when it is needed.
    """

    def __init__(self, known: KnownIds[str] = ()) -> None:
        self._known = known
        self._ids: list[str | None] = [None] * len(known)
        self._numbers: dict[str, int] = {}

    @property
    def ids(self) -> list[str]:
        """All ids, by number."""
        return list(map(self.id, range(len(self._ids))))

    def index(self, id: str) -> int:
        """The number of an event; a new one if it has none."""
        number = self.find(id)
        if number is None:
            number = self._numbers[id] = len(self._ids)
            self._ids.append(id)
        return number

    def find(self, id: str) -> int | None:
        """The number of an event; None if it has none."""
        number = self._numbers.get(id)
        if number is None and self._known:
            number = bisect_left(self._known, id)
            if number == len(self._known) or self.id(number) != id:
                return None
            self._numbers[id] = number
        return number

    def id(self, number: int) -> str:
        """The id of an event."""
        id = self._ids[number]
        if id is None:
            id = self._ids[number] = self._known[number]
        return id

    def name(self, place: int) -> tuple[str, int]:
        """Event id and k of a place: names are ordered as these pairs are."""
        return self.id(place >> 16), place % EVENT

    def less(self, one: int, other: int) -> bool:
        """Whether the name of one place is less than that of another."""
        if one >> 16 == other >> 16 or max(one, other) >> 16 < len(self._known):
            return one < other
        return self.id(one >> 16) < self.id(other >> 16)

    def least(self, places: list[int]) -> int:
        """The place of the least name."""
        return min(places) if max(places) >> 16 < len(self._known) else min(places, key=self.name)

    def ranks(self) -> list[int]:
        """For each number, the number that its event would have if they had come in order of their ids."""
        ids = self.ids
        ranks = [0] * len(ids)
        for rank, number in enumerate(sorted(range(len(ids)), key=ids.__getitem__)):
            ranks[number] = rank
        return ranks


class Change(NamedTuple):
    """Neighbours that changed state: ``position`` counts the visible elements before them, as things stood then."""

    place: int
    position: int
    content: Any
    was_visible: bool
    is_visible: bool


class Run(Generic[C]):
    """Neighbours in one state: places ``first``, ``first + stride``, …, in ascending order of names."""

    __slots__ = ("content", "first", "next", "parent", "state", "stride", "visible")

    def __init__(self, first: int, stride: int, content: C, state: State) -> None:
        self.first = first
        self.stride = stride
        self.content: C = content
        self.state = state
        self.visible = len(content) if state else 0
        self.next: Run[C] | None = None
        self.parent: Node[C]


class Node(Generic[C]):
    """A node of the tree: its children (runs or nodes), what is visible below it, and the least place there.

    Where the tree begins, the least place means nothing, and nobody asks: one looks only at what comes after a run.
    """

    __slots__ = ("children", "first", "parent", "visible")

    def __init__(self, children: list[Any], first: int) -> None:
        self.parent: Node[C] | None = None
        self.children = children
        self.first = first
        self.visible: int = sum(child.visible for child in children)
        for child in children:
            child.parent = self


class Sequence(Generic[C]):
    """A sequence of characters (``empty`` is ``""``) or of anything (``empty`` is ``()``).

    A position counts visible elements; one that is not there raises IndexError. A place that is not there raises
    KeyError when it is asked about; ops that name one, ``insert`` and ``change``, pass over it. Not for several
    threads, not even to read: reading moves the cursor.
    """

    def __init__(self, events: Events, empty: C) -> None:
        self._events = events
        self._empty: C = empty
        self._cells: dict[int, list[Run[C]]] = {}
        self._head: Run[C] = Run(-1, 1, empty, GONE)  # holds no place: a start, so that every run has one before it
        self._root: Node[C] = Node([self._head], -1)
        self._near: Run[C] = self._head  # the cursor: a run, and how many visible elements come before it
        self._before_near = 0

    @classmethod
    def of(cls, events: Events, empty: C, runs: Iterable[tuple[int, int, C, State]]) -> Sequence[C]:
        """The sequence of these ``runs``, whose events are numbered as in ``events``."""
        sequence = cls(events, empty)
        last = sequence._head
        children: list[Any] = [last]
        for first, stride, content, state in runs:
            for start, stop in _in_cells(first, stride, len(content)):
                run = last.next = Run(first + start * stride, stride, content[start:stop], state)
                children.append(run)
                sequence._file(run)
                last = run
        filled = FANOUT * 3 // 4  # a little room is left in each
        while len(children) > FANOUT:
            parts = [children[at : at + filled] for at in range(0, len(children), filled)]
            children = [Node(part, sequence._least(part)) for part in parts]
        sequence._root = Node(children, children[0].first)
        return sequence

    # Reading

    def __len__(self) -> int:
        return self._root.visible

    def __iter__(self) -> Iterator[tuple[int, Any, bool]]:
        """Every place in order: place, element, and whether it is visible."""
        for run in self._runs():
            for offset, element in enumerate(run.content):
                yield run.first + offset * run.stride, element, bool(run.state)

    def visible(self, start: int = 0, stop: int | None = None) -> C:
        """The visible elements of a slice."""
        start, stop, _ = slice(start, stop).indices(len(self))
        pieces = self._pieces(start, max(stop, start))
        return _concatenated((run.content[offset : offset + count] for run, offset, count in pieces), self._empty)

    def content_at(self, position: int) -> Any:
        """The element at a position."""
        run, offset = self._seek(position)
        return run.content[offset]

    def place_at(self, position: int) -> int:
        """The place at a position."""
        run, offset = self._seek(position)
        return run.first + offset * run.stride

    def before(self, position: int) -> int | None:
        """The place to insert after, so that the new one comes to a position; None: the start."""
        return self.place_at(position - 1) if position else None

    def places(self, position: int, count: int) -> list[tuple[int, int]]:
        """The places at ``count`` positions, as (first place, how many consecutive k)."""
        pieces = self._pieces(position, position + count)
        return _by_k((run.first + offset * run.stride, run.stride, many) for run, offset, many in pieces)

    def position(self, place: int) -> int:
        """How many visible elements come before a place."""
        run = self._run(place)
        return _visible_before(run) + (_offset(run, place) if run.state else 0)

    def holds(self, place: int) -> bool:
        """Whether a place is there, visible or not."""
        return self._find(place) is not None

    def is_visible(self, place: int) -> bool:
        """Whether anything stands in a place."""
        return bool(self._run(place).state)

    def state_of(self, place: int) -> State:
        """What stands in a place."""
        return self._run(place).state

    def content(self, place: int) -> C:
        """What was inserted in a place, as a sequence of one."""
        run = self._run(place)
        offset = _offset(run, place)
        return run.content[offset : offset + 1]

    def runs(self, ranks: list[int] | None = None) -> Iterator[tuple[int, int, C, State]]:
        """The longest runs in order, as (first place, stride, content, state); a single place has stride 1.

        They depend on nothing but names, order and states, because events are numbered anew: number n becomes
        ``ranks[n]``, which must ascend with the ids (``Events.ranks`` by default).
        """
        first, stride, count, state, parts = -1, 1, 0, GONE, [self._empty]
        for next_first, next_stride, content, next_state in self._ranked(ranks or self._events.ranks()):
            step = _common_stride(first, stride, count, next_first, 1, 1) if state == next_state else 0
            if step:
                taken = len(content) if next_stride == step else 1
                stride, count = step, count + taken
                parts.append(content[:taken])
                next_first += taken * next_stride
                content = content[taken:]
            if content:
                if count:
                    yield first, stride, _concatenated(parts, self._empty), state
                first, count, state, parts = next_first, len(content), next_state, [content]
                stride = next_stride if count > 1 else 1
        if count:
            yield first, stride, _concatenated(parts, self._empty), state

    # Editing at a position

    def insert_at(self, position: int, first: int, content: C) -> int | None:
        """Inserts new places, ``first`` and the following k, at a position; the place they are inserted after.

        They come exactly there when ``first`` is greater than all names here, as in a local edit.
        """
        run, offset, after = self._head, 0, None
        if position:
            run, offset = self._seek(position - 1)
            after = run.first + offset * run.stride
            offset += 1
        run = self._insert(run, offset, first, 1, content, ORIGINAL)
        if run is not self._near:
            self._near, self._before_near = run, _visible_before(run)
        return after

    def type_at(self, position: int, first: int, content: C) -> bool:
        """What ``insert_at`` does, if the cursor is where these places continue its run; whether it did. A shortcut."""
        run, count = self._near, len(content)
        if run.first + len(run.content) != first or run.stride != 1 or run.state != ORIGINAL:
            return False
        if self._before_near + run.visible != position or not first % CELL or first % CELL + count > CELL:
            return False
        run.content += content
        run.visible += count
        _count(run.parent, count)
        return True

    def states_at(self, position: int, count: int) -> set[State]:
        """The states of ``count`` positions."""
        return {run.state for run, _, _ in self._pieces(position, position + count)}

    def delete_at(self, position: int, count: int) -> list[tuple[int, int]]:
        """Leaves nothing standing at ``count`` positions; the places that were there, as ``places`` gives them."""
        if not 0 <= position <= len(self) - count:
            raise IndexError(position)
        deleted = []
        while count > 0:
            run, offset = self._seek(position)
            many = min(count, run.visible - offset)
            deleted.append((run.first + offset * run.stride, run.stride, many))
            self._set(run, offset, offset + many, GONE)
            count -= many
        return _by_k(deleted)

    # Editing by name

    def insert(self, after: int | None, first: int, content: C, state: State = ORIGINAL, stride: int = 1) -> bool:
        """Inserts ``first``, ``first + stride``, … (names ascend) after a place, or None: at the start; whether it did.

        It does not when ``after`` is unknown, or ``first`` is there already.
        """
        run = self._head if after is None else self._find(after)
        if run is None or self._find(first):
            return False
        self._near, self._before_near = self._head, 0
        self._insert(run, 0 if after is None else _offset(run, after) + 1, first, stride, content, state)
        return True

    def change(self, place: int, count: int, new_state: Callable[[State], State]) -> list[Change]:
        """Gives ``count`` places of one event, k by k, a state made from the one they have; what it changed."""
        self._near, self._before_near = self._head, 0
        changes = []
        for run, start, stop in self._along(place, count):
            state = new_state(run.state)
            if state != run.state:
                position = _visible_before(run) + (start if run.state else 0)
                name, content = run.first + start * run.stride, run.content[start:stop]
                changes.append(Change(name, position, content, bool(run.state), bool(state)))
                self._set(run, start, stop, state)
        return changes

    # Finding

    def _run(self, place: int) -> Run[C]:
        run = self._find(place)
        if run is None:
            raise KeyError(place)
        return run

    def _find(self, place: int) -> Run[C] | None:
        """The run of a place."""
        for run in self._cells.get(_cell(place, 1), ()):
            if 0 <= place - run.first < len(run.content):
                return run
        for run in self._cells.get(_cell(place, EVENT), ()):
            apart = place - run.first
            if apart % EVENT == 0 and 0 <= apart < len(run.content) * EVENT:
                return run
        return None

    def _along(self, place: int, count: int) -> Iterator[tuple[Run[C], int, int]]:
        """Where places of one event are, k by k, as (run, start, stop); unknown ones are passed over."""
        end = min(place + count, place - place % EVENT + EVENT)
        while place < end:
            run = self._find(place)
            many = 1
            if run:
                start = _offset(run, place)
                if run.stride == 1:
                    many = min(end - place, len(run.content) - start)
                yield run, start, start + many
            elif not self._cells.get(_cell(place, 1)) and not self._cells.get(_cell(place, EVENT)):
                many = CELL - place % CELL
            place += many

    def _seek(self, position: int) -> tuple[Run[C], int]:
        """The run of a position, and the position within it. The cursor moves there."""
        run, before = self._near, self._before_near
        for _ in range(STEPS if before <= position else 0):
            if position < before + run.visible:
                self._near, self._before_near = run, before
                return run, position - before
            if run.next is None:
                break
            before += run.visible
            run = run.next
        return self._descend(position)

    def _descend(self, position: int) -> tuple[Run[C], int]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        node: Any = self._root
        offset = position
        while isinstance(node, Node):
            children = iter(node.children)
            node = next(children)
            while offset >= node.visible:
                offset -= node.visible
                node = next(children)
        self._near, self._before_near = node, position - offset
        return node, offset

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[Run[C], int, int]]:
        """What is visible between two positions, as (run, offset, count)."""
        while start < stop:
            run, offset = self._seek(start)
            count = min(stop - start, run.visible - offset)
            yield run, offset, count
            start += count

    def _runs(self) -> Iterator[Run[C]]:
        run = self._head.next
        while run:
            yield run
            run = run.next

    def _ranked(self, ranks: list[int]) -> Iterator[tuple[int, int, C, State]]:
        """The runs, their events numbered by rank; a run down events that are not consecutive then comes in places."""
        for run in self._runs():
            number, k, count = run.first >> 16, run.first % EVENT, len(run.content)
            if run.stride == 1 or ranks[number + count - 1] - ranks[number] == count - 1:
                yield ranks[number] << 16 | k, run.stride, run.content, run.state
                continue
            for offset, rank in enumerate(ranks[number : number + count]):
                yield rank << 16 | k, 1, run.content[offset : offset + 1], run.state

    # Changing runs

    def _insert(self, run: Run[C], offset: int, first: int, stride: int, content: C, state: State) -> Run[C]:
        """Inserts after the first ``offset`` places of a run, by RGA's rule; the last run it is in."""
        if offset < len(run.content) and self._events.less(run.first + offset * run.stride, first):
            self._split(run, offset)
        else:
            run = self._last_greater(run, first)
        return self._append(run, first, stride, content, state)

    def _last_greater(self, run: Run[C], first: int) -> Run[C]:
        """The last run before the first name, after this run, that is less."""
        if run.next is None or self._events.less(run.next.first, first):
            return run
        last = self._skip(_following(run), first, run)
        while isinstance(last, Node):
            last = last.children[-1]
        greater: Run[C] = last
        return greater

    def _skip(self, nodes: Iterable[Any], first: int, last: Any) -> Any:
        """The last run or whole node before the first name that is less, or else ``last``."""
        for node in nodes:
            if self._events.less(node.first, first):
                return self._skip(node.children, first, last) if isinstance(node, Node) else last
            last = node
        return last

    def _append(self, run: Run[C], first: int, stride: int, content: C, state: State) -> Run[C]:
        """Puts places right after a run, cell by cell; the last run they are in."""
        for start, stop in _in_cells(first, stride, len(content)):
            run = self._append_in_cell(run, first + start * stride, stride, content[start:stop], state)
        return run

    def _append_in_cell(self, run: Run[C], first: int, stride: int, content: C, state: State) -> Run[C]:
        _count(run.parent, len(content) if state else 0)
        step = self._joint(run, first, stride, len(content), state)
        if step:
            self._lengthen(run, step, content)
            return run
        new = Run(first, stride, content, state)
        self._link(run, new)
        return new

    def _joint(self, run: Run[C], first: int, stride: int, count: int, state: State) -> int:
        """The stride of the one run that this run and the next would make; 0: they make none."""
        if run.state != state:
            return 0
        step = _common_stride(run.first, run.stride, len(run.content), first, stride, count)
        cell = step * CELL
        if not step or run.first // cell != (first + (count - 1) * step) // cell:
            return 0
        return step if step == 1 or self._events.less(first - step, first) else 0

    def _lengthen(self, run: Run[C], stride: int, content: C) -> None:
        if run.stride != stride:
            self._cells[_cell(run.first, run.stride)].remove(run)
            run.stride = stride
            self._file(run)
        run.content += content
        if run.state:
            run.visible = len(run.content)

    def _split(self, run: Run[C], offset: int) -> Run[C]:
        """Cuts a run in two; the right one."""
        right = Run(run.first + offset * run.stride, run.stride, run.content[offset:], run.state)
        run.content = run.content[:offset]
        run.visible -= right.visible
        self._link(run, right)
        return right

    def _set(self, run: Run[C], start: int, stop: int, state: State) -> None:
        """Gives a part of a run a state. It is joined to its neighbours in the same leaf, where they continue."""
        if start and stop == len(run.content) and self._pass_on(run, start, state):
            return
        if stop < len(run.content):
            self._split(run, stop)
        if start:
            run = self._split(run, start)
        visible = len(run.content) if state else 0
        _count(run.parent, visible - run.visible)
        run.state, run.visible = state, visible
        siblings = run.parent.children
        index = siblings.index(run)
        if index + 1 < len(siblings):
            self._join(run, siblings[index + 1])
        if index:
            self._join(siblings[index - 1], run)

    def _pass_on(self, run: Run[C], start: int, state: State) -> bool:
        """Gives the end of a run to the next, if that continues it in this state; whether it did. Backspace does so."""
        right, first, count = run.next, run.first + start, len(run.content) - start
        if right is None or right.parent is not run.parent or right.state != state or run.stride != 1:
            return False
        if right.stride != 1 or right.first != first + count or right.first // CELL != first // CELL:
            return False
        change = (count if state else 0) - (count if run.state else 0)
        right.first, right.content = first, run.content[start:] + right.content
        run.content = run.content[:start]
        run.visible, right.visible = len(run.content) if run.state else 0, len(right.content) if state else 0
        _count(run.parent, change)
        return True

    def _join(self, left: Run[C], right: Run[C]) -> None:
        step = self._joint(left, right.first, right.stride, len(right.content), right.state)
        if not step:
            return
        if self._near is right:
            self._near = left  # the cursor is here only in delete_at, so that nothing of either is visible
        self._lengthen(left, step, right.content)
        self._cells[_cell(right.first, right.stride)].remove(right)
        right.parent.children.remove(right)
        left.next = right.next

    def _file(self, run: Run[C]) -> None:
        cell = _cell(run.first, run.stride)
        if cell in self._cells:
            self._cells[cell].append(run)
        else:
            self._cells[cell] = [run]

    def _link(self, run: Run[C], new: Run[C]) -> None:
        """Puts a run after another. What the nodes count is the caller's to correct, before."""
        self._file(new)
        run.next, new.next = new, run.next
        leaf = new.parent = run.parent
        leaf.children.insert(leaf.children.index(run) + 1, new)
        node: Node[C] | None = leaf
        while node and self._events.less(new.first, node.first):
            node.first = new.first
            node = node.parent
        if len(leaf.children) > FANOUT:
            self._halve(leaf)

    def _halve(self, node: Node[C]) -> None:
        children = node.children[FANOUT // 2 :]
        del node.children[FANOUT // 2 :]
        right: Node[C] = Node(children, self._least(children))
        node.visible -= right.visible
        node.first = self._least(node.children)
        parent = right.parent = node.parent
        if parent is None:
            self._root = Node([node, right], self._least([node, right]))
            return
        parent.children.insert(parent.children.index(node) + 1, right)
        if len(parent.children) > FANOUT:
            self._halve(parent)

    def _least(self, nodes: list[Any]) -> int:
        places: list[int] = [node.first for node in nodes]
        return self._events.least(places)


def _common_stride(first: int, stride: int, count: int, next_first: int, next_stride: int, next_count: int) -> int:
    """The stride of the one line that two lines of places make; 0: they make none."""
    step = stride if count > 1 else next_first - first
    if first + count * step != next_first or (next_count > 1 and next_stride != step):
        return 0
    return step if step == EVENT or (step == 1 and next_first % EVENT) else 0


def _cell(place: int, stride: int) -> int:
    """The cell of a place in a run of this stride; those of runs down the events are negative."""
    return place // CELL if stride == 1 else ~((place >> 16) // CELL << 16 | place % EVENT // CELL)


def _in_cells(first: int, stride: int, count: int) -> list[tuple[int, int]]:
    """The parts of a line of places that lie in a cell each, as (start, stop)."""
    room = CELL - first // stride % CELL
    if count <= room:
        return [(0, count)]
    return [(0, room), *((start, min(start + CELL, count)) for start in range(room, count, CELL))]


def _offset(run: Run[C], place: int) -> int:
    return (place - run.first) // run.stride


def _count(node: Node[C] | None, change: int) -> None:
    """Adds to what is visible below a node and those above it."""
    while node:
        node.visible += change
        node = node.parent


def _visible_before(run: Run[C]) -> int:
    node: Any = run
    before = 0
    while node.parent:
        siblings = node.parent.children
        for sibling in siblings[: siblings.index(node)]:
            before += sibling.visible
        node = node.parent
    return before


def _following(run: Run[C]) -> Iterator[Any]:
    """What comes after a run, in as few runs and nodes as can be."""
    node: Any = run
    while node.parent:
        siblings = node.parent.children
        yield from siblings[siblings.index(node) + 1 :]
        node = node.parent


def _by_k(lines: Iterable[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Lines of places, as (first, stride, count), put as (first place, how many consecutive k)."""
    pieces: list[tuple[int, int]] = []
    for first, stride, count in lines:
        row = [(first, count)] if stride == 1 else [(first + each * EVENT, 1) for each in range(count)]
        for place, many in row:
            if pieces and sum(pieces[-1]) == place and place % EVENT:
                place, many = pieces[-1][0], pieces.pop()[1] + many
            pieces.append((place, many))
    return pieces


def _concatenated(parts: Iterable[C], empty: C) -> C:
    if isinstance(empty, str):
        return "".join(parts)
    return tuple(chain.from_iterable(parts))
