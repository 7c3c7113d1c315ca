"""The page on which a setup token becomes a password: its policy allows what it is made of, and it does what it says.

Its script runs in Node where there is one, with as much of a page around it as it asks for.
"""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256

import pytest

from syncline.server.auth.setup_tokens import SetupTokens
from syncline.server.service import wall_clock_ms
from tests.server.running import DEADLINE
from tests.server.test_signing_in import Keys

BROWSER = """
const [script, href, typed] = JSON.parse(process.argv[1])
const elements = {}
let submit
const element = (id) => elements[id] ??= {
  id, value: typed[id] ?? '', textContent: '', hidden: false,
  addEventListener: (kind, listener) => { submit = listener },
}
globalThis.document = { getElementById: element }
const url = new URL(href)
globalThis.location = { href, hash: url.hash, pathname: url.pathname }
const addresses = []
globalThis.history = { replaceState: (state, title, path) => addresses.push(path) }
new Function(script)()
await submit({ preventDefault: () => {} })
const { token, said, form } = elements
console.log(JSON.stringify({ token: token.value, said: said.textContent, hidden: form.hidden, addresses }))
"""
NODE = shutil.which("node")


@pytest.fixture
def page(open_server):
    answer = open_server.request("GET", "/setup")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return answer


def inline(page, kind):
    (found,) = re.findall(f"<{kind}>(.*?)</{kind}>", page.body.decode(), re.DOTALL)
    return found


def test_its_policy_allows_what_it_is_made_of_and_nothing_else(page):
    policy = dict(each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for kind in ("style", "script"):
        digest = b64encode(sha256(inline(page, kind).encode()).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"
    text = page.body.decode()
    assert not re.search(r"\son\w+=|\sstyle=|javascript:|https?://", text)
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.fixture
def keys(serve):
    keys = Keys(serve())
    yield keys
    keys.registry.close()


def use(page, href, **typed):
    """What the page shows after it was filled in and sent."""
    given = json.dumps([inline(page, "script"), href, typed])
    command = [NODE, "--input-type=module", "-e", BROWSER, given]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="there is no Node")
def test_a_token_becomes_a_password(keys, page):
    registry = keys.registry
    tokens = SetupTokens(registry.database, wall_clock_ms, registry.secret("setup tokens"))
    token = tokens.issue("home", "ann")
    href, password = f"{keys.server.url}/setup#{token}", "correct horse battery"
    shown = use(page, href, password=password, again="correct horse")
    assert (shown["token"], shown["said"], shown["hidden"]) == (token, "The two passwords differ.", False)
    assert shown["addresses"] == ["/setup"]
    shown = use(page, href, password=password, again=password)
    assert shown["hidden"]
    assert shown["said"].startswith("ann has a password now.")
    assert f"--server {keys.server.url} --user ann" in shown["said"]
    body = json.dumps({"user": "ann", "password": password}).encode()
    assert keys.server.request("POST", "/v1/spaces/home/auth/login", body).status == 200
    again = use(page, href, password=password, again=password)
    assert (again["hidden"], "not (or no longer) valid" in again["said"]) == (False, True)
