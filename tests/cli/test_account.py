"""``account``: one's own password, second factor and sessions."""

import re

import pyotp
import pytest

from tests.cli.terminals import Terminal, Typed, serving

GOOD, OTHER = "correct horse battery", "quite another staple"


@pytest.fixture
def server(tmp_path_factory):
    """One for each test: all guesses from one address count together."""
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture
def admin(syncline):
    """Ann is there, with a password."""
    made = syncline("users", "create", "ann", "--password-stdin", input=f"{GOOD}\n")
    assert made.code == 0, made.err
    return syncline


@pytest.fixture
def log_in(admin, server, tmp_path):
    """Signs ann in, in a place of its own; ``code``: what the command ends with."""
    places = []

    def log_in(password=GOOD, *more, code=0):
        directory = tmp_path / f"place{len(places)}"
        directory.mkdir()
        places.append(Terminal(directory))
        where = ("--server", server.url, "--space", admin.variables["SYNCLINE_SPACE"], "--user", "ann")
        done = places[-1]("login", *where, "--password-stdin", *more, input=f"{password}\n")
        assert done.code == code, done.err
        return places[-1]

    return log_in


@pytest.fixture
def ann(log_in):
    return log_in()


def in_one_line(shown):
    return " ".join(shown.split())


def test_another_password(ann, log_in):
    second = log_in()
    wrong = ann("account", "password", "--password-stdin", input=f"{OTHER}\n{OTHER}\n")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (4, "", 1)
    assert "(invalid_credentials)" in wrong.err
    weak = ann("account", "password", "--password-stdin", input=f"{GOOD}\npassword\n")
    assert (weak.code, weak.out) == (1, "")
    assert "(weak_password)" in weak.err
    done = ann("account", "password", "--password-stdin", "--json", input=f"{GOOD}\n{OTHER}\n")
    assert done.json == {"changed": True}
    assert ann("whoami").code == 0
    assert second("whoami").code == 4
    log_in(GOOD, code=4)
    log_in(OTHER)


def test_a_password_is_asked_for_and_never_shown(ann, log_in):
    typed = [Typed(":", each, is_hidden=True) for each in (GOOD, OTHER, OTHER)]
    shown = ann.screen("account", "password", typed=tuple(typed))
    assert [question for question in ("Present password:", "New password:") if question not in shown] == []
    assert "The password is changed" in in_one_line(shown)
    assert GOOD not in shown
    assert OTHER not in shown
    log_in(OTHER)
    assert ann("account", "password").code == 2  # on a pipe nobody is asked


def test_a_second_factor_by_script(ann, log_in):
    made = ann("account", "totp", "on", "--json").json
    assert made["uri"].startswith("otpauth://totp/")
    log_in()  # it is nothing until it is confirmed
    wrong = ann("account", "totp", "on", "--code", "no code")
    assert (wrong.code, wrong.out) == (4, "")
    codes = ann("account", "totp", "on", "--code", pyotp.TOTP(made["secret"]).now(), "--json").json["recovery_codes"]
    assert len(codes) == 10
    again = ann("account", "totp", "on")
    assert (again.code, again.out) == (1, "")
    assert "on already" in again.err
    log_in(GOOD, code=4)
    log_in(GOOD, "--code", codes[0])
    assert ann("account", "totp", "off").code == 2
    assert ann("account", "totp", "off", "--code", codes[0]).code == 4
    assert ann("account", "totp", "off", "--code", codes[1], "--json").json == {"second_factor": False}
    log_in()


def code_of(shown):
    """What an app shows that has read the secret on a screen."""
    return pyotp.TOTP(re.search(r"secret=(\w+)", shown)[1]).now()


def test_a_second_factor_at_a_terminal(ann):
    typed = Typed("Code:", "no code", is_hidden=True), Typed("Code:", code_of, is_hidden=True)
    shown = ann.screen("account", "totp", "on", columns=240, typed=typed)
    assert "once more" in shown
    codes = re.findall(r"[0-9A-Z]{5}-[0-9A-Z]{5}", shown)
    assert len(codes) == 10
    assert "no code" not in shown
    off = ann.screen("account", "totp", "off", typed=(Typed("Code:", codes[0], is_hidden=True),))
    assert "The second factor is off" in off
    assert codes[0] not in off


def test_sessions(ann, log_in):
    second = log_in()
    listed = ann("account", "sessions", "list", "--json").json["sessions"]
    assert sorted(each["is_current"] for each in listed) == [False, True]
    assert all(each["label"].startswith("syncline on ") for each in listed)
    assert ann("account", "sessions", "list").out.count("this one") == 1
    other = next(each["id"] for each in listed if not each["is_current"])
    assert ann("account", "sessions", "end", other, "--json").json == {"id": other, "ended": True}
    assert second("whoami").code == 4
    again = ann("account", "sessions", "end", other)
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)
    assert "account sessions list" in again.err
    assert ann("whoami").code == 0


def test_a_key_is_no_sign_in(admin):
    key = admin("keys", "create", "ann", "--json").json["key"]
    for verb in (("totp", "on"), ("totp", "off", "--code", "1"), ("password", "--password-stdin")):
        done = admin("account", *verb, "--token", key, input=f"{GOOD}\n{OTHER}\n")
        assert (done.code, done.out) == (4, "")
        assert "(forbidden)" in done.err
        assert "logged in with a password" in done.err
