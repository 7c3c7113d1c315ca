"""The shared note: several people type into one text, and see where the others are."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.demos import Note
from tests.browser.pages import axe

PASTE = """(field, text) => {
  field.setRangeText(text, 4, 4, 'end')
  field.dispatchEvent(new Event('input'))
}"""


@pytest.fixture
def url(open_server, space):
    return f"{open_server.url}/demo/note/?space={space}"


def test_two_people_write_one_text(pages, url, shot):
    ann, bob = (Note(pages.open(url)) for _ in range(2))
    ann.text.press_sequentially("Dear all")
    bob.expect_text("Dear all")
    bob.text.press("End")
    bob.text.press_sequentially(", welcome")
    ann.expect_text("Dear all, welcome")
    ann.text.press("Home")
    ann.text.press_sequentially("★ 😀 ")
    bob.expect_text("★ 😀 Dear all, welcome")
    expect(ann.page.locator(".caret")).to_have_count(1)
    shot(ann.page, "carets")
    assert caret_of(bob) == len("★ 😀 Dear all, welcome".encode("utf-16-le")) // 2


def caret_of(note):
    return note.text.evaluate("field => field.selectionStart")


def test_both_begin_apart_and_nothing_is_lost(pages, serve):
    server = serve(open=True)
    server.settings["port"] = server.port
    ann, bob = (Note(pages.open(f"{server.url}/demo/note/")) for _ in range(2))
    for note in (ann, bob):
        note.expect_state("Online")
    server.stop()
    for note, words in ((ann, "one "), (bob, "two ")):
        note.expect_state("Offline")
        note.text.press_sequentially(words)
    server.start()
    for note in (ann, bob):
        expect(note.text).to_have_value(re.compile("^(one two |two one )$"))
    assert ann.text.input_value() == bob.text.input_value()


def test_steps_back_are_of_a_whole_burst(pages, url):
    note = Note(pages.open(url))
    note.text.press_sequentially("some words")
    note.expect_text("some words")
    note.text.press("Control+z")
    note.expect_text("")
    note.text.press("Control+Shift+Z")
    note.expect_text("some words")


def test_a_long_paste_is_one_step(pages, url):
    ann, bob = (Note(pages.open(url)) for _ in range(2))
    ann.text.press_sequentially("Dear all")
    bob.expect_text("Dear all")
    pasted = "zä€😀\n" * 15_000
    ann.text.evaluate(PASTE, pasted)
    bob.expect_text("Dear" + pasted + " all")
    ann.page.get_by_role("button", name="Undo").click()
    bob.expect_text("")


def test_its_past(pages, url):
    note = Note(pages.open(url))
    note.text.fill("First")
    note.page.get_by_role("button", name="History").click()
    sheet = note.page.get_by_role("dialog")
    expect(sheet.locator(".diff ins")).to_have_text("First")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_everybody_can_use_it(pages, url, shot, scheme, width):
    page = pages.open(url, color_scheme=scheme, viewport={"width": width, "height": 740})
    note = Note(page)
    note.text.fill("Dear all,\n\nthis is the note that we write together.\n")
    note.expect_state("Online")
    shot(page, f"note-{scheme}-{width}")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
