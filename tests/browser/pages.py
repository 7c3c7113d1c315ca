"""Pages and profiles: a page is watched, and what no page may do is remembered until it is checked."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright

from tests.browser.chromium import ARGUMENTS, AXE, Chromium, npm_packages
from tests.server.running import DEADLINE, send_signal

HOSTS = {"127.0.0.1", "localhost"}
UNANSWERED = ("net::ERR_", "WebSocket connection to")
"""How the browser's own words about a network or a server that fails are told from a page's errors."""


class Watch:
    """What went wrong in pages: errors that nobody caught, and requests to somebody else's server."""

    def __init__(self, context: BrowserContext) -> None:
        self.wrong: list[str] = []
        context.set_default_timeout(DEADLINE * 1000)
        context.on("weberror", lambda error: self.wrong.append(f"uncaught: {error.error}"))
        context.on("console", self._said)
        context.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type == "error" and not any(words in message.text for words in UNANSWERED):
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in HOSTS:
            self.wrong.append(f"asked {request.url}")

    def check(self) -> None:
        assert not self.wrong, "; ".join(self.wrong)


class Pages:
    """Pages of one browser, each with cookies and storage of its own unless it is opened beside another."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[tuple[BrowserContext, Watch]] = []

    def open(self, url: str, **options: Any) -> Page:
        """A page, as somebody else's browser opens it. ``options``: Playwright's for a context."""
        context = self._browser.new_context(locale="en-US", **options)
        self._contexts.append((context, Watch(context)))
        return opened(context, url)

    def forgive(self, part: str) -> None:
        """Takes away errors that a test brought about itself: those with this in their text."""
        for _, watch in self._contexts:
            watch.wrong = [each for each in watch.wrong if part not in each]

    def close(self) -> None:
        """Closes all, and checks that nothing went wrong."""
        for context, _ in self._contexts:
            context.close()
        for _, watch in self._contexts:
            watch.check()


class Profile:
    """A browser with a folder of its own: what it stored is there again after it was closed, or killed."""

    def __init__(self, playwright: Playwright, chromium: Chromium, folder: Path) -> None:
        self._playwright, self._chromium, self._folder = playwright, chromium, folder
        self._context: BrowserContext | None = None
        self._watches: list[Watch] = []

    def open(self, url: str) -> Page:
        """A page of this browser, which is started if it is not running."""
        if self._context is None:
            self._context = self._playwright.chromium.launch_persistent_context(
                self._folder,
                executable_path=self._chromium.executable,
                env=self._chromium.environment,
                args=ARGUMENTS,
                locale="en-US",
            )
            self._watches.append(Watch(self._context))
        return opened(self._context, url)

    def kill(self) -> None:
        """Ends every process of the browser with SIGKILL, at once."""
        for process in self._processes():
            send_signal(process.pid, signal.SIGKILL)
        assert self._context is not None
        with suppress(Error):
            self._context.close()
        self._context = None

    def close(self) -> None:
        """Ends the browser as its user would, and checks that nothing went wrong in its pages."""
        if self._context is not None:
            self._context.close()
            self._context = None
        for watch in self._watches:
            watch.check()

    def _processes(self) -> list[psutil.Process]:
        """The browser and its children, the browser first."""
        ours = f"--user-data-dir={self._folder}"
        browsers = [each for each in psutil.process_iter(["cmdline"]) if ours in (each.info["cmdline"] or [])]
        first = next(each for each in browsers if not any("--type=" in part for part in each.info["cmdline"]))
        return [first, *first.children(recursive=True)]


def opened(context: BrowserContext, url: str) -> Page:
    """A new page of a context, on this address."""
    page = context.new_page()
    page.goto(url)
    return page


AT_REST = """() => {
  const passing = document.getAnimations().filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
  return Promise.allSettled(passing.map((each) => each.finished)).then(() => {})
}"""


def axe(page: Page) -> list[str]:
    """What axe finds wrong with a page: each rule, and the elements that break it, once all is at rest."""
    npm_packages()
    page.evaluate(AT_REST)
    source = AXE.read_text("utf-8")
    found = page.evaluate(source + ";axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    return [f"{each['id']}: {json.dumps([node['html'][:200] for node in each['nodes']])}" for each in found]
