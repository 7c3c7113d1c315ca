"""Hold many subscribers that hear nothing, until stdin is closed: what a quiet connection costs a server."""

import json
import select
import sys
from dataclasses import dataclass

from bench.peers import LIVES
from bench.peers.tcp import connect, greet

PING_SECONDS = 15.0


@dataclass
class Task:
    peer: str
    port: int
    subscribers: int


def hold(task: Task) -> None:
    peer = LIVES[task.peer]
    connections = []
    for steps in peer.subscriptions(task.port, task.subscribers):
        connections.append(connect(task.port))
        greet(connections[-1], steps)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PING_SECONDS)[0]:
        for connection in connections:
            connection.sendall(peer.keepalive)


if __name__ == "__main__":
    hold(Task(**json.loads(sys.argv[1])))
