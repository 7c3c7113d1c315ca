"""Files that are there as a whole or not at all, also after a power cut."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from syncline.errors import StorageFull
from syncline.stores.folders import sync_folder

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NEW = ".new"


def write_file(path: Path, content: bytes) -> None:
    """Writes a file, in place of one that may be there. Raises StorageFull."""
    new = path.with_name(path.name + NEW)
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        if error.errno in FULL:
            raise StorageFull(f"The disk is full; {path} was not written.") from error
        raise
