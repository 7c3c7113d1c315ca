"""`patch_storage`: what an edit of one field takes as patches, as snapshots, and as the event that Syncline stores."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.events import TITLES
from bench.plan import Plan
from bench.results import Figure, Goal, Row, Sample
from syncline.core import canonical
from syncline.core.documents.creation import create
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.revisions import Change, record
from syncline.core.events import Event
from syncline.core.stamps import StampClock

UNIT = "bytes"
SIZES_KIB = (0.1, 1, 10, 100)
SNAPSHOTS, PATCHES, EVENT = "two snapshots", "forward and reverse patch", "Syncline"
NOTES = {SNAPSHOTS: "the document before and after", EVENT: "its whole event, from which both patches are made"}
CLAIMED = 90  # per cent saved, as one hears of patches
PIECE = 1_000  # characters in a paragraph, at most
NODE, USER, ITEM = "0123456789ab", "alice", "note.1"
NOW_MS = 1_700_000_000_000

Edit = Callable[[Editor], None]


def measure(plan: Plan) -> Figure:
    """Nothing here depends on time, so there are no rounds, and `quick` changes nothing."""
    figure = Figure("patch_storage", "An edit of one field, in bytes")
    for edit, is_text in EDITS.items():
        for size in SIZES_KIB:
            figure.rows += rows(f"{edit}, in a document of {size:g} KiB", edited(EDIT[edit], size, is_text=is_text))
    flags = [f"{FLAG}, in a document of {size:g} KiB" for size in SIZES_KIB]
    figure.goals = [
        Goal(f"{name}: % saved by {what}", figure.detail(name, contender, "% saved"), CLAIMED)
        for contender, what in ((PATCHES, "patches"), (EVENT, "the event"))
        for name in flags
    ]
    return figure


def rows(work: str, found: dict[str, int]) -> list[Row]:
    def sample(size: int) -> Sample:
        return Sample(size, {"% saved": 100 - 100 * size / found[SNAPSHOTS]})

    return [Row(work, name, UNIT, NOTES.get(name, ""), [sample(size)]) for name, size in found.items()]


def edited(edit: Edit, size_kib: float, *, is_text: bool) -> dict[str, int]:
    """The bytes of one edit of a document of about this size, in each form."""
    writer = Writer()
    content, pieces = parts(round(size_kib * 1024), is_text=is_text)
    writer.write("create", lambda editor: create(editor, content))
    for number, piece in enumerate(pieces, 1):
        writer.write("update", partial(add, number=number, piece=piece))
    before = canonical.encode(writer.document.value())
    event, change = writer.write("update", edit)
    after = canonical.encode(writer.document.value())
    assert change is not None
    patches = sum(len(canonical.encode(patch)) for patch in (change.forward, change.reverse))
    return {EVENT: len(event.body), PATCHES: patches, SNAPSHOTS: len(before) + len(after)}


class Writer:
    """One document and its only author. What he writes is folded as everywhere else."""

    def __init__(self) -> None:
        self.document, self._draft = Document(ITEM), Document(ITEM)
        self._stamps, self._n = StampClock(NODE), 0

    def write(self, action: str, act: Edit) -> tuple[Event, Change | None]:
        self._n += 1
        editor = Editor(self._draft, self._stamps.next(NOW_MS, self._n))
        act(editor)
        value = {"action": action, "clock": {NODE: self._n}, "id": editor.event, "item": ITEM, "node": NODE}
        event = Event.of({**value, "ops": editor.wire(), "user": USER})
        return event, record(self.document, event)


def parts(size: int, *, is_text: bool) -> tuple[dict[str, Any], list[str]]:
    """What a document begins with, and the paragraphs that come to it, until it has about this size."""
    content = {"body": {"$text": ""} if is_text else {}, "done": False, "title": TITLES[0]}
    left = max(20, size - len(canonical.encode(content)))
    words = " ".join(TITLES)
    text = (words * (left // len(words) + 1))[:left]
    return content, [text[start : start + PIECE] for start in range(0, left, PIECE)]


def child(editor: Editor, key: str | None = None) -> Any:
    root: Any = editor.document.objects[editor.document.root]
    return root if key is None else editor.document.objects[root.shows(key)]


def add(editor: Editor, number: int, piece: str) -> None:
    body = child(editor, "body")
    if hasattr(body, "slots"):
        editor.put(body, f"{number:03}", piece)
    else:
        editor.splice(body, len(body.sequence), 0, piece)


def tick(editor: Editor) -> None:
    editor.put(child(editor), "done", True)


def rewrite(editor: Editor) -> None:
    body = child(editor, "body")
    editor.put(body, "001", str(body.shows("001"))[::-1])


def type_word(editor: Editor) -> None:
    editor.splice(child(editor, "body"), 10, 0, "really ")


FLAG, PARAGRAPH, WORD = "a flag is set", "a paragraph is replaced", "a word is typed into its text"
EDIT: dict[str, Edit] = {FLAG: tick, PARAGRAPH: rewrite, WORD: type_word}
EDITS = {FLAG: False, PARAGRAPH: False, WORD: True}  # whether the document's body is one text, or a map of paragraphs
