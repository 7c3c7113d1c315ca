"""Putting other lines in the place of entries: a segment is written anew, beside the old one, and takes its place.

While that goes on a file says that the index is stale, so that after a crash the index is made anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from syncline.stores.folders import sync_folder
from syncline.stores.jsonl.segments import NEW, Place, told, write_new

ENTRY = re.compile(rb'\{"seq":(\d{1,16}),')


class Rewritten(NamedTuple):
    """A segment after it was written anew: where its entries stand now, and its bytes."""

    places: list[Place]
    size: int


def rewrite(path: Path, changed: Mapping[int, bytes]) -> Rewritten:
    """Writes a segment anew with these entries, by seq, in place of those it has. Raises StorageFull."""
    lines = [_changed(line, changed) for line in path.read_bytes().splitlines(keepends=True)]
    *offsets, size = accumulate(map(len, lines), initial=0)
    new = path.with_name(NEW)
    with told(path.parent):
        write_new(new, b"".join(lines))
        new.replace(path)
        sync_folder(path.parent)
    return Rewritten([_place(line, offset) for line, offset in zip(lines, offsets, strict=True) if _seq(line)], size)


def _seq(line: bytes) -> int:
    """The seq of the entry in a line; 0 for a line of another kind."""
    found = ENTRY.match(line)
    return int(found[1]) if found else 0


def _changed(line: bytes, changed: Mapping[int, bytes]) -> bytes:
    other = changed.get(_seq(line))
    return line if other is None else other + b"\n"


def _place(line: bytes, offset: int) -> Place:
    return Place(_seq(line), offset, len(line) - 1, crc32(line[:-1]))
