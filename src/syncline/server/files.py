"""Files for browsers, found by name below a folder. Only plain names of known kinds are found: none leads outside."""

from __future__ import annotations

import gzip
import re
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

NAME = re.compile(r"(?:[a-z0-9_@][a-z0-9_@.-]*/)*[a-z0-9_@][a-z0-9_@.-]*", re.IGNORECASE)
"""Segments that begin with no dot: neither hidden files nor the folder above."""
KINDS = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".webmanifest": b"application/manifest+json",
}
PACKED = {".png"}
"""Kinds that gzip makes no smaller."""


class File(NamedTuple):
    """What is sent of a file."""

    kind: bytes
    body: bytes
    gzipped: bytes | None
    etag: str
    """A digest of the content: weak, because both forms of it have the same."""


class Folder:
    """Files below a folder, read again when they change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, tuple[tuple[int, int], File]] = {}

    def find(self, name: str) -> File | None:
        """The file of this name; None if there is none that may be seen."""
        path = self.path / name
        kind = KINDS.get(path.suffix)
        if kind is None or not NAME.fullmatch(name) or not path.is_file():
            return None
        status = path.stat()
        state = status.st_mtime_ns, status.st_size
        known = self._read.get(name)
        if known is None or known[0] != state:
            known = self._read[name] = state, _read(path, kind)
        return known[1]


def _read(path: Path, kind: bytes) -> File:
    body = path.read_bytes()
    gzipped = None if path.suffix in PACKED else gzip.compress(body, mtime=0)
    return File(kind, body, gzipped, f'W/"{sha256(body).hexdigest()[:32]}"')
