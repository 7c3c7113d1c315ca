"""The server's own pages: everybody can use them, light and dark, wide and narrow; and the first one leads on."""

import pytest
from playwright.sync_api import expect

from tests.browser.pages import axe


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
@pytest.mark.parametrize("path", ["/", "/setup"])
def test_everybody_can_use_it(pages, open_server, shot, path, scheme, width):
    page = pages.open(f"{open_server.url}{path}", color_scheme=scheme, viewport={"width": width, "height": 740})
    shot(page, f"{path.strip('/') or 'home'}-{scheme}-{width}")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", ["Shared tasks", "Shared note", "Set a password"])
def test_the_first_page_leads_on(pages, open_server, name):
    page = pages.open(f"{open_server.url}/")
    link = page.get_by_role("link", name=name)
    with page.expect_response(lambda response: response.request.is_navigation_request()) as led:
        link.click()
    assert led.value.status == 200
    expect(page).not_to_have_url(f"{open_server.url}/")
