"""The FastAPI app as its users meet it: a process of its own, a cookie from its login, and Syncline below its path."""

import http.client
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus

import syncline

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE = 60.0


class Hosted:
    """The app on a free port."""

    def __init__(self, directory):
        command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--port", "0", "--app-dir", str(EXAMPLES)]
        variables = {**os.environ, "SYNCLINE_DATA": str(directory / "data")}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables)
        self.log = ""
        while not (found := re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log)):
            line = self.process.stderr.readline()
            assert line, self.log
            self.log += line
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        answer = response.status, json.loads(response.read()), response.headers
        connection.close()
        return answer

    def login(self, name):
        """The cookie and the token of somebody who has signed in."""
        status, answer, headers = self.ask("POST", "/login", {"name": name, "password": f"{name}'s password"})
        assert status == 200, answer
        return headers["Set-Cookie"].partition(";")[0], answer["token"]

    @contextmanager
    def socket(self, space, cookie, **more):
        path = f"ws://127.0.0.1:{self.port}/sync/v1/spaces/{space}/ws"
        with websockets.sync.client.connect(path, additional_headers={"Cookie": cookie}, proxy=None, **more) as ws:
            ws.send('{"type":"hello","node":"n"}')
            yield ws


@pytest.fixture
def hosted(tmp_path):
    hosted = Hosted(tmp_path)
    yield hosted
    hosted.process.terminate()
    _, log = hosted.process.communicate(timeout=DEADLINE)
    assert "Traceback" not in hosted.log + log, log


def test_a_browser_comes_with_the_app_s_cookie(hosted):
    cookie, _ = hosted.login("ann")
    status, answer, _ = hosted.ask("PUT", "/sync/v1/spaces/home/docs/task.milk", {"title": "Milk"}, Cookie=cookie)
    assert (status, answer["value"]) == (201, {"title": "Milk"})
    _, page, _ = hosted.ask("GET", "/sync/v1/spaces/home/pull", Cookie=cookie)
    assert [entry["event"]["user"] for entry in page["entries"]] == ["ann"]
    with hosted.socket("home", cookie, origin=hosted.url) as ws:
        welcome = json.loads(ws.recv(DEADLINE))
        assert (welcome["user"], welcome["head"]) == ("ann", 1)
        assert welcome["expires"] > welcome["time"]
    connection = http.client.HTTPConnection("127.0.0.1", hosted.port, timeout=DEADLINE)
    connection.request("GET", "/sync/v1/spaces/home/live", headers={"Cookie": cookie, "Origin": hosted.url})
    assert connection.getresponse().readline().startswith(b"id: ")
    connection.close()


def test_a_page_of_another_site_cannot_use_the_cookie(hosted):
    cookie, _ = hosted.login("ann")
    with pytest.raises(InvalidStatus, match="403"), hosted.socket("home", cookie, origin="https://evil.example"):
        pass
    evil = {"Cookie": cookie, "Origin": "https://evil.example"}
    status, answer, _ = hosted.ask("PUT", "/sync/v1/spaces/home/docs/task.milk", {}, **evil)
    assert (status, answer["code"]) == (403, "forbidden_origin")


def test_nobody_else_comes_in(hosted):
    ann, _ = hosted.login("ann")
    eve, _ = hosted.login("eve")
    hosted.ask("PUT", "/sync/v1/spaces/home/docs/task.milk", {"title": "Milk"}, Cookie=ann)
    assert hosted.ask("GET", "/sync/v1/spaces/home/docs/task.milk", Cookie=eve)[1]["code"] == "unknown_space"
    assert hosted.ask("GET", "/sync/v1/spaces/home/docs/task.milk")[1]["code"] == "unauthorized"
    assert hosted.ask("GET", "/sync/v1/spaces/home/docs/task.milk", Cookie="session=guess")[1]["code"] == "unauthorized"
    assert hosted.ask("POST", "/login", {"name": "ann", "password": "guess"})[0] == 401
    with hosted.socket("home", "session=guess") as ws:
        assert json.loads(ws.recv(DEADLINE))["code"] == "unauthorized"
        with pytest.raises(ConnectionClosed) as end:
            ws.recv(DEADLINE)
    assert end.value.rcvd.code == 4401
    assert hosted.ask("POST", "/logout", Cookie=ann)[1] == {"was_signed_in": True}
    assert hosted.ask("GET", "/sync/v1/spaces/home/docs/task.milk", Cookie=ann)[1]["code"] == "unauthorized"


def test_a_ticket_where_there_is_no_cookie(hosted):
    """A page of the app that may not see its cookie, and another origin: a ticket opens one stream."""
    _, token = hosted.login("ann")
    headers = {"Authorization": f"Bearer {token}"}
    _, answer, _ = hosted.ask("POST", "/sync/v1/spaces/home/auth/ticket", {}, **headers)
    path = f"/sync/v1/spaces/home/live?ticket={answer['ticket']}"
    connection = http.client.HTTPConnection("127.0.0.1", hosted.port, timeout=DEADLINE)
    connection.request("GET", path)
    assert connection.getresponse().status == 200
    connection.close()
    assert hosted.ask("GET", path)[1]["code"] == "unauthorized"


def test_replicas_of_two_people_meet(hosted, tmp_path):
    _, ann = hosted.login("ann")
    _, bob = hosted.login("bob")
    server = f"{hosted.url}/sync"
    with (
        syncline.open(tmp_path / "ann.db", server=server, space="home", token=ann) as one,
        syncline.open(tmp_path / "bob.db", server=server, space="home", token=bob, transport="http") as two,
    ):
        one.create("task.milk", {"title": "Milk"})
        assert one.sync().ok
        assert two.sync().ok
        assert two.document("task.milk").value == {"title": "Milk"}
        assert (one.user, two.user) == ("ann", "bob")
