"""The harness itself: pages on a server, storage that outlives a killed browser, and mistakes that are noticed."""

import pytest

from tests.browser.pages import axe

STORE = """([key, value]) => new Promise((resolve, reject) => {
  const opening = indexedDB.open('kept', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('values')
  opening.onerror = () => reject(opening.error)
  opening.onsuccess = () => {
    const transaction = opening.result.transaction('values', 'readwrite', { durability: 'strict' })
    const before = transaction.objectStore('values').get(key)
    transaction.objectStore('values').put(value, key)
    transaction.oncomplete = () => resolve(before.result ?? null)
    transaction.onerror = () => reject(transaction.error)
  }
})"""


def test_a_page_of_the_server(pages, open_server, shot):
    page = pages.open(f"{open_server.url}/setup")
    assert page.title() == "Syncline: set a password"
    assert page.evaluate("navigator.languages[0]") == "en-US"
    shot(page, "setup")


def test_every_page_is_a_browser_of_its_own(pages, open_server):
    first, second = (pages.open(f"{open_server.url}/setup") for _ in range(2))
    assert [page.evaluate(STORE, ["who", name]) for page, name in ((first, "a"), (second, "b"))] == [None, None]


def test_what_a_killed_browser_stored_is_there(profile, open_server):
    ann = profile("ann")
    page = ann.open(f"{open_server.url}/setup")
    assert page.evaluate(STORE, ["who", "ann"]) is None
    ann.kill()
    page = ann.open(f"{open_server.url}/setup")
    assert page.evaluate(STORE, ["who", "nobody"]) == "ann"


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("setTimeout(() => { throw new Error('oh') })", "uncaught: oh"),
        ("console.error('oh')", "console: oh"),
        ("fetch('http://example.test/x').catch(() => 0)", "asked http://example.test/x"),
    ],
)
def test_what_no_page_may_do_is_noticed(pages, open_server, script, wrong):
    page = pages.open(f"{open_server.url}/livez")
    with page.context.expect_event("request" if "fetch" in script else "console" if "cons" in script else "weberror"):
        page.evaluate(script)
    with pytest.raises(AssertionError, match=wrong):
        pages.close()
    pages.forgive(wrong)


def test_axe_finds_what_is_wrong(pages, open_server):
    page = pages.open(f"{open_server.url}/livez")
    page.evaluate("document.body.innerHTML = '<img src=\"data:,\"><button></button>'")
    found = " ".join(axe(page))
    assert "image-alt" in found
    assert "button-name" in found
