"""What ops may name: the core in JavaScript judges events as the one in Python does."""

import json
import random
import re

from syncline.core import canonical
from syncline.core.documents.dependencies import names_of, refusal
from syncline.core.events import Event
from tests.core.documents.histories import history
from tests.core.documents.test_dependencies import BAD, GOOD, HELD, of, put

SEEDS = 150
NAME = re.compile(r'"([0-9a-f-]{36})?:[0-9]+(\+[0-9]+)?"|"(?:[0-9a-f-]{36}:[0-9]+)?/[^"]*"')


def test_examples(node):
    for op, _ in BAD:
        if "99999" not in str(op):  # that is no shape of an op, so no event has it
            agree(node, of(put("first"), op), HELD)
    for ops in GOOD:
        agree(node, of(*ops), HELD)


def test_histories_with_one_name_changed(node):
    """Every name may stand where another one stood."""
    refused = sum(judged(node, seed) for seed in range(SEEDS))
    assert refused > SEEDS


def judged(node, seed):
    past, dice = history(seed), random.Random(seed)
    names = [match[0] for event in past.events for match in NAME.finditer(json.dumps(event.ops))]
    held = {event.id: event for event in past.events[: dice.randint(0, len(past.events))]}
    return sum(agree(node, changed(dice, event, names), held) for event in past.events)


def changed(dice, event, names):
    text = json.dumps(event.ops)
    found = list(NAME.finditer(text))
    if found:
        start, end = dice.choice(found).span()
        text = text[:start] + dice.choice(names) + text[end:]
    ops = canonical.decode(text.encode(), max_depth=64)
    return Event(action="edit", clock=event.clock, id=event.id, item=event.item, node=event.node, ops=ops)


def agree(node, event, held):
    """Whether the event is refused, after both were asked why."""
    error = refusal(event, held.get)
    answer = node.ask("judge", event=wire(event), held={id: wire(each) for id, each in held.items()})
    assert answer["names"] == sorted(names_of(event))
    assert unquoted(answer["refusal"]) == unquoted(error and [error.code, error.message, error.details])
    return error is not None


def wire(event):
    return canonical.decode(event.body, max_depth=64) if isinstance(event, Event) else {"item": event.item}


def unquoted(refused):
    """Without the name, which the languages quote in their own ways."""
    return refused and [refused[0], re.split("['\"] ", refused[1])[-1], refused[2]]
