"""The Python replica in a page, beside the JavaScript one: both edit one text, offline too, and keep it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

APP = Path(__file__).parents[2] / "examples" / "pyodide" / "app.py"
LOADING_MS = 120_000


@pytest.fixture
def url(tmp_path):
    """The example in a process of its own, on a free port."""
    command = [sys.executable, str(APP), "0", str(tmp_path / "data")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        log = ""
        while not (found := re.search(r"running on (http://127\.0\.0\.1:\d+)", log)):
            line = process.stderr.readline()
            assert line, log
            log += line
        yield found[1]
        process.terminate()
        process.stderr.read()


def areas(page):
    """The text areas of both replicas, when both are loaded and live."""
    found = [page.locator(f"#{name}") for name in ("python", "javascript")]
    for area in found:
        expect(area).to_be_enabled(timeout=LOADING_MS)
    for name in ("python", "javascript"):
        expect(page.locator(f"#{name}-state")).to_have_text("live")
    return found


def test_both_languages_edit_one_text(pages, url):
    page = pages.open(f"{url}/pyodide/")
    python, javascript = areas(page)
    javascript.fill("Hello")
    expect(python).to_have_value("Hello")
    python.press("End")
    python.press_sequentially(" 😀 from Python")
    expect(javascript).to_have_value("Hello 😀 from Python")
    page.reload()
    python, javascript = areas(page)
    for area in (python, javascript):
        expect(area).to_have_value("Hello 😀 from Python")
