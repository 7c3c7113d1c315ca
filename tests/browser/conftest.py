"""Real pages of a real Chromium, on a real server; what a page must never do fails the test that it happens in."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser import chromium as browsers
from tests.browser.pages import Pages, Profile
from tests.server.conftest import author, open_server, serve, space
from tests.server.running import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)

__all__ = ["author", "open_server", "serve", "space"]

SCREENSHOTS = "SCREENSHOTS"
"""The variable that names a folder for screenshots."""


@pytest.fixture(scope="session")
def chromium():
    """Which browser; without one the test is skipped, with the reason."""
    try:
        return browsers.find()
    except browsers.NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture(scope="package")
def playwright():
    """While it is there, an event loop runs in this thread, in which no other could: it goes before other tests."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def browser(playwright, chromium):
    """One browser for the tests of a worker; every page of `pages` has storage of its own."""
    launched = playwright.chromium.launch(
        executable_path=chromium.executable, env=chromium.environment, args=browsers.ARGUMENTS
    )
    yield launched
    launched.close()


@pytest.fixture
def pages(browser):
    """Opens pages: ``pages.open(url)``, each as a browser of its own. What went wrong in any fails the test."""
    opened = Pages(browser)
    yield opened
    opened.close()


@pytest.fixture
def profile(playwright, chromium, tmp_path):
    """Browsers with a disk of their own, which may be killed: ``profile("ann").open(url)``."""
    made = []

    def make(name):
        made.append(Profile(playwright, chromium, tmp_path / f"profile-{name}"))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def shot(request):
    """Keeps a picture of a page, if ``SCREENSHOTS`` names a folder for them: ``shot(page, "dark")``."""

    def keep(page, name):
        if folder := os.environ.get(SCREENSHOTS):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{request.node.originalname}-{name}.png", full_page=True)

    return keep
