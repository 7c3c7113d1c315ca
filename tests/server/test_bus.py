"""What carries hints between servers, and what they say: sealed, small, and nobody's word if anything is wrong."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack

import pytest
from msgspec import Raw

from syncline.core.log import Receipts
from syncline.core.messages import Peer
from syncline.errors import BadSettings
from syncline.server.bus import MAX_MESSAGE_BYTES, chosen
from syncline.server.bus.memory import Exchange, MemoryBus
from syncline.server.bus.messages import Expense, Present, Reached, Registered, Seal, Spent, batches
from syncline.server.logs import open_logs
from syncline.server.settings import gather
from tests.nats import nats_server
from tests.postgres import Cluster

DEADLINE = 20
RECEIPTS = Receipts(b"a key")
SEAL = Seal(b"a key")
STATE = Raw(b'{"at":1}')
MESSAGES = [
    Reached(server="a", heads={"home": 7, "x": 0}),
    Registered(server="a"),
    Spent(
        server="a", expenses=[Expense("user-events", ("home", "ann"), 3.0), Expense("user-events", (None, ".root"), 1)]
    ),
    Spent(server="a", expenses=[Expense("address-requests", "127.0.0.1", 2.5)]),
    Present(server="a", space="home", asks=True),
    Present(server="a", space="home", peers=[Peer("ann", "n", "tab", "task.milk", STATE), Peer("bob", "m")]),
]


@pytest.mark.parametrize("message", MESSAGES, ids=["reached", "registered", "spent", "knocked", "asks", "present"])
def test_what_is_sealed_is_read_and_what_is_changed_is_not(message):
    text = SEAL.encode(message)
    assert SEAL.decode(text) == message
    assert text.decode().isprintable()
    for place in range(len(text)):
        assert SEAL.decode(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]) is None
    assert Seal(b"another key").decode(text) is None
    assert SEAL.decode(text[:-1]) is SEAL.decode(b"") is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"reached","server":"a","heads":{"s":-1}}',
        b'{"type":"reached","server":"a","heads":{"s":9007199254740992}}',
        b'{"type":"reached","server":"a","heads":{"s":"1"}}',
        b'{"type":"spent","server":"a","expenses":[["user-events","x",-1]]}',
        b'{"type":"spent","server":"a","expenses":[["user-events","x",1e300]]}',
        b'{"type":"present","server":"a"}',
        b'{"type":"other","server":"a"}',
        b'{"type":"registered"}',
        b"[" * 10_000,
        b"\xff\xff",
    ],
)
def test_what_has_another_shape_is_nobody_s_word(body):
    assert SEAL.decode(b"1" + SEAL._digits(body) + body) is None


def test_long_lists_are_told_in_several_messages_that_fit():
    heads = {f"space-{at}": 10**12 + at for at in range(2_000)}
    lots = [dict(lot) for lot in batches(heads.items())]
    assert {name: seq for lot in lots for name, seq in lot.items()} == heads
    assert max(len(SEAL.encode(Reached(server="a" * 16, heads=lot))) for lot in lots) <= MAX_MESSAGE_BYTES
    large = Peer("ann", "n", state=Raw(b'"%b"' % (b"x" * 10_000)))
    small = Peer("bob", "n", state=STATE)
    assert list(batches([small, large, small])) == [[small, small]]


# Those that carry it


class MemoryParty:
    def __init__(self, stack):
        self.exchange = Exchange()

    def bus(self):
        return MemoryBus(self.exchange)

    def break_down(self):
        self.exchange.is_down = True

    def come_back(self):
        self.exchange.come_back()


class NatsParty:
    def __init__(self, stack):
        self.server = stack.enter_context(nats_server())

    def bus(self):
        return chosen.open_bus(self.server.url, "postgresql://somewhere", b"key")

    def break_down(self):
        self.server.kill()

    def come_back(self):
        self.server.start()


class PostgresParty:
    def __init__(self, stack):
        self.cluster = Cluster()
        stack.callback(self.cluster.close)

    def bus(self):
        return chosen.open_bus("", self.cluster.address(), b"key")

    def break_down(self):
        self.cluster.kill()

    def come_back(self):
        self.cluster.start()


class Ear:
    """One who is at the bus, and what came."""

    def __init__(self, bus):
        self.bus, self.gaps, self.heard = bus, 0, set()
        bus.start(self.heard.add, self.note_gap)

    def note_gap(self):
        self.gaps += 1


async def until(condition):
    end = asyncio.get_running_loop().time() + DEADLINE
    while not condition():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0)


async def all_hear(ears, word):
    """Says something until everybody has heard it: what is said while somebody begins may be lost."""
    async with asyncio.timeout(DEADLINE):
        while not all(word in ear.heard for ear in ears):
            ears[0].bus.send(word)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("party", [MemoryParty, NatsParty, PostgresParty])
async def test_all_hear_what_one_says_also_after_a_break(party):
    with ExitStack() as stack:
        place = party(stack)
        ears = [Ear(place.bus()) for _ in range(3)]
        await until(lambda: all(ear.gaps == 1 for ear in ears))
        assert all(ear.bus.state == "connected" for ear in ears)
        for at, ear in enumerate(ears):
            words = [b"%d:%d" % (at, count) for count in range(300)]
            for word in words:
                ear.bus.send(word)
            await until(lambda words=words: all(ear.heard.issuperset(words) for ear in ears))
        ears[0].bus.send(b"x" * MAX_MESSAGE_BYTES)
        await until(lambda: all(b"x" * MAX_MESSAGE_BYTES in ear.heard for ear in ears))
        place.break_down()
        await until(lambda: all(ear.bus.state == "connecting" for ear in ears))
        ears[0].bus.send(b"perhaps")
        place.come_back()
        await until(lambda: all(ear.gaps == 2 for ear in ears))
        await all_hear(ears, b"again")
        for ear in ears:
            await ear.bus.stop()


# Settings


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"store": "mysql://x"}, "store: 'mysql://x' is none of"),
        ({"store": "postgresql"}, "store: 'postgresql' is none of"),
        ({"bus": "postgres"}, "bus: it is for servers that share a store"),
        ({"bus": "nats://x", "store": "lmdb"}, "bus: it is for servers that share a store"),
        ({"bus": "redis://x", "store": "postgresql://x"}, "bus: 'redis://x' is neither postgres nor"),
        ({"drain_seconds": -1.0}, "drain_seconds: must not be less than 0"),
        ({"demo": True, "store": "postgresql://x"}, "demo: "),
    ],
)
def test_what_servers_cannot_share_is_refused(flags, words):
    with pytest.raises(BadSettings, match=words):
        gather(file=None, environment={}, flags=flags)


@pytest.mark.parametrize(
    ("name", "url", "shown"),
    [
        ("store", "postgresql://ann:secret@host/db", "postgresql://ann:…@host/db"),
        ("store", "postgresql://ann:sec/r@et?@host/db", "postgresql://ann:…@host/db"),
        ("store", "postgresql://ann@host/db?sslmode=require", "postgresql://ann@host/db?sslmode=require"),
        ("store", "postgresql://ann@host/db?password=secret&port=5", "postgresql://ann@host/db?password=…&port=5"),
        ("nats", "nats://bob:secret@host", "nats://bob:…@host"),
        ("nats", "nats://secret@host:4222", "nats://…@host:4222"),
        ("nats", "tls://secret@one,tls://secret@other", "tls://…@other"),
        ("nats", "nats://host?creds=/etc/nats.creds", "nats://host?creds=/etc/nats.creds"),
    ],
)
def test_a_secret_in_a_setting_is_not_shown(name, url, shown):
    _, found = gather(file=None, environment={}, flags={name: url})
    assert {setting.name: setting.shown for setting in found}[name] == shown


@pytest.mark.parametrize(
    "flags",
    [
        {"store": "mysql://ann:secret-that-is-longer-than-what-is-shown@host"},
        {"bus": "redis://ann:secret@host", "store": "postgresql://x"},
        {"upstream": "ftp://ann:secret@host"},
        {"upstream": "https://ann:secret@host"},
        {"nats": "nats://secret@"},
    ],
)
def test_a_secret_in_a_setting_that_is_refused_is_not_told(flags):
    with pytest.raises(BadSettings) as caught:
        gather(file=None, environment={}, flags=flags)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("package", "extra", "store"), [("lmdb", "lmdb", "lmdb"), ("psycopg", "postgres", "postgresql://x")]
)
def test_what_a_store_needs_and_is_not_there_is_named(tmp_path, package, extra, store):
    script = f"""
import sys
sys.modules[{package!r}] = None
from pathlib import Path
from syncline.core.log import Receipts
from syncline.errors import BadSettings
from syncline.server.logs import open_logs
try:
    open_logs({store!r}, Path({str(tmp_path)!r}), Receipts(b"key"))
except BadSettings as error:
    print(error.message)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert f"pip install 'syncline[{extra}]'" in said


@pytest.mark.parametrize("other", ["jsonl", "lmdb", "postgresql://x"])
def test_logs_of_one_store_are_not_passed_over_by_another(tmp_path, other):
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "home.snapshots").touch()  # derived: whatever the store is
    open_logs("sqlite", tmp_path, RECEIPTS).open("home").close()
    with pytest.raises(BadSettings, match="are kept in sqlite"):
        open_logs(other, tmp_path, RECEIPTS)
    open_logs("", tmp_path, RECEIPTS).delete("home")
    open_logs("jsonl", tmp_path, RECEIPTS).close()
