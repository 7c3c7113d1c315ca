"""The demos as somebody uses them: by what is written on the page."""

from playwright.sync_api import Locator, Page, expect

from tests.server.running import ServerProcess, eventually


class Demo:
    """A page of the demos; it is ready when the replica is open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        expect(page.locator("html")).to_have_attribute("data-ready", "true")

    @property
    def badge(self) -> Locator:
        return self.page.locator("#status")

    def expect_state(self, words: str, *, waiting: int = 0) -> None:
        """What the badge says: Online or Offline, and how many events wait."""
        expect(self.badge).to_have_text(words + (f"{waiting} waiting" if waiting else ""))

    def wait_until_kept(self) -> None:
        """Until the browser has the page itself, so that it opens without a network."""
        expect(self.page.locator("html")).to_have_attribute("data-kept", "true")

    def wait_until_saved(self) -> None:
        """Until all that was done is on the browser's disk."""
        expect(self.badge).to_have_attribute("data-unsaved", "0")

    def reload(self) -> None:
        self.wait_until_saved()
        self.page.reload()
        expect(self.page.locator("html")).to_have_attribute("data-ready", "true")

    def undo(self) -> None:
        self.page.get_by_role("button", name="Undo", exact=True).click()

    def redo(self) -> None:
        self.page.get_by_role("button", name="Redo", exact=True).click()


class Tasks(Demo):
    """The shared task list."""

    def add(self, *titles: str) -> None:
        for title in titles:
            self.page.get_by_label("New task").fill(title)
            self.page.keyboard.press("Enter")

    def expect_titles(self, *titles: str) -> None:
        expect(self.page.locator(".task .title")).to_have_text(list(titles))

    def row(self, title: str) -> Locator:
        return self.page.locator(".task").filter(has_text=title)

    def check(self, title: str) -> None:
        self.page.get_by_role("checkbox", name=title, exact=True).check()

    def expect_done(self, title: str, *, done: bool = True) -> None:
        expect(self.page.get_by_role("checkbox", name=title, exact=True)).to_be_checked(checked=done)

    def rename(self, title: str, new: str) -> None:
        self.row(title).locator(".title").click()
        self.page.get_by_label("Title", exact=True).fill(new)
        self.page.keyboard.press("Enter")

    def delete(self, title: str) -> None:
        self.page.get_by_role("button", name=f"Delete {title}", exact=True).click()

    def details(self, title: str) -> Locator:
        self.page.get_by_role("button", name=f"Details of {title}", exact=True).click()
        return self.page.get_by_role("dialog")


class Note(Demo):
    """The shared note."""

    @property
    def text(self) -> Locator:
        return self.page.get_by_label("The note")

    def expect_text(self, text: str) -> None:
        expect(self.text).to_have_value(text)


def titles_on(server: ServerProcess, space: str) -> set[str]:
    """The titles of the tasks that a server has, as it tells them to whoever keeps no log."""
    place = f"/v1/spaces/{space}/docs"
    listed = server.request("GET", f"{place}?items=task.*", headers=server.bearer())
    if listed.code == "unknown_space":
        return set()
    addresses = [f"{place}/{each['id']}" for each in listed.json["documents"]]
    answers = [server.request("GET", address, headers=server.bearer()).json for address in addresses]
    return {answer["value"]["title"] for answer in answers if not answer.get("deleted")}


def expect_on(server: ServerProcess, space: str, *titles: str) -> None:
    """Waits until a server has exactly these tasks."""
    eventually(lambda: titles_on(server, space) == set(titles), what=f"the server has {titles}")
