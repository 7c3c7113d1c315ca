"""Real editing histories, replayed keystroke by keystroke: see examples/data."""

import gzip
import json
from pathlib import Path

from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.ops import read
from syncline.core.documents.snapshots import decode, encode
from syncline.core.stamps import Stamp

DATA = Path(__file__).parents[2] / "examples" / "data"
NOW = 1_700_000_000_000


def recorded(name):
    return json.loads(gzip.decompress((DATA / name).read_bytes()))


class Author:
    """One replica: a document, and which of the recorded transactions are in it."""

    def __init__(self, transactions):
        self.document, self.seen, self.transactions = Document("paper.text"), set(), transactions

    def see(self, wanted, events):
        """Takes in these transactions and all before them."""
        missing, waiting = set(), list(wanted)
        while waiting:
            each = waiting.pop()
            if each not in self.seen and each not in missing:
                missing.add(each)
                waiting += self.transactions[each]["parents"]
        for each in sorted(missing):
            self.document.run(events[each][0], read(events[each][1]), has_effect=True)
        self.seen |= missing

    def write(self, number, node):
        """One transaction as an event: its id and ops."""
        editor = Editor(self.document, str(Stamp(NOW + number, 0, node, 0)))
        text = editor.ensure_root("text")
        for position, deleted, inserted in self.transactions[number]["patches"]:
            editor.splice(text, position, deleted, inserted)
        self.seen.add(number)
        return editor.event, editor.wire()


def test_two_people_who_type_at_once_end_with_the_text_that_was_recorded():
    history = recorded("friendsforever.json.gz")
    transactions = history["txns"]
    authors = [Author(transactions) for _ in range(history["numAgents"])]
    events = []
    for number, transaction in enumerate(transactions):
        author = authors[transaction["agent"]]
        author.see(transaction["parents"], events)
        events.append(author.write(number, transaction["agent"]))
    for author in authors:
        author.see(range(len(events)), events)
        assert author.document.value() == {"$text": history["endContent"]}
    data = encode(authors[0].document)
    assert data == encode(authors[1].document)
    assert decode("paper.text", data).value() == {"$text": history["endContent"]}


def test_a_paper_comes_out_as_it_was_written():
    history = recorded("automerge-paper.json.gz")
    patches = [patch for transaction in history["txns"] for patch in transaction["patches"]]
    author = Author([{"patches": patches[start : start + 100]} for start in range(0, len(patches), 100)])
    events = [author.write(number, 0) for number in range(len(author.transactions))]
    assert author.document.value() == {"$text": history["endContent"]}
    reader = Document("paper.text")
    for event, ops in events:
        reader.run(event, read(ops), has_effect=True)
    assert encode(reader) == encode(author.document)
