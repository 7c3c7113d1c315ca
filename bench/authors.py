"""Authors of document edits, for the figures `edits` and `revisions`: each puts, types, counts and tags.

An author is one node with its own copies of the documents, as a replica is that has seen them made and not yet what
others did since. Each event is drafted by an `Editor`, so it names what its author saw. Every edit shows.
"""

import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from bench.events import THINGS, TITLES, USER
from syncline.core import canonical
from syncline.core.documents.creation import create
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.events import Event
from syncline.core.stamps import StampClock

TEXT = "Buy milk and bread, bring back the books and write to the landlord about the window in the kitchen. "
LONGEST_TEXT = 1_000  # shown characters: from there on a word goes for a word that comes


class Author:
    """Writes events of one node; `dice` decides what."""

    def __init__(self, dice: random.Random, user: str = USER) -> None:
        self.node, self.user, self.n = f"{dice.getrandbits(48):012x}", user, 0
        self.last = ""
        self._dice, self._stamps = dice, StampClock(self.node)
        self._documents: dict[str, Document] = {}

    def create(self, item: str) -> Event:
        """Makes a document: a title, a text, a counter and a set."""
        document = self._documents[item] = Document(item)
        content = {"title": "New", "text": {"$text": TEXT}, "count": {"$counter": 0}, "tags": {"$set": ["new"]}}
        return self._event("create", document, lambda editor: create(editor, content))

    def saw(self, event: Event) -> None:
        """Takes in what another author did."""
        self._documents.setdefault(event.item, Document(event.item)).fold(event)

    def edits(self, item: str) -> Iterator[Event]:
        """Edits of a document, of all four kinds, for ever."""
        while True:
            edit = self._dice.choice([put, splice, count, tag])
            yield self._event("update", self._documents[item], partial(edit, dice=self._dice))

    def _event(self, action: str, document: Document, act: Any) -> Event:
        self.n += 1
        self.last = self._stamps.next(time.time_ns() // 1_000_000, self._dice.getrandbits(32))
        editor = Editor(document, self.last)
        act(editor)
        document.clock[self.node] = self.n
        value = {"action": action, "clock": dict(document.clock), "id": editor.event, "item": document.item}
        return Event.of({**value, "node": self.node, "ops": editor.wire(), "user": self.user})


def child(editor: Editor, key: str) -> Any:
    """What is under a key of the root."""
    document = editor.document
    root: Any = document.objects[document.root]
    return document.objects[root.shows(key)]


def put(editor: Editor, dice: random.Random) -> None:
    root: Any = editor.document.objects[editor.document.root]
    editor.put(root, "title", f"{dice.choice(TITLES)}, {editor.event[-6:]}")


def splice(editor: Editor, dice: random.Random) -> None:
    text = child(editor, "text")
    length, word = len(text.sequence), f"{dice.choice(THINGS)} "
    position = dice.randrange(length - len(word))
    editor.splice(text, position, len(word) if length > LONGEST_TEXT else 0, word)


def count(editor: Editor, dice: random.Random) -> None:
    editor.increment(child(editor, "count"), dice.randrange(1, 10))


def tag(editor: Editor, dice: random.Random) -> None:
    tags, member = child(editor, "tags"), f"tag-{dice.randrange(50)}"
    if canonical.encode(member) in tags.members:
        editor.discard(tags, member)
    else:
        editor.add(tags, member)
