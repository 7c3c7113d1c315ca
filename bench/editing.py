"""The keystrokes of a real paper (see examples/data): the work of the figure `documents`."""

import gzip
import json
from itertools import chain
from pathlib import Path
from typing import Any

from bench.paths import ROOT

PAPER = ROOT / "examples" / "data" / "automerge-paper.json.gz"

Keystroke = tuple[int, int, str]  # position, how many characters are deleted there, what is inserted there


def recorded(file: Path | str = PAPER) -> dict[str, Any]:
    paper: dict[str, Any] = json.loads(gzip.decompress(Path(file).read_bytes()))
    return paper


def keystrokes(paper: dict[str, Any], count: int) -> list[Keystroke]:
    """The first keystrokes; all of them if `count` is 0."""
    every = chain.from_iterable(transaction["patches"] for transaction in paper["txns"])
    return [(position, deleted, inserted) for position, deleted, inserted in every][: count or None]


def result(paper: dict[str, Any], count: int) -> str:
    """The text they lead to. Of all of them it is recorded; a few are carried out on a string."""
    if not count:
        end: str = paper["endContent"]
        return end
    text = ""
    for position, deleted, inserted in keystrokes(paper, count):
        text = text[:position] + inserted + text[position + deleted :]
    return text


def together(strokes: list[Keystroke], count: int) -> list[list[Keystroke]]:
    """The keystrokes of each event."""
    return [strokes[start : start + count] for start in range(0, len(strokes), count)]
