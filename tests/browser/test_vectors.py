"""The vectors of the specification, run in a page by the same modules that run them in Node."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITES = sorted(file.stem for file in (ROOT / "js/test/vectors").glob("*.js") if file.stem != "running")
SPECIFIED = ROOT / "spec" / "vectors"
KINDS = {".js": "text/javascript", ".json": "application/json"}
RUN = """async ([suite, vectors]) => {
  const failed = [], waiting = []
  let count = 0
  const test = (name, run) => {
    count++
    try {
      waiting.push(Promise.resolve(run()).catch((error) => failed.push(`${name}: ${error.stack}`)))
    } catch (error) {
      failed.push(`${name}: ${error.stack}`)
    }
  }
  const module = await import(`/checkout/js/test/vectors/${suite}.js`)
  module[suite](test, (name) => structuredClone(vectors[name]))
  await Promise.all(waiting)
  return { count, failed }
}"""


@pytest.mark.parametrize("suite", SUITES)
def test_a_page_agrees(pages, open_server, suite):
    page = pages.open(f"{open_server.url}/livez")
    page.route("**/checkout/**", serve_checkout)
    vectors = {
        file.relative_to(SPECIFIED).with_suffix("").as_posix(): json.loads(file.read_text("utf-8"))
        for file in SPECIFIED.rglob("*.json")
    }
    told = page.evaluate(RUN, [suite, vectors])
    assert told["failed"][:5] == []
    assert told["count"] > 10


def serve_checkout(route):
    """A file of the checkout, under an address of the page's own server."""
    file = ROOT / route.request.url.partition("/checkout/")[2]
    route.fulfill(body=file.read_bytes(), content_type=KINDS[file.suffix])
