"""`browser`: the SDK in a page of Chromium: synced, opened, edited, told of others' edits; and how large it is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from bench.browser import bundles
from bench.browser.browsers import Browser, browsing
from bench.browser.bundles import Size
from bench.browser.content import fill
from bench.install import NotInstalled
from bench.peers import POUCHDB, SYNCLINE
from bench.peers.pouchdb import DATABASE
from bench.peers.syncline import SPACE
from bench.peers.y_websocket import YWebsocket
from bench.plan import Contender, Plan, Skipped, interleave, skipped_rows
from bench.results import Figure, Goal, Row, Sample, percentile
from bench.servers import Server, running

YJS = YWebsocket()
EMPTY_PAGE = {SYNCLINE.name: "livez"}  # the others' first pages are as good as empty
EDITED, SENT = "an edit, until it is on the disk", "an edit, until another browser shows it"
SIZE, PARTS = "size of the SDK, minified and gzipped", "parts of syncline.js, minified"
KILOBYTE = 1_000


@dataclass
class Bench:
    """What all works of one run share."""

    plan: Plan
    documents: int
    browsers: Sequence[Browser]
    servers: dict[str, Server]
    programs: dict[str, str] = field(default_factory=dict)
    names: Iterator[int] = field(default_factory=count)

    @contextmanager
    def page(self, program: str, server: str, browser: int = 0) -> Iterator[Any]:
        """What calls a function of a contender's page. Raises Skipped."""
        if server not in self.servers:
            raise Skipped(f"{server} is not there")
        if program not in self.programs:
            self.programs[program] = bundles.program(program)
        url = f"http://127.0.0.1:{self.servers[server].port}/{EMPTY_PAGE.get(server, '')}"
        with self.browsers[browser].page(url, self.programs[program]) as page:
            yield page.call

    def name(self) -> str:
        """A database that was not there before."""
        return f"new-{next(self.names)}"


def measure(plan: Plan) -> Figure:
    figure = Figure("browser", "The browser SDK in pages of Chromium")
    documents = plan.size(10_000, 1_000)
    synced = f"initial sync of {documents:,} documents"
    opened = f"opening {documents:,} documents, and listing them"
    works = {
        synced: ("s", sync_contenders),
        opened: ("ms", open_contenders),
        EDITED: ("p95 ms", edit_contenders),
        SENT: ("p95 ms", remote_contenders),
    }
    with plan.folder("browser") as folder, running([SYNCLINE, POUCHDB, YJS], folder) as (servers, _):
        try:
            with browsing(folder, 2) as browsers:
                bench = Bench(plan, documents, browsers, {server.peer.name: server for server in servers})
                for work, (unit, contenders) in works.items():
                    figure.rows += interleave(plan, work, unit, contenders(bench))
        except Skipped as problem:
            figure.rows += skipped_rows(list(works), "", {SYNCLINE.name: str(problem)})
    figure.rows += [*size_rows(), *part_rows()]
    figure.goals = goals(figure, synced, opened)
    return figure


def goals(figure: Figure, synced: str, opened: str) -> list[Goal]:
    def seen(work: str, detail: str = "") -> float | None:
        return figure.detail(work, SYNCLINE.name, detail) if detail else figure.value(work, SYNCLINE.name)

    return [
        Goal("initial sync, s", seen(synced), 10, at_most=True),
        Goal("… its longest task, ms", seen(synced, "longest task ms"), 100, at_most=True),
        Goal("opening and listing, ms", seen(opened), 1_000, at_most=True),
        Goal("an edit on the disk, p95 in ms", seen(EDITED), 10, at_most=True),
        Goal("an edit shown in another browser, p95 in ms", seen(SENT), 50, at_most=True),
        Goal("size, kB", figure.value(SIZE, SYNCLINE.name), 25, at_most=True),
    ]


# What is measured in pages


def stored(program: str) -> str:
    """The database that a contender fills first, and then opens and edits."""
    return f"stored-by-{program}"


def sync_contenders(bench: Bench) -> list[Contender]:
    def run(program: str, server: str, space: str, warm_up: bool) -> Sample:
        if warm_up:
            fill(bench.servers[server], bench.documents)
        with bench.page(program, server) as call:
            seen = call("sync", stored(program) if warm_up else bench.name(), bench.documents, space)
        settled = {"settled s": seen["settled"]} if "settled" in seen else {}
        return Sample(seen["seconds"], {**settled, "longest task ms": seen["task"]})

    return [
        Contender(SYNCLINE.name, partial(run, "syncline", SYNCLINE.name, SPACE), "ten events for each document"),
        Contender(
            "PouchDB",
            partial(run, "pouchdb", POUCHDB.name, DATABASE[1:]),
            "documents as they are, from pouchdb-server, batches of 1,000",
        ),
    ]


def open_contenders(bench: Bench) -> list[Contender]:
    def run(program: str, server: str, filled: bool, warm_up: bool) -> Sample:
        """What was synced is opened; who does not sync here is filled before."""
        if warm_up and not filled:
            with bench.page(program, server) as call:
                call("fill", stored(program), bench.documents)
        with bench.page(program, server) as call:
            seen = call("open", stored(program), bench.documents)
        return Sample(seen["ms"], {"opened ms": seen["opened"], "longest task ms": seen["task"]})

    return [
        Contender(SYNCLINE.name, partial(run, "syncline", SYNCLINE.name, True), "ten edits of each, settled"),
        Contender("PouchDB", partial(run, "pouchdb", POUCHDB.name, True)),
        Contender(
            "Yjs", partial(run, "yjs", YJS.name, False), "y-indexeddb; one document with a map for each, ten edits"
        ),
        Contender(
            "Automerge", partial(run, "automerge", SYNCLINE.name, False), "the same, saved as one row of IndexedDB"
        ),
    ]


def edit_contenders(bench: Bench) -> list[Contender]:
    edits = bench.plan.size(300, 50)

    def run(program: str, server: str, warm_up: bool) -> Sample:
        with bench.page(program, server) as call:
            seen = call("edit", stored(program), edits)
        shown = {"shown p95 ms": percentile(seen["shown"], 95)} if "shown" in seen else {}
        return Sample(percentile(seen["saved"], 95), {"p50 ms": percentile(seen["saved"], 50), **shown})

    return [
        Contender(
            SYNCLINE.name,
            partial(run, "syncline", SYNCLINE.name),
            "among the documents that were synced; durability: 'strict'",
        ),
        Contender(
            "IndexedDB", partial(run, "indexeddb", SYNCLINE.name), "one put of the browser's, durability: 'strict'"
        ),
        Contender(
            "PouchDB",
            partial(run, "pouchdb", POUCHDB.name),
            "the same documents; durability as the browser has it, relaxed",
        ),
    ]


def remote_contenders(bench: Bench) -> list[Contender]:
    edits = bench.plan.size(100, 30)

    def run(program: str, server: str, warm_up: bool) -> Sample:
        name = bench.name()
        with bench.page(program, server, 0) as here, bench.page(program, server, 1) as there:
            for call in (here, there):
                call("connect", name, name)
            there("listen")
            sent = here("send", edits)
            arrived = there("hear", edits)
        seen = [at - began for began, at in zip(sent, arrived, strict=True)]
        return Sample(percentile(seen, 95), {"p50 ms": percentile(seen, 50)})

    return [
        Contender(
            SYNCLINE.name, partial(run, "syncline", SYNCLINE.name), "on both browsers' disks and the server's, fsynced"
        ),
        Contender("y-websocket", partial(run, "yjs", YJS.name), "memory alone, here and on the server"),
        Contender("PouchDB", partial(run, "pouchdb", POUCHDB.name), "live replication both ways, over pouchdb-server"),
    ]


# Sizes


def size_rows() -> list[Row]:
    sizes: dict[str, Callable[[], Size]] = {
        SYNCLINE.name: partial(bundles.sdk_size, "syncline.js"),
        "… react.js": partial(bundles.sdk_size, "react.js"),
        "… peer.js": partial(bundles.sdk_size, "peer.js"),
        "Yjs": partial(bundles.packages_size, "yjs", "y-indexeddb", "y-websocket"),
        "PouchDB": partial(bundles.packages_size, "pouchdb-browser"),
        "Automerge": bundles.automerge_size,
    }
    notes = {
        "… react.js": "without React and syncline.js",
        "… peer.js": "a node that serves others; with the parts of syncline.js that it needs",
        "Yjs": "yjs, y-indexeddb and y-websocket",
        "PouchDB": "pouchdb-browser",
        "Automerge": "JavaScript and WebAssembly, without a store and a network",
    }
    return [
        size_row(name, look, notes.get(name, "syncline.js with all that it imports")) for name, look in sizes.items()
    ]


def size_row(name: str, look: Callable[[], Size], note: str) -> Row:
    row = Row(SIZE, name, "kB", note)
    try:
        minified, gzipped = look()
        row.samples.append(Sample(gzipped / KILOBYTE, {"minified kB": minified / KILOBYTE}))
    except (NotInstalled, Skipped) as problem:
        row.skipped = str(problem)
    return row


def part_rows() -> list[Row]:
    try:
        parts = bundles.sdk_parts("syncline.js")
    except (NotInstalled, Skipped):
        return []  # told above
    return [Row(PARTS, folder, "kB", samples=[Sample(size / KILOBYTE)]) for folder, size in parts.most_common()]
