"""Conflict resolvers: two replicas, a real server between them, and every kind of answer a resolver may give."""

import asyncio
import random
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline import (
    Draft,
    FirstWriteWins,
    KeepBoth,
    LastWriteWins,
    ManualReview,
    Refused,
    Replica,
    ResolveByRules,
    Rule,
    SyncManager,
    SyncOptions,
    VectorClock,
)
from syncline.core.messages import Ack, Result
from syncline.core.versions import Ordering
from syncline.errors import BadSettings, ConnectionLost, NeedsReview, Overloaded
from syncline.replica import new_node
from syncline.stores.memory import MemoryReplicaStore
from syncline.transports.websocket import WebSocketTransport
from tests.server.running import DEADLINE, ServerProcess

DOCS = Path(__file__).parents[2] / "docs"
ITEM = "task.a"


@asynccontextmanager
async def managed(server: ServerProcess, space: str, *, ahead_ms: int = 0, transport: Any = None, **options: Any):
    """A manager of a new replica, whose clock is ``ahead_ms`` ahead of this machine's."""
    replica = Replica(MemoryReplicaStore(new_node()), now_ms=lambda: time.time_ns() // 1_000_000 + ahead_ms)
    transport = transport or WebSocketTransport(server.url)
    manager = SyncManager(replica, transport, SyncOptions(backoff_seconds=0.01, **options), space=space)
    try:
        yield manager
    finally:
        await manager.close()


@asynccontextmanager
async def met(
    server: ServerProcess, space: str, *, items: Any = (ITEM,), theirs_ahead_ms: int = -60_000, **options: Any
):
    """A manager whose pending events, one for each item, are to meet those of another replica with its next pull."""
    async with managed(server, space, ahead_ms=theirs_ahead_ms) as other, managed(server, space, **options) as manager:
        await other.sync()
        await manager.sync()
        for item in items:
            other.replica.record(item, "update", "theirs")
            manager.replica.record(item, "update", "mine")
        await other.sync()
        yield manager


async def until(manager: SyncManager, condition: Callable[[], bool]) -> None:
    """Waits for what a replica of this event loop is to come to."""
    changed = asyncio.Event()
    stop = manager.replica.watch_status(lambda _: changed.set())
    async with asyncio.timeout(DEADLINE):
        while not condition():
            changed.clear()
            await changed.wait()
    stop()


def in_log(server: ServerProcess, space: str) -> list[Any]:
    return [entry["event"].get("payload") for entry in server.entries(space)]


def inbox(manager: SyncManager) -> list[tuple[Any, str]]:
    return [(each.event.payload, each.error["code"]) for each in manager.replica.refused()]


class Answers:
    """A resolver that answers what a function says, and remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []

    def resolve(self, local, remote):
        self.asked.append(([event.payload for event in local], [event.payload for event in remote]))
        return self.answer(local, remote)


def merged(local, remote):
    return [Draft(local[0].item, "merge", [event.payload for event in (*remote, *local)])]


# The resolvers that ship


async def test_without_a_resolver_both_stand(open_server, space):
    async with met(open_server, space) as manager:
        result = await manager.sync()
        assert (result.conflicts, result.pushed, result.ok) == (1, 1, True)
        assert (await manager.sync()).conflicts == 0
    assert in_log(open_server, space) == ["theirs", "mine"]


@pytest.mark.parametrize(
    ("resolver", "theirs_ahead_ms", "log", "refused"),
    [
        (LastWriteWins(), -60_000, ["theirs", "mine"], []),
        (LastWriteWins(), 60_000, ["theirs"], [("mine", "withdrawn")]),
        (FirstWriteWins(), -60_000, ["theirs"], [("mine", "withdrawn")]),
        (FirstWriteWins(), 60_000, ["theirs"], [("mine", "withdrawn")]),
        (KeepBoth(), 0, ["theirs", "mine"], []),
        (ManualReview(), 0, ["theirs"], [("mine", "needs_review")]),
    ],
    ids=["last-mine", "last-theirs", "first-mine", "first-theirs", "both", "review"],
)
async def test_what_ships(open_server, space, resolver, theirs_ahead_ms, log, refused):
    async with met(open_server, space, resolver=resolver, theirs_ahead_ms=theirs_ahead_ms) as manager:
        result = await manager.sync()
        assert (result.conflicts, result.errors) == (1, [])
        for _ in range(2):  # what was decided stays decided
            assert in_log(open_server, space) == log
            assert inbox(manager) == refused
            assert manager.replica.status.pending == 0
            assert (await manager.sync()).conflicts == 0


@pytest.mark.parametrize("resolver", [FirstWriteWins(), ManualReview()], ids=["first", "review"])
async def test_a_person_decides_what_becomes_of_the_refused_event(open_server, space, resolver):
    async with met(open_server, space, items=("task.a", "task.b"), resolver=resolver) as manager:
        await manager.sync()
        again, never = manager.replica.refused()
        named = [entry["event"]["id"] for entry in open_server.entries(space) if entry["event"]["item"] == "task.a"]
        assert again.error["remote"] == named
        manager.replica.retry(again.event.id)
        manager.replica.drop(never.event.id)
        result = await manager.sync()
        assert (result.pushed, result.conflicts) == (1, 0)  # now its author has seen the other
        assert inbox(manager) == []
    assert in_log(open_server, space) == ["theirs", "theirs", "mine"]


async def test_manual_review_tells_of_both_sides(open_server, space):
    told = Answers(lambda local, remote: None)
    async with met(open_server, space, resolver=ManualReview(tell=told.resolve)) as manager:
        await manager.sync()
    assert told.asked == [(["mine"], ["theirs"])]


# Rules


async def test_the_first_rule_that_matches_decides(open_server, space):
    rules = [
        Rule("task.*", LastWriteWins()),
        Rule("note.*", action="rename", resolver=KeepBoth()),
        Rule("note.a", FirstWriteWins(), when=lambda event, remote: remote[-1].payload == "theirs"),
        Rule("*", KeepBoth(), when=lambda event, remote: event.payload == "never"),
    ]
    resolver = ResolveByRules(rules, fallback=ManualReview())
    async with met(open_server, space, items=("task.a", "note.a", "note.b"), resolver=resolver) as manager:
        manager.replica.record("note.a", "rename", "my name")
        result = await manager.sync()
        assert (result.conflicts, result.errors) == (3, [])
        assert inbox(manager) == [("mine", "withdrawn"), ("mine", "needs_review")]
    assert in_log(open_server, space) == ["theirs"] * 3 + ["mine", "my name"]


async def test_rules_take_asynchronous_resolvers_and_rules(open_server, space):
    class Slow(KeepBoth):
        async def resolve(self, local, remote):
            await asyncio.sleep(0)
            return merged(local, remote)

    inner = ResolveByRules([Rule("task.*", Slow())], fallback=FirstWriteWins())
    resolver = ResolveByRules([Rule("*", inner)], fallback=ManualReview())
    async with met(open_server, space, resolver=resolver) as manager:
        assert (await manager.sync()).ok
    assert in_log(open_server, space) == ["theirs", ["theirs", "mine"]]


@pytest.mark.parametrize("wrong", [{"item": "a b"}, {"item": "*.a"}, {"item": ""}, {"item": "a", "action": "!"}])
def test_a_rule_with_a_bad_pattern(wrong):
    with pytest.raises(BadSettings):
        Rule(**wrong, resolver=KeepBoth())


# Answers


async def test_a_draft_is_recorded_as_by_somebody_who_saw_both(open_server, space):
    async with met(open_server, space, resolver=Answers(merged), theirs_ahead_ms=60_000) as manager:
        heard = []
        manager.replica.watch_events(heard.extend)
        result = await manager.sync()
        assert (result.conflicts, result.pushed) == (1, 1)
        assert inbox(manager) == [("mine", "withdrawn")]
        assert [event.payload for event in heard][:2] == ["theirs", ["theirs", "mine"]]
        theirs, merge = (entry.event for entry in manager.replica.entries())
        assert merge.payload == ["theirs", "mine"]
        assert VectorClock(theirs.clock).compare(VectorClock(merge.clock)) is Ordering.BEFORE
        assert merge.id > theirs.id


async def test_some_stand_some_are_refused_and_some_are_left_out(open_server, space):
    def answer(local, remote):
        first, second, _ = local
        return (each for each in (first, Refused(second, NeedsReview("Is this right?", hint=1).to_wire()), *remote))

    async with met(open_server, space, resolver=Answers(answer)) as manager:
        manager.replica.record(ITEM, "update", "second")
        manager.replica.record(ITEM, "update", "third")
        result = await manager.sync()
        assert (result.conflicts, result.errors) == (1, [])
        assert inbox(manager) == [("second", "needs_review"), ("third", "withdrawn")]
        assert manager.replica.refused()[0].error["hint"] == 1
    assert in_log(open_server, space) == ["theirs", "mine"]


async def test_only_what_did_not_know_of_each_other_is_asked_about(open_server, space):
    resolver = Answers(lambda local, remote: local)
    async with met(open_server, space, pull_only=True, resolver=resolver) as manager:
        manager.replica.record("task.other", "update", "nobody else's")
        await manager.sync()
        manager.replica.record(ITEM, "update", "later")
        await manager.sync()
        assert (await manager.push()).pushed == 3
    assert resolver.asked == [(["mine"], ["theirs"])]


async def test_what_the_filter_leaves_out_is_not_asked_about(open_server, space):
    options = {"filter": lambda event: event.payload != "mine", "resolver": FirstWriteWins()}
    async with met(open_server, space, **options) as manager:
        manager.replica.record(ITEM, "update", "chosen")
        await manager.sync()
        assert inbox(manager) == [("chosen", "withdrawn")]
        assert [event.payload for event in manager.replica.pending()] == ["mine"]


# What goes wrong


def raises(local, remote):
    raise ValueError("no idea")


async def raises_later(local, remote):
    raise ValueError("no idea")


def changes_it(local, remote):
    local[0].payload["x"] = 2
    return local


NONSENSE = {
    "raises": raises,
    "raises-later": raises_later,
    "nothing": lambda local, remote: None,
    "text": lambda local, remote: "local",
    "no list": lambda local, remote: merged(local, remote)[0],
    "a draft of another item": lambda local, remote: [Draft("task.other", "merge")],
    "an event of another item": lambda local, remote: [replace(local[0], item="task.other")],
    "a changed event": changes_it,
    "an action no event has": lambda local, remote: [Draft(ITEM, "no action")],
    "too large": lambda local, remote: [Draft(ITEM, "merge", "x" * 70_000)],
    "no JSON": lambda local, remote: [Draft(ITEM, "merge", object())],
    "stands and is refused": lambda local, remote: [*local, Refused(local[0], NeedsReview("?").to_wire())],
    "refuses the others'": lambda local, remote: [Refused(remote[0], NeedsReview("?").to_wire())],
    "a reason that is none": lambda local, remote: [Refused(local[0], "because")],
    "a reason nobody can store": lambda local, remote: [Refused(local[0], {"code": "x", "why": object()})],
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_a_resolver_that_fails_loses_nothing(open_server, space, answer):
    by_rule = ResolveByRules([Rule(ITEM, Answers(answer))], fallback=KeepBoth())
    async with met(open_server, space, items=("task.b",), resolver=by_rule) as manager:
        manager.replica.record(ITEM, "update", {"x": 1})
        async with managed(open_server, space) as other:
            other.replica.record(ITEM, "update", "theirs")
            await other.sync()
        result = await manager.sync()
        assert [error.code for error in result.errors] == ["resolver_failed"]
        assert ITEM in result.errors[0].message
        assert result.failure is None
        assert (result.conflicts, result.pulled) == (1, 3)  # the other item is not touched by it
        assert inbox(manager) == [({"x": 1}, "resolver_failed")]
        assert in_log(open_server, space) == ["theirs", "theirs", "mine"]

        manager.replica.retry(manager.replica.refused()[0].event.id)
        assert (await manager.sync()).ok
    assert in_log(open_server, space)[-1] == {"x": 1}


async def test_what_a_resolver_does_to_its_arguments_changes_nothing(open_server, space):
    def empties(local, remote):
        kept = local[0]
        local.clear()
        remote[0].clock.clear()
        remote.clear()
        return [kept]

    async with met(open_server, space, resolver=Answers(empties)) as manager:
        assert (await manager.sync()).ok
        assert [event.payload for event in manager.replica.events()] == ["theirs", "mine"]
        assert all(event.clock for event in manager.replica.events())


async def test_what_names_or_belongs_to_a_withdrawn_event_goes_with_it(open_server, space):
    async with met(open_server, space, items=(), resolver=FirstWriteWins()) as manager:
        one, _ = manager.replica.record_many([Draft(ITEM, "update", 1), Draft("task.b", "update", 2)], together=True)
        manager.replica.record("task.c", "undo", 3, meta={"undoes": one.id})
        manager.replica.record("task.d", "update", 4)
        async with managed(open_server, space) as other:
            other.replica.record(ITEM, "update", "theirs")
            await other.sync()
        assert (await manager.sync()).ok
        assert inbox(manager) == [(1, "withdrawn"), (2, "tx_refused"), (3, "withdrawn")]
    assert in_log(open_server, space) == ["theirs", 4]


# What happens meanwhile


async def test_to_record_while_the_resolver_thinks(open_server, space):
    async def slow(local, remote):
        if len(resolver.asked) == 1:
            manager.replica.record(ITEM, "update", "meanwhile")
        return merged(local, remote)

    resolver = Answers(slow)
    async with met(open_server, space, resolver=resolver) as manager:
        result = await manager.sync()
        assert (result.conflicts, result.ok) == (1, True)
        assert inbox(manager) == [("mine", "withdrawn"), ("meanwhile", "withdrawn")]
    assert resolver.asked == [(["mine"], ["theirs"]), (["mine", "meanwhile"], ["theirs"])]
    assert in_log(open_server, space) == ["theirs", ["theirs", "mine", "meanwhile"]]


async def test_a_resolver_that_records_each_time_it_is_asked(open_server, space):
    def records(local, remote):
        manager.replica.record(ITEM, "merge", len(resolver.asked))
        return []

    resolver = Answers(records)
    async with met(open_server, space, resolver=resolver) as manager:
        result = await manager.sync()
        assert [error.code for error in result.errors] == ["resolver_failed"]
        assert {code for _, code in inbox(manager)} == {"resolver_failed"}
        assert [payload for payload, _ in inbox(manager)] == ["mine", *range(1, len(resolver.asked) + 1)]


async def test_a_sync_that_ends_while_the_resolver_thinks(open_server, space):
    asked = asyncio.Event()

    async def never(local, remote):
        asked.set()
        await asyncio.Event().wait()

    resolver = Answers(never)
    async with met(open_server, space, resolver=resolver) as manager:
        syncing = asyncio.create_task(manager.sync())
        await asked.wait()
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        assert [event.payload for event in manager.replica.events()] == ["mine"]  # neither the page nor a decision
        resolver.answer = lambda local, remote: []
        assert (await manager.sync()).conflicts == 1
        assert inbox(manager) == [("mine", "withdrawn")]


async def test_an_event_the_log_has_already_is_not_asked_about(open_server, space):
    class LosesAnswers(WebSocketTransport):
        async def push(self, push):
            await super().push(push)
            raise ConnectionLost("The answer was lost.")

    resolver = Answers(raises)
    lossy = LosesAnswers(open_server.url)
    async with managed(open_server, space, transport=lossy, attempts=1, resolver=resolver) as manager:
        manager.replica.record(ITEM, "update", "mine")
        assert (await manager.sync()).failure is not None
        async with managed(open_server, space) as other:
            other.replica.record(ITEM, "update", "theirs")
            await other.push()
        result = await manager.sync()
        assert (result.conflicts, result.ok) == (0, True)
        assert manager.replica.status.pending == 0
    assert resolver.asked == []


# Live


async def test_live(open_server, space):
    async with met(open_server, space, pull_only=True, resolver=ManualReview()) as manager:
        await manager.start_auto_sync()
        await until(manager, lambda: inbox(manager) == [("mine", "needs_review")])
        manager.replica.record(ITEM, "update", "again")
        async with managed(open_server, space) as other:
            other.replica.record(ITEM, "update", "theirs, again")
            await other.sync()
        await until(manager, lambda: inbox(manager) == [("mine", "needs_review"), ("again", "needs_review")])
        assert manager.replica.status.state == "live"


@pytest.mark.parametrize("is_taken", [True, False])
async def test_an_event_under_way_is_decided_about_if_the_server_did_not_take_it(open_server, space, is_taken):
    class Late(WebSocketTransport):
        async def push(self, push):
            await until(manager, lambda: payloads() == ["theirs", "mine"])  # theirs came while mine was under way
            return await super().push(push) if is_taken else Ack(results=[busy], head=0)

    def payloads():
        return [event.payload for event in manager.replica.events()]

    resolver = Answers(lambda local, remote: [])
    async with managed(open_server, space, transport=Late(open_server.url), resolver=resolver) as manager:
        await manager.start_auto_sync()
        await until(manager, lambda: manager.replica.status.state == "live")
        event = manager.replica.record(ITEM, "update", "mine")
        busy = Result(id=event.id, error=Overloaded("Later.").to_wire())
        async with managed(open_server, space) as other:
            other.replica.record(ITEM, "update", "theirs")
            await other.push()
        await until(manager, lambda: not manager.replica.status.pending)
        assert inbox(manager) == ([] if is_taken else [("mine", "withdrawn")])
        assert resolver.asked == ([] if is_taken else [(["mine"], ["theirs"])])
    assert in_log(open_server, space) == ["theirs", *(["mine"] if is_taken else [])]


async def test_nothing_is_pushed_while_the_resolver_thinks(open_server, space):
    class Busy(WebSocketTransport):
        async def push(self, push):
            pushed_while.append(bool(thinking))
            return Ack(results=[Result(error=Overloaded("Later.").to_wire())], head=0)

    async def slow(local, remote):
        thinking.append(True)
        manager.replica.record("task.b", "update", "another item")
        for _ in range(50):  # turns of the loop, enough for a push to begin
            await asyncio.sleep(0)
        thinking.clear()
        return []

    thinking, pushed_while = [], []
    async with managed(open_server, space, transport=Busy(open_server.url), resolver=Answers(slow)) as manager:
        await manager.start_auto_sync()
        await until(manager, lambda: manager.replica.status.state == "live")
        manager.replica.record(ITEM, "update", "mine")
        await until(manager, lambda: bool(pushed_while))
        async with managed(open_server, space) as other:
            other.replica.record(ITEM, "update", "theirs")
            await other.push()
        await until(manager, lambda: inbox(manager) == [("mine", "withdrawn")])
        assert not any(pushed_while)


# Nothing is lost


class Whim:
    """Answers this or that."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    async def resolve(self, local, remote):
        answers = [
            *(FirstWriteWins().resolve, LastWriteWins().resolve, KeepBoth().resolve, ManualReview().resolve),
            *(merged, raises, lambda local, remote: [*local[1:], *merged(local, remote)], lambda *_: 7),
            lambda local, remote: [*local, *merged(local, remote)],
        ]
        if self._chance.random() < 0.3:
            await asyncio.sleep(0)
        return self._chance.choice(answers)(local, remote)


class Writer:
    """A replica, and every id that was ever recorded on it or taken from its inbox."""

    def __init__(self, manager: SyncManager) -> None:
        self.manager, self.replica = manager, manager.replica
        self.recorded: set[str] = set()
        self.retried: set[str] = set()
        self.replica.watch_events(self._note)

    def _note(self, events: Any) -> None:
        self.recorded |= {event.id for event in events if event.node == self.replica.node}

    async def act(self, step: str) -> None:
        match step:
            case "a" | "b":
                self.replica.record(f"task.{step}", "update", len(self.recorded))
            case "both":
                self.replica.record_many([Draft("task.a", "x"), Draft("task.b", "x")], together=True)
            case "undo" if pending := self.replica.pending():
                self.replica.record(pending[0].item, "undo", meta={"undoes": pending[0].id})
            case "retry" if refused := self.replica.refused():
                self.replica.retry(refused[0].event.id)
                self.retried.add(refused[0].event.id)
            case "sync":
                assert (await self.manager.sync()).failure is None

    def inbox(self) -> set[str]:
        return {each.event.id for each in self.replica.refused()}


STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["a", "b", "both", "undo", "retry", "sync", "sync"])), max_size=25
)


@given(steps=STEPS, seed=st.integers(0, 2**32))
def test_no_event_is_ever_lost(open_server, steps, seed):
    """What was recorded is in the log or in an inbox, never in both, unless somebody took it out of there."""
    asyncio.run(live_through(open_server, f"lost-{token_hex(8)}", steps, seed))


async def live_through(server: ServerProcess, space: str, steps: Any, seed: int) -> None:
    async with AsyncExitStack() as stack:
        writers = [
            Writer(
                await stack.enter_async_context(managed(server, space, ahead_ms=at * 1_000, resolver=Whim(seed + at)))
            )
            for at in range(2)
        ]
        for who, step in steps:
            await writers[who].act(step)
        for writer in writers * 2:
            await writer.act("sync")

        log = [entry["event"]["id"] for entry in server.entries(space)]
        for writer in writers:
            assert writer.replica.status.pending == 0
            assert [entry.event.id for entry in writer.replica.entries()] == log
            others = {entry.event.id for entry in writer.replica.entries() if entry.event.node != writer.replica.node}
            assert writer.recorded == (set(log) - others) | writer.inbox() | writer.retried
            assert not writer.inbox() & set(log)
            assert not writer.retried & set(log)
        assert len(set(log)) == len(log)


# The documentation


def test_the_example_of_the_documentation_runs(serve, tmp_path, monkeypatch, capsys):
    server = serve()
    example = re.search(r"```python\n(.*?)```", (DOCS / "conflicts.md").read_text(), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    for ours, theirs in {"http://localhost:8080": server.url, "sk_…": server.key}.items():
        assert ours in example
        example = example.replace(ours, theirs)
    exec(example, {})
    assert capsys.readouterr().out.splitlines() == [
        "conflicts: 2",
        "note.list waits: Others changed this, too; a person has to decide.",
        "task.milk oat milk",
        "task.milk oat milk, and bread",
    ]
