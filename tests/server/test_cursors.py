"""Cursors that are not what they were: changed, of another log, beyond the head, or of a log put back to older days.

Whatever is wrong, the answer says so; no reader ever skips an entry in silence.
"""

import base64
import json
import shutil

import pytest

from tests.server.running import Answer, Author, recv

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def cursor_after(server, space, count, author=None):
    server.push(space, (author or Author()).events(count))
    return server.pull(space, limit=10_000).json["cursor"]


def test_a_cursor_goes_on_where_it_stopped(open_server, space, author):
    open_server.push(space, author.events(100))
    seqs, cursor = [], ""
    while True:
        page = open_server.pull(space, since=cursor, limit=7).json
        seqs += [entry["seq"] for entry in page["entries"]]
        cursor = page["cursor"]
        if not page.get("more"):
            break
    assert seqs == list(range(1, 101))
    assert open_server.pull(space, since=cursor).json["entries"] == []


def test_every_character_and_every_bit_counts(open_server, space):
    cursor = cursor_after(open_server, space, 3)
    connection = open_server.connect()
    changed = [
        cursor[:place] + CHARACTERS[CHARACTERS.index(character) ^ 1 << bit] + cursor[place + 1 :]
        for place, character in enumerate(cursor)
        for bit in range(6)
    ]
    changed += [cursor[:-1], cursor + "A", cursor + "=", cursor + "==", " " + cursor, cursor[1:], cursor.lower()]
    for text in changed:
        connection.request("GET", f"/v1/spaces/{space}/pull?since={text.replace(' ', '%20')}")
        response = connection.getresponse()
        problem = json.loads(response.read())
        assert (response.status, problem["code"]) == (400, "bad_cursor"), text
    connection.close()


def test_every_character_counts_in_a_session(open_server, space):
    cursor = cursor_after(open_server, space, 3)
    with open_server.session(space) as ws:
        for kind in ("pull", "live"):
            for place in range(len(cursor)):
                other = "A" if cursor[place] != "A" else "B"
                ws.send(json.dumps({"type": kind, "cursor": cursor[:place] + other + cursor[place + 1 :]}))
                assert recv(ws)["code"] == "bad_cursor"
        ws.send(json.dumps({"type": "live", "cursor": cursor}))
        assert recv(ws)["type"] == "page"


def former_cursor(server, space, count):
    """A cursor of a log of so many entries, in whose place there is another of three."""
    cursor = cursor_after(server, space, count)
    server.stop()
    for file in (server.data / "spaces").glob(f"{space}.*"):
        file.unlink()
    server.start()
    server.push(space, Author().events(3))
    return cursor


@pytest.mark.parametrize("count", [3, 30], ids=["another epoch", "another epoch, and beyond"])
def test_a_cursor_of_a_former_log(serve, space, count):
    server = serve(open=True)
    cursor = former_cursor(server, space, count)
    for answer in (server.pull(space, since=cursor), live(server, space, cursor, "")):
        assert (answer.status, answer.code, answer.json["retryable"]) == (409, "epoch_changed", False)
        assert answer.json["epoch"] == server.request("GET", f"/v1/spaces/{space}").json["epoch"]
    with server.session(space) as ws:
        for kind in ("pull", "live"):
            ws.send(json.dumps({"type": kind, "cursor": cursor}))
            answer = recv(ws)
            assert (answer["type"], answer["code"]) == ("error", "epoch_changed")


def test_a_cursor_of_another_space(open_server, space):
    open_server.push(space, Author().events(3))
    cursor = cursor_after(open_server, f"{space}-b", 3)
    for answer in (open_server.pull(space, since=cursor), live(open_server, space, cursor, "")):
        assert (answer.status, answer.code) == (400, "bad_cursor")


def test_other_items_bring_the_difference(open_server, space):
    author = Author()
    events = [author.event(item) for item in ("task.a", "note.b", "task.c", "memo")]
    open_server.push(space, events)
    cursor = open_server.pull(space, items="task.*").json["cursor"]
    page = open_server.pull(space, since=cursor, items="note.*,task.c").json
    assert (page["forget"], [entry["seq"] for entry in page["late"]], page["entries"]) == (["task.a"], [2], [])
    rest = open_server.pull(space, since=page["cursor"], items="note.*,task.c").json
    assert (rest["entries"], "more" in rest) == ([], False)
    everything = open_server.pull(space, since=rest["cursor"]).json
    assert [entry["seq"] for entry in everything["late"]] == [4, 1]
    assert "forget" not in everything


def live(server, space, cursor, items="", *, header=False) -> Answer:
    """The answer to a request for a live stream that is refused."""
    path = f"/v1/spaces/{space}/live?" + (f"items={items}&" if items else "")
    if header:
        return server.request("GET", path, headers={"Last-Event-ID": cursor})
    return server.request("GET", f"{path}since={cursor}")


def test_the_order_of_items_does_not_matter(open_server, space):
    open_server.push(space, Author().events(3))
    cursor = open_server.pull(space, items="task.*,note.*").json["cursor"]
    assert open_server.pull(space, items="note.*,task.*,task.*", since=cursor).status == 200


def copy_of(server, space, target):
    """Copies a space's files while nobody has them open."""
    target.mkdir(exist_ok=True)
    for file in (server.data / "spaces").glob(f"{space}.db*"):
        shutil.copy2(file, target)


def put_back(server, space, source):
    for file in (server.data / "spaces").glob(f"{space}.db*"):
        file.unlink()
    for file in source.iterdir():
        shutil.copy2(file, server.data / "spaces")


def test_a_log_put_back_to_an_older_copy(serve, tmp_path):
    server = serve(open=True)
    first, second = Author("first"), Author("second")
    server.push("s", first.events(600))
    at_600 = server.pull("s", limit=600).json["cursor"]
    at_300 = server.pull("s", limit=300).json["cursor"]
    server.stop()
    copy_of(server, "s", tmp_path / "copy")
    server.start()
    lost = first.events(400)
    server.push("s", lost)
    cursors = {seq: server.pull("s", limit=seq).json["cursor"] for seq in (601, 800, 1_000)}
    server.stop()
    put_back(server, "s", tmp_path / "copy")
    server.start()
    assert server.head("s") == 600

    def check():
        for cursor in cursors.values():
            for answer in (
                server.pull("s", since=cursor),
                server.pull("s", since=cursor, wait=1),
                live(server, "s", cursor),
                live(server, "s", cursor, header=True),
            ):
                assert (answer.status, answer.code) == (409, "cursor_reset")
            with server.session("s") as ws:
                for kind in ("pull", "live"):
                    ws.send(json.dumps({"type": kind, "cursor": cursor}))
                    assert recv(ws)["code"] == "cursor_reset"
        for seq, cursor in ((300, at_300), (600, at_600)):
            entries = server.pull("s", since=cursor, limit=10_000).json["entries"]
            assert [entry["seq"] for entry in entries] == list(range(seq + 1, server.head("s") + 1))

    def push(events):
        """In a server that has not been shown such a cursor since it started: nothing is put off there."""
        server.stop()
        server.start()
        return server.push("s", events).json

    check()  # all of them are beyond the head
    push(second.events(200))
    check()  # one is exactly at the head, with another history
    push(second.events(700))
    check()  # and the log has grown past them all
    answer = push(lost)
    assert [result["seq"] for result in answer["results"]] == list(range(1_501, 1_901))
    assert len({entry["event"]["id"] for entry in server.entries("s")}) == 1_900


def test_a_cursor_of_another_server(open_server, serve, space):
    other = serve(open=True)
    assert open_server.pull(space, since=cursor_after(other, space, 3)).code == "bad_cursor"


def test_a_cursor_says_nothing_to_whoever_holds_it(open_server, space):
    cursor = cursor_after(open_server, space, 3)
    assert len(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))) == 65


def test_a_space_tells_a_cursor_before_its_head(open_server, space, author):
    for _ in range(5):
        open_server.push(space, [author.event(item="a")])

    def seqs(back, items=""):
        shown = open_server.request("GET", f"/v1/spaces/{space}?back={back}{items}").json
        page = open_server.request("GET", f"/v1/spaces/{space}/pull?since={shown['cursor']}{items}").json
        return [entry["seq"] for entry in page["entries"]]

    assert seqs(0) == []
    assert seqs(2) == [4, 5]
    assert seqs(2, "&items=a,b*") == [4, 5]
    assert seqs(99) == [1, 2, 3, 4, 5]
    assert open_server.request("GET", f"/v1/spaces/{space}?back=-1").code == "bad_request"
