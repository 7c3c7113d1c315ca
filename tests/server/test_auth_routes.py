"""Logging in and out over HTTP: passwords, second factors, sessions that go on and end, tickets."""

import http.client
import json
import signal
import sqlite3
import time
from contextlib import closing

import psutil
import pyotp
import pytest

from syncline.server.auth.tokens import AccessTokens
from syncline.server.registry import open_registry
from tests.processes import computed_seconds
from tests.server.accounts import GOOD, OTHER, Somebody, elsewhere, ending, log_in, root, signed_in
from tests.server.running import DEADLINE, Author, eventually, recv, serving

MINUTE = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that believes who proxies on this machine say they speak for, so that tests have many addresses."""
    with serving(tmp_path_factory.mktemp("auth"), trusted_proxies=["127.0.0.1"], log_level="debug") as server:
        yield server
    for secret in (GOOD, OTHER, "rt_", "tk_", "sk_"):
        assert secret not in server.log()


@pytest.fixture
def admin(server, space):
    return root(server, space)


@pytest.fixture
def ann(server, space, admin):
    admin.make_user("ann")
    return signed_in(server, "ann", space=space)


def now_ms():
    return time.time_ns() // 1_000_000


def code_now(secret, ahead=0):
    return pyotp.TOTP(secret).generate_otp(int(time.time()) // 30 + ahead)


# Coming in


def test_a_login_brings_tokens(server, space, admin):
    admin.make_user("ann")
    answer = log_in(server, "ann", space=space, label="browser")
    grant = answer.json
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert grant.keys() == {"user", "space", "access_token", "expires_ms", "refresh_token"}
    assert (grant["user"], grant["space"]) == ("ann", space)
    assert 9 * MINUTE < grant["expires_ms"] - now_ms() <= 10 * MINUTE
    me = Somebody(server, grant["access_token"], space).get("auth/me")
    (session,) = Somebody(server, grant["access_token"], space).get("auth/sessions")["sessions"]
    assert (me["user"], me["space"], me["credential"]) == ("ann", space, f"session:{session['id']}")
    assert (me["actions"], me["items"], me["second_factor"]) == ([], [], False)
    assert {(rule["item"], rule["action"]) for rule in me["rules"]} == {("*", "*"), (".policies", ".read")}
    assert (session["label"], session["is_current"]) == ("browser", True)


def test_nothing_tells_who_there_is(server, space, admin):
    for name in ("ann", "suspended", "removed"):
        admin.make_user(name)
    admin.make_user("new", None)
    assert admin.administer("suspended", "suspend").status == 200
    assert admin.administer("removed", method="DELETE").status == 200
    tried = [("ann", OTHER), ("nobody", GOOD), ("suspended", GOOD), ("removed", GOOD), ("new", GOOD), (".root", GOOD)]
    tried += [("", GOOD), ("ann", ""), ("ann", "x" * 5_000), ("x" * 300, GOOD), ("a\x00nn", GOOD)]
    answers = [log_in(server, user, password, space) for user, password in tried]
    answers.append(log_in(server, "ann", GOOD, "no-such-space"))
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert {tuple(sorted(answer.headers.items())) for answer in answers} == {tuple(sorted(answers[0].headers.items()))}
    assert (answers[0].code, answers[0].headers["www-authenticate"]) == ("invalid_credentials", "Bearer")


def test_nor_does_the_time_it_takes(server, space, admin):
    """Who is unknown is worth as much work as who is known: what the processors do for each is what is compared."""
    admin.make_user("ann")
    log_in(server, "somebody", OTHER, space)  # starts the process that hashes
    took = {"ann": 0.0, "nobody": 0.0}
    for _ in range(4):
        for name in took:
            before = worked_seconds(server)
            assert log_in(server, name, OTHER, space).code == "invalid_credentials"
            took[name] += worked_seconds(server) - before
    assert took["ann"] < 2 * took["nobody"]
    assert took["nobody"] < 2 * took["ann"]


def worked_seconds(server):
    """The processor time that a server and the processes it started have taken."""
    process = psutil.Process(server.process.pid)
    return sum(computed_seconds(each.pid) for each in [process, *process.children()])


def test_a_login_makes_no_space(server, space, admin):
    admin.get("auth/me")
    assert log_in(server, "ann", space="never-made").code == "invalid_credentials"
    assert "never-made" not in root(server).server.request("GET", "/v1/spaces", headers=server.bearer()).json["spaces"]
    assert not (server.data / "spaces" / "never-made.db").exists()


def test_the_space_is_that_of_the_request(server, space, admin):
    admin.make_user("ann")
    body = json.dumps({"user": "ann", "password": GOOD}).encode()

    def ask(path, **headers):
        return server.request("POST", path, body, {"X-Forwarded-For": elsewhere()["X_Forwarded_For"], **headers})

    assert ask("/v1/auth/login", **{"X-Tenant-ID": space}).json["space"] == space
    assert ask(f"/v1/spaces/{space}/auth/login").json["space"] == space
    assert ask("/v1/auth/login").code == "invalid_credentials"
    assert ask(f"/v1/spaces/{space}/auth/login", **{"X-Tenant-ID": "other"}).code == "space_mismatch"
    ann = signed_in(server, "ann", space=space)
    assert Somebody(server, ann.token, "default").code("GET", "auth/me") == (404, "unknown_space")


def test_the_administrator_logs_in_anywhere(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    token = root(server).administer(".root", "setup").json["setup_token"]
    Somebody(server).post("auth/setup", {"token": token, "password": GOOD})
    for space in ("default", "another"):
        somebody = signed_in(server, ".root", space=space)
        assert (somebody.grant["space"], somebody.get("auth/me")["rules"]) == (None, None)
        assert somebody.get("users") == {"users": []}


def test_guessing_gets_slow(server, space, admin):
    admin.make_user("ann")
    for _ in range(5):
        assert log_in(server, "ann", OTHER, space).code == "invalid_credentials"
    answer = log_in(server, "ann", GOOD, space)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "too_many_attempts", "1")
    assert (answer.json["retryable"], answer.json["retry_after"]) == (True, 1)
    for _ in range(5):  # who is nobody is counted alike
        log_in(server, "nobody", OTHER, space)
    assert log_in(server, "nobody", GOOD, space).body == answer.body
    assert eventually(lambda: log_in(server, "ann", GOOD, space).status == 200, seconds=5)


def test_an_address_that_guesses_waits_whoever_it_means(server, space, admin):
    admin.make_user("ann")
    address, somebody = elsewhere(), Somebody(server, None, space)
    for number in range(5):
        somebody.ask("POST", "auth/login", {"user": f"user{number}", "password": OTHER}, **address)
    answer = somebody.ask("POST", "auth/login", {"user": "ann", "password": GOOD}, **address)
    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert log_in(server, "ann", GOOD, space).status == 200


def test_more_parameters_than_are_read(server, space):
    query = "&".join(f"p{number}=1" for number in range(300))
    assert Somebody(server, None, space).code("GET", f"live?{query}") == (401, "unauthorized")
    with server.websocket(f"/ws?{query}") as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "space": space}))
        assert ending(ws) == ("unauthorized", 4401)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("auth/login", rb'{"user":"\ud800","password":"x"}'),
        ("auth/login", rb'{"user":"ann","password":"\ud800"}'),
        ("keys", rb'{"name":"\ud800"}'),
        ("users", rb'{"name":"\ud800"}'),
    ],
)
def test_half_of_a_character_is_no_text(admin, path, body):
    assert admin.code("POST", path, body) == (400, "bad_json")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b'{"user":"ann"}', 400, "bad_request"),
        (b'{"user":"ann","password":7}', 400, "bad_request"),
        (b'{"user":"ann","password":"x","pasword":"y"}', 400, "bad_request"),
        (b"[]", 400, "bad_request"),
        (b'{"user":"ann","password":"%b"}' % (b"x" * 70_000), 413, "too_large"),
    ],
)
def test_bodies_that_are_none(server, space, body, status, code):
    assert Somebody(server, None, space).code("POST", "auth/login", body) == (status, code)


def test_a_login_costs_little_space(server, space):
    somebody = Somebody(server, None, space)
    answer = somebody.ask("POST", "auth/login", b"\x1f\x8b", Content_Encoding="gzip")
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    connection.putrequest("POST", f"/v1/spaces/{space}/auth/login")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()  # refused before any of it has come
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["code"]) == (413, "too_large")
    connection.close()
    chunks = (b'{"user":"' + b"x" * 70_000, b'"}')
    assert somebody.server.request(
        "POST", f"/v1/spaces/{space}/auth/login", iter(chunks), {"Content-Type": "application/json"}
    ).code == ("too_large")


# Setup tokens


def test_a_setup_token_is_for_one_password(server, space, admin):
    token = admin.make_user("ann", None)["setup_token"]
    somebody = Somebody(server, None, space)
    assert somebody.code("POST", "auth/setup", {"token": token, "password": "short"}) == (422, "weak_password")
    answer = somebody.ask("POST", "auth/setup", {"token": token.lower().replace("-", " "), "password": GOOD})
    assert (answer.status, answer.json["user"], answer.headers["cache-control"]) == (200, "ann", "no-store")
    assert Somebody(server, answer.json["access_token"], space).is_in()
    assert somebody.ask("POST", "auth/setup", {"token": token, "password": OTHER}, **elsewhere()).code == (
        "invalid_credentials"
    )
    assert log_in(server, "ann", space=space).status == 200


def test_or_for_one_key(server, space, admin):
    token = admin.make_user("ann", None)["setup_token"]
    somebody = Somebody(server, None, space)
    for body in ({"token": token}, {"token": token, "key": ""}, {"token": token, "key": "laptop", "password": GOOD}):
        assert somebody.code("POST", "auth/setup", body) == (400, "bad_request")
    made = somebody.post("auth/setup", {"token": token, "key": "laptop"}, 201)
    ann = somebody.with_(made["key"])
    assert ann.get("auth/me")["credential"] == f"key:{made['id']}"
    assert [key["name"] for key in ann.get("keys")["keys"]] == ["laptop"]
    assert admin.log()[-1][:3] == ("ann", ".user.ann", ".key.create")
    assert made["key"] not in json.dumps(admin.log())
    assert somebody.ask("POST", "auth/setup", {"token": token, "key": "x"}, **elsewhere()).code == "invalid_credentials"


def test_a_new_setup_token_voids_the_one_before(server, space, admin):
    first = admin.make_user("ann", None)["setup_token"]
    second = admin.post("users/ann/setup", None, 201)["setup_token"]
    somebody = Somebody(server, None, space)
    assert somebody.ask("POST", "auth/setup", {"token": first, "key": "x"}, **elsewhere()).code == "invalid_credentials"
    assert somebody.ask("POST", "auth/setup", {"token": second, "key": "x"}, **elsewhere()).status == 201


def test_a_setup_token_does_not_pass_by_a_second_factor(server, space, admin, ann):
    secret = turned_on(ann)
    token = admin.post("users/ann/setup", None, 201)["setup_token"]
    answer = Somebody(server, None, space).ask("POST", "auth/setup", {"token": token, "password": OTHER})
    assert (answer.status, answer.code) == (401, "second_factor_required")
    assert not ann.is_in()
    assert log_in(server, "ann", OTHER, space, code=code_now(secret, 1)).status == 200


def test_a_server_that_is_killed_forgives_no_guess(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    for _ in range(4):
        assert log_in(server, "ann").code == "invalid_credentials"
    server.stop(signal.SIGKILL)
    with closing(sqlite3.connect(server.data / "server.db")) as register:
        assert max(register.execute("SELECT failed FROM attempts")) == (4,)


# The second factor


def test_a_second_factor_from_enrolment_to_its_end(server, space, admin, ann):
    enrolled = ann.post("auth/totp")
    assert enrolled["uri"].startswith("otpauth://totp/")
    assert ann.code("POST", "auth/totp/confirm", {"code": "no code"}) == (401, "invalid_credentials")
    assert log_in(server, "ann", space=space).status == 200  # nothing has changed
    codes = ann.post("auth/totp/confirm", {"code": code_now(enrolled["secret"])})["recovery_codes"]
    assert (len(codes), ann.get("auth/me")["second_factor"]) == (10, True)
    answer = log_in(server, "ann", space=space)
    assert (answer.status, answer.code) == (401, "second_factor_required")
    assert log_in(server, "ann", OTHER, space).code == "invalid_credentials"
    assert log_in(server, "ann", space=space, code="no code").code == "invalid_credentials"
    following = code_now(enrolled["secret"], 1)
    assert log_in(server, "ann", space=space, code=following).status == 200
    assert log_in(server, "ann", space=space, code=following).code == "invalid_credentials"  # once
    assert log_in(server, "ann", space=space, code=codes[0]).status == 200
    assert log_in(server, "ann", space=space, code=codes[0]).code == "invalid_credentials"
    assert ann.code("POST", "auth/totp") == (400, "bad_request")
    assert ann.ask("DELETE", "auth/totp", {"code": codes[0]}, **elsewhere()).code == "invalid_credentials"
    assert ann.delete("auth/totp", {"code": codes[1]}) == {}
    assert log_in(server, "ann", space=space).status == 200
    noted = [entry["what"] for entry in admin.get("audit?kind=account&user=ann")["entries"]]
    assert noted == ["second factor off", "second factor on"]


def turned_on(somebody):
    """What the telephone of somebody knows, who has a second factor now."""
    secret = somebody.post("auth/totp")["secret"]
    somebody.post("auth/totp/confirm", {"code": code_now(secret)})
    return secret


def test_a_second_factor_that_was_lost_with_its_codes(server, space, admin, ann):
    turned_on(ann)
    assert admin.get("users/ann")["second_factor"] is True
    with ann.socket(live=True) as live:
        assert admin.delete("users/ann/totp") == {}
        assert ending(live) == ("unauthorized", 4401)
    assert not ann.is_in()
    assert admin.log()[-1] == (".root", ".user.ann", ".user.resetTotp", None)
    assert admin.get("users/ann")["second_factor"] is False
    again = signed_in(server, "ann", space=space)
    assert admin.code("DELETE", "users/ann/totp") == (404, "not_found")
    assert again.is_in()  # what is off already ends nothing, and is not told
    assert admin.log()[-1][2] == ".user.resetTotp"
    turned_on(again)
    assert log_in(server, "ann", space=space).code == "second_factor_required"


def test_who_may_take_away_a_second_factor(server, space, admin, ann):
    admin.make_user("bob")
    bob = signed_in(server, "bob", space=space)
    secret = turned_on(ann)
    assert bob.code("DELETE", "users/ann/totp") == (403, "forbidden")
    assert ann.code("DELETE", "users/ann/totp") == (403, "forbidden")
    rule = {"user": "*", "item": ".user.*", "action": ".user.resetTotp", "type": "allow"}
    admin.post("acl", rule, 201)
    for name in ("ann", ".root"):  # one's own needs a code, whatever the rules say
        assert ann.code("DELETE", f"users/{name}/totp") == (403, "forbidden")
    assert bob.code("DELETE", "users/nobody/totp") == (404, "unknown_user")
    assert log_in(server, "ann", space=space, code=code_now(secret, 1)).status == 200
    assert bob.delete("users/ann/totp") == {}
    assert log_in(server, "ann", space=space).status == 200
    assert admin.log()[-1][:3] == ("bob", ".user.ann", ".user.resetTotp")


# Sessions


def test_refreshing(server, space, ann):
    somebody = Somebody(server, None, space)
    second = somebody.post("auth/refresh", {"refresh_token": ann.grant["refresh_token"]})
    again = somebody.post("auth/refresh", {"refresh_token": ann.grant["refresh_token"]})  # the answer was lost
    assert again["refresh_token"] == second["refresh_token"] != ann.grant["refresh_token"]
    assert (second["user"], second["space"]) == ("ann", space)
    assert ann.with_(second["access_token"]).is_in()
    assert ann.is_in()
    for wrong in ("", "rt_", "rt_a.b.c", ann.token, second["refresh_token"] + "x"):
        assert somebody.code("POST", "auth/refresh", {"refresh_token": wrong}) == (401, "unauthorized")


def test_a_refresh_token_that_is_used_again_ends_the_session_with_its_sockets(server, space, admin, ann):
    somebody = Somebody(server, None, space)
    second = somebody.post("auth/refresh", {"refresh_token": ann.grant["refresh_token"]})
    third = somebody.post("auth/refresh", {"refresh_token": second["refresh_token"]})
    with (
        ann.socket(live=True) as following,
        ann.socket("m") as idle,
        ann.with_(third["access_token"]).socket("o") as other,
    ):
        answer = somebody.ask("POST", "auth/refresh", {"refresh_token": ann.grant["refresh_token"]})
        assert (answer.status, answer.code, answer.headers["www-authenticate"]) == (401, "token_reused", "Bearer")
        assert [ending(ws) for ws in (following, idle, other)] == [("unauthorized", 4401)] * 3
    assert not ann.is_in()
    assert somebody.code("POST", "auth/refresh", {"refresh_token": third["refresh_token"]}) == (401, "unauthorized")
    (told,) = admin.get("audit?kind=logout&user=ann")["entries"]
    assert told["what"] == "token_reused"


@pytest.mark.parametrize("by", ["access token", "refresh token"])
def test_logging_out(server, space, ann, by):
    other = signed_in(server, "ann", space=space)
    with ann.socket(live=True) as ws, other.socket("m", live=True) as kept:
        if by == "access token":
            assert ann.post("auth/logout") == {"ended": True}
        else:
            body = {"refresh_token": ann.grant["refresh_token"]}
            assert Somebody(server, None, space).post("auth/logout", body) == {"ended": True}
        assert ending(ws) == ("unauthorized", 4401)
        kept.send('{"type":"ping"}')
        assert recv(kept)["type"] == "pong"
    assert (ann.is_in(), other.is_in()) == (False, True)
    assert ann.code("POST", "auth/logout") == (401, "unauthorized")
    assert Somebody(server, None, space).code("POST", "auth/logout") == (401, "unauthorized")


def test_ending_one_of_ones_sessions(server, space, admin, ann):
    other = signed_in(server, "ann", space=space, label="telephone")
    admin.make_user("bob")
    bob = signed_in(server, "bob", space=space)
    sessions = {each["label"]: each["id"] for each in ann.get("auth/sessions")["sessions"]}
    assert bob.code("DELETE", f"auth/sessions/{sessions['telephone']}") == (404, "not_found")
    with other.socket() as ws:
        assert ann.delete(f"auth/sessions/{sessions['telephone']}") == {}
        assert ending(ws) == ("unauthorized", 4401)
    assert (ann.is_in(), other.is_in(), bob.is_in()) == (True, False, True)
    credential = {"credential": f"session:{sessions['telephone']}"}
    assert admin.log()[-1] == ("ann", ".user.ann", ".session.revoke", credential)
    assert ann.code("DELETE", f"auth/sessions/{sessions['telephone']}") == (404, "not_found")


@pytest.mark.parametrize("path", ["live", "docs/task.milk/live"])
def test_a_stream_ends_with_its_session(server, space, ann, path):
    ann.ask("PUT", "docs/task.milk", {"n": 1})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    connection.request("GET", f"/v1/spaces/{space}/{path}", headers={"Authorization": f"Bearer {ann.token}"})
    response = connection.getresponse()
    assert response.readline()  # it is open
    ann.post("auth/logout")
    rest, limit = b"", time.monotonic() + DEADLINE
    while line := response.readline():
        assert time.monotonic() < limit  # it says every 5 s that it is still there
        rest += line
    connection.close()
    assert b"event: error" in rest
    assert b'"unauthorized"' in rest


def test_a_long_poll_ends_with_its_session(server, space, ann):
    cursor = ann.get("pull")["cursor"]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {ann.token}"}
    connection.request("GET", f"/v1/spaces/{space}/pull?wait=55&since={cursor}", headers=headers)
    ann.post("auth/logout")
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["code"]) == (401, "unauthorized")
    assert time.monotonic() - began < 10
    connection.close()


def test_another_password_ends_the_other_sessions(server, space, admin, ann):
    other = signed_in(server, "ann", space=space)
    assert ann.code("POST", "auth/password", {"old": GOOD, "new": "password1"}) == (422, "weak_password")
    assert ann.ask("POST", "auth/password", {"old": OTHER, "new": OTHER}, **elsewhere()).code == "invalid_credentials"
    with other.socket(live=True) as ws:
        assert ann.post("auth/password", {"old": GOOD, "new": OTHER}) == {}
        assert ending(ws) == ("unauthorized", 4401)
    assert (ann.is_in(), other.is_in()) == (True, False)
    assert log_in(server, "ann", GOOD, space).code == "invalid_credentials"
    assert log_in(server, "ann", OTHER, space).status == 200
    assert [entry["what"] for entry in admin.get("audit?kind=account&user=ann")["entries"]] == ["password"]


def test_who_has_a_key_alone_does_not_change_how_one_logs_in(ann):
    keyed = ann.with_(ann.make_key()["key"])
    for method, path, body in (
        ("POST", "auth/password", {"old": GOOD, "new": OTHER}),
        ("POST", "auth/totp", None),
        ("POST", "auth/totp/confirm", {"code": "no code"}),
        ("DELETE", "auth/totp", {"code": "no code"}),
    ):
        assert keyed.code(method, path, body) == (403, "forbidden")


def test_a_token_that_is_too_old(server, space, ann):
    hour = 60 * MINUTE
    registry = open_registry(server.data, "", lambda: now_ms() - hour)
    issuer = f"syncline:{registry.secret('issuer').hex()[:16]}"
    session = ann.get("auth/me")["credential"].partition(":")[2]
    token, _ = AccessTokens(registry.database, lambda: now_ms() - hour, issuer).issue(space, "ann", session)
    registry.close()
    answer = ann.with_(token).ask("GET", "auth/me")
    assert (answer.status, answer.code, answer.headers["www-authenticate"]) == (401, "token_expired", "Bearer")


# Tickets


def test_a_ticket_opens_one_socket(server, space, ann):
    ticket = ann.post("auth/ticket")
    assert 20_000 < ticket["expires_ms"] - now_ms() <= 30_000
    with ann.socket(path=f"/ws?ticket={ticket['ticket']}", token=None) as ws:
        ws.send(json.dumps({"type": "push", "events": [Author("n").event()]}))
        assert recv(ws)["results"][0]["seq"]
        with server.websocket(f"/ws?ticket={ticket['ticket']}") as second:
            second.send(json.dumps({"type": "hello", "node": "m", "space": space}))
            assert ending(second) == ("unauthorized", 4401)
        ann.post("auth/logout")
        assert ending(ws) == ("unauthorized", 4401)


def test_or_one_stream_and_nothing_else(server, space, ann):
    ticket = ann.post("auth/ticket")["ticket"]
    somebody = Somebody(server, None, space)
    for path in ("pull", "docs/live", "docs/a%2Flive", "users/live"):
        assert somebody.code("GET", f"{path}?ticket={ticket}") == (401, "unauthorized")
    assert somebody.with_(ticket).code("GET", "pull") == (401, "unauthorized")
    assert somebody.with_(ticket).code("POST", "keys", {"name": "for ever"}) == (401, "unauthorized")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    connection.request("GET", f"/v1/spaces/{space}/live?ticket={ticket}")
    assert connection.getresponse().status == 200
    connection.close()
    assert somebody.code("GET", f"live?ticket={ticket}") == (401, "unauthorized")


def test_a_ticket_ends_with_what_it_was_taken_with(server, space, ann):
    ticket = ann.post("auth/ticket")["ticket"]
    ann.post("auth/logout")
    assert Somebody(server, None, space).code("GET", f"live?ticket={ticket}") == (401, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "auth/me"),
        ("POST", "auth/password"),
        ("POST", "auth/totp"),
        ("POST", "auth/totp/confirm"),
        ("DELETE", "auth/totp"),
        ("GET", "auth/sessions"),
        ("DELETE", "auth/sessions/x"),
        ("POST", "auth/ticket"),
        ("GET", "users"),
        ("POST", "users"),
        ("GET", "users/ann"),
        ("DELETE", "users/ann"),
        ("POST", "users/ann/suspend"),
        ("POST", "users/ann/resume"),
        ("POST", "users/ann/setup"),
        ("DELETE", "users/ann/totp"),
        ("GET", "keys"),
        ("POST", "keys"),
        ("DELETE", "keys/x"),
    ],
)
def test_every_other_route_asks_who_it_is(server, space, method, path):
    answer = Somebody(server, None, space).ask(method, path, b"{}")
    assert (answer.status, answer.code, answer.headers["www-authenticate"]) == (401, "unauthorized", "Bearer")


def test_no_cache_shows_to_one_what_was_anothers(ann):
    ways = [("PUT", "docs/a", {}), ("GET", "docs/a", None), ("GET", "pull", None), ("GET", "docs/none", None)]
    answers = [ann.ask(*way) for way in ways]
    answers += [ann.with_(token).ask("GET", "pull") for token in (None, "nonsense")]
    kept = [answer.headers["cache-control"] for answer in answers]
    assert kept == [*["private, no-cache"] * 2, *["no-store"] * 4]
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}
