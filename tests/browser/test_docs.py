"""What the documentation of the browser SDK shows runs, as a reader would run it."""

import json
import os
import re
import subprocess
from textwrap import dedent

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import MODULES, ROOT, npm_packages
from tests.server.running import eventually

DOCS, README = (ROOT / name for name in ("docs/browser.md", "README.md"))
USER, PASSWORD = "ann", "a quiet harbour at noon"
IMPORT = re.compile(r"^import \{ (.*?) \} from '(.*?)'.*$", re.MULTILINE)

RUN = """%s
try {
%s
  globalThis.ended = 'well'
} catch (error) {
  globalThis.ended = String(error.stack)
}"""

BREAD = """import { ORSet } from '/sdk/syncline.js'
notes.create('task.bread', { title: 'Rye bread', done: false, priority: 3, tags: new ORSet(['shop']) })"""

APP = """%s
import { createElement as h } from 'react'
import { createRoot } from 'react-dom/client'
import { open as openReplica } from '%s/js/src/syncline.js'

function App({ notes }) {
  %s
  const shown = [task?.title, open.length, state, pending, others.length, typeof undo, typeof redo]
  return h('p', {}, shown.join(' '))
}
globalThis.notes = await openReplica('docs', { store: 'memory', server: '/' })
createRoot(document.body).render(h(App, { notes }))
"""


@pytest.fixture
def server(serve):
    """A server with the space and the user of the examples."""
    server = serve()
    for path, body in (
        ("/v1/spaces", {"name": "home"}),
        ("/v1/spaces/home/users", {"name": USER, "password": PASSWORD}),
    ):
        assert server.request("POST", path, json.dumps(body), server.bearer()).status == 201, path
    return server


@pytest.fixture
def page(pages, server):
    """A page that has what the examples take as given."""
    page = pages.open(f"{server.url}/livez")
    given = {"token": server.key, "user": USER, "password": PASSWORD}
    page.evaluate("(given) => Object.assign(globalThis, given, { shown: [], render: (d) => shown.push(d) })", given)
    return page


def examples(file, language):
    found = re.findall(rf"```{language}\n(.*?)```", file.read_text("utf-8"), re.DOTALL)
    return [dedent(re.sub(r"</?script.*?>\n", "", each)) for each in found]


def run(page, *parts):
    """Runs parts of one module, each of which imports what it uses."""
    imported = {name for names, _ in IMPORT.findall("\n".join(parts)) for name in names.split(", ")}
    imports = f"import {{ {', '.join(sorted(imported))} }} from '/sdk/syncline.js'"
    page.add_script_tag(content=RUN % (imports, IMPORT.sub("", "\n".join(parts))), type="module")
    page.wait_for_function("globalThis.ended")
    assert page.evaluate("ended") == "well"


@pytest.mark.parametrize("file", [DOCS, README])
def test_the_first_example_syncs(page, server, file):
    before = server.head("home")
    run(page, (examples(file, "html") or examples(file, "js"))[0])
    eventually(lambda: server.head("home") == before + 3)
    assert page.evaluate("shown.at(-1)[0].plain") == {"title": "Milk", "done": False, "tags": ["shop"]}


def test_the_examples_run_one_after_the_other(page, server):
    [first], [signing_in, *others] = examples(DOCS, "html"), examples(DOCS, "js")
    before = server.head("home")
    run(page, first)
    eventually(lambda: server.head("home") == before + 3)
    page.evaluate("delete globalThis.ended")
    plain = [each for each in others if "syncline/react" not in each]
    assert len(plain) == len(others) - 1 >= 5
    last = "await notes.sync(); globalThis.left = [notes.status(), notes.get('note.plan').plain, task.plain, found]"
    run(page, signing_in, "await notes.sync()", BREAD, *plain, last)
    status, note, task, found = page.evaluate("JSON.parse(JSON.stringify(left))")
    assert (status["pending"], status["refused"], status["error"]) == (0, 0, None)
    assert note == {"body": "Hello world", "reviewed": True}
    assert task == {"title": "Milk", "done": False, "tags": ["shop"]}  # as it was at revision 3
    assert found == [{"title": "Rye bread", "done": False, "priority": 3, "tags": ["shop"]}]
    assert ["task.bread", "task.milk"] in page.evaluate("shown.map((found) => found.map(({ item }) => item))")


def test_the_hooks_of_the_example_show(pages, open_server, tmp_path):
    npm_packages()
    [example] = [each for each in examples(DOCS, "js") if "syncline/react" in each]
    imports = IMPORT.search(example)[0]
    (tmp_path / "app.js").write_text(APP % (imports, ROOT, IMPORT.sub("", example)), "utf-8")
    alias = f"--alias:syncline/react={ROOT}/js/src/react.js"
    command = [MODULES / ".bin/esbuild", "app.js", "--bundle", "--format=esm", alias, "--outfile=bundle.js"]
    environment = {**os.environ, "NODE_PATH": str(MODULES)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = pages.open(f"{open_server.url}/livez")
    page.evaluate("document.body.textContent = ''")
    page.add_script_tag(path=tmp_path / "bundle.js", type="module")
    expect(page.locator("p")).to_have_text(" 0 offline 0 0 function function")
    page.evaluate("notes.create('task.milk', { title: 'Milk', done: false })")
    expect(page.locator("p")).to_have_text("Milk 1 offline 1 0 function function")
