"""Random edits as a script: what several replicas of a document do, in words that both languages carry out.

``Game(seed).play()`` makes the script and what came of it in Python: each step's answer, and at the end what every
replica holds and what the log tells. js/test/playing.js carries out the same script. Objects, elements and puts stand
in it by their names, positions in texts as UTF-16 units, sometimes inside a pair.
"""

import copy
import random
from typing import Any

import msgspec

from syncline.core import canonical, patches
from syncline.core.documents import creation, patching, snapshots
from syncline.core.documents.assign import assign
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.history import History, Step
from syncline.core.documents.objects import Element, List, Map, Object, Ref, SetObject, Standing, TextObject
from syncline.core.documents.policies import MERGE, SERVER_WINS
from syncline.core.documents.recorder import Recorder
from syncline.core.documents.revisions import Blame, Placed, blame, replay
from syncline.core.documents.undo import Difference, fold_without
from syncline.core.events import Event
from syncline.core.stamps import StampClock
from syncline.errors import SynclineError
from tests.core import test_patches
from tests.core.documents import histories, people
from tests.core.documents.histories import ITEM, NOW, Memory, a_value

METHODS = {
    "put", "delete", "ensure", "put_root", "ensure_root", "insert", "put_at", "remove", "move", "increment", "add",
    "discard", "delete_document", "create_document", "restore_document", "clear", "put_back", "put_back_at",
    "move_back", "remove_element", "remove_characters", "put_back_characters",
}  # fmt: skip
WHERE = (
    "", "/a", "/b", "/title", "/title/$text", "/body", "/body/$text", "/count", "/steps", "/steps/0", "/steps/2/and/-",
    "/tags/0", "/tags/$set/-", "/$c", "/$map/$c", "/a~1~01",
)  # fmt: skip


class Noted:
    """An editor that notes what it is asked."""

    def __init__(self, editor: Editor) -> None:
        self.editor, self.document, self.event = editor, editor.document, editor.event
        self.calls: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        assert name in METHODS, name

        def call(*arguments: Any) -> Any:
            self.calls.append([name, *map(self._told, arguments)])
            return getattr(self.editor, name)(*arguments)

        return call

    def splice(self, target: TextObject, position: int, deleted: int = 0, inserted: str = "") -> None:
        """In UTF-16 units, and from the middle of a pair if one is there."""
        text = target.sequence.visible()
        start, stop = _units(text[:position]), _units(text[: position + deleted])
        if text[position - 1 : position] > "\uffff" and not deleted:
            start = stop = start - 1  # behind that pair
        if deleted and text[position] > "\uffff":
            start += 1
        if deleted > 1 and text[position + deleted - 1] > "\uffff":
            stop -= 1
        self.calls.append(
            ["splice", self._told(target), *({"value": each} for each in (start, stop - start, inserted))]
        )
        self.editor.splice(target, position, deleted, inserted)

    def assign(self, target: Any, place: Any, value: Any) -> None:
        self.calls.append(["assign", self._told(target), self._told(place), self._told(value)])
        assign(self.editor, target, place, value)

    def create(self, members: Any) -> None:
        self.calls.append(["create", self._told(members)])
        creation.create(self.editor, members)

    def patch(self, how: str, patch: Any) -> None:
        self.calls.append([how, self._told(patch)])
        getattr(patching, how)(self.editor, patch)

    def rebase(self, since: int, base: Document, patch: Any) -> None:
        self.calls.append(["rebase", {"value": since}, self._told(patch)])
        draft = Editor(base, self.event)
        patching.apply(draft, patch)
        patching.rebase(self.editor, draft.ops)

    def _told(self, argument: Any) -> Any:
        name = self.document.name_of
        match argument:
            case Object():
                return {"object": None if argument is self.document.top else argument.name}
            case Element():
                return {"element": name(argument.place)}
            case Standing(value=value):
                put = {"name": argument.name, "origin": argument.origin}
                return {"put": put | ({"ref": str(value)} if type(value) is Ref else {"value": value})}
            case [int(), *_] if all(isinstance(each, int) and each >= 1 << 16 for each in argument):
                return {"places": [name(place) for place in argument]}
        return {"value": copy.deepcopy(argument)}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Both:
    """Tells two observers."""

    def __init__(self, *observers: Any) -> None:
        self.observers = observers

    def before(self, *change: Any) -> None:
        for each in self.observers:
            each.before(*change)

    def slot(self, *change: Any) -> None:
        for each in self.observers:
            each.slot(*change)

    def element(self, *change: Any) -> None:
        for each in self.observers:
            each.element(*change)


class Player:
    """One node: a prefix of the log, and its own events on top."""

    def __init__(self, game: "Game", user: str | None, node: str) -> None:
        self.game, self.user, self.node = game, user, node
        self.stamps = StampClock(node)
        self.document, self.memory = Document(ITEM), Memory()
        self.own: list[Event] = []
        self.pushed = self.seen = 0

    @property
    def events(self) -> list[Event]:
        """What it knows, in order."""
        known = self.game.log[: self.seen]
        ids = {event.id for event in known}
        return [*known, *(event for event in self.own if event.id not in ids)]

    def pull(self, upto: int) -> None:
        """Takes the log up to a seq; where the order counts, everything is folded anew."""
        game = self.game
        for event in game.log[self.seen : upto]:
            self.stamps.receive(event.id)
        if game.is_ordered:
            self.seen = upto
            self.memory = Memory()
            self.document = game.fold(self.events, self.memory)
            return
        for event in game.log[self.seen : upto]:
            self.document.fold(event, observer=self.memory)
        self.seen = upto

    def push(self) -> None:
        self.game.log += self.own[self.pushed :]
        self.pushed = len(self.own)

    def edit(self, act: Any, **meta: str) -> tuple[Event, list[Any], Any]:
        """One event: what it is, what its editor was asked, and what it changed."""
        recorder = Recorder(self.document)
        editor = Editor(self.document, self._next(), observer=Both(self.memory, recorder))
        noted = Noted(editor)
        act(noted)
        n = len(self.own) + 1
        self.document.clock[self.node] = n
        value = {"action": "edit", "clock": {**self.document.clock}, "id": editor.event, "item": ITEM}
        value |= {"node": self.node, "ops": editor.wire()} | ({"user": self.user} if self.user else {})
        event = Event.of(value | ({"meta": meta} if meta else {}))
        self.own.append(event)
        change = recorder.change()
        assert editor.has_changed or not change
        return event, noted.calls, change

    def _next(self) -> str:
        return self.stamps.next(NOW + len(self.own) * 7, len(self.own))

    def step(self, step: Step | None) -> Any:
        """Carries out an undo or redo."""
        if step is None:
            return None
        target = fold_without(Document(ITEM), self.events, step.left_out, self.document.overruled, about=step.touched)
        # the difference is not noted: the other language has to find it
        return self.edit(
            lambda noted: Difference(noted.editor, target, step.once).touched(step.touched), undoes=step.undoes
        )

    def restore(self, seq: int) -> Any:
        target = self.game.fold(self.events[:seq])
        return self.edit(lambda noted: Difference(noted.editor, target).whole()) if target.is_made else None


class Game:
    """A seed's script, and its answers."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.is_ordered = self.dice.random() < 0.25
        self.is_narrow = self.dice.random() < 0.5
        """Whether they mostly edit the same few places, and undo it."""
        self.policy = SERVER_WINS if self.is_ordered else MERGE
        self.log: list[Event] = []
        users = self.dice.choice((["ann", "ann"], ["ann", "ann", "bob"], ["ann", None, "bob"]))
        self.players = [Player(self, user, f"n{number}") for number, user in enumerate([*users, "eve"])]
        self.steps: list[Any] = []
        self.answers: list[Any] = []

    def fold(self, events: list[Event], observer: Any = None) -> Document:
        document = Document(ITEM)
        for event in events:
            document.fold(event, policy=self.policy, observer=observer)
        return document

    def play(self) -> tuple[Any, Any]:
        """The script, and what came of it."""
        if self.dice.random() < 0.8:
            self._begin()
        for _ in range(self.dice.choice((5, 10, 15))):
            self._turn(self.dice.randrange(len(self.players) - 1))
        for _ in range(2):
            for who in range(len(self.players)):
                self._push(who)
                self._pull(who, len(self.log))
        names = [{"user": player.user, "node": player.node} for player in self.players]
        paths = self._paths()
        script = {"item": ITEM, "now": NOW, "policy": self.policy, "isOrdered": self.is_ordered, "people": names}
        return {**script, "steps": self.steps, "paths": paths}, {"answers": self.answers, **self._end(paths)}

    def _begin(self) -> None:
        """A document of all kinds, which everybody has, made by somebody who does nothing else."""
        eve = len(self.players) - 1
        made = self.players[eve].edit(people.create)
        self._note(eve, "edit", made, meta={}, calls=made[1])
        self._push(eve)
        for who in range(len(self.players)):
            self._pull(who, 1)

    def _pull(self, who: int, upto: int) -> None:
        self.players[who].pull(upto)
        self._note(who, "pull", None, upto=upto)

    def _turn(self, who: int) -> None:
        roll, dice, player = self.dice.random(), self.dice, self.players[who]
        if dice.random() < 0.1:
            player.document = snapshots.decode(ITEM, snapshots.encode(player.document))
            self._note(who, "reload", None)
        if self.log and roll < 0.2:
            self._pull(who, dice.randint(player.seen, len(self.log)))
        elif roll < 0.35:
            self._push(who)
        elif roll < (0.6 if self.is_narrow else 0.5) and player.own:
            for do in dice.choice((["undo"], ["redo"], ["undo", "redo"], ["undo", "undo", "redo"])):
                self._note(who, do, player.step(getattr(History(player.events), do)(player.user)))
        elif roll < 0.64 and player.events:
            seq = dice.randint(1, len(player.events))
            self._note(who, "restore", player.restore(seq), seq=seq)
        elif roll < 0.7:
            self._refuse(who)
        else:
            meta = {"group": f"g{len(self.steps) // 3}"} if dice.random() < 0.3 else {}
            meta |= {"tx": "t"} if dice.random() < 0.1 else {}
            made = player.edit(
                lambda noted: [self._edit(player, noted) for _ in range(dice.choice((1, 1, 2, 4)))], **meta
            )
            self._note(who, "edit", made, meta=meta, calls=made[1])

    def _push(self, who: int) -> None:
        self.players[who].push()
        self._note(who, "push", None)

    def _note(self, who: int, do: str, made: Any, **members: Any) -> None:
        self.steps.append({"who": who, "do": do, **members})
        answer = made and {"body": made[0].body.decode(), "change": made[2] and list(made[2])}
        self.answers.append(answer)

    # Edits

    def _edit(self, player: Player, noted: Any) -> None:
        """One change, of any of the ways there are."""
        dice, document = self.dice, noted.document
        if self.is_narrow and document.exists and dice.random() < 0.8:
            self._edit_narrowly(noted)
            return
        roll = dice.random()
        if roll < 0.25:
            histories.change(dice, noted, player.memory)
        elif roll < 0.6:
            people.random_edit(dice, noted)
        elif roll < 0.7:
            self._assign(noted)
        elif roll < 0.75:
            members = {key: a_value(dice) for key in dice.sample(histories.KEYS, 2)}
            noted.create(members)
        elif roll < 0.9:
            patch = self._patch(document)
            if self._tried(document, "apply", patch) is None:
                noted.patch("apply", patch)
        elif roll < 0.95:
            patch = a_value(dice)
            if self._tried(document, "merge", patch) is None:
                noted.patch("merge", patch)
        elif not noted.calls and player.events:  # so that its author could have seen that revision
            self._rebase(player, noted)

    def _edit_narrowly(self, noted: Any) -> None:
        """One change of a key, an element, a text, a set or a counter that others change, too."""
        dice, document = self.dice, noted.document
        root = document.objects[""]
        shown = {key: document.objects.get(root.shows(key)) for key in ("steps", "body", "tags", "count")}
        steps, body = shown["steps"], shown["body"]
        roll = dice.random()
        if roll < 0.3:
            noted.put(root, "title", dice.choice(("a", "b", {"$text": "c"})))
        elif roll < 0.45 and "title" in root.slots:
            noted.delete(root, "title")
        elif roll < 0.75 and isinstance(steps, List) and len(steps.sequence):
            last = len(steps.sequence) - 1
            act = dice.choice(("put_at", "remove", "move"))
            getattr(noted, act)(steps, *{"put_at": (0, roll), "remove": (last,), "move": (0, last)}[act])
        elif roll < 0.9 and isinstance(body, TextObject):
            noted.splice(body, 0, min(len(body.sequence), dice.randrange(3)), dice.choice(("", "😀", "x")))
        elif isinstance(shown["tags"], SetObject):
            getattr(noted, dice.choice(("add", "discard")))(shown["tags"], "shop")

    def _assign(self, noted: Any) -> None:
        dice = self.dice
        places = [
            (target, place)
            for target in people.objects(noted.document)
            for place in (target.slots if isinstance(target, Map) else range(_length(target)))
        ]
        places = [*places, (noted.document.top, "")]
        target, place = dice.choice(places)
        noted.assign(target, place, a_value(dice))

    def _rebase(self, player: Player, noted: Any) -> None:
        since = self.dice.randint(1, len(player.events))
        base = self.fold(player.events[:since])
        patch = self._patch(base)
        if self._tried(base, "apply", patch) is None:
            noted.rebase(since, base, patch)

    def _patch(self, document: Document) -> Any:
        """A patch that may fit."""
        dice = self.dice
        value = document.value() if dice.random() < 0.5 else document.plain()
        roll = dice.random()
        if roll < 0.3:
            return patches.diff(value, a_value(dice))
        if roll < 0.6:
            return test_patches.Editor(copy.deepcopy(value), dice.randrange(2**32)).patch(dice.randrange(1, 4))
        path = dice.choice(WHERE)
        operations = [
            {"op": "add", "path": path, "value": a_value(dice)},
            {"op": "replace", "path": path, "value": a_value(dice)},
            {"op": "remove", "path": path},
            {"op": "copy", "from": dice.choice(WHERE), "path": path},
            {"op": "move", "from": dice.choice(WHERE), "path": path},
            {"op": "test", "path": path, "value": a_value(dice)},
            {"op": "move", "from": "/steps/0", "path": dice.choice(("/steps/1", "/steps/-", "/tags/-"))},
            {"op": "replace", "path": path, "value": dice.choice(("two 😀 litres", 3, ["urgent", "new"], {"$x": 1}))},
            {"op": dice.choice(("test", "frob")), "path": dice.choice((path, "a", "/~"))},
        ]
        return dice.sample(operations, dice.choice((1, 1, 2)))

    def _tried(self, document: Document, how: str, patch: Any) -> list[Any] | None:
        """The error of a patch, tried on a copy."""
        trial = Editor(snapshots.decode(ITEM, snapshots.encode(document)), "ffffffff-ffff-7fff-bfff-ffffffffffff")
        try:
            getattr(patching, how)(trial, patch)
        except SynclineError as error:
            return [error.code, error.details.get("index")]
        return None

    def _refuse(self, who: int) -> None:
        document = self.players[who].document
        how, patch = ("merge", a_value(self.dice)) if self.dice.random() < 0.2 else ("apply", self._patch(document))
        if error := self._tried(document, how, patch):
            self.steps.append({"who": who, "do": "try", "how": how, "patch": patch})
            self.answers.append(error)

    # The end

    def _paths(self) -> list[list[Any]]:
        document = self.players[0].document
        shown = [each for each in people.objects(document) if document.exists]
        return [document.path(each) for each in self.dice.sample(shown, min(len(shown), 3))]

    def _end(self, paths: list[list[Any]]) -> Any:
        document = self.players[0].document
        placed = [Placed(event, seq, NOW + seq) for seq, event in enumerate(self.log, 1)]
        revisions = replay(Document(ITEM), placed, policy=lambda _: self.policy)
        return {
            "documents": [
                {
                    "snapshot": snapshots.encode(player.document).decode(),
                    "value": player.document.value(),
                    "conflicts": [[*each] for each in player.document.conflicts()],
                }
                for player in self.players
            ],
            "revisions": [{"undoes": None} | msgspec.to_builtins(each) for each in revisions],
            "blames": [[each._asdict() for each in _blame(document, path)] for path in paths],
        }


def _length(target: Object) -> int:
    return len(target.sequence) if isinstance(target, List) else 0


def _blame(document: Document, path: list[Any]) -> list[Blame]:
    """With the positions of texts in UTF-16 units."""
    value = document.root
    for step in path:
        target: Any = document.objects[value]
        value = target.shows(step) if isinstance(target, Map) else target.sequence.content_at(step).value
    found = blame(document, path)
    target = document.objects[value]
    if not isinstance(target, TextObject):
        return found
    text = target.sequence.visible()
    return [
        Blame(each.event, _units(text[: each.start]), _units(text[each.start : each.start + each.length]))
        for each in found
    ]


def canonical_text(value: Any) -> str:
    """What both languages write alike."""
    return canonical.encode(value).decode()
