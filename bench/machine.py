"""What the figures were measured on: without it a number says nothing."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from bench.paths import BENCH

Facts = dict[str, str | int | float]


def facts() -> Facts:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "filesystem": filesystem(),
        "python": platform.python_version(),
        "node": version("node", "--version"),
        "load": round(os.getloadavg()[0], 2),
    }


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def filesystem() -> str:
    """Of the folder with the data: fsync means little on one that lives in memory."""
    return version("stat", "--file-system", "--format=%T", str(BENCH))


def version(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "none"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
