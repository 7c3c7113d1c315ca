"""Chromiums with disks of their own (the one of the tests in a browser), and pages that measure in them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, sync_playwright

from bench.plan import Skipped
from tests.browser import chromium

LONGEST_MS = 120_000
CALL = """([name, given, longest]) => Promise.race([
  contender[name](...given),
  new Promise((_, reject) => setTimeout(() => reject(new Error('it takes too long')), longest)),
])"""


class Browser:
    """One browser. A page is a contender's program, on a server's address, so that all it asks for is there."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context

    @contextmanager
    def page(self, url: str, program: str) -> Iterator["Contending"]:
        """A new page; it is closed at the end, and with it all that it has in memory."""
        page = self._context.new_page()
        try:
            page.goto(url)
            page.add_script_tag(content=program, type="module")
            page.wait_for_function("Boolean(globalThis.contender)")
            yield Contending(page)
        except Error as problem:
            raise Skipped(problem.message.splitlines()[0]) from None
        finally:
            page.close()


class Contending:
    """A page, and what its program offers."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def call(self, function: str, *arguments: Any) -> Any:
        """What a function of the page's `contender` answers, or its promise."""
        return self._page.evaluate(CALL, [function, list(arguments), LONGEST_MS])


@contextmanager
def browsing(folder: Path, count: int) -> Iterator[list[Browser]]:
    """So many browsers. Raises Skipped where there is none."""
    try:
        found = chromium.find()
    except chromium.NotInstalled as problem:
        raise Skipped(str(problem)) from None
    with sync_playwright() as playwright, ExitStack() as stack:
        browsers = []
        for number in range(count):
            context = playwright.chromium.launch_persistent_context(
                folder / f"browser-{number}",
                executable_path=found.executable,
                env={**found.environment},
                args=chromium.ARGUMENTS,
            )
            stack.callback(context.close)
            browsers.append(Browser(context))
        yield browsers
