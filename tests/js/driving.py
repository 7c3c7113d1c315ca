"""The core in JavaScript, as a process of Node that answers commands: see js/test/driver.js."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).parents[2] / "js" / "test" / "driver.js"
NODE = shutil.which("node")


class Driver:
    """Asks, one command at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str, **members: Any) -> Any:
        stdin: Any = self._process.stdin
        stdout: Any = self._process.stdout
        stdin.write(json.dumps({"command": command, **members}) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, "Node has ended; what it said is above."
        answer = json.loads(line)
        assert not isinstance(answer, dict) or "error" not in answer, answer["error"]
        return answer


@contextmanager
def driver() -> Iterator[Driver]:
    """A driver, until the block ends."""
    assert NODE
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([NODE, str(DRIVER)], text=True, encoding="utf-8", **pipes) as process:  # type: ignore[call-overload]
        yield Driver(process)
        process.stdin.close()
