"""Archives: the history of a space that its log does not keep any more, as files that anybody can read and check.

An archive is a file of JSON Lines, compressed with gzip: the entries of a stretch of the log, exactly as they were
sent, and below them a seal that says which these are, the tails of the log before and after, the SHA-256 of the lines,
and that of the seal before it. So each vouches for all before it, and the log's own tails vouch for both.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from syncline.core.events import Entry
from syncline.core.log import chain_end
from syncline.errors import StoreDamaged
from syncline.stores.folders import make_folder
from syncline.stores.writing import write_file

NAME = re.compile(r"([0-9]{12})-([0-9]{12})\.jsonl\.gz")
ENTRIES = 20_000
"""Entries of one archive, at most."""
WITH_HEADER = 31
"""Has zlib write the header and trailer of gzip (RFC 1952)."""


class Seal(msgspec.Struct, frozen=True, kw_only=True, tag_field="syncline", tag="archive"):
    """The last line of an archive. Hashes are hex."""

    version: int = 1
    space: str
    epoch: str
    first: int
    last: int
    before: str
    """The log's tail before the first entry."""
    after: str
    """The log's tail at the last."""
    sha256: str
    """Over all lines above, with their line feeds."""
    previous: str | None
    """SHA-256 of the seal of the archive before; None: there was none here."""


_seal = msgspec.json.Decoder(Seal)


class Archived(NamedTuple):
    """A file of a folder of archives, and the stretch that its name tells."""

    path: Path
    first: int
    last: int


class Archives:
    """The archives of one space, in a folder."""

    def __init__(self, folder: Path, space: str) -> None:
        self.folder, self._space = folder, space

    def all(self) -> list[Archived]:
        """What there is, in order."""
        names = sorted(path.name for path in self.folder.glob("*.jsonl.gz")) if self.folder.is_dir() else []
        found = [(name, NAME.fullmatch(name)) for name in names]
        return [Archived(self.folder / name, int(match[1]), int(match[2])) for name, match in found if match]

    @property
    def last(self) -> int:
        """The seq of the last entry that is archived; 0: there is none."""
        return max((each.last for each in self.all()), default=0)

    def check(self, tail: Callable[[int], bytes | None]) -> None:
        """Raises StoreDamaged unless the log with these tails goes on from what is archived."""
        for archived in self.all()[-1:]:
            seal = _read_seal(archived, _lines(archived.path)[-1])
            if (tail(seal.last) or b"").hex() != seal.after:
                raise StoreDamaged(f"{archived.path} is of another history than the log's: move these archives away.")

    def begin(self, epoch: str, first: int, before: bytes) -> Writing:
        """An archive that begins with a seq; ``before`` is the log's tail before that."""
        earlier = [each for each in self.all() if each.last == first - 1]
        previous = _hash(_lines(earlier[0].path)[-1]) if earlier else None
        return Writing(self.folder, self._space, epoch, first, before, previous)

    def read(self, archived: Archived) -> tuple[list[bytes], Seal]:
        """The lines of an archive, and its seal. Raises StoreDamaged unless they are as it says."""
        *lines, last = _lines(archived.path)
        seal = _read_seal(archived, last)
        _check(archived, lines, seal)
        return lines, seal

    def entries(self) -> Iterator[Entry]:
        """All that is archived, in order. Raises StoreDamaged."""
        for archived in self.all():
            yield from map(Entry.read, self.read(archived)[0])

    def covers(self, seq: int) -> bool:
        """Whether everything up to a seq is here."""
        last = 0
        for archived in self.all():
            if archived.first > last + 1:
                break
            last = max(last, archived.last)
        return last >= seq

    def rewrite(self, changed: Mapping[int, bytes]) -> None:
        """Puts erased entries, by seq, in the place of those they were, and seals all archives anew from there on.

        If that is broken off, doing it again finishes it. Raises StorageFull, or StoreDamaged.
        """
        before: Seal | None = None
        for archived in self.all():
            lines, seal = self.read(archived)
            previous = seal.previous and before and _hash(msgspec.json.encode(before))
            others = [changed.get(seq, line) for seq, line in enumerate(lines, archived.first)]
            if others != lines or (previous and previous != seal.previous):
                seal = replace(seal, sha256=_hash(_joined(others)), previous=previous or seal.previous)
                packed = gzip.compress(_joined([*others, msgspec.json.encode(seal)]), mtime=0)
                write_file(archived.path, packed)
            before = seal

    def verify(self) -> Iterator[tuple[Archived, Seal]]:
        """Reads everything, one archive after the other. Raises StoreDamaged at the first that is not as it was."""
        before: Seal | None = None
        for archived in self.all():
            _, seal = self.read(archived)
            if seal.previous is not None and (before is None or _hash(msgspec.json.encode(before)) != seal.previous):
                raise StoreDamaged(f"{archived.path} does not follow on the archive before it.")
            if before is not None and before.last == seal.first - 1 and before.after != seal.before:
                raise StoreDamaged(f"{archived.path}: its tail before is not that at the end of the archive before it.")
            yield archived, seal
            before = seal


class Writing:
    """An archive in the making: in memory, until it is put into the folder as a whole."""

    def __init__(self, folder: Path, space: str, epoch: str, first: int, before: bytes, previous: str | None) -> None:
        self._folder, self._space, self._epoch, self._previous = folder, space, epoch, previous
        self.first, self.last, self._before, self.tail = first, first - 1, before, before
        self._sum, self._packer = hashlib.sha256(), zlib.compressobj(wbits=WITH_HEADER)
        self._packed: list[bytes] = []

    @property
    def length(self) -> int:
        """How many entries it has."""
        return self.last - self.first + 1

    def add(self, entries: Sequence[Entry]) -> None:
        """Adds the next entries. Raises StoreDamaged if they are others."""
        seqs = range(self.last + 1, self.last + 1 + len(entries))
        if [entry.seq for entry in entries] != list(seqs):
            raise StoreDamaged(f"The log of {self._space} has no whole history after seq {self.last} to be archived.")
        lines = _joined([entry.encoded for entry in entries])
        self._sum.update(lines)
        self._packed.append(self._packer.compress(lines))
        self.tail = chain_end(self.tail, [entry.event.digest for entry in entries])
        self.last += len(entries)

    def finish(self) -> Path:
        """Puts it into the folder, durably. Raises StorageFull."""
        seal = Seal(
            space=self._space,
            epoch=self._epoch,
            first=self.first,
            last=self.last,
            before=self._before.hex(),
            after=self.tail.hex(),
            sha256=self._sum.hexdigest(),
            previous=self._previous,
        )
        self._packed += [self._packer.compress(msgspec.json.encode(seal) + b"\n"), self._packer.flush()]
        path = self._folder / f"{self.first:012}-{self.last:012}.jsonl.gz"
        make_folder(self._folder.parent)
        make_folder(self._folder)
        write_file(path, b"".join(self._packed))
        return path


def _read_seal(archived: Archived, line: bytes) -> Seal:
    try:
        return _seal.decode(line)
    except msgspec.MsgspecError as error:
        raise StoreDamaged(f"{archived.path}: its last line is no seal: {error}") from None


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"".join([line + b"\n" for line in lines])


def _lines(path: Path) -> list[bytes]:
    try:
        text = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise StoreDamaged(f"{path} cannot be read: {error}") from None
    if not text.endswith(b"\n"):
        raise StoreDamaged(f"{path} is cut off.")
    return text[:-1].split(b"\n")


def _check(archived: Archived, lines: Sequence[bytes], seal: Seal) -> None:
    try:
        entries = [Entry.read(line) for line in lines]
        after = chain_end(bytes.fromhex(seal.before), [entry.event.digest for entry in entries])
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreDamaged(f"{archived.path}: a line is no entry: {error}") from None
    is_whole = [entry.seq for entry in entries] == list(range(archived.first, archived.last + 1))
    if not is_whole or (seal.first, seal.last) != archived[1:]:
        raise StoreDamaged(f"{archived.path} has other entries than its name says.")
    if _hash(_joined(lines)) != seal.sha256 or after.hex() != seal.after:
        raise StoreDamaged(f"{archived.path} is not what its seal says.")


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
