"""The shared task list, with a mouse, with the keyboard alone, on a phone, by two people and in two tabs."""

import pytest
from playwright.sync_api import expect

from tests.browser.demos import Tasks, expect_on
from tests.browser.pages import axe, opened


@pytest.fixture
def url(open_server, space):
    return f"{open_server.url}/demo/?space={space}"


@pytest.fixture
def tasks(pages, url):
    return Tasks(pages.open(url))


def test_everything_one_does_with_tasks(tasks, open_server, space):
    tasks.add("Milk", "Bread", "  ", "Salt")
    tasks.expect_titles("Milk", "Bread", "Salt")
    tasks.check("Bread")
    tasks.rename("Salt", "Sea salt")
    tasks.delete("Milk")
    tasks.expect_titles("Bread", "Sea salt")
    expect(tasks.page.locator("#said")).to_contain_text("“Milk” is deleted.")
    expect(tasks.page.locator("#count")).to_have_text("1 of 2 to do")
    tasks.page.get_by_role("button", name="Open", exact=True).click()
    tasks.expect_titles("Sea salt")
    tasks.page.get_by_role("button", name="Done", exact=True).click()
    tasks.expect_titles("Bread")
    expect_on(open_server, space, "Bread", "Sea salt")
    tasks.expect_state("Online")


def test_a_demo_says_that_it_is_one(pages, serve):
    tasks = Tasks(pages.open(f"{serve(demo=True).url}/demo/"))
    expect(tasks.page.get_by_role("complementary")).to_contain_text("all of it is deleted when the server stops")
    tasks.add("Milk")
    tasks.expect_state("Online")


def test_what_was_typed_is_text(tasks):
    title = "<img src=x onerror=alert(1)> & <b>bold</b>"
    tasks.add(title)
    tasks.expect_titles(title)
    assert tasks.page.locator(".task img, .task b").count() == 0


def test_steps_back_and_forth(tasks):
    tasks.add("Milk", "Bread")
    tasks.check("Milk")
    tasks.delete("Bread")
    tasks.undo()
    tasks.expect_titles("Milk", "Bread")
    tasks.page.keyboard.press("Control+z")
    tasks.expect_done("Milk", done=False)
    tasks.redo()
    tasks.expect_done("Milk")
    tasks.page.keyboard.press("Control+Shift+Z")
    tasks.expect_titles("Milk")
    for _ in range(3):
        tasks.undo()
    tasks.expect_titles("Milk")
    tasks.expect_done("Milk", done=False)
    tasks.reload()
    tasks.undo()
    tasks.expect_titles()
    expect(tasks.page.locator("#empty")).to_be_visible()


def test_two_people_see_each_other(pages, url):
    ann, bob = (Tasks(pages.open(url)) for _ in range(2))
    for tasks in (ann, bob):
        expect(tasks.page.locator("#people li")).to_have_count(2)
    second = opened(ann.page.context, url)
    expect(second.locator("#people li")).to_have_count(2)
    ann.add("Milk")
    bob.check("Milk")
    ann.expect_done("Milk")
    ann.details("Milk")
    expect(bob.row("Milk").locator(".people li")).to_have_count(1)
    bob.page.context.close()
    expect(ann.page.locator("#people li")).to_have_count(1)


def test_two_tabs_are_one(tasks, url):
    second = Tasks(opened(tasks.page.context, url))
    tasks.add("Milk")
    second.expect_titles("Milk")
    second.add("Bread")
    tasks.expect_titles("Milk", "Bread")
    tasks.page.close()
    second.add("Salt")
    second.expect_titles("Milk", "Bread", "Salt")
    second.expect_state("Online")


def test_the_past_and_the_way_back(tasks, shot):
    tasks.add("Milk")
    tasks.rename("Milk", "Oat milk")
    tasks.check("Oat milk")
    sheet = tasks.details("Oat milk")
    slider = sheet.get_by_label("History")
    expect(slider).to_have_value("3")
    expect(sheet.locator(".diff li")).to_have_text(["doneopendone"])
    slider.press("ArrowLeft")
    expect(sheet.locator(".diff del")).to_have_text("Milk")
    expect(sheet.locator(".diff ins")).to_have_text("Oat milk")
    shot(tasks.page, "diff")
    slider.press("Home")
    sheet.get_by_role("button", name="Bring this back").click()
    expect(slider).to_have_attribute("max", "4")
    sheet.get_by_role("button", name="Close").click()
    tasks.expect_titles("Milk")
    tasks.expect_done("Milk", done=False)
    tasks.undo()
    tasks.expect_titles("Oat milk")


def test_of_a_deleted_task_what_it_was_is_told(pages, url):
    ann, bob = (Tasks(pages.open(url)) for _ in range(2))
    ann.add("Milk")
    bob.expect_titles("Milk")
    sheet = ann.details("Milk")
    bob.delete("Milk")
    expect(sheet.get_by_role("heading")).to_have_text("Deleted")
    expect(sheet.locator(".diff li")).to_have_text(["titleMilk", "doneopen"])
    sheet.get_by_label("History").press("Home")
    sheet.get_by_role("button", name="Bring this back").click()
    bob.expect_titles("Milk")


def test_a_conflict_is_shown_and_decided(pages, serve, shot):
    server = serve(open=True)
    server.settings["port"] = server.port
    ann, bob = (Tasks(pages.open(f"{server.url}/demo/")) for _ in range(2))
    ann.add("Milk")
    bob.expect_titles("Milk")
    server.stop()
    for tasks, title in ((ann, "Oat milk"), (bob, "Soy milk")):
        tasks.expect_state("Offline")
        tasks.rename("Milk", title)
    server.start()
    expect(ann.page.locator("[data-mark=conflict]")).to_be_visible()
    sheet = ann.details(ann.page.locator(".task .title").inner_text())
    expect(sheet.locator(".conflict li span")).to_have_count(2)
    shot(ann.page, "conflict")
    sheet.locator(".conflict li").filter(has_text="Oat milk").get_by_role("button").click()
    expect(sheet.locator(".conflict")).to_have_count(0)
    sheet.get_by_role("button", name="Close").click()
    for tasks in (ann, bob):
        tasks.expect_titles("Oat milk")
        expect(tasks.page.locator("[data-mark=conflict]")).to_be_hidden()


def test_notes_of_a_task_are_written_together(pages, url):
    ann, bob = (Tasks(pages.open(url)) for _ in range(2))
    ann.add("Milk")
    bob.expect_titles("Milk")
    fields = [tasks.details("Milk").get_by_label("Notes") for tasks in (ann, bob)]
    fields[0].fill("two")
    expect(fields[1]).to_have_value("two")
    fields[1].press("End")
    fields[1].press_sequentially(" bottles")
    expect(fields[0]).to_have_value("two bottles")


def test_dragged_to_another_place(pages, url):
    ann, bob = (Tasks(pages.open(url)) for _ in range(2))
    ann.add("Milk", "Bread", "Salt")
    grip = ann.row("Salt").locator(".grip").bounding_box()
    first = ann.row("Milk").bounding_box()
    mouse = ann.page.mouse
    mouse.move(grip["x"] + 5, grip["y"] + 5)
    mouse.down()
    mouse.move(grip["x"] + 5, first["y"] + 5, steps=12)
    mouse.up()
    for tasks in (ann, bob):
        tasks.expect_titles("Salt", "Milk", "Bread")


def test_with_the_keyboard_alone(tasks):
    page, press = tasks.page, tasks.page.keyboard.press
    page.get_by_label("New task").focus()
    for title in ("Milk", "Bread"):
        page.keyboard.type(title)
        press("Enter")
    tasks.row("Bread").locator(".grip").focus()
    press("ArrowUp")
    tasks.expect_titles("Bread", "Milk")
    expect(tasks.row("Bread").locator(".grip")).to_be_focused()
    press("Tab")
    press("Space")
    tasks.expect_done("Bread")
    press("Tab")
    press("Enter")
    page.keyboard.type("Rye")
    press("Escape")
    tasks.expect_titles("Bread", "Milk")
    press("Tab")
    press("Enter")
    sheet = page.get_by_role("dialog")
    expect(sheet).to_be_visible()
    press("Escape")
    expect(sheet).to_be_hidden()
    press("Tab")
    press("Enter")
    tasks.expect_titles("Milk")
    expect(page.get_by_role("button", name="Delete Milk")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_everybody_can_use_it(pages, url, shot, scheme, width):
    page = pages.open(url, color_scheme=scheme, viewport={"width": width, "height": 740})
    tasks = Tasks(page)
    tasks.add("Buy oat milk", "Water the plants before the long weekend, and ask whether somebody can do it", "x" * 90)
    tasks.check("Buy oat milk")
    tasks.expect_state("Online")
    shot(page, f"tasks-{scheme}-{width}")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tasks.details("Buy oat milk")
    shot(page, f"sheet-{scheme}-{width}")
    assert axe(page) == []


def test_light_and_dark_by_choice(tasks):
    page = tasks.page
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.get_by_role("button", name="Dark colours").click()
    dark = page.evaluate(ground)
    assert dark != before
    tasks.reload()
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(ground) == before


MANY = """async (count) => {
  const { open, Text } = await import('/sdk/syncline.js')
  const notes = await open('many', { server: '/', space: new URL(location.href).searchParams.get('space') })
  for (let n = 0; n < count; n++) {
    const order = `U${String(n).padStart(4, '0')}V`
    notes.create(`task.${n}`, { title: `Task ${n}`, done: false, order, notes: new Text('') })
  }
  await notes.sync()
  await notes.close()
}"""

PLACE = """async ([item, order]) => {
  const { open } = await import('/sdk/syncline.js')
  const notes = await open('place', { server: '/', space: new URL(location.href).searchParams.get('space') })
  await notes.sync()
  notes.get(item).put('order', order)
  await notes.sync()
  await notes.close()
}"""

MOVED = """() => {
  globalThis.moved = []
  const note = (changes) => {
    for (const { addedNodes } of changes) for (const row of addedNodes) moved.push(row.dataset.item)
  }
  new MutationObserver(note).observe(document.querySelector('#tasks'), { childList: true })
}"""


def test_of_many_tasks_only_those_on_the_screen_are_laid_out(pages, url):
    pages.open(url).evaluate(MANY, 500)
    tasks = Tasks(pages.open(url))
    expect(tasks.page.locator(".task")).to_have_count(500)
    is_laid_out = "(title) => title.checkVisibility({ contentVisibilityAuto: true })"
    assert [tasks.page.locator(".task .title").nth(n).evaluate(is_laid_out) for n in (0, 499)] == [True, False]
    tasks.check("Task 499")
    tasks.expect_done("Task 499")


def test_who_moves_one_task_moves_no_other(pages, url):
    tasks = Tasks(pages.open(url))
    tasks.add("Milk", "Bread", "Salt", "Rice")
    tasks.page.evaluate(MOVED)
    item = tasks.row("Milk").get_attribute("data-item")
    other = pages.open(url)
    other.evaluate(PLACE, [item, "zzzzzz"])  # after all that are taken by lot
    tasks.expect_titles("Bread", "Salt", "Rice", "Milk")
    other.evaluate(PLACE, [item, "000001"])
    tasks.expect_titles("Milk", "Bread", "Salt", "Rice")
    assert tasks.page.evaluate("moved") == [item] * 2
