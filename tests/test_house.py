"""Order in the house: nothing tracked points at one machine or one host, and every decision is listed."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK = re.compile(r"(\.lock|package-lock\.json|pnpm-lock\.yaml|requirements[^/]*\.txt)$")
# A path from the root of a disk (`/v1/spaces/home/docs` is none), split so that this file does not match.
MACHINE_PATH = re.compile(r"(?<![\w.\-}>)*])/(?:" + "wo" + r"rk|ho" + r"me|ro" + r"ot)/[\w.]")


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [name for name in names.stdout.split("\0") if (ROOT / name).is_file()]


def text(name: str) -> str:
    """The text of a tracked file; of a binary one, nothing."""
    content = (ROOT / name).read_bytes()
    return "" if b"\0" in content[:8192] else content.decode("utf-8", "replace")


def test_no_lock_names_a_host():
    assert [name for name in tracked() if LOCK.search(name) and "://" in text(name)] == []


def test_no_file_names_a_path_of_a_machine():
    found = [
        f"{name}:{number}"
        for name in tracked()
        for number, line in enumerate(text(name).splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("place", ["wo" + "rk", "ho" + "me", "ro" + "ot"])
def test_a_path_of_a_machine_is_seen(place):
    assert MACHINE_PATH.search(f"cd /{place}/x && make")
    assert MACHINE_PATH.search(f'"file:///{place}/x"')
    assert not MACHINE_PATH.search(f"GET /v1/spaces/{place}/docs")


def test_the_index_lists_every_decision():
    folder = ROOT / "docs" / "decisions"
    records = sorted(file.name for file in folder.glob("[0-9]*.md"))
    index = (folder / "README.md").read_text("utf-8").partition("## Index")[2]
    listed = re.findall(r"^- \[.+\]\((\d{4}-[^)]+\.md)\)", index, re.MULTILINE)
    assert listed == records


def test_decisions_are_numbered_without_gaps():
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [record.name[:5] for record in records] == [f"{n:04}-" for n in range(1, len(records) + 1)]
