"""grpcio alone: as many bytes as a push, an ack and a page have, between a process and one that only counts."""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

BATCH = 1_000
PUSHED, ACKED, PAGED = 150 * BATCH, 60 * BATCH, 215 * BATCH
"""Bytes of a push of so many events, of its ack, and of a page of them."""
UNLIMITED = [("grpc.max_receive_message_length", -1)]


@dataclass
class Task:
    events: int


async def take(_: Any, call: Any) -> None:
    await call.read()
    await call.write(bytes(ACKED))


async def talk(_: Any, call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        await call.write(bytes(ACKED))


async def give(_: Any, call: Any) -> None:
    page = bytes(PAGED)
    for _ in range(int(await call.read())):
        await call.write(page)


class Calls(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        return grpc.stream_stream_rpc_method_handler(
            {"/bare/take": take, "/bare/talk": talk, "/bare/give": give}[handler_call_details.method]
        )


async def serve() -> None:
    server = grpc.aio.server(handlers=[Calls()], options=UNLIMITED)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()


async def measure(port: str, batches: int) -> dict[str, float]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=UNLIMITED) as channel:
        started = time.perf_counter()
        for _ in range(batches):
            await channel.unary_unary("/bare/take")(bytes(PUSHED))
        pushed = time.perf_counter()
        call = channel.stream_stream("/bare/talk")()
        for _ in range(batches):
            await call.write(bytes(PUSHED))
            await call.read()
        await call.done_writing()
        talked = time.perf_counter()
        async for _ in channel.unary_stream("/bare/give")(b"%d" % batches):
            pass
        told = time.perf_counter()
        for _ in range(batches):
            await channel.unary_unary("/bare/give")(b"1")
        pulled = time.perf_counter()
    seconds = {"push": pushed - started, "one_stream": talked - pushed, "live": told - talked, "pull": pulled - told}
    return {work: batches * BATCH / taken for work, taken in seconds.items()}


def main(task: Task) -> dict[str, float]:
    server = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        return asyncio.run(measure(server.stdout.readline().strip(), task.events // BATCH))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(main(Task(**json.loads(sys.argv[1])))))
    else:
        asyncio.run(serve())
