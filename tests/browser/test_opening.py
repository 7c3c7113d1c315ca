"""Opening a replica in a page where something is not as it should be, and leaving the page amid edits."""

import pytest

OPEN = """async ([name, options]) => {
  const { open } = await import('/sdk/syncline.js')
  return await open(name, options).then((notes) => { window.notes = notes }, ({ code }) => code)
}"""

TWICE = """async () => {
  const { open } = await import('/sdk/syncline.js')
  const [one, other] = [await open('twice'), await open('twice')]
  one.create('task.milk', { title: 'Milk' })
  other.create('task.bread', { title: 'Bread' })
  await Promise.all([one.saved(), other.saved()])
  Object.assign(window, { one, other })
}"""


@pytest.fixture
def page(pages, serve):
    return pages.open(f"{serve().url}/livez")


def test_twice_in_one_page_is_one_replica(page):
    page.evaluate(TWICE)
    for name in ("one", "other"):
        page.wait_for_function(f"{name}.items().join() === 'task.bread,task.milk'")
        assert page.evaluate(f"{name}.pending().map(({{ n }}) => n)") == [1, 2]
    assert page.evaluate("one.node === other.node")


@pytest.mark.parametrize("token", ["sk_wrong", None])
def test_a_wrong_token_is_told_and_loses_nothing(page, token):
    page.evaluate(OPEN, ["wrong", {"server": "/", "token": token}])
    page.evaluate("notes.create('task.milk', { title: 'Milk' }); notes.start()")
    page.wait_for_function("notes.status().state === 'needs_auth'")
    assert page.evaluate("[notes.status().error.code, notes.status().pending]") == ["unauthorized", 1]
    assert page.evaluate("notes.sync().then(({ failure }) => failure.code)") == "unauthorized"


@pytest.mark.parametrize("blocked", [
    "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })",
    "IDBFactory.prototype.open = () => { throw new DOMException('denied', 'SecurityError') }",
])  # fmt: skip
def test_where_nothing_is_kept_an_app_may_go_on_in_memory(page, blocked):
    page.evaluate(f"() => {{ {blocked} }}")
    assert page.evaluate(OPEN, ["notes", {}]) == "bad_settings"
    page.evaluate(OPEN, ["notes", {"store": "memory"}])
    page.evaluate("notes.create('task.milk', { title: 'Milk' })")
    assert page.evaluate("notes.items()") == ["task.milk"]


def test_what_was_edited_before_a_page_is_left_is_there_again(page):
    page.evaluate(OPEN, ["leaving", {}])
    page.evaluate("notes.create('task.milk', { title: 'Milk' }); location.reload()")
    page.wait_for_function("!globalThis.notes")
    page.evaluate(OPEN, ["leaving", {}])
    assert page.evaluate("notes.items()") == ["task.milk"]


def test_a_module_worker_shares_the_replica(page):
    page.evaluate(OPEN, ["shared", {}])
    page.evaluate(
        """() => {
          const script = `import { open } from '${location.origin}/sdk/syncline.js'
            const notes = await open('shared')
            notes.create('task.milk', { title: 'Milk' })
            await notes.saved()
            postMessage(notes.items())`
          const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
          const worker = new Worker(url, { type: 'module' })
          return new Promise((resolve, reject) => Object.assign(worker, { onmessage: resolve, onerror: reject }))
        }"""
    )
    page.wait_for_function("notes.items().join() === 'task.milk'")
