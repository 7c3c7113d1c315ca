"""``syncline.signed_in``: replicas that go by what ``syncline login`` left, through its end and a new one."""

import asyncio
import json
from secrets import token_hex

import pytest

import syncline
from syncline import SyncOptions
from syncline.errors import BadSettings, ConnectionLost, Unauthorized
from syncline.sync.contexts import Context, Contexts
from syncline.sync.sign_in import SignIn, granted, now_ms
from syncline.transports.signing_in import SigningIn
from tests.server.running import eventually

GOOD = "correct horse battery"
QUICK = SyncOptions(backoff_seconds=0.02, max_backoff_seconds=0.1)


class Ann:
    """Somebody with a password, who has signed in at a server on this machine."""

    def __init__(self, server, path, name):
        self.server, self.name, self.contexts = server, name, Contexts(path)
        answer = server.request("POST", "/v1/users", json.dumps({"name": name, "password": GOOD}), server.bearer())
        assert answer.status == 201, answer.body
        self.log_in()

    def log_in(self):
        """As the command does."""

        async def login():
            async with SigningIn(self.server.url) as server:
                return await server.login(self.name, GOOD)

        context = Context(server=self.server.url)
        self.contexts.put("home", granted(context, asyncio.run(login())), use=True)

    def change(self, **changes):
        def changed(book):
            context = book.contexts["home"]
            fields = {name: getattr(context, name) for name in context.__struct_fields__}
            return type(book)("home", {"home": Context(**{**fields, **changes})})

        return self.contexts.change(changed).find("home")

    def log_out(self):
        """Behind the back of this machine."""
        body = json.dumps({"refresh_token": self.contexts.read().find("home").refresh_token})
        assert self.server.request("POST", "/v1/auth/logout", body).json == {"ended": True}

    def open(self, path, transport="websocket"):
        me = syncline.signed_in()
        return syncline.open(path, server=me.server, space=me.space, token=me, transport=transport, options=QUICK)


@pytest.fixture
def ann(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SYNCLINE_CONTEXT", raising=False)
    return Ann(serve(), tmp_path / "config" / "syncline" / "contexts.toml", f"ann-{token_hex(4)}")


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_sign_in_that_ends_while_live_and_a_new_one(ann, tmp_path, transport):
    """Data and what is pending stay; when its user has signed in again, the replica goes on by itself."""
    with ann.open(tmp_path / "a.db", transport) as replica:
        milk = replica.create("task.milk", {"title": "Milk"})
        replica.start()
        eventually(lambda: replica.status.state == "live" and not replica.status.pending)
        ann.log_out()
        eventually(lambda: replica.status.state == "needs_auth")
        assert "run syncline login" in replica.status.error["message"]
        milk["title"] = "Oat milk"
        assert (replica.status.pending, replica.status.refused, milk["title"]) == (1, 0, "Oat milk")
        ann.log_in()
        eventually(lambda: replica.status.state == "live" and not replica.status.pending)
    assert ann.server.head("default") >= 2


def test_a_token_that_expires_offline(ann, tmp_path):
    with ann.open(tmp_path / "a.db") as replica:
        replica.record("task.a", "create", 1)
        assert replica.sync().ok
    before = ann.change(access_token="eyJ.too.old", expires_ms=1)
    with ann.open(tmp_path / "a.db") as replica:
        replica.record("task.a", "update", 2)
        result = replica.sync()
        assert (result.ok, result.pushed) == (True, 1)
    after = ann.contexts.read().find("home")
    assert after.refresh_token != before.refresh_token
    assert after.expires_ms > now_ms()


def test_a_sign_in_that_ended_while_offline(ann, tmp_path):
    with ann.open(tmp_path / "a.db") as replica:
        replica.record("task.a", "create", 1)
        assert replica.sync().ok
        replica.record("task.a", "update", 2)
    ann.log_out()
    ann.change(expires_ms=1)
    with ann.open(tmp_path / "a.db") as replica:
        result = replica.sync()
        assert [error.code for error in result.errors] == ["unauthorized"]
        status = replica.status
        assert (status.state, status.pending, len(list(replica.entries()))) == ("needs_auth", 1, 1)
        ann.log_in()
        assert replica.sync().pushed == 1


def test_a_token_that_is_refused_before_its_time_is_refreshed(ann, tmp_path):
    before = ann.change(access_token="nonsense")
    with ann.open(tmp_path / "a.db") as replica:
        replica.record("task.a", "create", 1)
        assert replica.sync().ok
    assert ann.contexts.read().find("home").refresh_token != before.refresh_token


def test_somebody_else_who_signs_in_gets_nothing(ann, tmp_path):
    with ann.open(tmp_path / "a.db") as replica:
        replica.record("task.a", "create", 1)
        assert replica.sync().ok
        replica.record("task.a", "update", 2)
        other = Ann(ann.server, ann.contexts.path, f"bob-{token_hex(4)}")
        replica.start()
        eventually(lambda: replica.status.state == "needs_auth")
        assert (replica.status.error["code"], replica.status.pending) == ("user_mismatch", 1)
        ann.log_in()
        eventually(lambda: replica.status.state == "live" and not replica.status.pending)
        assert replica.user != other.name


def test_without_a_sign_in(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SYNCLINE_CONTEXT", raising=False)
    with pytest.raises(BadSettings, match="syncline login"):
        syncline.signed_in()
    with pytest.raises(BadSettings, match="no context"):
        syncline.signed_in("home")
    contexts = Contexts()
    contexts.put("open", Context(server="http://127.0.0.1:1"), use=True)
    assert syncline.signed_in()() is None
    contexts.put("key", Context(server="http://127.0.0.1:1", key="sk_1"), use=False)
    assert syncline.signed_in("key")() == "sk_1"
    monkeypatch.setenv("SYNCLINE_CONTEXT", "key")
    assert syncline.signed_in().name == "key"
    away = Context(server="http://127.0.0.1:1", user="ann", refresh_token="rt_x")
    contexts.put("away", away, use=False)
    with pytest.raises(ConnectionLost):
        SignIn("away")()
    assert contexts.read().find("away") == away
    contexts.put("out", Context(server="http://127.0.0.1:1", user="ann"), use=False)
    with pytest.raises(Unauthorized, match="run syncline login"):
        SignIn("out")()
