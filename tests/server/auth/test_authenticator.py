"""All together: coming in by every kind of credential, and being shown out."""

import pyotp
import pytest

from syncline.errors import (
    Forbidden,
    InvalidCredentials,
    Overloaded,
    SecondFactorRequired,
    TokenExpired,
    TokenReused,
    TooManyAttempts,
    Unauthorized,
    WeakPassword,
)
from syncline.server.auth.authenticator import Authenticator
from syncline.server.auth.identity import Identity
from syncline.server.auth.passwords import Passwords
from syncline.server.settings import OidcIssuer
from tests.server.auth.conftest import DAY, MINUTE, SECOND
from tests.server.auth.issuing import LocalIssuer

GOOD, OTHER = "three blue bicycles", "four green tandems"
HERE = "192.0.2.7"


@pytest.fixture
def ended():
    """Credentials that were ended."""
    return []


@pytest.fixture
async def auth(registry, clock, ended):
    cheap = Passwords(memory_kib=8, passes=1, apart=False)
    auth = Authenticator(registry, clock, passwords=cheap, on_ended=ended.extend)
    yield auth
    await auth.close()


@pytest.fixture
async def alice(auth, registry):
    """Alice of home, who has just logged in."""
    registry.users.create("home", "alice")
    await auth.accounts.set_password("home", "alice", GOOD)
    return await auth.login("home", "alice", GOOD, label="browser")


async def code_of(error, going):
    with pytest.raises(error) as caught:
        await going
    return caught.value.to_wire()


async def second_factor(auth, alice, clock):
    secret = (await auth.accounts.enrol(alice.identity)).secret
    codes = await auth.accounts.confirm(alice.identity, pyotp.TOTP(secret).generate_otp(clock() // 30_000))
    clock.pass_(30 * SECOND)
    return secret, codes


# Who comes


async def test_credentials_of_each_kind(auth, alice, registry, clock):
    session = f"session:{auth.sessions.of_user('home', 'alice')[0].id}"
    assert await auth.identify(alice.access_token) == Identity(
        "alice", "home", session, expires_ms=clock() + 10 * MINUTE + 30 * SECOND
    )
    key = registry.create_key("ci", "alice", "home", items=["a*"])
    assert (await auth.identify(key)).items == ("a*",)
    assert (await auth.identify_local(key)).credential.startswith("key:")
    for token in (None, "", "wrong", "sk_" + "x" * 43, alice.refresh_token, "a.b.c", "\ud83d", "x" * 10_000):
        with pytest.raises(Unauthorized):
            await auth.identify(token)
        with pytest.raises(Unauthorized):
            await auth.identify_local(token)


async def test_a_key_of_another_space_is_not_of_this_one(auth, registry):
    identity = await auth.identify(registry.create_key("ci", "alice", "garden"))
    assert not identity.belongs_to("home")
    assert identity.belongs_to("garden")


async def test_open_to_anyone(registry, clock):
    auth = Authenticator(registry, clock, open=True)
    assert await auth.identify(None) == Identity("anyone", None)
    assert auth.is_valid(Identity("anyone", None))
    with pytest.raises(Unauthorized):
        await auth.identify("wrong")
    await auth.close()


async def test_a_key_is_remembered_for_a_second(auth, registry, clock):
    key = registry.create_key("ci", "alice")
    await auth.identify(key)
    (listed,) = registry.keys()
    registry.revoke_key(listed.id)  # by another program
    clock.pass_(999)
    await auth.identify(key)
    clock.pass_(1)
    with pytest.raises(Unauthorized):
        await auth.identify(key)


async def test_a_clock_that_was_set_back_remembers_nothing(auth, registry, clock):
    key = registry.create_key("ci", "alice")
    await auth.identify(key)
    registry.revoke_key(registry.api_keys.all()[0].id)
    clock.pass_(-DAY)
    with pytest.raises(Unauthorized):
        await auth.identify(key)


async def test_a_remembered_key_does_not_outlive_itself(auth, registry, clock):
    key = registry.create_key("ci", "alice", expires_ms=clock() + 500)
    await auth.identify(key)
    clock.pass_(500)
    with pytest.raises(Unauthorized):
        await auth.identify(key)


async def test_what_this_server_revokes_is_noticed_at_once(auth, registry, ended):
    key = registry.create_key("ci", "alice")
    identity = await auth.identify(key)
    assert auth.is_valid(identity)
    assert await auth.revoke_key(identity.credential.partition(":")[2])
    assert ended == [identity.credential]
    assert not auth.is_valid(identity)
    with pytest.raises(Unauthorized):
        await auth.identify(key)


async def test_the_last_use_of_a_key(registry, clock):
    auth = Authenticator(registry, clock)
    key = registry.create_key("ci", "alice")
    clock.pass_(MINUTE)
    await auth.identify(key)
    await auth.close()
    assert registry.api_keys.all()[0].used == clock()


async def test_a_token_of_an_issuer(registry, clock):
    issuer = LocalIssuer(clock)
    auth = Authenticator(registry, clock, issuers=[OidcIssuer(issuer=issuer.url, audience="syncline", space="home")])
    identity = await auth.identify(issuer.token())
    assert (identity.user, identity.space) == ("alice", "home")
    assert auth.is_valid(identity)
    registry.users.create("home", "alice")
    registry.users.suspend("home", "alice")
    clock.pass_(SECOND)
    with pytest.raises(Unauthorized):
        await auth.identify(issuer.token())
    await auth.look_again()
    assert not auth.is_valid(identity)
    with pytest.raises(Unauthorized):
        await auth.identify(issuer.token(iss="https://evil.example"))
    await auth.close()
    issuer.close()


async def test_an_issuers_token_that_calls_itself_ours(auth, clock):
    issuer = LocalIssuer(clock)
    with pytest.raises(Unauthorized):
        await auth.identify(
            issuer.token(iss=auth.tokens.issuer, aud=auth.tokens.issuer, sid="x", header={"typ": "at+jwt"})
        )
    issuer.close()


# Logging in


async def test_one_error_for_whatever_is_wrong(auth, alice, registry):
    registry.users.create("home", "without")
    registry.users.create("home", "barred")
    await auth.accounts.set_password("home", "barred", GOOD)
    registry.users.suspend("home", "barred")
    tries = [
        ("home", "alice", OTHER),
        ("home", "nobody", GOOD),
        ("garden", "alice", GOOD),
        ("home", "without", GOOD),
        ("home", "barred", GOOD),
        ("home", ".root", GOOD),
        ("home", "alice", "x" * 1024 * 1024),
        ("home", "alice", ""),
        ("", "", ""),
        ("\ud83d", "\ud83d", "\ud83d"),
    ]
    answers = [await code_of(InvalidCredentials, auth.login(*of)) for of in tries]
    assert answers == [
        {"code": "invalid_credentials", "message": "Name, password or code is wrong.", "retryable": False}
    ] * len(tries)


@pytest.mark.parametrize("user", ["alice", "nobody"])
async def test_the_eleventh_guess(auth, alice, clock, user):
    for guess in range(11):
        if guess >= 5:
            answer = await code_of(TooManyAttempts, auth.login("home", user, OTHER, address=HERE))
            assert answer["retry_after"] == 2 ** (guess - 5)
        if guess < 10:
            clock.pass_(1_000 * 2 ** (guess - 5) if guess >= 5 else 0)
            await code_of(InvalidCredentials, auth.login("home", user, OTHER, address=HERE))
    with pytest.raises(TooManyAttempts):
        await auth.login("home", user, GOOD, address="192.0.2.8")  # from elsewhere, and right


async def test_success_forgives(auth, alice):
    for _ in range(3):
        for _ in range(4):
            await code_of(InvalidCredentials, auth.login("home", "alice", OTHER))
        await auth.login("home", "alice", GOOD)


async def test_a_full_line_is_no_guess(auth, alice, monkeypatch):
    async def full(hashed, password):
        raise Overloaded("full")

    with monkeypatch.context() as patched:
        patched.setattr(auth.passwords, "verify", full)
        for _ in range(20):
            await code_of(Overloaded, auth.login("home", "alice", GOOD))
    await auth.login("home", "alice", GOOD)


async def test_a_hash_of_other_parameters_is_made_anew(auth, alice, registry):
    before = registry.users.password("home", "alice")
    stronger = Authenticator(registry, lambda: 0, passwords=Passwords(memory_kib=16, passes=1))
    await stronger.login("home", "alice", GOOD)
    after = registry.users.password("home", "alice")
    assert "m=16," in after != before
    await stronger.login("home", "alice", GOOD)
    assert registry.users.password("home", "alice") == after
    await stronger.close()


async def test_a_second_factor(auth, alice, clock):
    secret, codes = await second_factor(auth, alice, clock)
    for _ in range(10):
        answer = await code_of(SecondFactorRequired, auth.login("home", "alice", GOOD))
        assert answer["code"] == "second_factor_required"
    code = pyotp.TOTP(secret).generate_otp(clock() // 30_000)
    assert (await code_of(InvalidCredentials, auth.login("home", "alice", OTHER, code=code)))["message"]
    await auth.login("home", "alice", GOOD, code=code)
    await code_of(InvalidCredentials, auth.login("home", "alice", GOOD, code=code))  # a replay
    await auth.login("home", "alice", GOOD, code=codes[0])
    await code_of(InvalidCredentials, auth.login("home", "alice", GOOD, code=codes[0]))


async def test_codes_are_guesses_too_and_asking_for_one_resets_nothing(auth, alice, clock):
    await second_factor(auth, alice, clock)
    for _ in range(5):
        await code_of(InvalidCredentials, auth.login("home", "alice", GOOD, code="000000"))
        if _ < 4:
            await code_of(SecondFactorRequired, auth.login("home", "alice", GOOD))
    await code_of(TooManyAttempts, auth.login("home", "alice", GOOD, code="000000"))


async def test_turning_the_second_factor_off_takes_a_code(auth, alice, clock):
    _, codes = await second_factor(auth, alice, clock)
    for _ in range(5):
        await code_of(InvalidCredentials, auth.accounts.turn_off(alice.identity, "000000"))
    await code_of(TooManyAttempts, auth.accounts.turn_off(alice.identity, codes[0]))
    clock.pass_(MINUTE)
    await auth.accounts.turn_off(alice.identity, codes[0])
    await auth.login("home", "alice", GOOD)


async def test_a_key_does_not_change_how_its_user_logs_in(auth, alice, registry):
    identity = await auth.identify(registry.create_key("ci", "alice", "home"))
    for going in (
        auth.accounts.enrol(identity),
        auth.accounts.confirm(identity, "1"),
        auth.accounts.turn_off(identity, "1"),
        auth.accounts.change_password(identity, GOOD, OTHER),
    ):
        await code_of(Forbidden, going)


# Staying, and going


async def test_refreshing_and_a_stolen_token(auth, alice, clock, ended):
    clock.pass_(10 * MINUTE + 31 * SECOND)
    assert (await code_of(TokenExpired, auth.identify(alice.access_token)))["code"] == "token_expired"
    fresh = await auth.refresh(alice.refresh_token)
    identity = await auth.identify(fresh.access_token)
    assert identity.credential == alice.identity.credential
    assert auth.is_valid(identity)
    assert (await auth.refresh(alice.refresh_token)).refresh_token == fresh.refresh_token  # the answer was lost
    clock.pass_(10 * SECOND)
    answer = await code_of(TokenReused, auth.refresh(alice.refresh_token))
    assert ended == [f"session:{answer['session']}"] == [identity.credential]
    await code_of(Unauthorized, auth.refresh(fresh.refresh_token))
    await code_of(Unauthorized, auth.identify(fresh.access_token))
    assert not auth.is_valid(identity)


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_logging_out(auth, alice, ended, which):
    await auth.identify(alice.access_token)
    assert await auth.logout(getattr(alice, which))
    assert ended == [alice.identity.credential]
    await code_of(Unauthorized, auth.identify(alice.access_token))
    await code_of(Unauthorized, auth.refresh(alice.refresh_token))


async def test_a_key_does_not_log_out(auth, registry):
    assert not await auth.logout(registry.create_key("ci", "alice"))


async def test_another_password_ends_other_sessions(auth, alice, ended):
    second = await auth.login("home", "alice", GOOD)
    await code_of(InvalidCredentials, auth.accounts.change_password(second.identity, OTHER, OTHER))
    await code_of(WeakPassword, auth.accounts.change_password(second.identity, GOOD, "password"))
    await auth.accounts.change_password(second.identity, GOOD, OTHER)
    assert ended == [alice.identity.credential]
    await auth.identify(second.access_token)
    await code_of(InvalidCredentials, auth.login("home", "alice", GOOD))
    await auth.login("home", "alice", OTHER)


async def test_suspending_and_removing(auth, alice, registry, ended):
    key = registry.create_key("ci", "alice", "home")
    identity = await auth.identify(key)
    await auth.suspend("home", "alice")
    assert set(ended) == {identity.credential, alice.identity.credential}
    for token in (key, alice.access_token):
        await code_of(Unauthorized, auth.identify(token))
    registry.users.resume("home", "alice")
    await auth.identify(key)
    await auth.remove("home", "alice")
    for token in (key, alice.access_token):
        await code_of(Unauthorized, auth.identify(token))
    await code_of(Unauthorized, auth.refresh(alice.refresh_token))
    await code_of(InvalidCredentials, auth.login("home", "alice", GOOD))


# Setting up


async def test_a_setup_token_for_a_password(auth, registry):
    token = auth.accounts.setup_tokens.issue("home", "bob")
    await code_of(WeakPassword, auth.accounts.redeem_for_password(token, "password"))
    await code_of(WeakPassword, auth.accounts.redeem_for_password(token, "bob12345!"))
    assert await auth.accounts.redeem_for_password(token, GOOD) == ("home", "bob")
    await code_of(InvalidCredentials, auth.accounts.redeem_for_password(token, GOOD))
    assert (await auth.login("home", "bob", GOOD)).identity.space == "home"


async def test_a_setup_token_for_a_key(auth):
    token = auth.accounts.setup_tokens.issue("home", "bob")
    identity = await auth.identify(await auth.accounts.redeem_for_key(token, "laptop"))
    assert (identity.user, identity.space) == ("bob", "home")
    await code_of(InvalidCredentials, auth.accounts.redeem_for_key(token, "laptop"))


async def test_the_administrator_sets_a_password_and_is_of_all_spaces(auth):
    await auth.accounts.redeem_for_password(auth.accounts.setup_tokens.issue("default", ".root"), GOOD)
    grant = await auth.login("any", ".root", GOOD)
    assert (await auth.identify(grant.access_token)).space is None
    assert (await auth.refresh(grant.refresh_token)).identity.belongs_to("home")


async def test_guessing_at_setup_tokens(auth):
    for count in range(5):
        await code_of(InvalidCredentials, auth.accounts.redeem_for_key(f"AAAA-000{count}", "x", address=HERE))
    token = auth.accounts.setup_tokens.issue("home", "bob")
    await code_of(TooManyAttempts, auth.accounts.redeem_for_key(token, "x", address=HERE))
    await code_of(TooManyAttempts, auth.accounts.redeem_for_password(token, GOOD, address=HERE))


async def test_tickets(auth, alice):
    identity = await auth.identify(alice.access_token)
    ticket, late = await auth.ticket(identity), await auth.ticket(identity)
    assert await auth.redeem_ticket(ticket) == identity
    with pytest.raises(Unauthorized):
        await auth.redeem_ticket(ticket)
    await auth.logout(alice.access_token)
    with pytest.raises(Unauthorized, match="any more"):
        await auth.redeem_ticket(late)
