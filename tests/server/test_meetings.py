"""Where two parts meet: erasure and peers, horizons and healing, rules and healing."""

from contextlib import ExitStack, closing

import pytest

import syncline
from syncline import Counter, SyncManager
from syncline.server.registry import open_registry
from syncline.sync import ReplicaPeer
from syncline.transports.memory import MemoryTransport
from tests.server.rest import Client
from tests.server.test_erasing import SECRET, agree, erase, shorten, told


@pytest.fixture
def home(serve):
    return serve("data")


@pytest.fixture
def root(home):
    return Client(home, "home", key=home.key)


@pytest.fixture
def device(home, tmp_path):
    """Opens a replica; of nobody, and without a server, if no user is named."""
    registry = open_registry(home.data, "", lambda: 1)
    with ExitStack() as opened, closing(registry):

        def open(name, user=None, **options):
            place = (
                {"server": home.url, "space": "home", "token": registry.create_key(name, user, "home")} if user else {}
            )
            return opened.enter_context(syncline.open(tmp_path / f"{name}.db", **place, **options))

        yield open


async def meet(one, other):
    result = await SyncManager(one, MemoryTransport(ReplicaPeer(other))).sync()
    assert not result.errors
    return result


async def test_what_was_erased_does_not_come_back_from_who_only_heard_of_it(home, root, device, tmp_path):
    ann, bob, cleo = device("ann", "ann"), device("bob", "bob"), device("cleo")
    milk = ann.create("task.milk", {"title": SECRET})
    agree(ann, bob)
    await meet(cleo, bob)
    assert cleo.get("task.milk").plain == {"title": SECRET}
    cleo.get("task.milk")["amount"] = 2
    erase(root, items=["task.*"])
    agree(bob)
    await meet(cleo, bob)  # who holds the erased form, and keeps it
    assert bob.get("task.milk").plain == {"amount": 2, "title": None}
    assert told(tmp_path / "bob.db") == []
    cleo.close()
    met = device("cleo", "cleo")
    agree(met, bob, ann)
    assert met.get("task.milk").plain == bob.get("task.milk").plain == milk.plain == {"amount": 2, "title": None}
    assert (met.status.pending, met.status.refused, met.heard(), bob.heard()) == (0, 0, [], [])
    assert told(tmp_path / "cleo.db", tmp_path / "bob.db", home.data) == []


async def test_peers_with_and_without_history_heal_to_the_same(home, root, device):
    """One holds bases, one all entries, one was away: what each writes is there once at all, and counted once."""
    ann, old = device("ann", "ann"), device("old", "bob")
    milk = ann.create("task.milk", {"n": Counter(1)})
    agree(ann, old)
    old.get("task.milk")["n"] += 100
    for _ in range(5):
        milk["n"] += 1
    agree(ann)
    assert shorten(home)["horizon"] == 6
    new = device("new", "bob", history=False)
    agree(new)
    milk["n"] += 10
    for one, other in ((new, ann), (old, new), (ann, new), (ann, old)):
        await meet(one, other)
    assert new.get("task.milk").plain == {"n": 116}
    agree(new, ann, old)
    for each in (new, ann, old):
        assert not each.heal().errors
        assert each.get("task.milk").plain == {"n": 116}
        assert (each.status.pending, each.status.refused, each.heard()) == (0, 0, [])
    assert root.value("task.milk", view="plain") == {"n": 116}
    assert home.head("home") == 8


def test_what_a_rule_hides_is_healed_for_nobody(root, device, tmp_path):
    ann, bob = device("ann", "ann"), device("bob", "bob")
    ann.create("task.open", {"x": 1})
    ann.create("task.secret", {"x": SECRET})
    agree(ann, bob)
    assert root.ask("POST", "acl", {"user": "bob", "item": "task.secret", "action": "*", "type": "deny"}).status == 201
    result = bob.heal()
    assert (result.errors, result.mended, result.given) == ([], 0, 0)
    assert bob.items() == ["task.open"]
    assert told(tmp_path / "bob.db") == []
    assert bob.heal().mended == 0
