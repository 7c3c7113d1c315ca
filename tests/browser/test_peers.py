"""Replicas in pages that sync with each other: over channels, without a network, and with a server afterwards."""

import re

import pytest

from tests.browser.chromium import ROOT

DOCS = ROOT / "docs" / "peers.md"
EXAMPLE = """import { open } from '/sdk/syncline.js'
%s
const [notes, tablet] = await Promise.all(['notes', 'tablet'].map((name) => open(name)))
notes.create('task.a')
tablet.create('task.b')
tablet.create('task.c')
%s
globalThis.ended = [pushed, pulled, notes.status().heard, tablet.heard().length]"""

OPEN = """async (name) => {
  const { open } = await import('/sdk/syncline.js')
  globalThis.peers = await import('/sdk/peers.js')
  globalThis.notes = await open(name, { server: '/', space: new URLSearchParams(location.search).get('space') })
}"""

LOADED = "() => performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
BETWEEN_PEERS = ["/sdk/core/peering.js", "/sdk/core/merkle/tree.js", "/sdk/replica/holdings.js", "/sdk/sync/peers.js"]

ANSWER = "(name) => void (globalThis.stop = peers.serve(new BroadcastChannel(name), new peers.ReplicaPeer(notes)))"
ASK = """async (name) => {
  globalThis.sync = peers.syncWith(notes, new peers.ChannelTransport(new BroadcastChannel(name)))
  const { pushed, pulled, failure } = await sync.sync()
  return [pushed, pulled, failure && String(failure)]
}"""

TITLES = "() => notes.items().map((item) => notes.get(item).plain.title)"

OVER_DATA_CHANNELS = """async () => {
  const { open } = await import('/sdk/syncline.js')
  const { ChannelTransport, ReplicaPeer, serve, syncWith } = await import('/sdk/peers.js')
  const [one, other] = await Promise.all(['one', 'other'].map((name) => open(name)))
  const long = 'x'.repeat(50_000)
  for (let n = 0; n < 15; n++) one.record(`log.${n}`, 'note', long)
  other.create('task.b', { title: 'Bread' })
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()]
  here.onicecandidate = ({ candidate }) => candidate && there.addIceCandidate(candidate)
  there.onicecandidate = ({ candidate }) => candidate && here.addIceCandidate(candidate)
  const channel = here.createDataChannel('notes')
  const came = new Promise((resolve) => (there.ondatachannel = ({ channel }) => resolve(channel)))
  await here.setLocalDescription(await here.createOffer())
  await there.setRemoteDescription(here.localDescription)
  await there.setLocalDescription(await there.createAnswer())
  await here.setRemoteDescription(there.localDescription)
  await new Promise((resolve) => (channel.onopen = resolve))
  serve(await came, new ReplicaPeer(other))
  const sync = syncWith(one, new ChannelTransport(channel))
  const { pushed, pulled, failure } = await sync.sync()
  await sync.close()
  here.close()
  return [pushed, pulled, failure && String(failure), one.get('task.b').plain.title, other.heard().length]
}"""


@pytest.fixture
def two(pages, open_server, space):
    """Two tabs of one browser, each with a replica of its own."""
    first = pages.open(f"{open_server.url}/livez?space={space}")
    second = first.context.new_page()
    second.goto(first.url)
    for page, name in ((first, "first"), (second, "second")):
        page.evaluate(OPEN, name)
    return first, second


def test_two_tabs_agree_without_a_network_then_with_a_server(two, open_server, space):
    one, other = two
    one.context.set_offline(True)
    one.evaluate("() => void notes.create('task.a', { title: 'Milk' })")
    other.evaluate("() => void notes.create('task.b', { title: 'Bread' })")
    other.evaluate(ANSWER, "meeting")
    assert one.evaluate(ASK, "meeting") == [1, 1, None]
    assert one.evaluate(TITLES) == other.evaluate(TITLES) == ["Milk", "Bread"]
    one.evaluate("() => sync.start()")
    other.evaluate("() => void notes.create('task.c', { title: 'Tea' })")
    one.wait_for_function("() => notes.get('task.c')?.plain.title === 'Tea'")
    one.evaluate("() => void notes.get('task.c').put('title', 'Coffee')")
    other.wait_for_function("() => notes.get('task.c').plain.title === 'Coffee'")
    one.evaluate("() => sync.close()")
    assert one.evaluate("() => notes.status().state") == "offline"

    one.context.set_offline(False)
    for page in (one, other, one, other):
        assert page.evaluate("async () => String((await notes.sync()).failure)") == "null"
    for page in two:
        assert page.evaluate("() => { const { pending, heard } = notes.status(); return [pending, heard] }") == [0, 0]
        assert page.evaluate(TITLES) == ["Milk", "Bread", "Coffee"]
        stored = page.evaluate("async () => (await notes.store.entries()).map(({ event }) => event.id)")
        assert len(stored) == len(set(stored)) == 4


def test_any_tab_may_meet_a_peer_and_what_it_hears_is_in_all(two):
    leader, friend = two
    tab = leader.context.new_page()
    tab.goto(leader.url)
    tab.evaluate(OPEN, "first")
    assert [page.evaluate("() => notes.status().isLeader") for page in (leader, tab)] == [True, False]
    leader.evaluate("() => void notes.create('task.a', { title: 'Milk' })")
    friend.evaluate("() => void notes.create('task.b', { title: 'Bread' })")
    friend.evaluate(ANSWER, "meeting")
    tab.wait_for_function("() => notes.items().length === 1")
    assert tab.evaluate(ASK, "meeting") == [1, 1, None]
    leader.wait_for_function("() => notes.get('task.b')?.plain.title === 'Bread' && notes.status().heard === 1")
    leader.evaluate("() => void notes.get('task.b').put('title', 'Rye bread')")
    tab.wait_for_function("() => notes.get('task.b').plain.title === 'Rye bread'")
    assert tab.evaluate("async () => (await sync.sync()).pushed") == 1
    assert friend.evaluate(TITLES) == ["Milk", "Rye bread"]


def test_the_documented_example_runs(pages, open_server):
    page = pages.open(f"{open_server.url}/livez")
    [example] = re.findall(r"```js\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    imports, _, rest = example.partition("\n\n")
    page.add_script_tag(content=EXAMPLE % (imports, rest), type="module")
    page.wait_for_function("() => globalThis.ended")
    assert page.evaluate("ended") == [1, 2, 2, 1]


def test_what_was_heard_is_there_after_a_reload(two):
    one, other = two
    one.evaluate("() => void notes.create('task.a', { title: 'Milk' })")
    other.evaluate(ANSWER, "meeting")
    assert one.evaluate(ASK, "meeting") == [1, 0, None]
    other.reload()
    other.evaluate(OPEN, "second")
    assert other.evaluate(TITLES) == ["Milk"]
    assert other.evaluate("() => [notes.status().pending, notes.status().heard]") == [0, 1]


def test_data_channels_carry_more_than_they_take_at_once(pages, open_server):
    page = pages.open(f"{open_server.url}/livez")
    assert page.evaluate(OVER_DATA_CHANNELS) == [15, 1, None, "Bread", 15]


def test_a_page_that_meets_no_peers_loads_none_of_it(pages, open_server, space):
    page = pages.open(f"{open_server.url}/livez?space={space}")
    page.evaluate(
        """async (space) => {
      const { open } = await import('/sdk/syncline.js')
      globalThis.notes = await open('notes', { server: '/', space })
      notes.create('task.a', { title: 'Milk' })
      await notes.sync()
    }""",
        space,
    )
    assert not set(BETWEEN_PEERS) & set(page.evaluate(LOADED))
    assert page.evaluate("async () => (await notes.heal()).failure") is None
    assert set(BETWEEN_PEERS[:3]) <= set(page.evaluate(LOADED))
