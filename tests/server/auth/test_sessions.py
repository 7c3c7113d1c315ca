"""Refresh tokens: each once, and whoever comes with an old one ends the session."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from syncline.errors import TokenExpired, TokenReused, Unauthorized
from syncline.server.auth.sessions import MAX_OF_ONE, Sessions
from tests.server.auth.conftest import DAY, SECOND


@pytest.fixture
def sessions(database, clock):
    return Sessions(database, clock, b"secret")


@pytest.fixture
def begun(sessions):
    return sessions.begin("home", "alice", "browser")


def test_each_token_brings_the_next(sessions, begun, clock):
    tokens = [begun.token]
    for _ in range(10):
        clock.pass_(DAY)
        refreshed = sessions.refresh(tokens[-1])
        assert (refreshed.id, refreshed.space, refreshed.user) == (begun.id, "home", "alice")
        tokens.append(refreshed.token)
    assert len(set(tokens)) == 11
    (listed,) = sessions.of_user("home", "alice")
    assert (listed.id, listed.label, listed.used) == (begun.id, "browser", clock())


def test_the_register_holds_no_token(sessions, begun, registry, tmp_path):
    successor = sessions.refresh(begun.token).token
    with registry.database.reading() as cursor:
        (row,) = cursor.execute("SELECT * FROM sessions").fetchall()
    registry.close()
    for token in (begun.token, successor):
        random = token.split(".")[1]
        assert len(random) == 43
        assert random not in str(row)
        assert not [file for file in tmp_path.iterdir() if random.encode() in file.read_bytes()]


def test_a_retry_whose_answer_was_lost_gets_the_same_successor(database, sessions, begun, clock):
    lost = sessions.refresh(begun.token)
    clock.pass_(9_999)
    again = Sessions(database, clock, b"secret").refresh(begun.token)  # even after a restart
    assert again == lost
    assert sessions.refresh(again.token).id == begun.id


def test_many_at_once_get_the_same_successor(sessions, begun):
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(sessions.refresh, [begun.token] * 50))) == 1
    assert sessions.is_valid(begun.id)


def test_reuse_after_the_grace_ends_the_session(sessions, begun, clock):
    successor = sessions.refresh(begun.token).token
    clock.pass_(10 * SECOND)
    with pytest.raises(TokenReused) as error:
        sessions.refresh(begun.token)
    assert error.value.to_wire() | {"message": ""} == {
        "code": "token_reused",
        "message": "",
        "retryable": False,
        "session": begun.id,
    }
    assert not sessions.is_valid(begun.id)
    with pytest.raises(Unauthorized, match="has ended"):
        sessions.refresh(successor)
    with pytest.raises(Unauthorized, match="has ended"):
        sessions.refresh(begun.token)
    assert sessions.of_user("home", "alice") == []


def test_reuse_within_the_grace_when_the_successor_was_used_ends_it_too(sessions, begun):
    sessions.refresh(sessions.refresh(begun.token).token)
    with pytest.raises(TokenReused):
        sessions.refresh(begun.token)


def test_however_old_the_token_is(sessions, begun, clock):
    token = begun.token
    for _ in range(20):
        clock.pass_(DAY)
        token = sessions.refresh(token).token
    with pytest.raises(TokenReused):
        sessions.refresh(begun.token)


def test_other_sessions_of_the_user_go_on(sessions, begun, clock):
    other = sessions.begin("home", "alice")
    sessions.refresh(begun.token)
    clock.pass_(11 * SECOND)
    with pytest.raises(TokenReused):
        sessions.refresh(begun.token)
    assert sessions.refresh(other.token).id == other.id


def test_forged_tokens_end_nobodys_session(sessions, begun):
    token, (id, random, mac) = begun.token, begun.token.split(".")
    changed = [
        token[:-1],
        token + "A",
        token.removeprefix("rt_"),
        f"ü{token}",
        f"{id}.AAAA.BBBB",
        f"{id}.{random}.",
        f"{id}.{mac}",
    ]
    for forged in ["", "rt_", "\ud83d", *changed]:
        with pytest.raises(Unauthorized) as error:
            sessions.refresh(forged)
        assert not isinstance(error.value, TokenReused)
    assert sessions.is_valid(begun.id)


def test_another_servers_token(database, clock, begun):
    with pytest.raises(Unauthorized):
        Sessions(database, clock, b"another secret").refresh(begun.token)


def test_idle_for_30_days(sessions, begun, clock):
    clock.pass_(30 * DAY - 1)
    token = sessions.refresh(begun.token).token
    clock.pass_(30 * DAY)
    with pytest.raises(TokenExpired):
        sessions.refresh(token)
    assert not sessions.is_valid(begun.id)


def test_begun_90_days_ago(sessions, begun, clock):
    token = begun.token
    for _ in range(4):
        clock.pass_(20 * DAY)
        token = sessions.refresh(token).token
    clock.pass_(10 * DAY)
    with pytest.raises(TokenExpired):
        sessions.refresh(token)
    assert sessions.of_user("home", "alice") == []


def test_ending_sessions(sessions, begun):
    second, third = sessions.begin("home", "alice"), sessions.begin("home", "alice")
    assert sessions.end(begun.id)
    assert not sessions.end(begun.id)
    assert sessions.end_all("home", "alice", but=third.id) == [second.id]
    assert [session.id for session in sessions.of_user("home", "alice")] == [third.id]
    assert sessions.end_all("elsewhere", "alice") == []


def test_a_suspended_users_session_waits_and_a_removed_ones_is_over(sessions, begun, registry):
    registry.users.suspend("home", "alice")
    assert not sessions.is_valid(begun.id)
    with pytest.raises(Unauthorized):
        sessions.refresh(begun.token)
    registry.users.resume("home", "alice")
    token = sessions.refresh(begun.token).token
    registry.users.remove("home", "alice")
    with pytest.raises(Unauthorized):
        sessions.refresh(token)


def test_a_user_has_a_bounded_number_of_sessions(sessions, begun, clock):
    for _ in range(MAX_OF_ONE):
        clock.pass_(SECOND)
        newest = sessions.begin("home", "alice")
    assert len(sessions.of_user("home", "alice")) == MAX_OF_ONE
    assert sessions.is_valid(newest.id)
    assert not sessions.is_valid(begun.id)
