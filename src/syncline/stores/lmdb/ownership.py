"""Who may have an environment open: one process, which holds a lock file. The system frees it when the process dies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from syncline.errors import StoreLocked

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def hold(path: Path) -> IO[bytes]:
    """Holds a lock file until it is closed. Raises StoreLocked."""
    file = path.open("ab")
    try:
        _lock(file)
    except OSError:
        file.close()
        raise StoreLocked(f"{path} is held by another program. Close that one first.") from None
    return file
