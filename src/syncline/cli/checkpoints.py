"""How far a file was read, kept in a small file beside it, so that the next time goes on there.

A mark holds the hash of what stands just before it: a file that was changed there is not taken for the same.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TypeVar

import msgspec

SEALED_BYTES = 4_096

T = TypeVar("T")


class Mark(msgspec.Struct, frozen=True):
    """A place between two lines of a file: the offset, the number of the line before it, and its seal."""

    offset: int = 0
    number: int = 0
    seal: str = ""

    @classmethod
    def at(cls, path: Path, offset: int, number: int) -> Mark:
        """The mark at a place of a file."""
        return cls(offset, number, _seal(path, offset))

    def stands(self, path: Path) -> bool:
        """Whether the file still reads the same just before the mark."""
        return self.offset == 0 or self.seal == _seal(path, self.offset)


def _seal(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(max(0, offset - SEALED_BYTES))
        return hashlib.sha256(file.read(min(offset, SEALED_BYTES))).hexdigest()


def beside(path: Path, suffix: str) -> Path:
    """The small file beside a file."""
    return path.with_name(path.name + suffix)


def load(path: Path, kind: type[T]) -> T | None:
    """What a small file holds; None if it is not there or cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def save(path: Path, value: object) -> None:
    """Replaces a small file, durably and as a whole."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(value) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
