"""Guessing gets slow, for users there are and users there are not."""

import pytest

from syncline.errors import TooManyAttempts
from syncline.server.auth.guard import Guard, network, wait_ms
from tests.server.auth.conftest import DAY, MINUTE, SECOND


@pytest.fixture
def guard(database, clock):
    return Guard(database, clock)


def wait(guard, *of):
    """The seconds somebody has to wait; nothing is counted."""
    with pytest.raises(TooManyAttempts) as error:
        guard.begin(*of)
    assert (error.value.code, error.value.status, error.value.retryable) == ("too_many_attempts", 429, True)
    return error.value.details["retry_after"]


def test_the_waits():
    assert [wait_ms(failed) // SECOND for failed in range(18)] == [0] * 5 + [2**n for n in range(10)] + [900] * 3
    assert wait_ms(10**9) == 15 * MINUTE


@pytest.mark.parametrize("user", ["alice", "nobody", ".root"])
def test_the_eleventh_guess(guard, clock, user):
    for _ in range(5):
        guard.begin("", "home", user)
    for failed in range(5, 10):
        assert wait(guard, "", "home", user) == 2 ** (failed - 5)
        clock.pass_(2 ** (failed - 5) * SECOND - 1)
        assert wait(guard, "", "home", user) == 1
        clock.pass_(1)
        guard.begin("", "home", user)
    assert wait(guard, "", "home", user) == 32  # the eleventh
    guard.begin("", "home", "somebody else")
    guard.begin("", "elsewhere", "alice")


def test_a_thousand_at_once_are_a_thousand(guard):
    begun = 0
    for _ in range(1_000):
        try:
            guard.begin("", "home", "alice")
            begun += 1
        except TooManyAttempts:
            pass
    assert begun == 5


def test_success_resets_the_user_and_not_the_address(guard):
    for _ in range(4):
        guard.begin("192.0.2.1", "home", "alice")
    guard.succeeded(guard.begin("192.0.2.1", "home", "alice"))
    guard.begin("192.0.2.1", "home", "alice")
    assert wait(guard, "192.0.2.1", "home", "bob") == 1
    for _ in range(4):
        guard.begin("192.0.2.2", "home", "alice")
    assert wait(guard, "192.0.2.3", "home", "alice") == 1


def test_an_address_guesses_at_many_users(guard, clock):
    for count in range(5):
        guard.begin("2001:db8::1", "home", f"user {count}")
    assert wait(guard, "2001:db8::ffff", "home", "one more") == 1
    guard.begin("2001:db8:0:1::1", "home", "one more")
    clock.pass_(15 * MINUTE)
    for count in range(5):
        guard.begin("2001:db8::1", "home", f"user {count} again")


def test_what_was_no_attempt_is_not_counted(guard):
    for _ in range(20):
        guard.withdrawn(guard.begin("192.0.2.1", "home", "alice"))
    guard.begin("192.0.2.1", "home", "alice")


def test_a_restart_forgives_nothing_and_a_day_does(database, clock, guard):
    for _ in range(5):
        guard.begin("", "home", "alice")
    assert wait(Guard(database, clock), "", "home", "alice") == 1
    clock.pass_(-DAY)
    assert wait(guard, "", "home", "alice") == 1  # a clock that was set back does not help, and does not lock out
    clock.pass_(2 * DAY)
    for _ in range(5):
        guard.begin("", "home", "alice")


def test_an_attempt_does_not_wait_for_the_disk_and_what_is_answered_does(database, store):
    setting, full, normal = (
        ("PRAGMA synchronous", 2, 1) if store == "sqlite" else ("SHOW synchronous_commit", "on", "off")
    )

    def syncing(**how):
        with database.writing(**how) as cursor:
            return cursor.execute(setting).get

    with pytest.raises(ZeroDivisionError), database.writing(durable=False):
        raise ZeroDivisionError
    assert [syncing(), syncing(durable=False), syncing()] == [full, normal, full]


def test_the_table_is_bounded_and_keeps_real_users(database, clock):
    guard = Guard(database, clock, max_rows=50)
    for _ in range(5):
        guard.begin("", "home", "alice")
    clock.pass_(1)
    for count in range(200):
        guard.begin("", "home", f"nobody {count}")
    with database.reading() as cursor:
        assert cursor.execute("SELECT count(*) FROM attempts").get <= 51
    assert wait(guard, "", "home", "alice") == 1


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix socket", "unix socket"),
    ],
)
def test_what_an_address_belongs_to(address, found):
    assert network(address) == found
