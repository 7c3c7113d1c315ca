"""Parts of the demos that decide something by themselves: places in a list, and what differs between two texts."""

import pytest

PLACES = """async (seed) => {
  const { between } = await import('/demo/tasks/order.js')
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648
  const places = [], wrong = []
  for (let i = 0; i < 1000; i++) {
    const at = Math.floor(random() * (places.length + 1))
    const [low, high] = [places[at - 1] ?? '', places[at] ?? null]
    const place = between(low, high, random)
    if (!(low < place && (high === null || place < high)) || place.endsWith('0')) wrong.push([low, place, high])
    places.splice(at, 0, place)
  }
  let [last, first] = ['', null]
  for (let i = 0; i < 500; i++) {
    last = between(last, null, random)
    first = between('', first, random)
  }
  return { wrong, longest: Math.max(...places.map((each) => each.length)), ends: [last.length, first.length] }
}"""
SPLIT = """async ([one, other]) => {
  const { split } = await import('/demo/parts/changes.js')
  const { start, gone, come, end } = split(one, other)
  return [start, gone, come, one.slice(0, start) + come + one.slice(one.length - end) === other]
}"""
MOVED = """async ([index, one, other]) => {
  const { split } = await import('/demo/parts/changes.js')
  const { moved } = await import('/demo/parts/text_field.js')
  return moved(index, split(one, other))
}"""


@pytest.fixture
def page(pages, open_server):
    return pages.open(f"{open_server.url}/livez")


@pytest.mark.parametrize("seed", range(5))
def test_between_two_places_is_another(page, seed):
    told = page.evaluate(PLACES, seed)
    assert told["wrong"] == []
    assert told["longest"] < 12
    assert max(told["ends"]) < 60


@pytest.mark.parametrize(
    ("one", "other", "start", "gone", "come"),
    [
        ("", "", 0, "", ""),
        ("", "a", 0, "", "a"),
        ("abc", "abXc", 2, "", "X"),
        ("abc", "ac", 1, "b", ""),
        ("aa", "aaa", 2, "", "a"),
        ("a😀b", "a😁b", 1, "😀", "😁"),
        ("a😀b", "a🐀b", 1, "😀", "🐀"),
        ("😀", "", 0, "😀", ""),
        ("x😀😀y", "x😀y", 3, "😀", ""),
    ],
)
def test_what_differs_is_whole_characters(page, one, other, start, gone, come):
    assert page.evaluate(SPLIT, [one, other]) == [start, gone, come, True]


@pytest.mark.parametrize(
    ("index", "one", "other", "then"),
    [(3, "abc", "XXabc", 5), (1, "abc", "abcXX", 1), (2, "abcd", "ad", 1), (4, "abcd", "ad", 2), (0, "abc", "Xabc", 0)],
)
def test_a_caret_stays_among_its_words(page, index, one, other, then):
    assert page.evaluate(MOVED, [index, one, other]) == then
