"""People who edit one document on several devices: a small model of replicas for the tests of undo."""

import random
from dataclasses import dataclass, field
from typing import Any

from syncline.core.documents.assign import assign
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.history import History, Step
from syncline.core.documents.objects import CounterObject, List, Map, Object, Ref, SetObject, TextObject
from syncline.core.documents.undo import Difference, fold_without
from syncline.core.events import Event
from syncline.core.stamps import StampClock

ITEM = "task.milk"
FIRST = {
    "title": "Milk",
    "tags": {"$set": ["shop", "urgent"]},
    "body": {"$text": "two litres"},
    "count": {"$counter": 2},
    "steps": ["go", "pay", {"and": ["back"]}],
    "inner": {"a": 1, "b": {"c": True}},
}


@dataclass
class Log:
    """The log all devices push to and pull from."""

    events: list[Event] = field(default_factory=list)
    now: int = 1_700_000_000_000


class Device:
    """One replica of one person: what it has seen of the log, and what it has not pushed yet."""

    def __init__(self, log: Log, user: str, node: str) -> None:
        self.log, self.user, self.node, self.n = log, user, node, 0
        self.stamps = StampClock(node)
        self.seen = 0
        self.pending: list[Event] = []
        self.document = Document(ITEM)

    @property
    def events(self) -> list[Event]:
        return self.log.events[: self.seen] + self.pending

    def edit(self, act: Any, **meta: str) -> Event:
        """One event: ``act`` gets an Editor."""
        self.log.now += 1
        editor = Editor(self.document, self.stamps.next(self.log.now, self.n))
        act(editor)
        self.n += 1
        clock = {**self.document.clock, self.node: self.n}
        value = {
            "id": editor.event,
            "item": ITEM,
            "action": "edit",
            "node": self.node,
            "user": self.user,
            "clock": clock,
        }
        event = Event.of({**value, "ops": editor.wire(), **({"meta": meta} if meta else {})})
        self.document.clock[self.node] = self.n
        self.pending.append(event)
        return event

    def make(self, act: Any) -> None:
        """An edit that is in the log at once."""
        self.edit(act)
        self.sync()

    def sync(self) -> None:
        """Pulls, then pushes."""
        for event in self.log.events[self.seen :]:
            self.stamps.receive(event.id)
            self.document.fold(event)
        self.log.events += self.pending
        self.pending, self.seen = [], len(self.log.events)

    def undo(self) -> bool:
        return self._step(History(self.events).undo(self.user))

    def redo(self) -> bool:
        return self._step(History(self.events).redo(self.user))

    def _step(self, step: Step | None) -> bool:
        if step is None:
            return False
        target = fold_without(Document(ITEM), self.events, step.left_out, self.document.overruled, about=step.touched)
        self.edit(lambda editor: Difference(editor, target, step.once).touched(step.touched), undoes=step.undoes)
        return True

    def restore(self, seq: int) -> None:
        """Back to what the first ``seq`` events this device knows made."""
        target = Document(ITEM)
        for event in self.events[:seq]:
            target.fold(event)
        if target.is_made:
            self.edit(lambda editor: Difference(editor, target).whole())


def objects(document: Document) -> list[Object]:
    """The objects that show."""
    return [each for each in document.objects.values() if document.is_visible(each)]


def random_edit(dice: random.Random, editor: Editor) -> None:
    """One to three changes of whatever shows."""
    for _ in range(dice.randint(1, 3)):
        shown = objects(editor.document)
        if not shown:
            return
        _change(dice, editor, dice.choice(shown))


def _value(dice: random.Random) -> Any:
    return dice.choice([1, 2, "x", None, True, ["n"], {"m": 1}, {"$text": "new"}, {"$counter": 1}, {"$set": [1]}])


def _change(dice: random.Random, editor: Editor, target: Object) -> None:
    if isinstance(target, Map):
        key = dice.choice("abc") if dice.random() < 0.3 or not target.slots else dice.choice(sorted(target.slots))
        roll = dice.random()
        if roll < 0.2 and key in target.slots:
            editor.delete(target, key)
        elif roll < 0.3:
            editor.ensure(target, key, dice.choice(["set", "map", "text", "counter", "list"]))
        elif roll < 0.4:
            assign(editor, target, key, _value(dice))
        else:
            editor.put(target, key, _value(dice))
    elif isinstance(target, List):
        _change_list(dice, editor, target)
    elif isinstance(target, TextObject):
        position = dice.randint(0, len(target.sequence))
        deleted = min(len(target.sequence) - position, dice.choice([0, 0, 1, 3]))
        editor.splice(target, position, deleted, dice.choice(["", "a", "bc", "😀"]))
    elif isinstance(target, CounterObject):
        editor.increment(target, dice.randint(-3, 3))
    elif isinstance(target, SetObject):
        member = dice.choice(["shop", "urgent", "x", 1])
        (editor.add if dice.random() < 0.5 else editor.discard)(target, member)


def _change_list(dice: random.Random, editor: Editor, target: List) -> None:
    length = len(target.sequence)
    roll = dice.random()
    if not length or roll < 0.4:
        editor.insert(target, dice.randint(0, length), [_value(dice) for _ in range(dice.randint(1, 2))])
    elif roll < 0.6:
        editor.remove(target, dice.randrange(length))
    elif roll < 0.8:
        editor.move(target, dice.randrange(length), dice.randrange(length))
    else:
        editor.put_at(target, dice.randrange(length), _value(dice))


def create(editor: Editor) -> None:
    for key, value in FIRST.items():
        editor.put(_root(editor), key, value)


def _root(editor: Editor) -> Map:
    root = editor.document.objects[Ref("")]
    assert isinstance(root, Map)
    return root


def fold_without_undone(events: list[Event]) -> Document:
    """The oracle: what shows when what is undone, and every undo and redo, is left out of the fold."""
    history = History(events)
    left_out = {
        event.id
        for root, chain in history._chains.items()
        for key in ([root] if not history._standing(root) else []) + chain
        for event in history._events[key]
    }
    return fold_without(Document(ITEM), events, left_out, ())
