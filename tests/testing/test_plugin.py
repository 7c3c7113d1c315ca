"""The fixtures that come with Syncline, and what docs/testing.md shows: run by a pytest of its own."""

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "testing.md"
PLUGIN = "syncline.testing.plugin"
IMPORTED = f"""
import sys, {PLUGIN}
print(sorted(name for name in sys.modules if name.startswith("syncline")))
"""


def run(directory, *more):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        *more,
        str(directory),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory, timeout=100)


def test_every_documented_example_runs(tmp_path):
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    for place, example in enumerate(examples):
        (tmp_path / f"test_{place}.py").write_text(example)
    tests = sum(len(re.findall(r"^def test_", example, re.MULTILINE)) for example in examples)
    some = "not (TestMyLog or TestMyTransport) or closed or hello"  # of the contracts
    done = run(tmp_path, "-p", PLUGIN, "-k", some)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) == tests + 6


def test_the_fixtures_come_with_the_installation(tmp_path):
    if not any(found.value == PLUGIN for found in entry_points(group="pytest11")):
        pytest.skip("this checkout was installed before there were fixtures: pip install -e . again")
    (tmp_path / "test_it.py").write_text("def test_it(syncline_pair):\n    syncline_pair.sync()\n")
    for more in ((), ("-p", PLUGIN)):
        done = run(tmp_path, *more)
        assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "fixture 'syncline_pair' not found" in run(tmp_path, "-p", f"no:{PLUGIN}").stdout


def test_whoever_does_not_use_them_pays_nothing():
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['syncline', 'syncline.testing', 'syncline.testing.plugin']"
