"""pouchdb-server: the CouchDB protocol on Node. Its default adapter is LevelDB, which does not fsync."""

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bench.events import Event
from bench.install import node_peers
from bench.paths import NODE_MODULES
from bench.peers.peer import Step
from bench.peers.tcp import ask
from bench.wire import HttpReply, http_get, http_post

DATABASE = "/events"


class PouchDB:
    name = "pouchdb-server"
    note = "its defaults: LevelDB, answers before fsync"
    ready_path: str | None = "/"
    marker = b'"payload":'
    keepalive = b""

    def install(self) -> None:
        node_peers()

    def command(self, port: int, folder: Path) -> list[str]:
        server = str(NODE_MODULES / "pouchdb-server" / "bin" / "pouchdb-server")
        options = ["--host", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--no-stdout-logs"]
        return ["node", server, *options]

    def prepare(self, port: int) -> None:
        ask(port, f"PUT {DATABASE} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(), HttpReply(b'"ok":true', 1))

    def greeting(self, number: int) -> Sequence[Step]:
        return []

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        documents = [event.body.replace(b'"id":', b'"_id":', 1) for event in events]
        if len(documents) == 1:
            return http_post(DATABASE, documents[0])
        return http_post(f"{DATABASE}/_bulk_docs", b'{"docs":[' + b",".join(documents) + b"]}")

    def reply(self, events: int) -> HttpReply:
        return HttpReply(b'"ok":true', events)

    def pull(self, cursor: str, limit: int) -> bytes:
        query = f"include_docs=true&limit={limit}&since={cursor or 0}"
        return http_get(f"{DATABASE}/_changes?{query}")

    def next_cursor(self, tail: bytes) -> str:
        _, _, rest = tail.rpartition(b'"last_seq":')
        return rest.partition(b"}")[0].decode().strip()

    def subscriptions(self, port: int, count: int) -> list[Sequence[Step]]:
        path = f"{DATABASE}/_changes?feed=continuous&include_docs=true&since=now&heartbeat=10000"
        return [[Step(http_get(path), b"")]] * count


class PouchDBAllDocs(PouchDB):
    """The same server, read in the order of ids."""

    def pull(self, cursor: str, limit: int) -> bytes:
        after = f"&skip=1&startkey={quote(json.dumps(cursor))}" if cursor else ""
        return http_get(f"{DATABASE}/_all_docs?include_docs=true&limit={limit}{after}")

    def next_cursor(self, tail: bytes) -> str:
        _, _, rest = tail.rpartition(b'"key":"')
        return rest.partition(b'"')[0].decode()
