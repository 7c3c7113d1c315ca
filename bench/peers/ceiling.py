"""The harness's own ceiling: a server with Syncline's interface that does nothing with what it gets.

Its figures say how much the load generators can ask for and take in. A contender that comes near them is
limited by the harness, not by itself.
"""

import sys
from pathlib import Path

from bench.paths import BENCH
from bench.peers.syncline import Syncline


class Ceiling(Syncline):
    name = "harness ceiling"
    note = "a server that does nothing"

    def command(self, port: int, folder: Path) -> list[str]:
        return [sys.executable, str(BENCH / "peers" / "nothing.py"), str(port)]
