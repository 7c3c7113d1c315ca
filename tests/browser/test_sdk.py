"""The SDK as an app's pages use it: several tabs, a worker, a disk that is full."""

import pytest

OPEN = """async ({ name, space, ...more }) => {
  const { open } = await import('/sdk/syncline.js')
  globalThis.notes = await open(name, { server: '/', space, ...more })
  notes.start()
}"""

LOCKLESS = """
Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })
addEventListener('pagehide', (event) => event.stopImmediatePropagation())
"""
"""As where a page has no secure context, and ends without a word."""

LIVE = "() => notes.status().state === 'live'"

IN_WORKER = """async (space) => {
  const code = `
    import { open } from '${location.origin}/sdk/syncline.js'
    const notes = await open('worker', { server: '${location.origin}', space: '${space}' })
    const task = notes.get('task.a') ?? notes.create('task.a', { n: 0 })
    task.put('n', task.plain.n + 1)
    const { pushed, errors } = await notes.sync()
    postMessage([task.plain.n, pushed, errors.map(String), (await task.history()).length])
    await notes.close()
    close()`
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' })
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = ({ message }) => reject(new Error(message))
  })
}"""


@pytest.fixture
def tab(pages, open_server, space):
    """Opens tabs of one browser that share a replica; ``apart``: of another browser."""
    made = []

    def open_tab(*, apart=False):
        url = f"{open_server.url}/livez"
        page = made[0].context.new_page() if made and not apart else pages.open(url)
        page.goto(url)
        made.append(page)
        page.evaluate(OPEN, {"name": "notes", "space": space})
        page.wait_for_function(LIVE)
        return page

    return open_tab


def test_tabs_show_each_others_edits_at_once(tab):
    one, two = tab(), tab()
    one.evaluate("() => void notes.create('task.a', { title: 'Milk' })")
    two.wait_for_function("() => notes.get('task.a')?.plain.title === 'Milk'")
    two.evaluate("() => notes.get('task.a').put('title', 'Soy')")
    one.wait_for_function("() => notes.get('task.a').plain.title === 'Soy'")
    assert [page.evaluate("() => notes.status().isLeader") for page in (one, two)] == [True, False]
    assert one.evaluate("() => notes.node") == two.evaluate("() => notes.node")


def test_another_tab_goes_on_when_the_one_that_leads_is_closed(tab):
    one, two, other = tab(), tab(), tab(apart=True)
    one.close()
    two.wait_for_function("() => notes.status().isLeader && notes.status().state === 'live'")
    two.evaluate("() => void notes.create('task.a', { title: 'Milk' })")
    other.wait_for_function("() => notes.get('task.a')?.plain.title === 'Milk'")
    other.evaluate("() => notes.get('task.a').put('title', 'Soy')")
    two.wait_for_function("() => notes.get('task.a').plain.title === 'Soy'")


def test_a_tab_syncs_through_the_one_that_leads(tab):
    tab()
    two = tab()
    two.evaluate("() => void notes.create('task.a', {})")
    assert two.evaluate("async () => (await notes.sync()).errors") == []
    assert two.evaluate("() => notes.status().pending") == 0


def test_each_tab_has_a_presence_of_its_own(tab):
    one, two, other = tab(), tab(), tab(apart=True)
    seen = "(count) => notes.presence.peers('note.a').length === count"
    for number, page in enumerate((one, two)):
        page.evaluate("(caret) => notes.presence.set({ caret }, 'note.a')", number)
    other.wait_for_function(seen, arg=2)
    one.wait_for_function("() => notes.presence.peers('note.a')[0]?.state.caret === 1")
    other.evaluate("() => notes.presence.set({ caret: 7 }, 'note.a')")
    two.wait_for_function("() => notes.presence.peers('note.a').some(({ state }) => state.caret === 7)")
    one.close()
    other.wait_for_function(seen, arg=1)
    two.wait_for_function(seen, arg=1)


def test_where_there_are_no_locks_each_tab_speaks_for_itself(tab, space):
    other = tab()
    one = tab(apart=True)
    one.context.add_init_script(LOCKLESS)
    made = [one.context.new_page() for _ in range(2)]
    for number, page in enumerate(made):
        page.goto(one.url)
        page.evaluate(OPEN, {"name": "lockless", "space": space})
        page.evaluate("(caret) => notes.presence.set({ caret }, 'note.a')", number)
    carets = "() => notes.presence.peers('note.a').map(({ state }) => state.caret).sort().join()"
    other.wait_for_function(f"() => ({carets})() === '0,1'")
    made[0].close()
    other.wait_for_function(f"() => ({carets})() === '1'")


def test_it_runs_in_a_module_worker(pages, open_server, space):
    page = pages.open(f"{open_server.url}/livez")
    assert page.evaluate(IN_WORKER, space) == [1, 2, [], 2]
    assert page.evaluate(IN_WORKER, space) == [2, 1, [], 3]


def test_a_full_disk_is_told_and_loses_nothing(pages, open_server, space):
    page = pages.open(f"{open_server.url}/livez")
    browser, origin = page.context.new_cdp_session(page), {"origin": open_server.url}
    browser.send("Storage.overrideQuotaForOrigin", {**origin, "quotaSize": 500_000})
    page.evaluate(OPEN, {"name": "notes", "space": space})
    page.evaluate("""() => {
      for (let n = 0; n < 200; n++) notes.create(`task.${n}`, { text: 'x'.repeat(40000) })
    }""")
    page.wait_for_function("() => notes.status().error?.code === 'storage_full'")
    assert page.evaluate("() => [notes.items().length, notes.status().unsaved > 0]") == [200, True]
    assert open_server.head(space) == 0
    browser.send("Storage.overrideQuotaForOrigin", origin)
    page.evaluate("() => void notes.create('task.last', {})")
    page.wait_for_function("() => notes.status().unsaved === 0 && notes.status().error === null")
    page.wait_for_function("() => notes.status().pending === 0")
    assert open_server.head(space) == 201
