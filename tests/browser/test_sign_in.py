"""A server that asks who one is: the demo asks for name and password once, and goes on by itself afterwards."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.demos import Tasks, expect_on
from tests.browser.pages import axe, opened

SPACE, USER, PASSWORD = "home", "ann", "a quiet harbour at noon"


@pytest.fixture
def server(serve):
    server = serve()
    for path, body in (
        ("/v1/spaces", {"name": SPACE}),
        (f"/v1/spaces/{SPACE}/users", {"name": USER, "password": PASSWORD}),
    ):
        assert server.request("POST", path, json.dumps(body), server.bearer()).status == 201
    server.settings["port"] = server.port
    return server


def fill(page, password=PASSWORD):
    form = page.get_by_role("dialog")
    for label, value in (("Space", SPACE), ("Name", USER), ("Password", password)):
        form.get_by_label(label).fill(value)
    form.get_by_role("button", name="Sign in").click()


def test_once_and_then_no_more(pages, server, shot):
    page = pages.open(f"{server.url}/demo/")
    shot(page, "form")
    assert axe(page) == []
    fill(page, "wrong")
    expect(page.get_by_role("alert")).not_to_be_empty()
    pages.forgive("401")
    fill(page)
    tasks = Tasks(page)
    tasks.add("Milk")
    tasks.expect_state("Online")
    expect_on(server, SPACE, "Milk")
    tasks.reload()
    tasks.expect_titles("Milk")
    tasks.expect_state("Online")
    second = Tasks(opened(page.context, f"{server.url}/demo/"))
    second.expect_titles("Milk")
    pages.forgive("401")


def test_what_was_done_offline_is_there_without_asking(pages, server):
    page = pages.open(f"{server.url}/demo/")
    fill(page)
    tasks = Tasks(page)
    tasks.add("Milk")
    expect_on(server, SPACE, "Milk")
    tasks.wait_until_kept()
    server.stop()
    tasks.expect_state("Offline")
    tasks.add("Bread")
    tasks.reload()
    tasks.expect_titles("Milk", "Bread")
    server.start()
    expect_on(server, SPACE, "Milk", "Bread")
    pages.forgive("401")


def test_signing_out_ends_the_session(pages, server):
    page = pages.open(f"{server.url}/demo/")
    fill(page)
    Tasks(page).add("Milk")
    expect_on(server, SPACE, "Milk")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.locator(".task")).to_have_count(0)
    fill(page)
    Tasks(page).expect_titles("Milk")
    pages.forgive("401")
