"""The browser SDK's store and its tabs in real pages: IndexedDB, Web Locks, BroadcastChannel."""

import pytest

from tests.browser.test_vectors import serve_checkout

CONTRACT = """async () => {
  const failed = []
  let count = 0, last = Promise.resolve()
  const test = (name, run) => {
    count++
    last = last.then(run).catch((error) => failed.push(`${name}: ${error.stack}`))
  }
  const { contract } = await import('/checkout/js/test/stores/contract.js')
  const { openIndexedDB } = await import('/checkout/js/src/stores/indexeddb.js')
  contract(test, (name) => openIndexedDB(name, 'node'))
  await last
  return { count, failed }
}"""

OPEN = """async (name) => {
  const { openIndexedDB } = await import('/checkout/js/src/stores/indexeddb.js')
  const { Mirror } = await import('/checkout/js/test/replica/mirror.js')
  const { Tabs } = await import('/checkout/js/src/replica/tabs.js')
  window.replica = new Mirror(await openIndexedDB(name), { tabs: new Tabs(name), user: 'ann' })
}"""

TYPE = """async (item) => {
  for (let n = 0; n < 50; n++) {
    replica.record(item, 'update', n)
    if (n % 5 === 4) await replica.saved()
  }
}"""

PENDING = "() => replica.pending().map(({ id, item, n, payload }) => [id, item, n, payload])"


@pytest.fixture
def tab(pages, open_server):
    """Opens tabs of one browser: the first call makes it."""
    made = []

    def open_tab(name="notes"):
        url = f"{open_server.url}/livez"
        page = made[0].context.new_page() if made else pages.open(url)
        page.context.route("**/checkout/**", serve_checkout)
        if made:
            page.goto(url)
        made.append(page)
        page.evaluate(OPEN, name)
        return page

    return open_tab


def test_indexeddb_keeps_the_contract(tab):
    told = tab().evaluate(CONTRACT)
    assert told["failed"] == []
    assert told["count"] > 15


def test_tabs_that_type_at_once_are_one_node(tab):
    tabs = [tab() for _ in range(3)]
    for number, page in enumerate(tabs):
        page.evaluate(f"() => {{ window.typing = ({TYPE})('task.{number}') }}")
    for page in tabs:
        page.evaluate("() => typing")
    for page in tabs:
        page.wait_for_function("() => replica.pending().length === 150")
    pending = tabs[0].evaluate(PENDING)
    assert [n for _, _, n, _ in pending] == list(range(1, 151))
    assert pending == sorted(pending)
    for number in range(3):
        assert [payload for _, item, _, payload in pending if item == f"task.{number}"] == list(range(50))
    assert [page.evaluate(PENDING) for page in tabs[1:]] == [pending, pending]
    assert tab().evaluate(PENDING) == pending


def test_another_tab_leads_when_the_first_is_closed(tab):
    first, second = tab(), tab()
    first.wait_for_function("() => replica.status().isLeader")
    first.evaluate("() => replica.setConnection('live')")
    second.wait_for_function("() => replica.status().state === 'live'")
    assert not second.evaluate("() => replica.status().isLeader")
    first.close()
    second.wait_for_function("() => replica.status().isLeader && replica.status().state === 'offline'")


def test_what_is_saved_is_there_after_the_browser_was_killed(profile, open_server):
    url = f"{open_server.url}/livez"
    browser = profile("ann")
    page = browser.open(url)
    page.context.route("**/checkout/**", serve_checkout)
    page.evaluate(OPEN, "notes")
    page.evaluate("async () => { replica.record('task.1', 'create', 'milk'); await replica.saved() }")
    pending = page.evaluate(PENDING)
    browser.kill()
    page = browser.open(url)
    page.context.route("**/checkout/**", serve_checkout)
    page.evaluate(OPEN, "notes")
    assert page.evaluate(PENDING) == pending != []
