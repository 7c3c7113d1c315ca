"""A replica's file that is damaged is put aside, and a new one takes its place, with what was not shared yet.

The rest comes from the server. The damaged file stays, as ``<path>.damaged-<time>``: nobody but its owner deletes it.
Whatever happens meanwhile (a crash, a full disk), the next opening goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from glob import escape
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from syncline.errors import StoreDamaged
from syncline.stores import Change, Outboxed, ReplicaState
from syncline.stores.sqlite.replica import SqliteReplicaStore
from syncline.stores.sqlite.rescue import Rescued, cut_off, rescue
from syncline.stores.tables.database import discard, hold, valid_frames
from syncline.stores.tables.page_sums import sync_directory

log = logging.getLogger("syncline.stores")

DERIVED = (".snapshots", ".documents")
BESIDE = ("-wal", "-shm", ".sums", ".lock")


def open_replica(path: Path | str, make_node: Callable[[], str]) -> SqliteReplicaStore:
    """The replica in a file, made if it is not there. One that is damaged is put aside, and its local events go on.

    What is in the new file gets to the server under the ids it has; the server's log is the next thing it reads.
    """
    path = Path(path)
    _finish(path)
    try:
        return _opened(path, make_node)
    except StoreDamaged as damage:
        aside, count = mend(path, make_node)
        log.warning("%s It is kept as %s; local events that were saved: %d.", damage.message, aside.name, count)
        return SqliteReplicaStore(path, make_node())


def put_aside(path: Path | str) -> list[Path]:
    """The damaged files that once were at this path, and are still there."""
    path = Path(path)
    return sorted(each for each in _named(path, "damaged") if not each.name.endswith(BESIDE))


def _opened(path: Path, make_node: Callable[[], str]) -> SqliteReplicaStore:
    """The replica in a file that is not damaged; what only its WAL was cut off of is taken in again."""
    lost = {each.event.id: each for each in _cut_off(path)}
    with ExitStack() as opened:
        store = SqliteReplicaStore(path, make_node())
        opened.callback(store.close)
        if missing := sorted(lost.keys() - store.holds(lost)):
            state = _anew(store.state(), make_node(), missing)
            store.commit(Change(outbox=[lost[id] for id in missing], state=state))
            log.warning("%s-wal was damaged; local events that were saved: %d.", path.name, len(missing))
        opened.pop_all()
    return store


def _cut_off(path: Path) -> list[Outboxed]:
    if not path.exists() or not Path(f"{path}-wal").exists():
        return []
    with closing(hold(Path(f"{path}.lock"))):
        return cut_off(path, valid_frames(path))


def mend(path: Path, make_node: Callable[[], str]) -> tuple[Path, int]:
    """Puts a damaged file aside; where it is now, and how many events are in the new one. Raises StoreLocked."""
    with closing(hold(Path(f"{path}.lock"))):
        for left in _named(path, "mended"):
            left.unlink(missing_ok=True)
        rescued = rescue(path)
        time = _free_time(path)
        store = SqliteReplicaStore(Path(f"{path}.mended-{time}"), make_node())
        ids = [each.event.id for each in rescued.outbox]
        state = _anew(_identity(rescued), store.state().node, ids)
        store.commit(Change(outbox=rescued.outbox, state=state))
        store.close()
        _swap(path, time)
    return Path(f"{path}.damaged-{time}"), len(ids)


def _identity(rescued: Rescued) -> ReplicaState:
    """Whose replica this was, and of which log, as far as that is known; nothing of how far it had read."""
    if rescued.state is not None:
        return ReplicaState(node="", user=rescued.state.user, epoch=rescued.state.epoch)
    users = {each.event.user for each in rescued.outbox if each.status == "pending" and each.event.user is not UNSET}
    return ReplicaState(node="", user=str(users.pop()) if len(users) == 1 else None)


def _anew(state: ReplicaState, node: str, ids: list[str]) -> ReplicaState:
    """The state under a new node: how many events the old one had made is not known."""
    return replace(state, node=node, n=0, stamp=max([state.stamp, *ids]))


def _free_time(path: Path) -> str:
    """The time in a name that nothing has yet."""
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return time if not Path(f"{path}.damaged-{time}").exists() else _free_time(path)


def _named(path: Path, what: str) -> list[Path]:
    return list(path.parent.glob(f"{escape(path.name)}.{what}-*"))


def _finish(path: Path) -> None:
    """Goes on with an exchange of files that a crash has interrupted: the new file was ready before it began."""
    ready = sorted(each for each in _named(path, "mended") if not each.name.endswith(BESIDE))
    if ready and not path.exists():
        with closing(hold(Path(f"{path}.lock"))):
            _swap(path, ready[-1].name.rpartition("-")[2])


def _swap(path: Path, time: str) -> None:
    """The damaged file steps aside for the new one. What was derived from it goes first, and the new one comes last."""
    mended, aside = f"{path}.mended-{time}", f"{path}.damaged-{time}"
    for suffix in DERIVED:
        discard(Path(f"{path}{suffix}"))
    suffixes = ["", "-wal", *([".sums"] if Path(f"{mended}.sums").exists() else [])]
    for source, target in [(f"{path}{suffix}", f"{aside}{suffix}") for suffix in suffixes]:
        _rename(source, target)
    Path(f"{path}-shm").unlink(missing_ok=True)
    _rename(f"{mended}.sums", f"{path}.sums")
    _rename(mended, str(path))
    Path(f"{mended}.lock").unlink(missing_ok=True)


def _rename(source: str, target: str) -> None:
    if Path(source).exists():
        Path(source).replace(target)
        sync_directory(Path(target).parent)
