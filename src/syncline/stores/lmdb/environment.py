"""An LMDB environment of ours: opened durably, recognised, held by one process, grown when it is full.

The only module that knows lmdb; importing it raises BadSettings unless that is installed. A commit waits for the disk
(LMDB's default), so it survives a power cut. LMDB maps the file into memory and wants to be told how large the map is;
it may grow only while nobody in the process reads or writes, so readers pass a gate. Environments are not carried over
a fork: a child that wants one opens its own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

from syncline.errors import BadSettings, ForeignFile, NewerSchema, StorageFull, StoreClosed, StoreDamaged
from syncline.stores.folders import make_folder, sync_folder
from syncline.stores.gate import Gate
from syncline.stores.lmdb.layout import KIND, KIND_KEY, SCHEMA, SCHEMA_KEY, TABLES, pack, unpack
from syncline.stores.lmdb.ownership import hold
from syncline.stores.lmdb.transaction import Transaction

try:
    import lmdb
    from lmdb.verify import verify
except ImportError:
    raise BadSettings("LMDB needs a package: pip install 'syncline[lmdb]'") from None

MAP_BYTES = 16 * 1024 * 1024
"""How large a map is at first; it costs addresses, not memory."""
MAX_STEP_BYTES = 1024 * 1024 * 1024
"""By how much it grows at most; below that it doubles."""
MAX_READERS = 126
"""How many may read at a time; others wait. LMDB keeps a slot for each."""
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
ROOM_BYTES = 16 * 1024 * 1024
"""With less to spare a disk counts as full when a commit fails."""
FILES = frozenset({"data.mdb", "lock.mdb"})

Result = TypeVar("Result")


class _Folder:
    """A folder of an environment, and what went wrong there as ours."""

    _path: Path

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of LMDB as ours."""
        name = self._path.name
        try:
            yield
        except (lmdb.InvalidError, lmdb.VersionMismatchError) as error:
            raise ForeignFile(f"{name} is no environment of LMDB; it was left as it is.") from error
        except (lmdb.CorruptedError, lmdb.PageNotFoundError) as error:
            raise StoreDamaged(f"{name} is damaged: {error}") from error
        except lmdb.Error as error:
            if error.code in FULL:
                raise self._full() from error
            raise

    def _full(self) -> StorageFull:
        return StorageFull(f"The disk is full; nothing was stored in {self._path.name}.")


class Environment(_Folder):
    """One folder with one writer and many readers; what went wrong is raised as ours."""

    def __init__(self, path: Path, begin: Callable[[Transaction], None], *, map_bytes: int = MAP_BYTES) -> None:
        """``begin`` writes into a new one what belongs there from the beginning.

        Raises StoreLocked, ForeignFile, NewerSchema or StoreDamaged, and then leaves the folder as it is."""
        self._path, self._begin, self._map_bytes, self._pid = path, begin, map_bytes, os.getpid()
        self._writer_lock, self._gate = RLock(), Gate(MAX_READERS)
        self._closed = False
        self._hold = hold(Path(f"{path}.lock"))
        try:
            with self._translated():
                _check_kind(path)
                make_folder(path)
                self._open()
        except BaseException:
            self._hold.close()
            raise

    @property
    def map_bytes(self) -> int:
        """How large the map is."""
        return int(self._env.info()["map_size"])

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent view of what is committed."""
        with self._gate.inside(), self._translated():
            self.check_open()
            with self._env.begin() as txn:
                yield Transaction(txn, self._tables)

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Does something in a transaction that is committed durably, or undone if anything raises.

        ``work`` is done again when the map was too small for it. After an error of the disk the environment is opened
        anew: LMDB does not go on with one whose commit failed half-way.
        """
        with self._writer_lock, self._translated():
            while True:
                self.check_open()
                try:
                    return self._try(work)
                except lmdb.MapFullError:
                    self._grow()
                except lmdb.Error as error:
                    self._reopen()
                    if error.code == errno.EIO and not _has_room(self._path / "data.mdb"):
                        raise self._full() from error
                    raise

    def _try(self, work: Callable[[Transaction], Result]) -> Result:
        txn = self._env.begin(write=True)
        try:
            done = work(Transaction(txn, self._tables))
            txn.commit()
        except BaseException:
            with self._gate.alone():  # giving up takes lmdb many seconds where others begin to read all the time
                txn.abort()
            raise
        return done

    def release(self) -> None:
        """Lets go of pages that were looked at: while they are mapped, they count as this process's memory."""
        with self._writer_lock, self._translated():
            self.check_open()
            with self._gate.alone():
                self._env.set_mapsize(self.map_bytes)  # maps the file anew, whatever the size

    def close(self) -> None:
        """Waits for those who read or write, and gives the folder free. Closing twice does nothing."""
        with self._writer_lock, self._gate.alone():
            if not self._closed:
                self._closed = True
                self._env.close()
                self._hold.close()

    def check_open(self) -> None:
        """Raises StoreClosed if it was closed, or opened by the process from which this one was forked."""
        if self._closed:
            raise StoreClosed(f"{self._path.name} was closed.")
        if self._pid != os.getpid():
            raise StoreClosed(f"{self._path.name} was opened before this process was forked: open it here, too.")

    def _open(self) -> None:
        self._env = lmdb.open(
            str(self._path), map_size=self._map_bytes, max_dbs=len(TABLES), max_readers=MAX_READERS, mode=0o700
        )
        try:
            self._env.reader_check()  # frees slots of programs that were killed while they read
            with self._env.begin(write=True) as txn:
                self._tables = {name: self._env.open_db(name.encode(), txn=txn) for name in TABLES}
                new = Transaction(txn, self._tables)
                if new.get("meta", KIND_KEY) is None:
                    new.put("meta", KIND_KEY, KIND)
                    self._begin(new)
                    sync_folder(self._path)
                new.put("meta", SCHEMA_KEY, pack(SCHEMA))
        except BaseException:
            self._env.close()
            raise

    def _grow(self) -> None:
        self._env.reader_check()  # what they held may be used again
        with self._gate.alone():
            self._map_bytes = self.map_bytes + min(self.map_bytes, MAX_STEP_BYTES)
            self._env.set_mapsize(self._map_bytes)

    def _reopen(self) -> None:
        with self._gate.alone():
            self._map_bytes = self.map_bytes
            self._env.close()
            try:
                self._open()
            except BaseException:
                self._closed = True
                self._hold.close()
                raise


class Looking(_Folder):
    """An environment that another process may have open, to be looked at in short transactions. It takes no lock.

    While a transaction lasts the writer uses none of the pages again that it may see. What a process that was killed
    has left of one is taken away by the next that looks, and by the writer before it lets the file grow.
    """

    def __init__(self, path: Path) -> None:
        """Raises ForeignFile, NewerSchema or StoreDamaged."""
        self._path = path
        if not (path / "data.mdb").exists():
            raise ForeignFile(f"{path} holds no environment of LMDB.")
        with self._translated():
            self._env = lmdb.open(
                str(path), readonly=True, create=False, max_dbs=len(TABLES), max_readers=MAX_READERS, mode=0o700
            )
            try:
                self._env.reader_check()
                _check_length(path / "data.mdb", self._env)
                with self._env.begin() as txn:
                    _check_meta(path, txn, self._env)
                self._tables = {name: self._env.open_db(name.encode(), create=False) for name in TABLES}
            except lmdb.NotFoundError:
                self._env.close()
                raise ForeignFile(f"{path.name} is not yet a log of this version: let it be opened once.") from None
            except BaseException:
                self._env.close()
                raise

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent view of what is committed."""
        with self._translated():
            try:
                txn = self._env.begin()
            except lmdb.MapResizedError:  # the writer's has grown
                self._env.set_mapsize(0)
                txn = self._env.begin()
            with txn:
                yield Transaction(txn, self._tables)

    def check(self) -> list[str]:
        """What is wrong with the file, page by page."""
        return [str(wrong) for wrong in verify(str(self._path / "data.mdb"))]  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Lets go of the file."""
        self._env.close()


def _check_kind(path: Path) -> None:
    """Raises unless a folder is empty, or a log of this version; nothing is written."""
    if not path.exists():
        return
    found = {file.name for file in path.iterdir()} if path.is_dir() else None
    if found is None or found - FILES:
        raise ForeignFile(f"{path.name} is not a space of Syncline; it was left as it is.")
    data = path / "data.mdb"
    if not data.exists() or not data.stat().st_size:
        return
    with closing(lmdb.open(str(path), readonly=True, lock=False, max_dbs=1)) as env:
        _check_length(data, env)
        with env.begin() as txn:
            if txn.stat()["entries"]:  # none: it was being made when the power went
                _check_meta(path, txn, env)


def _check_meta(path: Path, txn: Any, env: Any) -> None:
    try:
        meta = env.open_db(b"meta", txn=txn, create=False)
    except (lmdb.NotFoundError, lmdb.IncompatibleError):
        meta = None
    if meta is None or txn.get(KIND_KEY, db=meta) != KIND:
        raise ForeignFile(f"{path.name} is not a space of Syncline; it was left as it is.")
    schema = unpack(txn.get(SCHEMA_KEY, db=meta))
    if schema > SCHEMA:
        raise NewerSchema(f"{path.name} was written by a newer Syncline (schema {schema}). Upgrade this one.")


def _check_length(data: Path, env: Any) -> None:
    """A file that was cut off would end the process when what is missing is read from the map.

    One whose last pages were never used may be short, too: then every page is looked at.
    """
    pages = env.info()["last_pgno"] + 1
    if data.stat().st_size < pages * env.stat()["psize"] and (wrong := verify(str(data))):  # type: ignore[no-untyped-call]
        raise StoreDamaged(f"{data.parent.name} is damaged: {wrong[0]}")


def _has_room(data: Path) -> bool:
    """Whether a file may grow. For LMDB a disk that fills up in the middle of a commit is one that fails."""
    with data.open("r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            return file.write(bytes(ROOM_BYTES)) == ROOM_BYTES
        except OSError:
            return False
        finally:
            file.truncate(size)
