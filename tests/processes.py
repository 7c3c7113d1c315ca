"""Processes that tests started: nobody waits for ever for their end, and none is left behind."""

import os
import subprocess
from pathlib import Path
from typing import AnyStr

DEADLINE = 30.0


def rest_of(process: subprocess.Popen[AnyStr], *, seconds: float = DEADLINE) -> tuple[AnyStr, AnyStr]:
    """What a process that is about to end still says, on its pipes. One that does not end is killed, and fails."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        raise


def kill(process: subprocess.Popen[AnyStr]) -> None:
    """Ends a process that may have ended already."""
    process.kill()
    process.communicate()


def computed_seconds(pid: int) -> float:
    """The processor time that a process has taken, which does not depend on what else the machine does."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
