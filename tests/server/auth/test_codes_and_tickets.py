"""Codes of telephones, codes on paper, setup tokens and tickets: what is accepted once is not accepted twice."""

import base64

import pyotp
import pytest

from syncline.errors import BadRequest, InvalidCredentials, Overloaded, Unauthorized, UnknownUser
from syncline.server.auth import tickets as tickets_module
from syncline.server.auth.identity import Identity
from syncline.server.auth.second_factor import SecondFactors
from syncline.server.auth.setup_tokens import SetupTokens
from syncline.server.auth.tickets import MAX_OF_ONE, Tickets
from tests.server.auth.conftest import DAY, SECOND

ALICE = Identity("alice", "home", "key:aa")


@pytest.fixture
def factors(database, clock):
    return SecondFactors(database, clock, b"secret")


@pytest.fixture
def enrolled(factors, clock):
    """What the telephone knows, and the recovery codes."""
    secret = factors.enrol("home", "alice").secret
    codes = factors.confirm("home", "alice", code(secret, clock))
    clock.pass_(30 * SECOND)
    return secret, codes


def code(secret, clock, steps=0):
    return pyotp.TOTP(secret).generate_otp(clock() // 30_000 + steps)


def refused(factors, typed):
    with pytest.raises(InvalidCredentials):
        factors.accept("home", "alice", typed)
    return True


def test_it_is_nothing_until_it_is_confirmed(factors, clock):
    first, second = factors.enrol("home", "alice"), factors.enrol("home", "alice")
    assert len(base64.b32decode(second.secret)) == 20
    assert second.uri.startswith("otpauth://totp/Syncline:alice%40home?secret=")
    assert not factors.is_on("home", "alice")
    assert refused(factors, code(second.secret, clock))
    with pytest.raises(InvalidCredentials):
        factors.confirm("home", "alice", code(first.secret, clock))
    assert len(set(factors.confirm("home", "alice", code(second.secret, clock)))) == 10
    assert factors.is_on("home", "alice")
    assert not factors.is_on("elsewhere", "alice")


def test_enrolling_again_does_not_replace_what_is_on(factors, enrolled, clock):
    with pytest.raises(BadRequest):
        factors.enrol("home", "alice")
    with pytest.raises(BadRequest):
        factors.confirm("home", "alice", code(enrolled[0], clock))
    with pytest.raises(BadRequest):
        factors.confirm("home", "bob", "123456")


def test_the_code_that_confirmed_is_used_up(factors, clock):
    secret = factors.enrol("home", "alice").secret
    factors.confirm("home", "alice", code(secret, clock))
    assert refused(factors, code(secret, clock))


def test_a_code_is_accepted_once(factors, enrolled, clock):
    typed = code(enrolled[0], clock)
    factors.accept("home", "alice", f" {typed[:3]} {typed[3:]}")
    assert refused(factors, typed)
    clock.pass_(30 * SECOND)
    assert refused(factors, typed)
    factors.accept("home", "alice", code(enrolled[0], clock))


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_one_step_before_or_after(factors, enrolled, clock, steps):
    clock.pass_(60 * SECOND)
    factors.accept("home", "alice", code(enrolled[0], clock, steps))
    assert refused(factors, code(enrolled[0], clock, steps))
    assert refused(factors, code(enrolled[0], clock, -1))  # nor what came before it


@pytest.mark.parametrize("steps", [-2, 2, 100])
def test_other_steps(factors, enrolled, clock, steps):
    clock.pass_(90 * SECOND)
    assert refused(factors, code(enrolled[0], clock, steps))


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "１２３４５６", "\ud83d", "x" * 100_000])
def test_nonsense(factors, enrolled, typed):
    assert refused(factors, typed)


def test_recovery_codes_are_accepted_once_each(factors, enrolled):
    _, codes = enrolled
    factors.accept("home", "alice", codes[0])
    factors.accept("home", "alice", codes[1].lower().replace("-", " "))
    assert refused(factors, codes[0])
    assert refused(factors, codes[1])
    factors.accept("home", "alice", codes[2])


def test_recovery_codes_are_one_users(factors, enrolled):
    with pytest.raises(InvalidCredentials):
        factors.accept("home", "bob", enrolled[1][0])


def test_turning_it_off(factors, enrolled):
    factors.turn_off("home", "alice")
    assert not factors.is_on("home", "alice")
    assert refused(factors, enrolled[1][0])
    factors.enrol("home", "alice")


# Setup tokens


@pytest.fixture
def setup(database, clock):
    return SetupTokens(database, clock, b"secret")


def void(setup, token):
    for use in (setup.peek, setup.redeem):
        with pytest.raises(InvalidCredentials) as error:
            use(token)
        assert error.value.to_wire()["code"] == "invalid_credentials"
    return True


def test_a_setup_token_is_used_once(setup):
    token = setup.issue("home", "alice")
    assert (len(token), token[4]) == (9, "-")
    assert not set(token) & set("ILOU")
    assert setup.peek(token) == ("home", "alice")
    assert setup.redeem(token) == ("home", "alice")
    assert void(setup, token)


def test_a_setup_token_is_read_as_it_is_typed(setup):
    token = setup.issue("home", "alice")
    typed = token.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert setup.redeem(typed) == ("home", "alice")


def test_a_setup_token_of_yesterday(setup, clock):
    token = setup.issue("home", "alice")
    clock.pass_(DAY)
    assert void(setup, token)


def test_the_newest_setup_token_alone_is_valid(setup):
    older, newer = setup.issue("home", "alice"), setup.issue("home", "alice")
    assert void(setup, older)
    assert setup.redeem(newer) == ("home", "alice")


def test_a_setup_token_of_one_who_may_not_come_in(setup, registry):
    token = setup.issue("home", "alice")
    registry.users.suspend("home", "alice")
    assert void(setup, token)
    registry.users.remove("home", "alice")
    assert void(setup, token)
    with pytest.raises(UnknownUser):
        setup.issue("home", "alice")


def test_roots_setup_token(setup):
    assert setup.redeem(setup.issue("default", ".root")) == ("", ".root")


@pytest.mark.parametrize("token", ["", "AAAA-AAAA", "\ud83d", "x" * 100_000, "----"])
def test_nobodys_setup_token(setup, token):
    assert void(setup, token)


# Tickets


def test_a_ticket_is_used_once_within_30_seconds(database, clock):
    tickets = Tickets(database, clock)
    first, second, third = (tickets.issue(ALICE) for _ in range(3))
    clock.pass_(30 * SECOND - 1)
    assert tickets.redeem(first) == ALICE
    clock.pass_(1)
    for ticket in (first, second, "", "tk_", "\ud83d"):
        with pytest.raises(Unauthorized):
            tickets.redeem(ticket)
    clock.pass_(-DAY)
    with pytest.raises(Unauthorized):
        tickets.redeem(third)


def test_another_server_takes_a_ticket_and_its_clock_may_differ_a_little(database, clock):
    key = Identity("alice", "home", "key:aa", ("task.*",), ("a", "b*"), clock() + DAY)
    root = Identity(".root", None, "session:s1")
    one, other = Tickets(database, clock), Tickets(database, lambda: clock() - 5 * SECOND)
    assert [other.redeem(one.issue(identity)) for identity in (key, root)] == [key, root]
    with pytest.raises(Unauthorized):
        Tickets(database, lambda: clock() - 6 * SECOND).redeem(one.issue(key))


def test_the_register_holds_no_ticket(database, clock):
    ticket = Tickets(database, clock).issue(ALICE)
    with database.reading() as cursor:
        (row,) = cursor.execute("SELECT * FROM tickets").fetchall()
    assert ticket not in str(row)


def test_tickets_are_bounded_for_one_and_for_all(database, clock, monkeypatch):
    tickets = Tickets(database, clock)
    mine = [tickets.issue(ALICE) for _ in range(MAX_OF_ONE + 1)]
    with pytest.raises(Unauthorized):
        tickets.redeem(mine[0])
    assert tickets.redeem(mine[1]) == ALICE
    monkeypatch.setattr(tickets_module, "MAX_TICKETS", MAX_OF_ONE + 10)
    for count in range(11):
        tickets.issue(Identity(f"user {count}", "home"))
    with pytest.raises(Overloaded):
        tickets.issue(Identity("one more", "home"))
    assert tickets.redeem(mine[2]) == ALICE
    clock.pass_(30 * SECOND)
    tickets.issue(Identity("one more", "home"))
    with database.reading() as cursor:
        assert cursor.execute("SELECT count(*) FROM tickets").get == 1  # what was too old is gone
