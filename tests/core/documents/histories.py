"""Random histories of one document: replicas that edit apart, pull a part of the log, push, and edit on.

``history(seed)`` is the same history for the same seed. Every edit goes through an ``Editor``, as a program's would;
what comes out are events and, for each, the events its author had seen.
"""

import random
from collections.abc import Iterable
from typing import Any, NamedTuple

from syncline.core.documents.assign import assign
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import COUNTER, KINDS, LIST, MAP, SET, TEXT
from syncline.core.documents.objects import CounterObject, List, Map, SetObject, Standing, TextObject
from syncline.core.documents.policies import LAST_WRITE_WINS, MANUAL, MERGE, SERVER_WINS
from syncline.core.events import Event
from syncline.core.stamps import Stamp, node_hash

ITEM = "task.milk"
NOW = 1_700_000_000_000
NODES = ("n1", "n2", "n3", "n4", "n5")
LEAST = {node: node_hash(node) for node in NODES}
KEYS = ("a", "b", "a/~1", "", "$c", "😀", "\ue000", "__proto__", "10", "9")
SCALARS = (None, True, False, 0, 1, -2.5, 1e300, "", "x", "$x", "/a:map", "é😀")
CHARACTERS = "aé€😀\U0010ffff\n"
MEMBERS = (1, True, "1", None, [1], {"$text": "t"}, {"b": 1, "a": 2}, "😀", "\ue000")


class History(NamedTuple):
    """Events in order of seq, the policy in force at each, what its author had seen, and what each replica ended as."""

    seed: int
    events: list[Event]
    policies: list[str]
    causes: list[frozenset[str]]
    replicas: list[Document]

    @property
    def has_order(self) -> bool:
        """Whether the order of seq matters."""
        return SERVER_WINS in self.policies

    def fold(self, places: Iterable[int]) -> Document:
        """The document of these events, in this order."""
        document = Document(ITEM)
        for place in places:
            document.fold(self.events[place], policy=self.policies[place])
        return document

    def order(self, dice: random.Random) -> list[int]:
        """An order of arrival that keeps causes before effects, some events twice."""
        if self.has_order:
            places = list(range(len(self.events)))
        else:
            places, arrived, waiting = [], set(), list(range(len(self.events)))
            while waiting:
                place = dice.choice([place for place in waiting if self.causes[place] <= arrived])
                waiting.remove(place)
                arrived.add(self.events[place].id)
                places.append(place)
        for _ in range(dice.randrange(4)):
            first = dice.randrange(len(places))
            places.insert(dice.randint(first, len(places)), places[first])
        return places


class Memory:
    """Hears what ever stood in the slots of maps and elements, so that it can be put back."""

    def __init__(self) -> None:
        self.puts: dict[tuple[str, Any], dict[str, Standing]] = {}

    def before(self, target: Any) -> None:
        pass

    def slot(self, target: Any, key: str, before: Any, after: Any) -> None:
        self._keep((type(target).__name__ + target.name, key), after)

    def element(self, target: Any, element: Any, before: Any) -> None:
        self._keep((target.name, element.place), element.puts)
        self._keep((target.name, ~element.place), element.homes)

    def _keep(self, place: tuple[str, Any], slot: Any) -> None:
        known = self.puts.setdefault(place, {})
        for put in slot:
            known.setdefault(put.origin, put)


class Replica:
    """One node: a prefix of the log, and its own events on top."""

    def __init__(self, node: str, is_ordered: bool) -> None:
        self.node, self.is_ordered = node, is_ordered
        self.document = Document(ITEM)
        self.own: list[Event] = []
        self.pushed = self.seen = self.time = 0
        self.memory = Memory()

    def pull(self, log: list[Event], policies: list[str], upto: int) -> None:
        """Takes the log up to a seq; where the order counts, its own later events are folded anew, on top."""
        if self.is_ordered:
            self.document, self.memory = Document(ITEM), Memory()
        for place in range(0 if self.is_ordered else self.seen, upto):
            self.document.fold(log[place], policy=policies[place], observer=self.memory)
            self.time = max(self.time, int(log[place].id[:8] + log[place].id[9:13], 16))
        self.seen = max(self.seen, upto)
        for event in self.own if self.is_ordered else ():
            self.document.fold(event, policy=policies[min(upto, len(policies) - 1)], observer=self.memory)

    def edit(self, dice: random.Random) -> Event:
        """One event of a few edits."""
        self.time = max(NOW, self.time + 1)
        stamp = str(Stamp(self.time, 0, LEAST[self.node], 0))
        editor = Editor(self.document, stamp, observer=self.memory)
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            change(dice, editor, self.memory)
        n = len(self.own) + 1
        self.document.clock[self.node] = n
        clock = {**self.document.clock}
        value = {"action": "edit", "clock": clock, "id": stamp, "item": ITEM, "node": self.node, "ops": editor.wire()}
        self.own.append(Event.of(value))
        return self.own[-1]


def history(seed: int) -> History:
    """The history of a seed."""
    dice = random.Random(seed)
    policy = dice.choice((MERGE, MERGE, LAST_WRITE_WINS, MANUAL, SERVER_WINS, "changing"))
    edits = dice.choice((3, 5, 8, 8, 12))
    policies = [policy if policy != "changing" else dice.choice((MERGE, SERVER_WINS)) for _ in range(edits)]
    replicas = [Replica(node, SERVER_WINS in policies) for node in NODES[: dice.choice((2, 2, 3, 5))]]
    log: list[Event] = []
    seen: dict[str, frozenset[str]] = {}
    for _ in range(edits):
        replica = dice.choice(replicas)
        if log and dice.random() < 0.6:
            replica.pull(log, policies, dice.randint(replica.seen, len(log)))
        before = frozenset(event.id for event in (*log[: replica.seen], *replica.own))
        seen[replica.edit(dice).id] = before
        if dice.random() < 0.6:
            _push(replica, log)
    for replica in replicas:
        _push(replica, log)
    for replica in replicas:
        replica.pull(log, policies, len(log))
    return History(seed, log, policies, [seen[event.id] for event in log], [each.document for each in replicas])


def _push(replica: Replica, log: list[Event]) -> None:
    log += replica.own[replica.pushed :]
    replica.pushed = len(replica.own)


# Edits


def a_value(dice: random.Random, depth: int = 0) -> Any:
    """A value as it travels."""
    roll = dice.random()
    if roll < 0.4 or depth > 2:
        return dice.choice(SCALARS)
    if roll < 0.55:
        members = {dice.choice(KEYS): a_value(dice, depth + 1) for _ in range(dice.randrange(3))}
        return {"$map": members} if "$c" in members else members
    if roll < 0.7:
        return [a_value(dice, depth + 1) for _ in range(dice.randrange(3))]
    if roll < 0.85:
        return {"$text": a_text(dice)}
    return {"$counter": dice.randint(-9, 9)} if roll < 0.93 else {"$set": dice.sample(MEMBERS, dice.randrange(3))}


def a_text(dice: random.Random) -> str:
    return "".join(dice.choices(CHARACTERS, k=dice.choice((0, 1, 2, 5))))


def change(dice: random.Random, editor: Editor, memory: Memory) -> None:
    """One edit of something that shows, or did."""
    document = editor.document
    roll = dice.random()
    if roll < 0.06:
        editor.delete_document()
    elif roll < 0.12 or (document.deletes and roll < 0.5):
        editor.restore_document()
    elif roll < 0.15:
        _change_root(dice, editor, memory)
    else:
        known = list(document.objects.values())
        shown = [target for target in known if document.is_visible(target)]
        target = dice.choice(shown if shown and dice.random() < 0.9 else known)
        _CHANGES[target.kind](dice, editor, target, memory)


def _change_root(dice: random.Random, editor: Editor, memory: Memory) -> None:
    top = editor.document.top
    once = list(memory.puts.get(("Top", ""), {}).values())
    match dice.randrange(4):
        case 0:
            editor.put_root(a_value(dice))
        case 1:
            editor.ensure_root(dice.choice(sorted(KINDS)))
        case 2 if top.slots:
            editor.clear(top, "")
        case 3 if once:
            editor.put_back(top, "", dice.choice(once))


def _change_map(dice: random.Random, editor: Editor, target: Map, memory: Memory) -> None:
    key = dice.choice(list(target.slots)) if target.slots and dice.random() < 0.5 else dice.choice(KEYS)
    once = list(memory.puts.get(("Map" + target.name, key), {}).values())
    match dice.randrange(8):
        case 0 if key in target.slots:
            editor.delete(target, key)
        case 1 | 2:
            editor.ensure(target, key, dice.choice(sorted(KINDS)))
        case 3 | 4 if once:
            editor.put_back(target, key, dice.choice(once))
        case 5:
            assign(editor, target, key, a_value(dice))
        case _:
            editor.put(target, key, a_value(dice))


def _change_list(dice: random.Random, editor: Editor, target: List, memory: Memory) -> None:
    length = len(target.sequence)
    roll = dice.randrange(10)
    if roll < 2 and target.elements:
        _put_back_element(dice, editor, target, memory)
    elif not length or roll < 4:
        editor.insert(target, dice.randint(0, length), [a_value(dice, 1) for _ in range(dice.randrange(3))])
    elif roll < 6:
        index = dice.randrange(length)
        editor.remove(target, index, dice.randint(0, min(2, length - index)))
    elif roll < 8:
        editor.move(target, dice.randrange(length), dice.randrange(length))
    elif roll < 9:
        editor.put_at(target, dice.randrange(length), a_value(dice, 1))
    else:
        assign(editor, target, dice.randrange(length), a_value(dice, 1))


def _put_back_element(dice: random.Random, editor: Editor, target: List, memory: Memory) -> None:
    element = dice.choice(list(target.elements.values()))
    puts = list(memory.puts.get((target.name, element.place), {}).values())
    homes = list(memory.puts.get((target.name, ~element.place), {}).values())
    if puts and dice.random() < 0.5:
        editor.put_back_at(target, element, dice.choice(puts))
    elif homes:
        editor.move_back(target, element, dice.choice(homes))


def _change_text(dice: random.Random, editor: Editor, target: TextObject, memory: Memory) -> None:
    length = len(target.sequence)
    gone = [place for place, _, is_visible in target.sequence if not is_visible]
    if gone and dice.random() < 0.25:
        first = dice.randrange(len(gone))
        editor.put_back_characters(target, gone[first : first + 3])
        return
    start = dice.randint(0, length)
    editor.splice(target, start, dice.randint(0, min(3, length - start)), a_text(dice))


def _change_counter(dice: random.Random, editor: Editor, target: CounterObject, memory: Memory) -> None:
    editor.increment(target, dice.choice((1, -1, 5, 2**53 - 1)), dice.choice((None, None, "once", "twice")))


def _change_set(dice: random.Random, editor: Editor, target: SetObject, memory: Memory) -> None:
    (editor.add if dice.random() < 0.6 else editor.discard)(target, dice.choice(MEMBERS))


_CHANGES: dict[str, Any] = {
    MAP: _change_map,
    LIST: _change_list,
    TEXT: _change_text,
    COUNTER: _change_counter,
    SET: _change_set,
}
