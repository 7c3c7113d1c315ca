"""Tokens of another issuer, which this test serves itself, and what is tried with them."""

import asyncio
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncline.errors import BadSettings, IssuerUnavailable, TokenExpired, Unauthorized
from syncline.server.auth.oidc import Issuers
from syncline.server.settings import OidcIssuer, Settings, gather
from tests.server.auth.conftest import HOUR, SECOND
from tests.server.auth.issuing import DISCOVERY, KEYS, LocalIssuer, jwk
from tests.server.auth.test_tokens import b64, parts

USED = [DISCOVERY, "/keys"]


@pytest.fixture
def issuer(clock):
    issuer = LocalIssuer(clock)
    yield issuer
    issuer.close()


@pytest.fixture
def trusting(issuer, clock):
    """Makes issuers from what their settings say."""

    def trust(**settings):
        usual = {
            "issuer": issuer.url,
            "audience": "syncline",
            **({} if "space_claim" in settings else {"space": "home"}),
        }
        return Issuers([OidcIssuer(**usual, **settings)], clock)

    return trust


@pytest.fixture
def trusted(trusting):
    return trusting()


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_token_of_every_algorithm(trusted, issuer, clock, algorithm):
    identity = await trusted.identify(issuer.token(algorithm))
    assert identity == ("alice", "home", f"oidc:{issuer.url}", (), (), clock() // 1_000 * 1_000 + 630 * SECOND)


async def test_keys_are_read_once_for_many(trusted, issuer):
    tokens = [issuer.token(sub=f"user {count}") for count in range(20)]
    found = await asyncio.gather(*(trusted.identify(token) for token in tokens))
    assert len({identity.user for identity in found}) == 20
    assert issuer.asked == USED


async def test_a_new_key_is_read_and_an_unknown_one_asks_at_most_every_30_seconds(trusted, issuer, clock):
    new = issuer.keys.pop()
    await trusted.identify(issuer.token("RS256"))
    for _ in range(5):
        with pytest.raises(Unauthorized):
            await trusted.identify(issuer.token(new["kid"]))
    assert issuer.asked == USED
    issuer.keys.append(new)
    clock.pass_(30 * SECOND)
    await trusted.identify(issuer.token(new["kid"]))
    assert issuer.asked == USED * 2


async def test_a_key_that_was_taken_back_is_not_trusted_after_an_hour(trusted, issuer, clock):
    await trusted.identify(issuer.token("ES256"))
    issuer.keys = [jwk("RS256")]
    await trusted.identify(issuer.token("ES256"))
    clock.pass_(HOUR)
    with pytest.raises(Unauthorized):
        await trusted.identify(issuer.token("ES256"))


async def test_an_issuer_that_is_away_is_trusted_for_a_day(trusted, issuer, clock):
    await trusted.identify(issuer.token())
    issuer.answers = dict.fromkeys(USED, (503, {}, b""))
    clock.pass_(2 * HOUR)
    for _ in range(5):
        await trusted.identify(issuer.token())
    assert issuer.asked == [*USED, DISCOVERY]  # and it is not asked at every request
    clock.pass_(22 * HOUR)
    with pytest.raises(IssuerUnavailable) as error:
        await trusted.identify(issuer.token())
    assert (error.value.to_wire()["code"], error.value.status) == ("issuer_unavailable", 503)
    issuer.answers = {}
    clock.pass_(5 * SECOND)
    await trusted.identify(issuer.token())


ELSEWHERE = {"Location": "http://localhost:1/keys"}


@pytest.mark.parametrize("path", USED)
@pytest.mark.parametrize(
    "answer",
    [
        (302, ELSEWHERE, b""),
        (307, ELSEWHERE, b""),
        (404, {}, b"{}"),
        (200, {}, b""),
        (200, {}, b"[]"),
        (200, {}, b"{}"),
        (200, {}, b" " * 300_000),
        (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08"),
    ],
    ids=["302", "307", "404", "nothing", "list", "empty", "large", "gzip"],
)
async def test_answers_that_are_none(trusted, issuer, path, answer):
    issuer.answers[path] = answer
    with pytest.raises(IssuerUnavailable):
        await trusted.identify(issuer.token())


@pytest.mark.parametrize("uri", ["http://example.org/keys", "file:///etc/passwd", "", "ftp://127.0.0.1/", "http://["])
async def test_a_description_that_leads_astray(issuer, clock, uri):
    asked = []

    async def fetch(url, **limits):
        asked.append(url)
        return json.dumps({"issuer": issuer.url, "jwks_uri": uri}).encode()

    trusted = Issuers([OidcIssuer(issuer=issuer.url, audience="syncline", space="home")], clock, fetch=fetch)
    with pytest.raises(IssuerUnavailable):
        await trusted.identify(issuer.token())
    assert asked == [issuer.url + DISCOVERY]


async def test_a_distant_issuer_does_not_lead_to_this_machine(issuer, clock):
    asked, far = [], "https://id.example"

    async def fetch(url, **limits):
        asked.append(url)
        return json.dumps({"issuer": far, "jwks_uri": f"{issuer.url}/keys"}).encode()

    trusted = Issuers([OidcIssuer(issuer=far, audience="syncline", space="home")], clock, fetch=fetch)
    with pytest.raises(IssuerUnavailable):
        await trusted.identify(issuer.token(iss=far))
    assert asked == [far + DISCOVERY]


async def test_the_description_of_another_issuer(trusted, issuer):
    document = {"issuer": "http://127.0.0.1:1", "jwks_uri": f"{issuer.url}/keys"}
    issuer.answers[DISCOVERY] = (200, {}, json.dumps(document).encode())
    with pytest.raises(IssuerUnavailable):
        await trusted.identify(issuer.token())


async def test_an_issuer_that_does_not_answer(trusted, issuer, monkeypatch):
    monkeypatch.setattr("syncline.server.auth.oidc.FETCH_SECONDS", 0.05)
    issuer.hold.clear()
    with pytest.raises(IssuerUnavailable):
        await trusted.identify(issuer.token())


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": ".root"},
        {"sub": ".resolver"},
        {"sub": "anyone"},
        {"sub": "x" * 257},
        {"exp": None},
        {"nbf": 4_000_000_000},
    ],
)
async def test_claims_that_are_refused(trusted, issuer, claims):
    with pytest.raises(Unauthorized):
        await trusted.identify(issuer.token(**claims))


async def test_several_audiences(trusted, issuer):
    assert (await trusted.identify(issuer.token(aud=["another", "syncline"]))).user == "alice"


async def test_an_expired_token(trusted, issuer, clock):
    token = issuer.token()
    clock.pass_(600 * SECOND + 29 * SECOND)
    await trusted.identify(token)
    clock.pass_(2 * SECOND)
    with pytest.raises(TokenExpired):
        await trusted.identify(token)


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example"},
        {"x5u": "https://evil.example"},
        {"crit": ["exp"]},
        {"jwk": jwk("EdDSA")},
        {"kid": ""},
        {"kid": "../EdDSA"},
        {"typ": "logout+jwt"},
        {"typ": "secevent+jwt"},
    ],
)
async def test_headers_that_are_refused(trusted, issuer, header):
    with pytest.raises(Unauthorized):
        await trusted.identify(issuer.token(header=header))


async def test_no_algorithm_and_hmac_with_the_public_key(trusted, issuer):
    public = KEYS["RS256"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _, claims = parts(issuer.token())
    for alg, sign in (("none", lambda text: b""), ("HS256", lambda text: hmac.digest(pem, text, hashlib.sha256))):
        header = {"alg": alg, "typ": "JWT", "kid": "RS256"}
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        with pytest.raises(Unauthorized):
            await trusted.identify(f"{text}.{b64(sign(text.encode()))}")


@pytest.mark.parametrize(
    ("algorithm", "kid"), [("RS256", "ES256"), ("ES256", "EdDSA"), ("EdDSA", "RS256"), ("PS256", "only")]
)
async def test_an_algorithm_that_is_not_the_keys(trusted, issuer, algorithm, kid):
    issuer.keys.append(jwk("RS256", kid="only", alg="RS256"))
    with pytest.raises(Unauthorized):
        await trusted.identify(issuer.token(algorithm, header={"kid": kid}))


async def test_symmetric_and_weak_keys_are_not_taken(trusted, issuer):
    secret = b"0123456789abcdef0123456789abcdef"
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    from jwt.algorithms import RSAAlgorithm

    issuer.keys += [
        {"kty": "oct", "k": b64(secret), "kid": "symmetric", "alg": "HS256"},
        {**json.loads(RSAAlgorithm.to_jwk(weak.public_key())), "kid": "weak"},
    ]
    with pytest.raises(Unauthorized):
        await trusted.identify(issuer.token(header={"kid": "symmetric"}))
    with pytest.warns(match="below"):
        token = issuer.token("RS256", header={"kid": "weak"}, key=weak)
    with pytest.raises(Unauthorized):
        await trusted.identify(token)


async def test_the_space_from_a_claim(trusting, issuer):
    trusted = trusting(space_claim="org", user_claim="name")
    identity = await trusted.identify(issuer.token(org="garden", name="Bob B."))
    assert (identity.user, identity.space) == ("Bob B.", "garden")
    for wrong in ({"org": None}, {"org": "Not A Space"}, {"org": ""}, {"org": 7}, {"name": 7}, {"name": ["a"]}):
        with pytest.raises(Unauthorized):
            await trusted.identify(issuer.token(**{"org": "garden", "name": "bob", **wrong}))


async def test_an_email_address_counts_if_it_was_verified(trusting, issuer):
    trusted = trusting(user_claim="email")
    address = "alice@example.org"
    assert (await trusted.identify(issuer.token(email=address, email_verified=True))).user == address
    for verified in (None, False, "true"):
        with pytest.raises(Unauthorized):
            await trusted.identify(issuer.token(email=address, email_verified=verified))


ONE = {"issuer": "https://id.example", "audience": "syncline", "space": "home"}


def test_issuers_in_the_settings(tmp_path):
    file = tmp_path / "syncline.toml"
    file.write_text('[[oidc]]\nissuer = "https://id.example"\naudience = "syncline"\nspace = "home"\n')
    assert gather(file=file, environment={}, flags={})[0].oidc == (OidcIssuer(**ONE),)
    settings, _ = gather(file=None, environment={"SYNCLINE_OIDC": json.dumps([ONE])}, flags={})
    assert settings.oidc == (OidcIssuer(**ONE),)
    assert Settings().oidc == ()


@pytest.mark.parametrize(
    "wrong",
    [
        [{**ONE, "issuer": "http://id.example"}],
        [{**ONE, "issuer": "id.example"}],
        [{**ONE, "audience": ""}],
        [{**ONE, "user_claim": ""}],
        [{**ONE, "space": ""}],
        [{**ONE, "space_claim": "org"}],
        [{**ONE, "secret": "x"}],
        [{"issuer": "https://id.example"}],
        [ONE, ONE],
        {"issuer": "x"},
        7,
    ],
)
def test_settings_that_do_not_fit(wrong):
    with pytest.raises(BadSettings, match="oidc"):
        gather(file=None, environment={"SYNCLINE_OIDC": json.dumps(wrong)}, flags={})
