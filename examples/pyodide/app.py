"""Packs the Python replica for browsers, and serves it beside Syncline: python examples/pyodide/app.py [PORT]"""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

import syncline
from syncline.server import create_app

HERE = Path(__file__).parent
BUILT = HERE / ".cache" / "site"
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
PACKED = ("core", "replica", "stores", "sync", "transports")
"""The layers that a page needs: no server, no command line."""
PLATFORM = {"platform": "pyemscripten_2026_0_wasm32", "python-version": "3.14", "implementation": "cp", "abi": "cp314"}


def build() -> Path:
    """The folder that is served."""
    BUILT.mkdir(parents=True, exist_ok=True)
    if not (BUILT / PYODIDE[0]).exists():
        fetch()
    shutil.copytree(HERE / "page", BUILT, dirs_exist_ok=True)
    pack(Path(syncline.__file__).parent)
    return BUILT


def fetch() -> None:
    """Pyodide from npm, msgspec from PyPI, both by hash."""
    subprocess.run(["npm", "ci", "--ignore-scripts", "--loglevel=error"], cwd=HERE, check=True)
    pip = [shutil.which("python3") or sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    only = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(HERE / "requirements.txt")]
    platform = [f"--{name}={value}" for name, value in PLATFORM.items()]
    subprocess.run([*pip, *platform, *only, "--dest", str(BUILT)], check=True)
    (wheel,) = BUILT.glob("msgspec-*.whl")
    wheel.rename(BUILT / "msgspec.zip")
    for name in reversed(PYODIDE):
        shutil.copy(HERE / "node_modules" / "pyodide" / name, BUILT)


def pack(package: Path) -> None:
    """The package's own code as one archive."""
    with zipfile.ZipFile(BUILT / "syncline.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*package.glob("*.py"), *(each for layer in PACKED for each in (package / layer).rglob("*.py"))]:
            archive.write(path, path.relative_to(package.parent))


def make_app(data: str) -> Starlette:
    """Syncline, and the page."""
    sync = create_app(data=data, open=True)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sync.start()
        yield
        await sync.end_sessions()
        await sync.stop()

    pages = StaticFiles(directory=build(), html=True)
    return Starlette(routes=[Mount("/pyodide", pages), Mount("/", sync)], lifespan=lifespan)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(make_app(sys.argv[2] if len(sys.argv) > 2 else "syncline-data"), port=port, ws="websockets-sansio")
