"""Restoring a backup: into logs that are empty, or are how the backup begins, with epoch, seqs, times and receipts.

Every entry goes through ``core.adoption``, so what is restored has the digests and tails it had. A restore that was
interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from syncline.core.events import Entry
from syncline.core.log import Head, Receipts, chain_end
from syncline.errors import BadSettings, EpochChanged, LogChanged, StoreDamaged
from syncline.server.backups import segments
from syncline.server.backups.checking import read_register
from syncline.server.backups.erasing import erase_again
from syncline.server.backups.folder import Folder, Listing, Log
from syncline.server.backups.progress import Bar, shifted
from syncline.server.logs import POSTGRES, kind_of, open_logs
from syncline.server.register import copying
from syncline.server.register.erasures import ErasureTable
from syncline.server.registry import open_registry
from syncline.stores import Logs, LogStore
from syncline.stores.tables.database import hold

NONE_ISSUED = Receipts(b"")
"""Entries keep the receipts they have."""
TIDIED_BYTES = 16 * 1024 * 1024
"""After so much a store tidies up."""


class Wanted(NamedTuple):
    """What of a backup is restored: these spaces (none: all), and each up to a seq or a time."""

    spaces: Sequence[str] = ()
    to_seq: int | None = None
    to_time: int | None = None

    def of(self, listing: Listing) -> dict[str, Log]:
        """The logs that are meant. Raises BadSettings if one is not there."""
        if missing := set(self.spaces) - listing.spaces.keys():
            raise BadSettings(f"The backup {listing.name} has no space {min(missing)}.")
        return {name: log for name, log in listing.spaces.items() if not self.spaces or name in self.spaces}

    def is_before(self, ms: int) -> bool:
        """Whether an entry of this time is not wanted."""
        return self.to_time is not None and ms > self.to_time

    def cut(self, entries: Sequence[Entry]) -> list[Entry]:
        """The first of some entries that are wanted."""
        return [
            entry
            for entry in entries
            if (self.to_seq is None or entry.seq <= self.to_seq) and not self.is_before(entry.at)
        ]


class Restoring:
    """Restores from one backup into the logs that the settings ``store`` and ``data`` name."""

    def __init__(self, folder: Folder, listing: Listing, store: str, data: Path, now_ms: Callable[[], int]) -> None:
        self._folder, self._listing, self._store, self._data, self._now_ms = folder, listing, store, data, now_ms
        self._erased: dict[str, list[str]] = {}

    def run(self, wanted: Wanted, bar: Bar, *, register: bool) -> dict[str, Head]:
        """Restores; where each log ends then. ``register``: users, keys and secrets, too, as they were.

        Raises StoreLocked if a server runs there or has a register already, EpochChanged or LogChanged if a log that is
        there is another one, and StoreDamaged; a log is then as far as it came.
        """
        logs = wanted.of(self._listing)
        if register and self._listing.register is None:
            raise BadSettings(f"The backup {self._listing.name} was made without a register.")
        with self._alone():
            self._enter(logs, with_register=register)
            with closing(open_logs(self._store, self._data, NONE_ISSUED)) as opened:
                return self._restore(opened, logs, wanted, bar)

    def _restore(self, opened: Logs, logs: Mapping[str, Log], wanted: Wanted, bar: Bar) -> dict[str, Head]:
        done, heads = 0, {}
        with bar(sum(log.seq for log in logs.values())) as advance:
            for space, log in logs.items():
                with closing(opened.open(space)) as store:
                    heads[space] = self._fill(store, space, log, wanted, shifted(advance, done))
                    erase_again(store, self._erased.get(space, ()))
                done += log.seq
        return heads

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No server has the data directory meanwhile; a database has no such lock."""
        if kind_of(self._store) == POSTGRES:
            yield
            return
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(hold(self._data / "server.lock")):
            yield

    def _enter(self, logs: Mapping[str, Log], *, with_register: bool) -> None:
        """The register knows the spaces; a space that was deleted stays so."""
        with closing(open_registry(self._data, self._store, self._now_ms)) as registry:
            if with_register:
                copying.load(registry.database, read_register(self._folder, self._listing))
            for space in logs:
                registry.create_space(space)
            self._note_erasures(ErasureTable(registry.database))

    def _note_erasures(self, table: ErasureTable) -> None:
        """What was erased stays so: also what the newest backup alone knows of, and without a register, too."""
        known: dict[str, list[Any]] = {}
        for space, payload in self._erasures():
            noted = known.setdefault(space, list(table.of(space)))
            if payload not in noted:
                table.add(space, payload)
                noted.append(payload)
        self._erased = {space: [id for each in noted for id in each["events"]] for space, noted in known.items()}

    def _erasures(self) -> Iterator[tuple[str, Any]]:
        """What the newest copy of a register in the folder knows of: the space and the payload of each act."""
        for name in reversed(self._folder.names()):
            listing = self._folder.read(name)
            if listing.register is not None:
                return copying.erasures(self._telling(listing))
        return iter(())

    def _telling(self, listing: Listing) -> bytes:
        """The copy of the register that tells what was erased. Raises StoreDamaged, which says what to do then."""
        try:
            return read_register(self._folder, listing)
        except StoreDamaged as error:
            raise StoreDamaged(
                f"{error.message} It tells what was erased, so without it nothing is restored from this folder. Put "
                "the file back from another copy of the folder, or make a new backup; if neither can be, move "
                f"{listing.name}.json away: then the backup before it tells, and what was erased since comes back."
            ) from None

    def _fill(self, store: LogStore, space: str, log: Log, wanted: Wanted, note: Callable[[int], None]) -> Head:
        done, size = _begun(store, space, log, wanted), 0
        for stretch in self._stretches(store, log, done):
            wish = wanted.cut(stretch.entries)
            if wish and wish[-1].seq > done.seq:
                done = store.adopt(*_rest(done, wish, stretch))
                size += sum(len(entry.raw) for entry in wish)
            note(done.seq)
            if len(wish) < len(stretch.entries):
                break
            if size > TIDIED_BYTES:
                store.checkpoint()
                size = 0
        return done

    def _stretches(self, store: LogStore, log: Log, done: Head) -> Iterator[segments.Stretch]:
        """What follows on what is there, which must be how the log begins. Raises LogChanged."""
        before = Head(log.epoch)
        for segment in log.segments:
            after = Head(log.epoch, segment.last, bytes.fromhex(segment.tail), segment.at)
            if segment.last > done.seq:
                for stretch in segments.read(self._folder, segment, before):
                    if before.seq < done.seq:
                        _check_same(store, _met(stretch, before, done.seq))
                    if stretch.then.seq > done.seq:
                        yield stretch
                    before = stretch.then
            else:
                _check_same(store, after)
            before = after


def _begun(store: LogStore, space: str, log: Log, wanted: Wanted) -> Head:
    """Where the log that is there ends; an empty one takes the epoch. Raises EpochChanged or LogChanged."""
    done = store.refresh()
    if done.seq and done.epoch != log.epoch:
        raise EpochChanged(f"{space} is another log there (another epoch). Restore into an empty place.")
    if done.seq > (log.seq if wanted.to_seq is None else min(log.seq, wanted.to_seq)) or wanted.is_before(done.at):
        raise LogChanged(
            f"{space} goes on to seq {done.seq} there, beyond what is wanted: restore into an empty place."
        )
    return done if done.epoch == log.epoch else store.adopt([], Head(log.epoch))


def _met(stretch: segments.Stretch, before: Head, until: int) -> Head:
    """Where a stretch leads, as far as it goes up to a seq that lies after its beginning."""
    if stretch.then.seq <= until:
        return stretch.then
    digests = [entry.event.digest for entry in stretch.entries if entry.seq <= until]
    return Head(before.epoch, before.seq + len(digests), chain_end(before.tail, digests))


def _check_same(store: LogStore, then: Head) -> None:
    if store.tail(then.seq) != then.tail:
        raise LogChanged(f"What is there is not as the backup was at seq {then.seq}. Restore into an empty place.")


def _rest(done: Head, wish: Sequence[Entry], stretch: segments.Stretch) -> tuple[list[Entry], Head]:
    """The entries that are not there yet, and where they lead."""
    rest = [entry for entry in wish if entry.seq > done.seq]
    if len(wish) == len(stretch.entries):
        return rest, stretch.then
    tail = chain_end(done.tail, [entry.event.digest for entry in rest])
    return rest, Head(stretch.then.epoch, rest[-1].seq, tail)
