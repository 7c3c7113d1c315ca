"""Access tokens, and what is tried with them (RFC 8725)."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization

from syncline.errors import TokenExpired, Unauthorized
from syncline.server.auth import jwts
from syncline.server.auth.tokens import AccessTokens
from tests.server.auth.conftest import DAY, HOUR, MINUTE, SECOND

ISSUER = "syncline:0123"


@pytest.fixture
def tokens(database, clock):
    return AccessTokens(database, clock, ISSUER)


@pytest.fixture
def token(tokens):
    return tokens.issue("home", "alice", "s1")[0]


def b64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def parts(token):
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


def signed(tokens, *, header=None, claims=None, drop=()):
    """A token signed with the server's own key, but for what is wrong with it."""
    its_header, its_claims = parts(tokens.issue("home", "alice", "s1")[0])
    (key,) = tokens._keys.values()
    its_claims = {name: value for name, value in {**its_claims, **(claims or {})}.items() if name not in drop}
    text = ".".join(b64(json.dumps(part).encode()) for part in ({**its_header, **(header or {})}, its_claims))
    private = jwts.Ed25519PrivateKey.from_private_bytes(key.seed)
    return f"{text}.{b64(private.sign(text.encode()))}"


def test_a_token(tokens, token, clock):
    assert tokens.verify(token) == ("alice", "home", "s1", clock() + 10 * MINUTE)
    assert tokens.verify(signed(tokens)) == tokens.verify(token)
    header, claims = parts(token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "EdDSA")
    assert claims.keys() == {"iss", "aud", "sub", "sid", "jti", "iat", "exp", "space"}
    assert parts(tokens.issue("home", "alice", "s1")[0])[1]["jti"] != claims["jti"]
    assert tokens.verify(tokens.issue(None, ".root", "s2")[0]).space is None


def test_it_expires_after_ten_minutes_and_thirty_seconds_of_leeway(tokens, token, clock):
    clock.pass_(10 * MINUTE + 29 * SECOND)
    tokens.verify(token)
    clock.pass_(2 * SECOND)  # expired by 31 s
    with pytest.raises(TokenExpired) as error:
        tokens.verify(token)
    assert (error.value.to_wire()["code"], error.value.status) == ("token_expired", 401)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
def test_without_a_signature(tokens, token, alg):
    header, claims = parts(token)
    for signature in ("", token.rpartition(".")[2]):
        forged = f"{b64(json.dumps({**header, 'alg': alg}).encode())}.{b64(json.dumps(claims).encode())}.{signature}"
        with pytest.raises(Unauthorized):
            tokens.verify(forged)


def test_signed_by_hmac_with_the_public_key(tokens, token):
    (key,) = tokens._keys.values()
    public = jwts.public_key(key.seed, key.id).key
    header, claims = parts(token)
    text = ".".join(b64(json.dumps(part).encode()) for part in ({**header, "alg": "HS256"}, claims))
    encodings = [
        public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    ]
    for secret in encodings:
        with pytest.raises(Unauthorized):
            tokens.verify(f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}")


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"kid": "../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": ""},
        {"kid": None},
        {"kid": 7},
        {"kid": ["a"]},
        {"typ": "JWT"},
        {"typ": ""},
        {"typ": None},
        {"typ": 1},
        {"alg": "ES256"},
        {"alg": "RS256"},
        {"alg": ["EdDSA"]},
    ],
)
def test_headers_that_are_refused(tokens, header):
    with pytest.raises(Unauthorized):
        tokens.verify(signed(tokens, header=header))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"iss": "syncline:4567"},
        {"iss": [ISSUER]},
        {"sub": 7},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 1e300},
        {"exp": -1},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"nbf": "soon"},
    ],
)
def test_claims_that_are_refused(tokens, claims):
    with pytest.raises(Unauthorized):
        tokens.verify(signed(tokens, claims=claims))


@pytest.mark.parametrize("claim", ["exp", "iss", "aud", "sub"])
def test_claims_that_have_to_be_there(tokens, claim):
    with pytest.raises(Unauthorized):
        tokens.verify(signed(tokens, drop=[claim]))


def test_signed_with_another_key_under_the_same_id(tokens, token):
    (key,) = tokens._keys.values()
    _, claims = parts(token)
    with pytest.raises(Unauthorized):
        tokens.verify(jwts.sign(claims, b"\1" * 32, kid=key.id, typ="at+jwt"))


def test_changed_on_its_way(tokens, token):
    head, body, signature = token.split(".")
    _, claims = parts(token)
    other = b64(json.dumps({**claims, "sub": ".root"}).encode())
    for forged in (f"{head}.{other}.{signature}", f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body}."):
        with pytest.raises(Unauthorized):
            tokens.verify(forged)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "a.b.c",
        "e30.e30.e30",
        "ü.ü.ü",
        "\ud83d..",
        "W10.e30.",
        "x" * 9_000 + "..",
        "a.b.c.d",
        b64(b"[" * 5_000) + ".e30.e30",
    ],
)
def test_nonsense(tokens, token):
    with pytest.raises(Unauthorized):
        tokens.verify(token)
    with pytest.raises(Unauthorized):
        jwts.header_of(token)
    if token != "e30.e30.e30":
        with pytest.raises(Unauthorized):
            jwts.issuer_of(token)


def test_keys_sign_for_90_days_and_verify_for_a_day_more(database, tokens, token, clock):
    (first,) = tokens._keys
    clock.pass_(90 * DAY - MINUTE)
    last = tokens.issue("home", "alice", "s1")[0]
    assert parts(last)[0]["kid"] == first
    clock.pass_(MINUTE)
    second = parts(tokens.issue("home", "alice", "s1")[0])[0]["kid"]
    assert second != first
    tokens.verify(last)  # by the old key, in the overlap
    AccessTokens(database, clock, ISSUER).verify(last)  # also after a restart
    clock.pass_(24 * HOUR)
    with pytest.raises(Unauthorized, match="no access token of this server"):
        tokens.verify(last)
    clock.pass_(89 * DAY)
    tokens.issue("home", "alice", "s1")
    with database.reading() as cursor:
        assert first not in [id for (id,) in cursor.execute("SELECT id FROM signing_keys").fetchall()]


def test_a_servers_tokens_are_its_own(token, tmp_path, clock, tokens):
    from syncline.server.registry import open_registry

    (tmp_path / "other").mkdir()
    other = open_registry(tmp_path / "other", "", clock)
    with pytest.raises(Unauthorized):
        AccessTokens(other.database, clock, ISSUER).verify(token)
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": 7},
        {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
        {"alg": "ES256"},
        {"alg": "HS256"},
        {"crv": "Ed448"},
        {"crv": []},
        {"kty": []},
        {"kid": None},
        {"x": "!"},
        {"x": None},
    ],
)
def test_keys_that_are_not_for_verifying(change):
    jwk = {"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert jwts.key_of(jwk).algorithms == ("EdDSA",)
    assert jwts.key_of({**jwk, **change}) is None
