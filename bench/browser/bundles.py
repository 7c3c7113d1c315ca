"""Programs for a page, each as one file that esbuild makes of modules, and how large these are."""

import gzip
import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from bench.install import node_peers
from bench.paths import BENCH, NODE_MODULES, ROOT
from bench.plan import Skipped

ESBUILD = NODE_MODULES / ".bin" / "esbuild"
PAGES = BENCH / "browser" / "pages"
SDK = ROOT / "js" / "src"
LOADED_LATER = [f"--external:./{module}.js" for module in ("healing", "peers")]
"""What a page loads when it heals or meets a peer, and not before."""
SDK_OPTIONS = ["--minify", "--mangle-props=^_", "--external:react", *LOADED_LATER]
AUTOMERGE_WASM = NODE_MODULES / "@automerge" / "automerge" / "dist" / "automerge.wasm"


class Size(NamedTuple):
    """Bytes, minified, and then compressed by somebody who has the time."""

    minified: int
    gzipped: int


def program(page: str) -> str:
    """The program of a contender's page."""
    return esbuild(str(PAGES / f"{page}.js")).decode()


def sdk_size(module: str) -> Size:
    """A module of the SDK with all that it imports; private names are shortened."""
    return size(esbuild(str(SDK / module), *SDK_OPTIONS))


def sdk_parts(module: str) -> Counter[str]:
    """The same, minified, by the folders of the SDK."""
    with tempfile.TemporaryDirectory() as folder:
        meta = Path(folder) / "meta.json"
        esbuild(str(SDK / module), *SDK_OPTIONS, f"--metafile={meta}", f"--outfile={folder}/sdk.js")
        [output] = json.loads(meta.read_text("utf-8"))["outputs"].values()
    parts: Counter[str] = Counter()
    for file, of in output["inputs"].items():
        folder_of = (BENCH / file).resolve().relative_to(SDK).parent
        parts[str(folder_of)] += of["bytesInOutput"]
    return parts


def packages_size(*packages: str) -> Size:
    """npm packages together, with all that they export."""
    modules = "".join(f"export * as m{n} from {json.dumps(name)}\n" for n, name in enumerate(packages))
    return size(esbuild("--minify", source=modules))


def automerge_size() -> Size:
    """Its JavaScript, and its WebAssembly as a file of its own."""
    script, wasm = packages_size("@automerge/automerge/slim"), size(AUTOMERGE_WASM.read_bytes())
    return Size(script.minified + wasm.minified, script.gzipped + wasm.gzipped)


def size(data: bytes) -> Size:
    return Size(len(data), len(gzip.compress(data, 9)))


def esbuild(*options: str, source: str = "") -> bytes:
    """Modules as one; with a `source`, it is what begins. Raises Skipped, and NotInstalled."""
    node_peers()
    command = [str(ESBUILD), "--bundle", "--format=esm", "--target=es2022", "--log-level=error", *options]
    done = subprocess.run(command, cwd=BENCH, input=source.encode(), capture_output=True, check=False)
    if done.returncode:
        raise Skipped(f"esbuild: {done.stderr.decode().strip().splitlines()[0]}")
    return done.stdout
