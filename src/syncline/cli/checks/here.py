"""This machine: the data directory and its disk, what a process may open, and the packages that the settings need."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile

from syncline.cli.checks.findings import Checks, Finding, good, problem, warning
from syncline.server.settings import Settings

MIN_FREE_BYTES = 1 << 30
SLOW_SYNC_SECONDS = 0.02
SYNCS = 15
FILES_PER_SPACE = 12
"""A space's log and snapshots: the files, their WALs, and as many readers as there are threads."""
SPARE_FILES = 256
MOUNTS = Path("/proc/self/mounts")
REMOTE_KINDS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "glusterfs", "ceph")
"""File systems over which several machines may write, so that SQLite's locks and shared memory do not hold there."""


def checks(settings: Settings) -> Checks:
    """The checks of these settings on this machine."""
    yield "data", lambda: directory(settings)
    yield "disk", lambda: disk(Path(settings.data))
    yield "open files", lambda: open_files(settings)
    yield "memory", lambda: memory(settings)
    yield "packages", lambda: packages(settings)
    yield "address", lambda: address(settings)


def directory(settings: Settings) -> Iterator[Finding]:
    """Whether the data directory is there, and for its owner alone."""
    path = Path(settings.data)
    if not path.exists():
        can_make = os.access(_nearest(path), os.W_OK)
        yield (
            good("data", f"{path} will be made by the first start")
            if can_make
            else problem(
                "data", f"{path} is not there, and cannot be made", "Make it, and give it to the server's user."
            )
        )
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield problem("data", f"{path} cannot be written", f"Give it to this user: chown {os.getuid()} {path}")
    elif mode & 0o077:
        yield warning("data", f"others on this machine may look into {path} ({mode:o})", f"chmod 700 {path}")
    else:
        yield good("data", f"{path} is there, for its owner alone")


def disk(path: Path) -> Iterator[Finding]:
    """Room, the kind of file system, and how long it takes until what is written is safe."""
    place = _nearest(path)
    space = os.statvfs(place)
    free = space.f_bavail * space.f_frsize
    if free < MIN_FREE_BYTES:
        yield warning("disk", f"{free >> 20:,} MiB are free", "Make room: a full disk refuses every push.")
    else:
        yield good("disk", f"{free >> 30:,} GiB are free")
    kind = file_system(place, MOUNTS.read_text() if MOUNTS.exists() else "")
    if kind.startswith(REMOTE_KINDS):
        yield problem("disk", f"{place} is on {kind}", "SQLite needs a disk of this machine: move the data directory.")
    seconds = _sync_seconds(place)
    found = f"a commit waits {seconds * 1000:.1f} ms for it"
    slow = warning("disk", found, "Take a faster disk, or one with a write cache that survives a power cut.")
    yield slow if seconds > SLOW_SYNC_SECONDS else good("disk", found)


def _nearest(path: Path) -> Path:
    """The directory itself, or what there is of the way to it."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system that a path is on, given the system's table; empty if nobody knows."""
    lines = [line.split() for line in mounts.splitlines()]
    holding = [(len(line[1]), line[2]) for line in lines if len(line) > 2 and path.resolve().is_relative_to(line[1])]
    return max(holding, default=(0, ""))[1]


def _sync_seconds(path: Path) -> float:
    """The median time of a write of 4 KiB that survives a power cut."""
    taken = []
    with NamedTemporaryFile(dir=path, prefix=".syncline-doctor-") as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(4096), 0)
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return median(taken)


def open_files(settings: Settings) -> Iterator[Finding]:
    """Whether as many spaces may be open as the settings say."""
    import resource  # not on Windows

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_open_spaces * FILES_PER_SPACE + SPARE_FILES
    if most < needed:
        advice = f"ulimit -n {needed} (LimitNOFILE= of a unit), or a smaller max_open_spaces."
        yield warning(
            "open files", f"{most:,} are allowed; {settings.max_open_spaces} spaces may need {needed:,}", advice
        )
    else:
        yield good("open files", f"{most:,} are allowed, {needed:,} needed at most, and one for each connection")


def memory(settings: Settings) -> Iterator[Finding]:
    """Whether the documents that may be kept in memory fit there."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    most = settings.documents_megabytes * settings.max_open_spaces
    if most > there:
        found = f"documents may take {most:,} MiB in {settings.max_open_spaces} open spaces; there are {there:,}"
        yield warning("memory", found, "Right if few spaces are busy at a time; or a smaller documents_megabytes.")
    else:
        yield good("memory", f"{there:,} MiB, of which documents may take {most:,}")


def packages(settings: Settings) -> Iterator[Finding]:
    """Whether the packages are installed that the settings need."""
    needs = {
        "postgres": ("psycopg", settings.store.startswith("postgres") or settings.bus == "postgres"),
        "lmdb": ("lmdb", settings.store == "lmdb"),
        "nats": ("nats", settings.bus.startswith(("nats:", "tls:")) or bool(settings.nats)),
        "grpc": ("grpc", settings.grpc_port >= 0),
    }
    wanted = {extra: package for extra, (package, is_needed) in needs.items() if is_needed}
    for extra, package in wanted.items():
        if find_spec(package) is None:
            yield problem("packages", f"{package} is not installed", f"pip install 'syncline[{extra}]'")
        else:
            yield good("packages", f"{package} is installed")


def address(settings: Settings) -> Iterator[Finding]:
    """Whether the server may listen where it shall, or does."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    place = f"{settings.host}:{settings.port}"
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((settings.host, settings.port))
        except PermissionError:
            yield problem("address", f"{place} is not for this user", "Take a port above 1023, and a proxy before it.")
        except OSError as error:
            found = f"{place}: {error.strerror}"
            yield warning("address", found, "If it is this server that listens there, all is well; or another port.")
        else:
            yield good("address", f"{place} is free")
