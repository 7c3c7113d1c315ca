"""A server that lost something, and one that erases: seen from real pages with a real IndexedDB."""

import json
import shutil
import signal

import pytest

from tests.browser.demos import expect_on
from tests.server.running import eventually

SECRET = "correct horse"
JSON = {"Content-Type": "application/json"}

OPEN = """async (name) => {
  const { open } = await import('/sdk/syncline.js')
  globalThis.notes = await open(name, { server: '/' })
  notes.start()
}"""

LIVE = "() => notes.status().state === 'live' && !notes.status().pending"

ROWS = """async () => {
  const { name } = (await indexedDB.databases()).find(({ name }) => name === 'syncline:notes')
  const asked = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const db = await asked(indexedDB.open(name))
  const tx = db.transaction([...db.objectStoreNames])
  const rows = await Promise.all([...db.objectStoreNames].map((store) => asked(tx.objectStore(store).getAll())))
  db.close()
  return JSON.stringify(rows)
}"""
"""All that is in the database of a replica."""


@pytest.fixture
def server(serve):
    """A server that comes back at the same address."""
    started = serve(open=True)
    started.settings["port"] = started.port
    return started


def opened(pages, server):
    page = pages.open(f"{server.url}/livez")
    page.evaluate(OPEN, "notes")
    page.wait_for_function(LIVE)
    return page


def test_a_server_that_is_put_back_is_healed_by_a_page(pages, server):
    ann, bob = (opened(pages, server) for _ in range(2))
    ann.evaluate("() => void notes.create('task.a', { title: 'Milk' })")
    bob.wait_for_function("() => notes.get('task.a')?.plain.title === 'Milk'")
    server.stop()
    older = shutil.copytree(server.data, server.data.with_name("older"))
    server.start()
    ann.wait_for_function(LIVE)
    ann.evaluate("() => void notes.create('task.b', { title: 'Bread' })")
    bob.wait_for_function("() => notes.get('task.b')?.plain.title === 'Bread'")
    ann.wait_for_function(LIVE)
    ann.close()
    server.stop(signal.SIGKILL)
    shutil.rmtree(server.data)
    shutil.copytree(older, server.data)
    server.start()
    bob.evaluate("() => notes.sync()")  # now, instead of within half a minute
    expect_on(server, "default", "Milk", "Bread")
    bob.wait_for_function("() => notes.status().state === 'live' && !notes.status().orphan")
    assert bob.evaluate("() => notes.items()") == ["task.a", "task.b"]


def test_what_is_erased_is_gone_from_indexeddb(pages, server):
    page = opened(pages, server)
    page.evaluate("([secret]) => void notes.create('note.a', { title: 'Keys' }).put('password', secret)", [SECRET])
    page.wait_for_function(LIVE)
    page.evaluate("() => notes.settle()")
    page.evaluate("() => void notes.get('note.a').put('title', 'Passwords')")
    page.wait_for_function(LIVE)
    assert SECRET in page.evaluate(ROWS)
    (id,) = (entry["event"]["id"] for entry in server.entries("default") if SECRET in str(entry["event"].get("ops")))
    answer = server.request("POST", "/v1/erase", json.dumps({"events": [id]}), {**server.bearer(), **JSON})
    assert answer.status == 200, answer.body
    page.wait_for_function("() => notes.get('note.a').plain.password === null")
    eventually(lambda: SECRET not in page.evaluate(ROWS))
    assert page.evaluate("() => notes.get('note.a').plain") == {"title": "Passwords", "password": None}
    assert id in page.evaluate(ROWS)
