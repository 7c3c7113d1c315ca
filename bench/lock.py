"""Make both lock files again: `python -m bench.lock`. They pin by hash and name no host.

npm writes addresses of authors and their funding pages into its lock; they are taken out, since nothing
reads them. Everything else is as the tools write it.
"""

import json
import shutil
import subprocess

from bench.paths import BENCH, ROOT

PYTHON_LOCK = [
    "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
    "--no-emit-index-url", "--custom-compile-command", "python -m bench.lock",
    "requirements.in", "-o", "requirements.lock",
]  # fmt: skip
NODE_LOCK = ["npm", "install", "--package-lock-only", "--ignore-scripts"]


def find_uv() -> str:
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".uvtool" / "bin"))
    if uv is None:
        raise SystemExit("uv is needed to make the lock: run `make setup` first")
    return uv


def without_addresses(lock: dict[str, dict[str, dict[str, object]]]) -> str:
    for package in lock["packages"].values():
        package.pop("funding", None)
        package.pop("deprecated", None)
    return json.dumps(lock, indent=2) + "\n"


def main() -> None:
    subprocess.run([find_uv(), *PYTHON_LOCK], cwd=BENCH, check=True)
    subprocess.run(NODE_LOCK, cwd=BENCH, check=True)
    node_lock = BENCH / "package-lock.json"
    node_lock.write_text(without_addresses(json.loads(node_lock.read_text())))


if __name__ == "__main__":
    main()
