"""The whole browser is killed amid its edits: none that was acknowledged is lost.

What the system took in outlives its processes, so this shows that nothing acknowledged was still in the browser. A
power cut is another matter: for that commits ask for `durability: 'strict'`, which no test here can show.
"""

import os

import pytest

from tests.server.running import eventually

EDITS = 50
RUNS = int(os.environ.get("KILLS", "3"))
"""How often: a few times with the suite; ``KILLS=20`` is what was promised."""

EDIT = """async () => {
  const { open } = await import('/sdk/syncline.js')
  globalThis.notes = await open('notes')
  notes.create('task.1', { title: '1' })
  for (let n = 2; ; n++) {
    await notes.saved()
    console.debug(n - 1)
    if (n % 2) notes.create(`task.${n}`, { title: `${n}` })
    else notes.document(`task.${n - 1}`).put('title', `${n}`)
  }
}"""

REOPEN = """async (space) => {
  const { open } = await import('/sdk/syncline.js')
  globalThis.notes = await open('notes', { server: '/', space })
  const kept = notes.pending().map(({ n }) => n)
  const titles = notes.items().map((item) => notes.get(item).plain.title)
  const { errors } = await notes.sync()
  return { kept, titles, errors: errors.map(String) }
}"""


@pytest.mark.parametrize("run", range(RUNS))
def test_no_acknowledged_edit_is_lost(profile, open_server, space, run):
    ann, url = profile("ann"), f"{open_server.url}/livez"
    acknowledged = []
    page = ann.open(url)
    page.on("console", lambda message: acknowledged.append(int(message.text)))
    with page.expect_console_message(lambda message: message.text == str(EDITS)):
        page.evaluate(f"void ({EDIT})()")
    ann.kill()
    told = ann.open(url).evaluate(REOPEN, space)
    count = len(told["kept"])
    assert count >= max(acknowledged) >= EDITS
    assert told["kept"] == list(range(1, count + 1))
    assert max(map(int, told["titles"])) == count
    assert told["errors"] == []
    eventually(lambda: open_server.head(space) == count, what="the server has all edits")
