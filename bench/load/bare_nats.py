"""NATS alone: as many bytes as a push, an ack and a page have, between two connections of the same client library."""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass

import nats
from nats.aio.msg import Msg

from bench.load.bare_grpc import ACKED, BATCH, PAGED, PUSHED

LONGEST_SECONDS = 30


@dataclass
class Task:
    url: str
    events: int


async def serve(url: str) -> None:
    """Answers, until it is ended."""

    async def take(message: Msg) -> None:
        await message.respond(bytes(ACKED))

    async def give(message: Msg) -> None:
        for _ in range(int(message.data)):
            await message.respond(bytes(PAGED))

    client = await nats.connect(url)
    await client.subscribe("bare.take", cb=take)
    await client.subscribe("bare.give", cb=give)
    await client.flush()
    print("ready", flush=True)
    await asyncio.Event().wait()


async def measure(task: Task) -> dict[str, float]:
    batches, client = task.events // BATCH, await nats.connect(task.url)
    started = time.perf_counter()
    for _ in range(batches):
        await client.request("bare.take", bytes(PUSHED), timeout=LONGEST_SECONDS)
    pushed = time.perf_counter()
    inbox = await client.subscribe(reply := client.new_inbox())
    await client.publish("bare.give", b"%d" % batches, reply=reply)
    for _ in range(batches):
        await inbox.next_msg(LONGEST_SECONDS)
    told = time.perf_counter()
    for _ in range(batches):
        await client.request("bare.give", b"1", timeout=LONGEST_SECONDS)
    pulled = time.perf_counter()
    await client.close()
    seconds = {"push": pushed - started, "live": told - pushed, "pull": pulled - told}
    return {work: batches * BATCH / taken for work, taken in seconds.items()}


def main(task: Task) -> dict[str, float]:
    server = subprocess.Popen([sys.executable, "-m", __spec__.name, task.url], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        server.stdout.readline()
        return asyncio.run(measure(task))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1].startswith("{"):
        print(json.dumps(main(Task(**json.loads(sys.argv[1])))))
    else:
        asyncio.run(serve(sys.argv[1]))
