"""Which passwords are accepted, and how they are verified."""

import asyncio
import threading

import pytest

from syncline.errors import Overloaded, WeakPassword
from syncline.server.auth.passwords import MAX_WAITING, Passwords, check, is_common

GOOD = "three blue bicycles"


@pytest.fixture
def passwords():
    passwords = Passwords(memory_kib=8, passes=1)
    yield passwords
    passwords.close()


def refused(password, **more):
    with pytest.raises(WeakPassword) as error:
        check(password, **more)
    assert error.value.to_wire()["code"] == "weak_password"
    return error.value.details["reason"]


@pytest.mark.parametrize(
    "password", [GOOD, "x7Kq-9vTz", "пароль моей тёти", "🦄🌵🎺🧊🪁🥝🛶🧵", "ab" * 4 + "c", "word " * 204 + "end!"]
)
def test_good_passwords(password):
    check(password)


@pytest.mark.parametrize("password", ["", "short", "1234567", "e\u0301" * 7, "x1" * 513, "e\u0301" * 1_025])
def test_too_short_or_too_long(password):
    assert refused(password) == "length"


def test_characters_are_counted_as_they_are_read():
    check("e\u0301abcdfgh")
    check("e\u0301ab" * 341)


def test_half_a_surrogate_pair_is_no_text():
    assert refused("\ud83d" + GOOD) == "text"


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password1!",
        "P@ssw0rd",
        "12345678",
        "QWERTYUIOP",
        "letmein2024",
        "!!iloveyou!!",
        "aaaaaaaaaa",
        "abababab",
        "football99",
    ],
)
def test_the_commonest(password):
    assert refused(password) == "common"
    assert is_common(password)


def test_the_users_own_name():
    assert refused("alice.jones.99", user="Alice.Jones") == "common"
    check("alice.jones.99", user="bob")


async def test_a_megabyte_is_refused_before_hashing(passwords):
    with pytest.raises(WeakPassword):
        await passwords.hash("x" * 1024 * 1024)
    passwords.close()  # no hash can be computed from here on
    assert not await passwords.verify("$argon2id$", "x" * 1024 * 1024)
    assert not await passwords.verify(None, "x" * 1024 * 1024)


async def test_a_hash_is_of_argon2id_and_verifies_its_password_alone(passwords):
    hashed = await passwords.hash(GOOD)
    assert hashed.startswith("$argon2id$v=19$")
    assert await passwords.verify(hashed, GOOD)
    assert not await passwords.verify(hashed, GOOD + "!")
    assert not await passwords.verify("nonsense", GOOD)


async def test_the_same_text_from_another_keyboard(passwords):
    assert await passwords.verify(await passwords.hash("caf\u00e9 cr\u00e8me 1"), "cafe\u0301\u00a0cre\u0300me 1")
    assert not await passwords.verify(await passwords.hash("x\u00b2 + y\u00b2 = z\u00b2"), "x2 + y2 = z2")  # not NFKC


async def test_nobodys_hash_is_computed_too_and_never_right():
    passwords = Passwords()
    assert not await passwords.verify(None, GOOD)
    assert not await passwords.verify(None, "")
    assert not passwords.is_outdated(passwords._nobody), "it costs what a hash of today costs"
    assert "$m=19456,t=2,p=1$" in passwords._nobody
    passwords.close()


async def test_other_parameters_make_a_hash_outdated(passwords):
    hashed = await passwords.hash(GOOD)
    stronger = Passwords(memory_kib=16, passes=2)
    assert stronger.is_outdated(hashed)
    assert not passwords.is_outdated(hashed)
    assert await stronger.verify(hashed, GOOD)
    assert not stronger.is_outdated(await stronger.rehash(GOOD))
    stronger.close()


async def test_one_at_a_time_off_the_loop_and_a_bounded_line(passwords, monkeypatch):
    going, running, most, names = threading.Event(), [], [0], set()

    def slow(what, how, text):
        running.append(1)
        most[0] = max(most[0], len(running))
        names.add(threading.current_thread().name)
        going.wait(30)
        running.pop()
        return True

    monkeypatch.setattr(passwords.hasher, "compute", slow)
    waiting = [asyncio.create_task(passwords.verify("hash", GOOD)) for _ in range(1 + MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as error:
        await passwords.verify("hash", GOOD)
    assert error.value.retryable
    waiting.pop().cancel()
    going.set()
    assert all(await asyncio.gather(*waiting))
    assert most[0] == 1
    assert all(name.startswith("argon2") for name in names)
    assert await passwords.verify("hash", GOOD)
