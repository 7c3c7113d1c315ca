"""How documents look to people: values with colours, revisions in a line, differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from itertools import islice
from os.path import commonprefix
from typing import Any

import msgspec
from rich.json import JSON
from rich.text import Text

from syncline.cli.assignments import spelled
from syncline.cli.terminal import emit, out, say, write
from syncline.core import canonical, pointers
from syncline.core.documents.revisions import Revision
from syncline.core.documents.values import MARKS
from syncline.replica.documents import LiveDocument

VALUE_SHOWN, DOCUMENT_SHOWN = 48, 120
CHANGES_SHOWN = 6

ADDED, REMOVED, PLACE = "green", "red", "cyan"


def show(value: Any, json: bool) -> None:
    """A value on stdout, in several lines; for machines in one."""
    if json:
        write(canonical.encode(value) + b"\n")
    else:
        out.print(JSON.from_data(value, indent=2, sort_keys=True), soft_wrap=True)


def difference(before: Any, after: Any, names: tuple[str, str]) -> Text:
    """What the lines of two values have not in common, with some lines around it."""
    styles = {"+": ADDED, "-": REMOVED, "@": PLACE}
    lines = unified_diff(_lines(before), _lines(after), *names, lineterm="")
    headed = (Text(line, style="bold") for line in islice(lines, 2))
    return Text("\n").join([*headed, *(Text(line, style=styles.get(line[0], "")) for line in lines)])


def _lines(value: Any) -> list[str]:
    return [] if value is None else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).splitlines()


def summary(revision: Revision) -> Text:
    """What a revision changed, in a line."""
    if revision.kind == "delete":
        return Text("deleted", style=REMOVED)
    if revision.kind == "create":
        return Text.assemble(("made ", ADDED), short(revision.forward, DOCUMENT_SHOWN))
    before = {op["path"]: op["value"] for op in revision.reverse if "value" in op}
    changes = [_change(op, before.get(op["path"])) for op in revision.forward[:CHANGES_SHOWN]]
    more = len(revision.forward) - len(changes)
    return Text(", ").join([*changes, *([Text(f"{more} more", style="dim")] if more else [])])


def _change(op: Mapping[str, Any], old: Any) -> Text:
    """One operation of a patch, as people say it."""
    steps = pointers.parse(op["path"])
    place, new = Text(named(steps), style=PLACE), op.get("value")
    match op["op"], steps[-2:]:
        case "replace", (_, "$text") if isinstance(old, str) and isinstance(new, str):
            return Text.assemble(place, " ", _spliced(old, new))
        case "replace", (_, "$counter") if isinstance(old, int) and isinstance(new, int):
            return Text.assemble(place, (f" {new - old:+}", ADDED if new > old else REMOVED))
        case "add", ("$set", _):
            return Text.assemble(named(steps[:-1]), (f" + {short(new)}", ADDED))
        case "remove", ("$set", _) if old is not None:
            return Text.assemble(named(steps[:-1]), (f" − {short(old)}", REMOVED))
        case "remove", _:
            return Text.assemble(("− ", REMOVED), place)
    return Text.assemble(place, " = ", short(new))


def named(steps: Sequence[str | int]) -> str:
    """A place as people say it: without the marks of kinds."""
    return spelled(step for step in steps if step not in MARKS) or "all"


def _spliced(old: str, new: str) -> Text:
    """What was taken out of a text and put in; what is alike at both ends is left out."""
    start = len(commonprefix([old, new]))  # noqa: RUF071 - of characters is what is meant
    end = len(commonprefix([old[start:][::-1], new[start:][::-1]]))  # noqa: RUF071
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    parts = [Text(f"− {short(gone)}", style=REMOVED)] if gone else []
    return Text(" ").join([*parts, *([Text(f"+ {short(come)}", style=ADDED)] if come else [])])


def short(value: Any, length: int = VALUE_SHOWN) -> str:
    """The beginning of a value."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= length else text[: length - 1] + "…"


def tell(document: LiveDocument, before: int, json: bool) -> None:
    """What became of a document after a revision."""
    changes = document.history(after=before)
    if json:
        patches = {"forward": changes[-1].forward, "reverse": changes[-1].reverse} if changes else {}
        emit({"item": document.item, "revision": document.revision, "changed": bool(changes), **patches})
    elif changes:
        say(Text.assemble((document.item, "bold"), f" · revision {document.revision:,} · ", summary(changes[-1])))
    else:
        say(f"{document.item} is as it was: revision {document.revision:,}.")
