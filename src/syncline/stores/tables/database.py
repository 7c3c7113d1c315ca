"""A SQLite file of ours: opened durably, recognised, migrated, locked, and never used by two threads at once.

The only module that knows apsw, which brings its own fixed SQLite. Every file carries an application id that says what
kind it is and a schema version; WAL with ``synchronous=FULL`` makes a commit survive a power cut. Files of derived data
may lose their last commits in one, and are made anew where others would be reported as damaged. A file that is
*checked* has a checksum for every page beside it (see ``page_sums``), and is proven to be whole when it is opened.
"""

from __future__ import annotations

import errno
import os
from array import array as integers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from threading import Lock, RLock
from types import MappingProxyType
from typing import Any, NamedTuple

import apsw

from syncline.errors import ForeignFile, NewerSchema, StorageFull, StoreClosed, StoreDamaged, StoreLocked
from syncline.stores.tables import page_sums
from syncline.stores.tables.page_sums import PageSums

CHECKPOINT_PAGES = 4_000
BLOCKING_CHECKPOINT_PAGES = 40_000
BUSY_MS = 5_000
FULL = (errno.EFBIG, errno.EDQUOT)
"""What SQLite takes for a broken disk, but is a limit that can be raised. It knows ENOSPC by itself."""
WRITER_CACHE_KIB, READER_CACHE_KIB = 16_384, 2_048
"""Pages kept in memory by a connection; a server may have hundreds of spaces open."""
ROWS_PER_STATEMENT = (128, 32, 8, 4, 2, 1)
TRY_TO_WRITE = "BEGIN IMMEDIATE; CREATE TABLE tried (x); INSERT INTO tried VALUES (1); ROLLBACK"
REWRITE = "PRAGMA secure_delete = ON; PRAGMA temp_store = FILE; VACUUM"
"""Without the first, new pages would begin with what was in memory; the second is for files larger than that."""
LAYOUT = "SELECT name, sql FROM sqlite_schema WHERE name != 'mark' ORDER BY name"
MARK = "CREATE TABLE IF NOT EXISTS mark (mark BLOB); DELETE FROM mark; INSERT INTO mark VALUES (?)"
"""The only row of its table, so its bytes are the last ones of a page."""
MARKED = "SELECT rootpage FROM sqlite_schema WHERE name = 'mark'"

HOLD = "PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"
"""Nothing is ever written there: a journal on the disk would cost three waits for it when the file is let go."""


class Schema(NamedTuple):
    """A kind of file: its application id, and a script for each version, which leads from the one before to it.

    ``functions`` are what the scripts call besides those of SQLite.
    """

    name: str
    application_id: int
    migrations: Sequence[str]
    functions: Mapping[str, Callable[..., Any]] = MappingProxyType({})


class Database:
    """One file with one writing connection, and as many reading ones as threads read at the same time."""

    def __init__(
        self,
        path: Path,
        schema: Schema,
        *,
        checkpoint_apart: bool = False,
        shared: bool = False,
        read_only: bool = False,
        derived: bool = False,
        checked: bool = False,
        examine: Callable[[Any], None] = lambda cursor: None,
    ) -> None:
        """``checkpoint_apart``: somebody calls ``checkpoint``. ``shared``: other programs may write too.

        ``read_only``: nothing is written, and another program may have the file open. ``derived``: a file of this kind
        that is damaged or of another version is made anew. ``checked``: it has to be as it was written; raises
        StoreDamaged otherwise. One that has no sums yet is looked through by SQLite, and ``examine``, which raises
        StoreDamaged if it does not like what it reads. What is deleted in a file that is checked is overwritten.
        """
        self._path = path
        self._sums: PageSums | None = None
        self._is_settled = False
        self._read_only, self._is_derived = read_only, derived
        self._writer_lock = RLock()
        self._readers: list[apsw.Connection] = []
        self._readers_lock = Lock()
        self._checkpoint_lock = RLock()
        self._wal_pages = 0
        self._closed = False
        self._lock = None if shared or read_only else hold(Path(f"{path}.lock"))
        try:
            with _translated(path):
                if checked:
                    self._sums = _proven_if_free(path, schema) if read_only else _proven(path, schema, derived=derived)
                if derived:
                    _discard_unless_good(path, schema)
                pages = 0 if checkpoint_apart or checked else CHECKPOINT_PAGES
                self._writer = _connect(
                    path, pages=pages, cache_kib=WRITER_CACHE_KIB, read_only=read_only, durable=not derived
                )
                if checkpoint_apart or checked:
                    self._writer.set_wal_hook(self._note_wal)
                _migrate(self._writer, path, schema, read_only=read_only)
                if checked and not read_only:
                    self._begin_sums(examine)
        except BaseException:
            if self._lock is not None:
                self._lock.close()
            raise

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Any]:
        """A transaction: committed durably when the block ends, undone if it raises.

        One that is not ``durable`` survives the end of the process, and a power cut once a later one that is has been
        committed, or the system has written what it holds. It costs no wait for the disk.
        """
        with self._writer_lock, self._watched(), self._syncing(durable=durable):
            self.check_open()
            cursor = self._writer.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException as error:
                is_full = isinstance(error, apsw.IOError) and self._writer.system_errno in FULL
                with suppress(apsw.Error):  # SQLite has undone it by itself when the disk is full
                    cursor.execute("ROLLBACK")
                if is_full:
                    raise apsw.FullError(str(error)) from error
                raise
        if self._sums is not None and self._wal_pages > CHECKPOINT_PAGES:
            self._settle("PASSIVE" if self._wal_pages < BLOCKING_CHECKPOINT_PAGES else "RESTART")
        elif self._wal_pages > BLOCKING_CHECKPOINT_PAGES:
            self._finish_checkpoint()

    @contextmanager
    def _syncing(self, *, durable: bool) -> Iterator[None]:
        """How far the writer waits for the disk; call it with the writer's lock. In a WAL, NORMAL does not at all."""
        if durable or self._is_derived:
            yield
            return
        self.check_open()
        self._writer.execute("PRAGMA synchronous = NORMAL").fetchall()
        try:
            yield
        finally:
            self._writer.execute("PRAGMA synchronous = FULL").fetchall()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A consistent view of what is committed."""
        with self._watched():
            with self._readers_lock:
                self.check_open()
                connection = self._readers.pop() if self._readers else None
            if connection is None:
                connection = _connect(self._path, pages=0, cache_kib=READER_CACHE_KIB, read_only=self._read_only)
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close(True)  # a statement that has rows left would keep the view for whoever reads next
                with self._readers_lock:
                    if self._closed:
                        connection.close()
                    else:
                        self._readers.append(connection)

    def foreign_version(self) -> int:
        """A number that changes when another program has written; what this object writes does not change it."""
        with self._writer_lock, _translated(self._path):
            self.check_open()
            return int(self._writer.pragma("data_version"))

    @property
    def wants_checkpoint(self) -> bool:
        """Whether ``checkpoint`` has something to do."""
        return self._wal_pages > CHECKPOINT_PAGES and not self._closed

    def checkpoint(self) -> None:
        """Moves pages from the WAL into the file without stopping the writer; call it from another thread."""
        with self._checkpoint_lock, _translated(self._path), self.reading() as cursor:
            self._wal_pages = 0
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _finish_checkpoint(self) -> None:
        """Empties a WAL that grows faster than it can be checkpointed beside the writer.

        What was committed stands even if this fails, so whoever wrote must not hear of it: the next commit tries again.
        """
        with self._writer_lock, suppress(apsw.Error):
            self._wal_pages = 0
            self._writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    # What is checked

    @property
    def is_proven(self) -> bool:
        """Whether each page was compared with its sum; not when another program has the file open."""
        return self._sums is not None

    def _begin_sums(self, examine: Callable[[Any], None]) -> None:
        """From now on pages get into the file with their sums only."""
        self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._writer.execute("PRAGMA secure_delete = ON").fetchall()
        if self._sums is None:
            self._examine(examine)
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._sums = PageSums.of(self._path)
            self._settle("TRUNCATE")

    def _examine(self, examine: Callable[[Any], None]) -> None:
        with self.writing() as cursor:
            found = cursor.execute("PRAGMA integrity_check(1)").get
            if found != "ok":
                raise StoreDamaged(f"{self._path.name} is damaged: {found}")
            examine(cursor)

    def _settle(self, mode: str) -> None:
        """A checkpoint of a checked file: what its pages are to be is written down before they change.

        What was committed stands even if this fails (the disk is full, say): it stays in the WAL, and the next commit
        tries again.
        """
        with self._checkpoint_lock, self._writer_lock, suppress(apsw.Error, OSError):
            if self._sums is None or self._read_only or self._is_settled or self._sums.is_doubtful:
                return
            mark = page_sums.new_mark()
            self._writer.execute(f"BEGIN IMMEDIATE; {MARK}; COMMIT", (mark,)).fetchall()
            self._sums.take_in(self._wal_pages, mark, self._writer.execute(MARKED).get)
            self._writer.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
            self._wal_pages, self._is_settled = 0, True

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Errors of SQLite as ours. That a checked file is damaged is noted, so that its next opening knows of it."""
        try:
            with _translated(self._path):
                yield
        except (StoreDamaged, ForeignFile) as error:
            if self._sums is None or self._read_only:
                raise
            with suppress(OSError):
                self._sums.distrust()
            raise _damage(self._path, error) from error

    def scrub(self) -> bool:
        """Leaves no byte of what was deleted, neither in the file nor beside it; whether that went well.

        Deleted rows lie in free pages, and pages that were split keep copies of what moved on; so everything that is
        there is written anew, at the cost of copying the file. It fails without harm if there is no room for that, or
        while somebody reads for longer than ``BUSY_MS``.
        """
        with self._checkpoint_lock, self._writer_lock:
            self.check_open()
            with suppress(apsw.Error), closing(_connect(self._path, pages=0, cache_kib=WRITER_CACHE_KIB)) as apart:
                apart.execute(REWRITE).fetchall()
                if self._sums is not None:
                    self._is_settled = False
                    self._settle("PASSIVE")
                    if not self._is_settled:
                        return False
                ((is_busy, *_),) = apart.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                return not is_busy
        return False

    def close(self) -> None:
        """Closes every connection and gives the file free. Closing twice does nothing."""
        if not self._closed:
            self._settle("TRUNCATE")
        with self._checkpoint_lock, self._writer_lock, self._readers_lock:
            if not self._closed:
                self._closed = True
                if self._is_settled:
                    self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
                for connection in (*self._readers, self._writer, *([self._lock] if self._lock else [])):
                    connection.close()

    def check_open(self) -> None:
        """Raises StoreClosed if it was closed."""
        if self._closed:
            raise StoreClosed(f"{self._path.name} was closed.")

    def _note_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages, self._is_settled = pages, False
        return apsw.SQLITE_OK


def array(values: Iterable[bytes] | Iterable[int] | Iterable[str]) -> Any:
    """A parameter for ``IN carray(?)``: many keys, names or seqs in one statement. There must be at least one."""
    listed = tuple(values)
    return apsw.carray(integers("q", listed) if isinstance(listed[0], int) else listed)


def insert(cursor: Any, into: str, rows: Sequence[tuple[Any, ...]], suffix: str = "") -> None:
    """Inserts rows, many with one statement: the interpreter's lock is let go and fought for once a statement."""
    done = 0
    for size in ROWS_PER_STATEMENT:
        end = done + (len(rows) - done) // size * size
        if end > done:
            values = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * size)
            groups = (chain.from_iterable(rows[start : start + size]) for start in range(done, end, size))
            cursor.executemany(f"{into} VALUES {values} {suffix}", map(tuple, groups))
            done = end


def _connect(
    path: Path, *, pages: int, cache_kib: int, read_only: bool = False, durable: bool = True
) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_MS)
    if not read_only:
        synchronous = "FULL" if durable else "NORMAL"
        for setting in ("journal_mode = WAL", f"synchronous = {synchronous}", f"wal_autocheckpoint = {pages}"):
            connection.execute(f"PRAGMA {setting}").fetchall()
    for setting in ("temp_store = MEMORY", f"cache_size = -{cache_kib}"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    return connection


def hold(path: Path) -> apsw.Connection:
    """Holds a lock file until it is closed; the system frees it when a process dies. Raises StoreLocked or OSError."""
    with _told_why(path):
        lock = apsw.Connection(str(path))
    try:
        lock.execute(HOLD).fetchall()
    except apsw.BusyError:
        lock.close()
        raise StoreLocked(f"{path} is held by another program. Close that one first.") from None
    return lock


def _migrate(connection: apsw.Connection, path: Path, schema: Schema, *, read_only: bool) -> None:
    found = connection.pragma("application_id"), connection.pragma("user_version")
    is_empty = not connection.execute("SELECT count(*) FROM sqlite_schema").get
    if found[0] != schema.application_id and not (is_empty and found == (0, 0)):
        raise ForeignFile(f"{path.name} is not a {schema.name} of Syncline; it was left as it is.")
    if found[1] > len(schema.migrations):
        raise NewerSchema(f"{path.name} was written by a newer Syncline (schema {found[1]}). Upgrade this one.")
    if read_only and found[1] < len(schema.migrations):
        raise ForeignFile(f"{path.name} is not (or not yet) a {schema.name} of this version: let it be opened once.")
    for name, function in schema.functions.items():
        connection.create_scalar_function(name, function, deterministic=True)
    for version, script in enumerate(schema.migrations[found[1] :], found[1] + 1):
        connection.execute(
            f"BEGIN IMMEDIATE; {script}; PRAGMA application_id = {schema.application_id};"
            f"PRAGMA user_version = {version}; COMMIT"
        )


def discard(path: Path) -> None:
    """Deletes a file of derived data. The file itself goes last: while it is there, it is known to be ours."""
    for suffix in (".sums", "-wal", "-shm", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _discard_unless_good(path: Path, schema: Schema) -> None:
    """Deletes a file of this kind that cannot be read, or is not laid out as this version would do it."""
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with closing(apsw.Connection(str(path))) as connection, closing(apsw.Connection(":memory:")) as fresh:
            connection.set_busy_timeout(BUSY_MS)
            _migrate(connection, path, schema, read_only=False)
            _migrate(fresh, path, schema, read_only=False)
            connection.execute(TRY_TO_WRITE).fetchall()
            is_good = connection.execute(LAYOUT).fetchall() == fresh.execute(LAYOUT).fetchall()
    except NewerSchema:
        is_good = False
    except (apsw.Error, UnicodeDecodeError) as error:
        if isinstance(error, apsw.BusyError) or not _is_marked(path, schema):
            raise  # perhaps it is somebody's: nothing that is not known to be ours is deleted
        is_good = False
    if not is_good:
        discard(path)


def _is_marked(path: Path, schema: Schema) -> bool:
    """Whether the application id stands where SQLite writes it, however damaged the rest is."""
    with path.open("rb") as file:
        return file.read(72)[68:] == schema.application_id.to_bytes(4, "big")


def _proven(path: Path, schema: Schema, *, derived: bool) -> PageSums | None:
    """The sums of a file that is as they say; None if there are none, or they are of another file that stood there.

    Raises StoreDamaged, but deletes a derived file of this kind that is not proven.
    """
    proven = None
    try:
        sums = PageSums.load(path) if path.exists() else None
        if sums is not None and sums.prove(valid_frames(path)):
            proven = sums
    except (StoreDamaged, apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
        if not derived:
            raise _damage(path, error) from error
    if proven is None and derived and path.exists() and (page_sums.beside(path).exists() or _is_marked(path, schema)):
        discard(path)
    return proven


def valid_frames(path: Path) -> int:
    """How many frames SQLite takes from the WAL of a file. Raises StoreDamaged or an error of apsw."""
    wal = Path(f"{path}-wal")
    if not wal.exists() or not wal.stat().st_size:
        return 0
    if not path.stat().st_size:  # SQLite would delete the WAL
        raise StoreDamaged(f"{path.name} is empty, and its WAL is not.")
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    return max(frames, 0)


def glance(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """What a file answers, however damaged it is: nothing if it cannot. Nothing is written to it."""
    if not path.stat().st_size:  # SQLite would delete the WAL
        return []
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            return list(connection.execute(statement))
    except (apsw.Error, UnicodeDecodeError):
        return []


def _proven_if_free(path: Path, schema: Schema) -> PageSums | None:
    """The same of a file that is only looked at: nothing is known of one that changes meanwhile."""
    if page_sums.beside(path).exists():
        with suppress(StoreLocked, OSError, apsw.CantOpenError), closing(hold(Path(f"{path}.lock"))):
            return _proven(path, schema, derived=False)
    return None


def _damage(path: Path, error: Exception) -> StoreDamaged:
    """What is wrong with a file, in words that name it once."""
    is_told = isinstance(error, StoreDamaged) and error.message.startswith(path.name)
    return StoreDamaged(str(error) if is_told else f"{path.name} is damaged: {error}")


@contextmanager
def _told_why(path: Path) -> Iterator[None]:
    """A file that SQLite cannot open is an OSError, which says why: no such folder, not allowed, a folder."""
    try:
        yield
    except apsw.CantOpenError:
        if path.exists():
            path.open("r+b").close()
        next(path.parent.iterdir(), None)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None
        raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours."""
    try:
        with _told_why(path):
            yield
    except apsw.FullError as error:
        raise StorageFull(f"The disk is full; nothing was stored in {path.name}.") from error
    except apsw.BusyError as error:
        raise StoreLocked(f"{path.name} is being written by another program.") from error
    except apsw.NotADBError as error:
        raise ForeignFile(f"{path.name} is not a SQLite file; it was left as it is.") from error
    except apsw.CorruptError as error:
        raise StoreDamaged(f"{path.name} is damaged: {error}") from error
