"""``login``, ``logout`` and ``whoami``: signing in, staying so for all processes at once, and its end."""

import json
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pyotp
import pytest

from syncline.sync.contexts import Contexts
from tests.cli.terminals import Served, Terminal, Typed, serving
from tests.processes import rest_of
from tests.server.auth.issuing import LocalIssuer
from tests.server.running import eventually

GOOD, OTHER = "correct horse battery", "quite another staple"
EVENT = '{"item":"task.a","action":"create"}\n'


def post(url, body, token=None):
    """A request with a JSON body: status and answer."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.fixture
def server(tmp_path_factory):
    """One for each test: all guesses from one address count together."""
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture
def ann(terminal, server, request):
    """A user's name and setup token; a fresh one for each test."""
    name = "ann-" + re.sub(r"\W", "", request.node.name)[-30:]
    _, made = post(f"{server.url}/v1/users", {"name": name}, server.key)
    return name, made["setup_token"]


@pytest.fixture
def signed_in(terminal, server, ann):
    """A place where ann has signed in."""
    name, token = ann
    done = terminal("login", "--server", server.url, "--setup", token, "--password-stdin", "--json", input=f"{GOOD}\n")
    assert done.json == {"context": "127.0.0.1", "server": server.url, "space": "default", "user": name}
    return terminal


def contexts(terminal):
    return Contexts(terminal.directory / ".config" / "syncline" / "contexts.toml")


def change(terminal, **changes):
    """Changes the one context, behind the commands' backs."""

    def changed(book):
        (name,) = book.contexts
        return type(book)(name, {name: type(book.contexts[name])(**{**as_dict(book.contexts[name]), **changes})})

    (context,) = contexts(terminal).change(changed).contexts.values()
    return context


def as_dict(context):
    return {name: getattr(context, name) for name in context.__struct_fields__}


def only(terminal):
    (context,) = contexts(terminal).read().contexts.values()
    return context


# In and out


def test_a_setup_token_then_the_password(signed_in, ann):
    name, token = ann
    assert signed_in("push", "-", input=EVENT).code == 0
    said = signed_in("whoami", "--json").json
    assert (said["user"], said["from"]["token"]) == (name, "context 127.0.0.1")
    assert said["credential"].startswith("session:")
    first = only(signed_in)
    again = signed_in("login", "--setup", token, "--password-stdin", input=f"{OTHER}\n")
    assert (again.code, again.out) == (4, "")
    assert "(invalid_credentials)" in again.err
    wrong = signed_in("login", "--password-stdin", input=f"{OTHER}\n")
    assert (wrong.code, wrong.err.count("\n")) == (4, 1)
    assert only(signed_in) == first
    done = signed_in("login", "--password-stdin", input=f"{GOOD}\n")  # where and who: the context says
    assert done.code == 0
    assert only(signed_in).access_token != first.access_token
    assert post(f"{first.server}/v1/auth/refresh", {"refresh_token": first.refresh_token})[0] == 401  # has ended


def test_no_secret_is_shown(signed_in):
    context = only(signed_in)
    shown = [signed_in(*verb.split()) for verb in ("whoami", "whoami --json", "context list", "context list --json")]
    everything = "".join(done.out + done.err for done in shown)
    for secret in (context.access_token, context.refresh_token, GOOD):
        assert secret not in everything


def test_a_password_is_asked_for_without_an_echo(signed_in, ann):
    signed_in("logout")
    shown = signed_in.screen("login", typed=(Typed(":", GOOD, is_hidden=True),))
    assert f"Password of {ann[0]}:" in shown
    assert GOOD not in shown
    assert "is signed in" in " ".join(shown.split())
    assert signed_in("whoami").code == 0


def test_nobody_can_be_asked_on_a_pipe(terminal, server):
    for arguments, flag in ((("login",), "--user"), (("login", "--user", "ann"), "--password-stdin")):
        done = terminal(*arguments, "--server", server.url)
        assert (done.code, done.out) == (2, "")
        assert flag in done.err
    assert terminal("login", "--device", "--user", "ann").code == 2
    assert terminal("logout").code == 2


def test_a_second_factor(signed_in, ann):
    context = only(signed_in)
    _, enrolled = post(f"{context.server}/v1/auth/totp", {}, context.access_token)
    code = pyotp.TOTP(enrolled["secret"]).now()
    _, made = post(f"{context.server}/v1/auth/totp/confirm", {"code": code}, context.access_token)
    done = signed_in("login", "--password-stdin", input=f"{GOOD}\n")
    assert done.code == 4
    assert "(second_factor_required)" in done.err
    assert "--code" in done.err
    assert signed_in("login", "--password-stdin", "--code", made["recovery_codes"][0], input=f"{GOOD}\n").code == 0
    shown = signed_in.screen(
        "login", typed=(Typed(":", GOOD, is_hidden=True), Typed("Code:", made["recovery_codes"][1]))
    )
    assert "is signed in" in " ".join(shown.split())
    assert signed_in("whoami", "--json").json["second_factor"] is True


def test_logging_out(signed_in, ann):
    before = only(signed_in)
    assert signed_in("logout", "--json").json == {"context": "127.0.0.1", "user": ann[0], "server_told": True}
    assert post(f"{before.server}/v1/auth/refresh", {"refresh_token": before.refresh_token})[0] == 401
    after = only(signed_in)
    assert (after.access_token, after.refresh_token, after.user) == ("", "", ann[0])
    done = signed_in("pull")
    assert (done.code, done.out) == (4, "")
    assert "syncline login" in done.err
    change(signed_in, refresh_token="rt_x", server="http://127.0.0.1:1")
    away = signed_in("logout", "--json")
    assert (away.code, away.json["server_told"], only(signed_in).refresh_token) == (0, False, "")


# Staying in


def test_a_token_that_expires_is_refreshed(signed_in):
    before = change(signed_in, expires_ms=1)
    assert signed_in("push", "-", input=EVENT).code == 0
    after = only(signed_in)
    assert before.refresh_token != after.refresh_token
    assert time.time() * 1_000 < after.expires_ms < (time.time() + 601) * 1_000
    assert signed_in("whoami").code == 0
    assert only(signed_in) == after


def test_processes_take_turns(signed_in):
    """One that finds another at it waits, and takes what that one brought instead of refreshing, too."""
    before = change(signed_in, expires_ms=1)
    with contexts(signed_in).signing_in("127.0.0.1"):
        waiting = signed_in.begin("whoami", "--json")
        eventually(lambda: "127.0.0.1.context.lock" in opened(waiting.pid), what="it looks for the lock")
        grant = {"refresh_token": before.refresh_token}
        for _ in range(2):  # after which nobody may use the first one any more
            _, grant = post(f"{before.server}/v1/auth/refresh", {"refresh_token": grant["refresh_token"]})
        fresh = {name: grant[name] for name in ("access_token", "refresh_token", "expires_ms")}
        mine = change(signed_in, **fresh)
    out, err = rest_of(waiting)
    assert (waiting.returncode, err) == (0, "")
    assert json.loads(out)["user"] == before.user
    assert only(signed_in) == mine


def opened(pid):
    """The names of the files that a process has open."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(entry.readlink().name)
        except OSError:
            continue
    return found


def test_all_at_once(signed_in):
    change(signed_in, expires_ms=1)
    processes = [signed_in.begin("whoami", "--json") for _ in range(4)]
    assert [json.loads(rest_of(process)[0])["user"] for process in processes]
    change(signed_in, expires_ms=1)
    assert signed_in("whoami").code == 0  # the session goes on


def test_a_session_that_has_ended(signed_in, ann):
    context = only(signed_in)
    post(f"{context.server}/v1/auth/logout", {"refresh_token": context.refresh_token})
    change(signed_in, expires_ms=1)
    for _ in range(2):
        done = signed_in("push", "-", input=EVENT)
        assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
        assert f"{ann[0]} is not signed in at 127.0.0.1 any more: run syncline login." in done.err
    assert signed_in("login", "--password-stdin", input=f"{GOOD}\n").code == 0
    assert signed_in("push", "-", input=EVENT).code == 0


def test_tail_goes_on_with_another_sign_in(signed_in, ann):
    """The session that it began with ends as the next one begins."""
    tail = signed_in.begin("tail", "--json")
    for number in (1, 2):
        item = f"{ann[0]}-{number}"
        assert signed_in("push", "-", input=EVENT.replace("task.a", item)).code == 0
        while json.loads(tail.stdout.readline())["event"]["item"] != item:
            pass
        if number == 1:
            before = only(signed_in)
            assert signed_in("login", "--password-stdin", input=f"{GOOD}\n").code == 0
            assert post(f"{before.server}/v1/auth/refresh", {"refresh_token": before.refresh_token})[0] == 401
    tail.send_signal(signal.SIGINT)
    _, err = rest_of(tail)
    assert tail.returncode == 0
    assert "Trying again" in err


def test_a_server_that_is_away_ends_no_sign_in(signed_in):
    before = change(signed_in, expires_ms=1, server="http://127.0.0.1:1")
    assert signed_in("whoami").code == 3
    assert only(signed_in) == before


# At a provider


@pytest.fixture
def issuer():
    found = LocalIssuer(lambda: int(time.time() * 1_000))
    yield found
    found.close()


@pytest.fixture
def device(tmp_path, issuer):
    """A place, and a server that trusts the issuer."""
    settings = {"issuer": issuer.url, "audience": "syncline", "space": "default", "client_id": "cli"}
    served = Served(tmp_path / "server", "--oidc", json.dumps([settings]))
    yield Terminal(tmp_path, SYNCLINE_SERVER=served.url)
    served.stop()


@pytest.fixture(autouse=True)
def _directories(tmp_path):
    (tmp_path / "server").mkdir(exist_ok=True)


def test_signing_in_by_a_code(device, issuer):
    issuer.codes["device-1"] = ["authorization_pending", "authorization_pending", "granted"]
    done = device("login", "--device")
    assert done.code == 0, done.err
    assert f"{issuer.url}/activate" in done.err
    assert "WDJB-MJHT" in done.err
    assert "alice is signed in" in done.out
    assert [path for path, _ in issuer.forms] == ["/device", "/token", "/token", "/token"]
    assert issuer.forms[0][1]["client_id"] == "cli"
    assert issuer.forms[1][1]["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
    assert device("push", "-", input=EVENT).code == 0
    change(device, expires_ms=1)
    assert device("whoami", "--json").json["user"] == "alice"
    assert issuer.forms[-1][1]["grant_type"] == "refresh_token"
    assert only(device).refresh_token == issuer.refreshes
    change(device, expires_ms=1, refresh_token="old")
    lost = device("pull")
    assert lost.code == 4
    assert "run syncline login" in lost.err
    issuer.codes["device-1"] = ["access_denied"]
    declined = device("login", "--device", "--json")
    assert (declined.code, declined.out) == (4, "")
    assert "declined" in declined.err
    issuer.codes["device-1"] = ["expired_token"]
    assert device("login", "--device").code == 4


def test_a_server_without_a_provider(terminal, server):
    done = terminal("login", "--device", "--server", server.url)
    assert (done.code, done.out) == (1, "")
    assert "log in with a password" in done.err
