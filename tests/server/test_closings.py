"""What is being closed: a few at a time, and whoever wants one of them again waits until it is."""

import asyncio

from syncline.server.closings import MOST, Closings


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_whoever_wants_it_again_waits():
    closings, gate, seen = Closings(), asyncio.Event(), []

    async def close():
        await gate.wait()
        seen.append("closed")

    async def want(name):
        await closings.ended(name)
        seen.append(name)

    await closings.begin("a", close())
    waiting = [asyncio.create_task(want(name)) for name in ("a", "b")]
    await settle()
    assert seen == ["b"]
    gate.set()
    await asyncio.gather(*waiting, closings.all_ended())
    assert seen == ["b", "closed", "a"]


async def test_a_few_at_a_time():
    closings, gates, begun = Closings(), [asyncio.Event() for _ in range(MOST + 1)], []

    async def begin():
        for number, gate in enumerate(gates):
            await closings.begin(str(number), gate.wait())
            begun.append(number)

    beginning = asyncio.create_task(begin())
    await settle()
    assert len(begun) == MOST
    gates[1].set()
    await beginning
    assert len(begun) == MOST + 1
    for gate in gates:
        gate.set()
    await closings.all_ended()


async def test_one_that_fails_is_told_and_over(caplog):
    closings = Closings()

    async def close():
        raise OSError("no disk")

    await closings.begin("a", close())
    await closings.ended("a")
    assert "the space a was not closed well" in caplog.text
    await closings.all_ended()
