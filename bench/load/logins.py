"""Logins in process: what they do to pushes beside them, and whether their time tells which names there are.

`push`: pushes of one event, one after the other, while `logins` logins run all the time; 0 is idle.
`guess`: logins that fail, by turns with a name that nobody has and with a wrong password.
"""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import count

from bench.events import Author
from bench.results import percentile
from syncline.errors import InvalidCredentials
from syncline.server.auth.identity import Identity
from syncline.server.run import tune
from syncline.server.service import Service
from syncline.server.settings import Settings

SPACE, PASSWORD, WRONG = "default", "a quiet harbour at noon", "a loud harbour at night"


@dataclass
class Task:
    what: str
    logins: int = 0
    seconds: float = 1.0
    tries: int = 0


async def measure(task: Task, folder: str) -> dict[str, float]:
    service = Service(Settings(data=folder, open=True))
    service.start()
    try:
        return await (pushes(service, task) if task.what == "push" else guesses(service, task))
    finally:
        await service.stop()


async def pushes(service: Service, task: Task) -> dict[str, float]:
    users = [f"user{number}" for number in range(task.logins)]
    await add(service, users)
    logins = [asyncio.create_task(log_in(service, user)) for user in users]
    latencies: list[float] = []
    author = Author()
    async with service.enter(Identity("anyone", None), SPACE) as member:
        deadline = time.monotonic() + task.seconds
        while time.monotonic() < deadline:
            (event,) = author.write(1)
            started = time.monotonic()
            await member.push(b"[" + event.body + b"]")
            latencies.append(time.monotonic() - started)
    for login in logins:
        login.cancel()
    done = sum(each for each in await asyncio.gather(*logins, return_exceptions=True) if isinstance(each, int))
    return {"p99_ms": percentile(latencies, 99) * 1000, "p50_ms": percentile(latencies, 50) * 1000, "logins": done}


async def add(service: Service, users: list[str]) -> None:
    hashed = await service.authenticator.passwords.hash(PASSWORD)
    for user in users:
        service.registry.users.create(SPACE, user)
        service.registry.users.set_password(SPACE, user, hashed)


async def log_in(service: Service, user: str) -> int:
    for done in count():
        try:
            await service.authenticator.login(SPACE, user, PASSWORD)
        except asyncio.CancelledError:
            return done
    raise AssertionError


async def guesses(service: Service, task: Task) -> dict[str, float]:
    """Medians in milliseconds; each name is tried once, so that nobody has to wait."""
    users = [f"user{number}" for number in range(task.tries)]
    await add(service, users)
    seen: dict[str, list[float]] = {"wrong_ms": [], "unknown_ms": []}
    for user in users:
        for kind, name in (("wrong_ms", user), ("unknown_ms", f"no{user}")):
            started = time.perf_counter()
            try:
                await service.authenticator.login(SPACE, name, WRONG)
            except InvalidCredentials:
                seen[kind].append((time.perf_counter() - started) * 1000)
    return {kind: percentile(values, 50) for kind, values in seen.items()}


if __name__ == "__main__":
    tune()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(Task(**json.loads(sys.argv[1])), folder))))
