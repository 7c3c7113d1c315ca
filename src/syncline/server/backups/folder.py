"""The folder of backups: its files, whole or not there, and the listings, each of which is a backup."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from syncline.core.log import Head
from syncline.errors import BadSettings, ForeignFile, NewerSchema, StoreDamaged
from syncline.server.backups.sealing import Encryption, Seals
from syncline.stores.folders import make_folder, sync_folder
from syncline.stores.tables.database import hold
from syncline.stores.writing import write_file

FORMAT = 1
ABOUT, LOCK = "backup.json", "lock"
LISTING = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.json")
SAFE = re.compile(r"(logs|register)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
"""Names in a listing: none leads out of the folder."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a backup, named below its folder: its bytes on the disk, and the SHA-256 of what was sealed in it."""

    file: str
    bytes: int
    sha256: str


class Segment(File, frozen=True, kw_only=True):
    """A stretch of a log, from one seq to another, the tail there, and the time of that entry."""

    first: int
    last: int
    tail: str
    at: int


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """Where a space's log ended, and the segments that lead there."""

    epoch: str
    seq: int
    tail: str
    at: int
    segments: list[Segment]

    @property
    def head(self) -> Head:
        """The end of the log."""
        return Head(self.epoch, self.seq, bytes.fromhex(self.tail), self.at)


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A backup. Times are milliseconds since 1970; all heads were read between ``begun`` and ``seen``."""

    format: int = FORMAT
    name: str
    begun: int
    seen: int
    ended: int
    version: str
    store: str
    spaces: dict[str, Log]
    register: File | None = None

    @property
    def events(self) -> int:
        """How many entries there are in all logs."""
        return sum(log.seq for log in self.spaces.values())

    @property
    def files(self) -> list[File]:
        """Every file that it needs."""
        segments: list[File] = [segment for log in self.spaces.values() for segment in log.segments]
        return [*segments, *([self.register] if self.register else [])]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder says of itself."""

    syncline_backup: int
    encryption: Encryption | None = None


class Folder:
    """A folder of backups that is there."""

    def __init__(self, path: Path, secret: bytes | None = None) -> None:
        """Raises ForeignFile, NewerSchema, or BadSettings for a key that is not its own."""
        self.path = path
        self.about = _about(path)
        self.seals = Seals.of(self.about.encryption, secret)

    @classmethod
    def make(cls, path: Path, secret: bytes | None = None) -> Folder:
        """The folder, made if there is nothing yet."""
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            make_folder(path)
            about = About(syncline_backup=FORMAT, encryption=None if secret is None else Encryption.new(secret))
            write_file(path / ABOUT, msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
        return cls(path, secret)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else makes a backup here meanwhile. Raises StoreLocked."""
        with closing(hold(self.path / LOCK)):
            yield

    # Files

    def put(self, name: str, text: bytes) -> File:
        """Writes a file that is there as a whole or not at all."""
        content = self.seals.seal(name, text)
        path = self.path / name
        make_folder(path.parent)
        write_file(path, content)
        return File(file=name, bytes=len(content), sha256=hashlib.sha256(text).hexdigest())

    def describe(self, name: str) -> File:
        """A file that is there, as it is. Raises OSError or StoreDamaged."""
        content = (self.path / name).read_bytes()
        text = self.seals.unseal(name, content)
        return File(file=name, bytes=len(content), sha256=hashlib.sha256(text).hexdigest())

    def has(self, file: File) -> bool:
        """Whether a file of this length is there; ``get`` looks closer."""
        path = self.path / file.file
        return path.is_file() and path.stat().st_size == file.bytes

    def get(self, file: File) -> bytes:
        """What was put. Raises StoreDamaged if that is not what is there."""
        try:
            content = (self.path / file.file).read_bytes()
        except FileNotFoundError:
            raise StoreDamaged(f"{file.file} is missing.") from None
        text = self.seals.unseal(file.file, content)
        if hashlib.sha256(text).hexdigest() != file.sha256:
            raise StoreDamaged(f"{file.file} is not as it was written.")
        return text

    # Listings

    def names(self) -> list[str]:
        """The backups, the oldest first."""
        return sorted(path.name.removesuffix(".json") for path in self.path.iterdir() if LISTING.fullmatch(path.name))

    def write(self, listing: Listing) -> None:
        """From here on the backup is there."""
        text = msgspec.json.encode(listing)
        sum = msgspec.json.encode({"sum": self.seals.sum(text)})
        write_file(self.path / f"{listing.name}.json", text + b"\n" + sum + b"\n")
        sync_folder(self.path)

    def read(self, name: str = "") -> Listing:
        """A backup by its name, or the newest. Raises BadSettings if it is not there, or StoreDamaged."""
        names = self.names()
        if not names:
            raise BadSettings(f"{self.path} holds no backup yet: none was finished.")
        if name and name not in names:
            raise BadSettings(f"There is no backup {name}: syncline backup list {self.path} shows those there are.")
        return self._read(name or names[-1])

    def _read(self, name: str) -> Listing:
        text, _, sum = (self.path / f"{name}.json").read_bytes().partition(b"\n")
        if not hmac.compare_digest(sum, msgspec.json.encode({"sum": self.seals.sum(text)}) + b"\n"):
            raise StoreDamaged(f"{name}.json is not as it was written.")
        try:
            listing = msgspec.json.decode(text, type=Listing)
        except msgspec.MsgspecError as error:
            raise NewerSchema(f"{name}.json was written by another version of Syncline: {error}") from None
        if not all(SAFE.fullmatch(file.file) for file in listing.files):
            raise StoreDamaged(f"{name}.json names a file that is not in this folder.")
        return listing


def name_at(ms: int) -> str:
    """The name of a backup that begins then: names sort by time."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H-%M-%S}.{ms % 1000:03}Z"


def _about(path: Path) -> About:
    try:
        about = msgspec.json.decode((path / ABOUT).read_bytes(), type=About)
    except (FileNotFoundError, NotADirectoryError):
        raise ForeignFile(f"{path} is no folder of backups: it has no {ABOUT}.") from None
    except msgspec.MsgspecError as error:
        raise ForeignFile(f"{path / ABOUT} is not that of a folder of backups, or damaged: {error}") from None
    if about.syncline_backup > FORMAT:
        raise NewerSchema(f"{path} was written by a newer Syncline (format {about.syncline_backup}). Upgrade this one.")
    return about
