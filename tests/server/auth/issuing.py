"""A small OpenID provider on this machine, with keys of all kinds, that can be told to behave badly."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

DISCOVERY = "/.well-known/openid-configuration"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {  # algorithm: private key
    "RS256": RSA,
    "PS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
KINDS = {"RS256": RSAAlgorithm, "PS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def jwk(algorithm, **more):
    """The public key that goes with an algorithm, under its name as id."""
    public = json.loads(KINDS[algorithm].to_jwk(KEYS[algorithm].public_key()))
    public.pop("key_ops", None)
    return {**public, "kid": algorithm, "use": "sig", **more}


class LocalIssuer:
    """Serves a discovery document and keys; ``asked`` are the paths that were asked for."""

    def __init__(self, clock):
        self._clock = clock
        self.keys = [jwk(algorithm) for algorithm in KEYS]
        self.codes = {}  # by device code: what its next questions are answered with, the last one again and again
        self.forms = []  # what was posted: (path, fields)
        self.answers = {}  # by path: (status, headers, body) instead of the good answer
        self.asked = []
        self.hold = threading.Event()
        self.hold.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def token(self, algorithm="EdDSA", *, header=None, key=None, **claims):
        now = self._clock() // 1_000
        usual = {"iss": self.url, "aud": "syncline", "sub": "alice", "iat": now, "exp": now + 600}
        claims = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        headers = {"kid": algorithm, **(header or {})}
        return jwt.encode(claims, key or KEYS[algorithm], algorithm=algorithm, headers=headers)

    def close(self):
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(issuer):  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                issuer.hold.wait(10)
                status, headers, body = issuer.answers.get(self.path) or issuer._good(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = dict(parse_qsl(form))
                issuer.forms.append((self.path, fields))
                status, answer = issuer._posted(self.path, fields)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def _good(self, path):
        if path == DISCOVERY:
            document = {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "token_endpoint": f"{self.url}/token",
                "device_authorization_endpoint": f"{self.url}/device",
            }
        else:
            document = {"keys": self.keys}
        return 200, {}, json.dumps(document).encode()

    # Signing in by a code (RFC 8628): codes[device code] is what its questions are answered with, in turn

    def grants(self, **claims):
        """The good answer of the token endpoint."""
        self.refreshes = f"refresh-{len(self.forms)}"
        return {"access_token": self.token(**claims), "expires_in": 600, "refresh_token": self.refreshes}

    def _posted(self, path, fields):
        if path == "/device":
            self.codes.setdefault("device-1", ["authorization_pending", "granted"])
            named = {"device_code": "device-1", "user_code": "WDJB-MJHT", "verification_uri": f"{self.url}/activate"}
            return 200, {**named, "expires_in": 600, "interval": 0.02}
        if fields["grant_type"] == "refresh_token":
            is_known = fields["refresh_token"] == self.refreshes
            return (200, self.grants()) if is_known else (400, {"error": "invalid_grant"})
        answers = self.codes[fields["device_code"]]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return (200, self.grants()) if answer == "granted" else (400, {"error": answer})
