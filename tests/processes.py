"""The end of processes that tests started: nobody waits for ever, and none is left behind."""

import subprocess
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
