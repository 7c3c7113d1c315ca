"""Where the benchmark keeps what it makes: all of it inside `bench/`, all of it ignored by git."""

import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent

PEER_VENV = BENCH / ".venv"
PEER_PYTHON = PEER_VENV / "bin" / "python"
NODE_MODULES = BENCH / "node_modules"

#: On the disk of the checkout, not in /tmp: a temporary folder may live in memory, where fsync is free.
DATA = BENCH / ".data"

#: The commands of the environment that runs the benchmark, `syncline` among them.
COMMANDS = Path(sys.executable).parent
