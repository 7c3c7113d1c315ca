"""History that has gone, as pages meet it: who begins from a snapshot, and who was away for too long."""

import pytest

from tests.server.tenants import administer

OPEN = """async ({ space, ...more }) => {
  const { Counter, open } = await import('/sdk/syncline.js')
  globalThis.Counter = Counter
  globalThis.notes = await open('notes', { server: '/', space, ...more })
}"""

SYNC = "async () => { const { errors, ...counts } = await notes.sync(); return [errors.map(String), counts] }"

TOLD = """async () => {
  const milk = notes.document('task.milk')
  const numbers = (await milk.history()).map(({ number }) => number)
  const before = await milk.at(1).then(({ plain }) => plain, ({ code }) => code)
  return { plain: milk.plain, horizon: notes.horizon, first: milk.firstRevision, numbers, before, items: notes.items() }
}"""

SHOWS = "(n) => notes.get('task.milk')?.plain.n === n && notes.get('task.milk').plain.title === 'Rice milk'"


@pytest.fixture
def opened(pages, open_server, space):
    """Opens pages, each a browser of its own unless it is opened ``beside`` another."""

    def open_page(*, beside=None, **more):
        page = beside.context.new_page() if beside else pages.open(f"{open_server.url}/livez")
        page.goto(f"{open_server.url}/livez")
        page.evaluate(OPEN, {"space": space, **more})
        return page

    return open_page


@pytest.fixture
def ann(opened):
    """Was there from the start: three revisions of a document, and another one."""
    page = opened()
    page.evaluate("""() => {
      const milk = notes.create('task.milk', { title: 'Milk', n: new Counter(2) })
      milk.put('title', 'Oat milk')
      milk.counter('n').increment(3)
      notes.create('task.bread', { title: 'Bread' })
    }""")
    synced(page)
    return page


def synced(page):
    errors, counts = page.evaluate(SYNC)
    assert errors == []
    return counts


def snapshot(server, space, **retention):
    """Makes a snapshot, and lets go of what is not kept."""
    if retention:
        assert administer(server, "PATCH", f"/v1/spaces/{space}", {"retention": retention}).status == 200
    assert administer(server, "POST", f"/v1/spaces/{space}/history", {}).status == 200


def test_a_page_begins_from_a_snapshot(opened, ann, open_server, space):
    snapshot(open_server, space)
    ann.evaluate("() => notes.document('task.milk').put('title', 'Rice milk')")
    synced(ann)
    bob = opened(history=False)
    counts = synced(bob)
    assert (counts["bases"], counts["pulled"]) == (2, 1)
    shown = {
        "plain": {"title": "Rice milk", "n": 5},
        "horizon": 4,
        "first": 4,
        "numbers": [4],
        "before": "history_expired",
        "items": ["task.bread", "task.milk"],
    }
    assert bob.evaluate(TOLD) == shown
    bob.evaluate("async () => { await notes.settle(); await notes.close() }")
    again = opened(beside=bob, history=False)
    assert again.evaluate(TOLD) == shown
    assert again.evaluate("async () => { await notes.document('task.milk').undo() }") is None
    assert again.evaluate("() => notes.get('task.milk').plain.title") == "Oat milk"
    synced(again)
    assert synced(ann)["pulled"] == 1
    assert ann.evaluate("() => notes.get('task.milk').plain.title") == "Oat milk"


def test_who_was_away_for_a_year_goes_on_and_counts_once(opened, ann, open_server, space):
    away = opened()
    synced(away)
    beside = opened(beside=away)
    away.evaluate("() => void notes.document('task.milk').counter('n').increment(50)")
    away.evaluate("() => notes.saved()")
    ann.evaluate("() => notes.document('task.milk').put('title', 'Soy')")
    ann.evaluate("() => notes.document('task.milk').put('title', 'Rice milk')")
    synced(ann)
    snapshot(open_server, space, revisions=1)
    away.evaluate("() => notes.start()")
    for page in (away, beside):
        page.wait_for_function(SHOWS, arg=55)
        page.wait_for_function("() => notes.status().pending === 0 && notes.horizon > 0")
    assert [page.evaluate("() => notes.status().isLeader") for page in (away, beside)] == [True, False]
    synced(ann)
    assert ann.evaluate(SHOWS, 55)
    beside.evaluate("() => void notes.document('task.milk').counter('n').increment(1)")
    beside.wait_for_function("() => notes.status().pending === 0")
    synced(ann)
    for page in (ann, away, beside):
        page.wait_for_function(SHOWS, arg=56)
