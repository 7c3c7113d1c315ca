"""The hooks for React, in an app with StrictMode: what is shown follows the replica, and nothing else is rendered."""

import os
import subprocess

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import HERE, MODULES, npm_packages


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The app as one file. React is found where the app's packages are, not the SDK's."""
    npm_packages()
    file = tmp_path_factory.mktemp("react") / "app.js"
    command = [MODULES / ".bin/esbuild", HERE / "react/tasks.js", "--bundle", "--format=esm", f"--outfile={file}"]
    environment = {**os.environ, "NODE_PATH": str(MODULES)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return file.read_text("utf-8")


@pytest.fixture
def app(pages, open_server, bundle):
    """Opens the app; ``settings`` are globals of its page."""

    def begin(**settings):
        page = pages.open(f"{open_server.url}/livez")
        page.evaluate("(settings) => { document.body.textContent = ''; Object.assign(globalThis, settings) }", settings)
        page.add_script_tag(content=bundle, type="module")
        page.wait_for_function("Boolean(globalThis.show)")
        return page

    return begin


@pytest.fixture
def page(app):
    return app()


def test_a_query_and_a_document_follow(page):
    expect(page.locator("#title")).to_have_text("none")
    page.evaluate("notes.create('task.milk', { title: 'Milk', done: false })")
    page.evaluate("notes.create('task.bread', { title: 'Bread', done: false })")
    expect(page.locator("#tasks li")).to_have_text(["Bread", "Milk"])
    expect(page.locator("#title")).to_have_text("Milk")
    page.evaluate("notes.document('task.milk').put('title', 'Almond milk')")
    expect(page.locator("#tasks li")).to_have_text(["Almond milk", "Bread"])
    page.evaluate("notes.document('task.bread').put('done', true)")
    expect(page.locator("#tasks li")).to_have_text(["Almond milk"])
    page.evaluate("show('task.bread')")
    expect(page.locator("#title")).to_have_text("Bread")


def test_only_what_changed_is_rendered(page):
    page.evaluate("notes.create('task.milk', { title: 'Milk', done: false })")
    expect(page.locator("#title")).to_have_text("Milk")
    before = page.evaluate("({ ...rendered })")
    page.evaluate("notes.document('task.milk').put('title', 'Soy milk')")
    expect(page.locator("#title")).to_have_text("Soy milk")
    after = page.evaluate("({ ...rendered })")
    assert after["titles"] > before["titles"]
    assert after["other"] == before["other"]


def test_the_status_counts_what_waits(page):
    expect(page.locator("#badge")).to_have_text("offline 0")
    page.evaluate("notes.create('task.milk', { title: 'Milk' })")
    expect(page.locator("#badge")).to_have_text("offline 1")


def test_steps_back_and_forth(page):
    page.evaluate("notes.create('task.milk', { title: 'Milk', done: false })")
    page.evaluate("notes.document('task.milk').put('title', 'Soy milk')")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#title")).to_have_text("Milk")
    page.get_by_role("button", name="Redo").click()
    expect(page.locator("#title")).to_have_text("Soy milk")


def test_what_is_no_longer_shown_watches_nothing(page):
    page.evaluate("notes.create('task.milk', { title: 'Milk', done: false })")
    expect(page.locator("#title")).to_have_text("Milk")
    page.evaluate("unmount()")
    before = page.evaluate("({ ...rendered })")
    page.evaluate("notes.document('task.milk').put('title', 'Soy milk'); notes.saved()")
    assert page.evaluate("({ ...rendered })") == before


def test_who_is_here(app, space):
    ann, bob = (app(who=who, settings={"server": "/", "space": space}) for who in ("Ann", "Bob"))
    expect(ann.locator("#others li")).to_have_text(["Bob"])
    expect(bob.locator("#others li")).to_have_text(["Ann"])
    bob.evaluate("show('task.bread')")
    expect(ann.locator("#others li")).to_have_count(0)
    bob.evaluate("show('task.milk')")
    expect(ann.locator("#others li")).to_have_text(["Bob"])
    bob.evaluate("unmount()")
    expect(ann.locator("#others li")).to_have_count(0)
