"""The network comes and goes, servers and browsers die, and nothing is lost: the demo in real browsers."""

import shutil
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.demos import Tasks, expect_on
from tests.browser.networks import network
from tests.server.running import eventually

SPACE = "default"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(serve):
    """A server that comes back at the same address."""
    started = serve(open=True)
    started.settings["port"] = started.port
    return started


def opened(browser, server, path="/demo/"):
    return Tasks(browser.open(f"{server.url}{path}"))


def test_seven_steps(profile, server):
    """Online, add; the server dies: offline, add; reload: both are there; the server is back: it gets both."""
    tasks = opened(profile("ann"), server)
    tasks.expect_state("Online")
    tasks.add("Milk")
    expect_on(server, SPACE, "Milk")
    tasks.expect_state("Online")
    tasks.wait_until_kept()
    server.stop(signal.SIGKILL)
    tasks.expect_state("Offline")
    tasks.add("Bread")
    tasks.expect_state("Offline", waiting=1)
    tasks.reload()
    tasks.expect_titles("Milk", "Bread")
    tasks.expect_state("Offline", waiting=1)
    server.start()
    tasks.expect_state("Online")
    expect_on(server, SPACE, "Milk", "Bread")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/demo/note", "/demo/note/"),
        ("/demo/note/index.html", "/demo/note/"),
        ("/demo/index.html?space=home", "/demo/?space=home"),
    ],
)
def test_a_page_opens_without_a_network_by_its_other_names_too(pages, server, path, name):
    tasks = opened(pages, server)
    tasks.wait_until_kept()
    server.stop()
    tasks.page.goto(f"{server.url}{path}")
    expect(tasks.page.locator("html")).to_have_attribute("data-ready", "true")
    assert tasks.page.url == f"{server.url}{name}"


def test_two_people_offline_agree(pages, server):
    ann, bob = (opened(pages, server) for _ in range(2))
    ann.add("Milk")
    bob.expect_titles("Milk")
    server.stop()
    for tasks in (ann, bob):
        tasks.expect_state("Offline")
    ann.check("Milk")
    ann.add("Bread")
    bob.rename("Milk", "Oat milk")
    server.start()
    for tasks in (ann, bob):
        tasks.expect_titles("Oat milk", "Bread")
        tasks.expect_done("Oat milk")
        tasks.expect_state("Online")


def test_a_network_that_swallows_everything(pages, server):
    with network(server.port) as way:
        tasks = Tasks(pages.open(f"{way.url}/demo/"))
        tasks.expect_state("Online")
        way.fall_silent()
        tasks.add("Milk")
        tasks.expect_state("Offline", waiting=1)
        way.speak()
        tasks.expect_state("Online")
        expect_on(server, SPACE, "Milk")
        tasks.page.context.close()


def test_a_browser_killed_right_after_an_edit_was_saved(profile, server):
    ann = profile("ann")
    tasks = opened(ann, server)
    tasks.add("Milk")
    expect_on(server, SPACE, "Milk")
    tasks.wait_until_kept()
    server.stop()
    tasks.expect_state("Offline")
    tasks.add("Bread", "Salt")
    tasks.wait_until_saved()
    ann.kill()
    tasks = opened(ann, server)
    tasks.expect_titles("Milk", "Bread", "Salt")
    server.start()
    expect_on(server, SPACE, "Milk", "Bread", "Salt")


def test_a_server_from_an_older_backup_gets_back_what_it_lost(pages, server, tmp_path):
    tasks = opened(pages, server)
    tasks.add("Milk")
    expect_on(server, SPACE, "Milk")
    server.stop()
    shutil.copytree(server.data, tmp_path / "backup")
    server.start()
    tasks.add("Bread")
    expect_on(server, SPACE, "Milk", "Bread")
    server.stop()
    shutil.rmtree(server.data)
    shutil.copytree(tmp_path / "backup", server.data)
    server.start()
    expect_on(server, SPACE, "Milk", "Bread")
    tasks.expect_titles("Milk", "Bread")


def test_a_server_that_comes_back_empty_changes_nothing_here(pages, server):
    tasks = opened(pages, server)
    tasks.add("Milk")
    expect_on(server, SPACE, "Milk")
    server.stop()
    shutil.rmtree(server.data)
    server.start()
    tasks.expect_state("Another log")
    tasks.add("Bread")
    tasks.reload()
    tasks.expect_titles("Milk", "Bread")
    tasks.badge.click()
    tasks.page.get_by_role("button", name="Begin anew with the server").click()
    tasks.expect_titles()
    tasks.add("Salt")
    expect_on(server, SPACE, "Salt")
    tasks.reload()
    tasks.expect_titles("Salt")


def test_a_disk_that_the_browser_took_away_is_told(pages, server):
    tasks = opened(pages, server)
    tasks.add("Milk")
    expect_on(server, SPACE, "Milk")
    browser = tasks.page.context.new_cdp_session(tasks.page)
    browser.send("Storage.clearDataForOrigin", {"origin": server.url, "storageTypes": "indexeddb"})
    tasks.add("Bread")
    tasks.expect_state("Not saved", waiting=1)
    tasks.expect_titles("Milk", "Bread")


def test_newer_pages_are_taken_with_the_next_visit(pages, serve, tmp_path):
    package = tmp_path / "installed" / "syncline"
    shutil.copytree(ROOT / "src" / "syncline", package)
    shutil.copytree(ROOT / "js" / "src", package / "server" / "static" / "sdk")
    tasks = opened(pages, serve(open=True, prefix=("env", f"PYTHONPATH={package.parent}")))
    tasks.wait_until_kept()
    file = package / "server" / "static" / "demo" / "index.html"
    file.write_text(file.read_text().replace("<title>Shared tasks", "<title>Our tasks"))

    def next_title():
        tasks.reload()
        return tasks.page.title() == "Our tasks"

    eventually(next_title, what="the newer page is shown")
    tasks.add("Milk")
    tasks.expect_titles("Milk")
