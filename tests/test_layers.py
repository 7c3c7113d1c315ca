"""The layers hold: imports go downwards, neighbours do not know each other, and the core stays pure.

The checker reads source text and imports nothing, so it says the same on every machine. What belongs to
which layer is the table `RANK`; a new module at the top of the package has to be put there.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "syncline"

RANK = {  # a layer imports itself and what has a lower rank; equal rank: neighbours
    "errors": 0,
    "core": 1,
    "stores": 2,
    "transports": 2,
    "replica": 3,
    "sync": 4,
    "": 5,  # syncline/__init__.py, the public face
    "server": 6,
    "testing": 7,
    "cli": 7,
    "__main__": 8,
}

ADAPTERS = {  # what else is in these packages is shared by the adapters: protocols, codecs, rows
    "stores": {"memory", "sqlite", "jsonl", "lmdb", "postgres", "versioned"},
    "transports": {"memory", "http", "websocket", "grpc", "nats"},
}

PURE = {
    *("__future__", "abc", "array", "base64", "binascii", "bisect", "collections", "contextlib", "copy"),
    *("dataclasses", "enum", "functools", "hashlib", "heapq", "hmac", "itertools", "json", "math"),
    *("numbers", "operator", "re", "string", "struct", "types", "typing", "unicodedata", "zlib", "msgspec"),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
ASYNC = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)

STANDARD = sys.stdlib_module_names | {"compression"}  # the latter since Python 3.14
SHARED_WITHIN = {  # others: one module each
    "pytest": "testing",
    "typer": "cli",
    "rich": "cli",
    "starlette": "server",
    "google": "transports",  # what protoc makes imports it, and so does the one module that uses that
}


def module_name(path: str) -> str:
    """`stores/sqlite.py` is `stores.sqlite`, `core/__init__.py` is `core`, `__init__.py` is ``."""
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: str, tree: ast.Module) -> Iterator[str]:
    """Every name a module imports, in full (`syncline.core.event.Event`), wherever the import stands."""
    package = ["syncline", *path.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join(filter(None, [*base, node.module, alias.name])) for alias in node.names)


def layer(module: str) -> str:
    """The layer of a name below `syncline`; a name that is no layer comes from `syncline/__init__.py`."""
    first = module.partition(".")[0]
    return first if first in RANK else ""


def adapter(module: str) -> str | None:
    """Which adapter a module belongs to: `stores.replica_sqlite` and `stores.sqlite.rows` are sqlite's."""
    package, _, rest = module.partition(".")
    words = rest.partition(".")[0].split("_")
    return next((word for word in words if word in ADAPTERS.get(package, ())), None)


def impurities(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ASYNC):
            yield "is asynchronous"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield f"calls {node.func.id}"


def check(sources: dict[str, str]) -> list[str]:
    """What is wrong with a package, given as text by path below `src/syncline`."""
    wrong = set()
    homes = defaultdict(set)  # outside library: where it is imported
    inside = defaultdict(set)  # adapter packages: what each module imports from its own package

    for path, source in sources.items():
        tree = ast.parse(source, path)
        me = module_name(path)
        mine = layer(me)
        if me and not mine:
            wrong.add(f"{path} belongs to no layer")
            continue
        if mine in ("errors", "core"):
            wrong.update(f"{path} {impurity}" for impurity in impurities(tree))

        for name in imports(path, tree):
            library, _, target = name.partition(".")
            if library != "syncline":
                if mine in ("errors", "core") and library not in PURE:
                    wrong.add(f"{path} imports {library}, which is not pure")
                if library not in STANDARD and library != "msgspec":
                    homes[library].add(mine if mine == SHARED_WITHIN.get(library) else path)
                continue
            theirs = layer(target)
            if mine != theirs and RANK[theirs] >= RANK[mine]:
                wrong.add(f"{path} imports syncline.{target}, which is not below it")
            if mine == theirs and mine in ADAPTERS:
                inside[me].add(target)

    for library, places in homes.items():
        if len(places) > 1:
            wrong.add(f"{library} is imported in {' and '.join(sorted(places))}")
    wrong.update(neighbours(inside))
    return sorted(wrong)


def neighbours(inside: dict[str, set[str]]) -> Iterator[str]:
    """Adapters that reach another adapter, directly or through what they share."""
    for module in inside:
        mine = adapter(module)
        seen: set[str] = set()
        waiting = [module] if mine else []
        while waiting:
            for target in inside.get(waiting.pop(), set()) - seen:
                seen.add(target)
                theirs = adapter(target)
                if theirs is None:  # a shared module or a name in one; not the package, which shows them all
                    waiting += [name for name in (target, target.rpartition(".")[0]) if "." in name]
                elif theirs != mine:
                    yield f"{module} knows its neighbour {target}"


def test_the_package_keeps_its_layers():
    sources = {str(file.relative_to(PACKAGE).as_posix()): file.read_text("utf-8") for file in PACKAGE.rglob("*.py")}
    assert check(sources) == []


@pytest.mark.parametrize(
    "sources",
    [
        {},
        {"core/event.py": "import hashlib, msgspec\nfrom collections.abc import Set\nimport syncline.errors"},
        {"core/__init__.py": "from syncline.core.event import Event\nfrom .clock import VectorClock"},
        {
            "stores/__init__.py": "from syncline.stores.memory import M",
            "stores/sqlite.py": "import apsw, os\nfrom syncline.stores.protocol import E\nfrom . import Head",
        },
        {"stores/replica_sqlite.py": "from syncline.stores import sqlite\nimport syncline.stores.sqlite.x"},
        {"stores/__init__.py": "from syncline.stores.memory import A\nfrom syncline.stores.sqlite import B"},
        {"stores/spaces.py": "from syncline.stores.sqlite import SqliteStore"},
        {"sync/session.py": "from syncline.replica import Replica", "sync/__init__.py": "import asyncio"},
        {"__init__.py": "from syncline.sync import SyncManager"},
        {
            "server/app.py": "import starlette.routing\nfrom syncline import Replica",
            "server/api/x.py": "import starlette",
        },
        {"cli/__init__.py": "import typer", "cli/serve.py": "import typer\nfrom rich.table import Table"},
        {"testing.py": "import pytest\nfrom syncline.server.app import create_app"},
        {"__main__.py": "from syncline.cli import main"},
    ],
)
def test_good_sources_pass(sources):
    assert check(sources) == []


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ({"core/a.py": "import time"}, "core/a.py imports time, which is not pure"),
        ({"core/a.py": "def f():\n    from os.path import join"}, "core/a.py imports os, which is not pure"),
        ({"core/a.py": "import httpx2"}, "core/a.py imports httpx2, which is not pure"),
        ({"errors.py": "import asyncio"}, "errors.py imports asyncio, which is not pure"),
        ({"core/a.py": "async def f(): ..."}, "core/a.py is asynchronous"),
        ({"core/a.py": "open('x')"}, "core/a.py calls open"),
        (
            {"core/a.py": "from syncline.stores import EventStore"},
            "core/a.py imports syncline.stores.EventStore, which is not below it",
        ),
        ({"core/a.py": "from ..sync import x"}, "core/a.py imports syncline.sync.x, which is not below it"),
        (
            {"core/a.py": "from .. import replica"},
            "core/a.py imports syncline.replica, which is not below it",
        ),
        (
            {"errors.py": "from syncline import core"},
            "errors.py imports syncline.core, which is not below it",
        ),
        (
            {"replica.py": "import syncline.server"},
            "replica.py imports syncline.server, which is not below it",
        ),
        (
            {"replica.py": "from syncline import open"},
            "replica.py imports syncline.open, which is not below it",
        ),
        ({"sync.py": "import syncline.testing"}, "sync.py imports syncline.testing, which is not below it"),
        (
            {"cli/a.py": "from syncline import testing"},
            "cli/a.py imports syncline.testing, which is not below it",
        ),
        (
            {"stores/memory.py": "import syncline.transports.memory"},
            "stores/memory.py imports syncline.transports.memory, which is not below it",
        ),
        (
            {"stores/memory.py": "from syncline.stores.sqlite import S"},
            "stores.memory knows its neighbour stores.sqlite.S",
        ),
        ({"transports/http.py": "from . import nats"}, "transports.http knows its neighbour transports.nats"),
        (
            {"stores/jsonl.py": "from . import files", "stores/files.py": "from .lmdb import L"},
            "stores.jsonl knows its neighbour stores.lmdb.L",
        ),
        (
            {"stores/sqlite.py": "import apsw", "replica.py": "import apsw"},
            "apsw is imported in replica.py and stores/sqlite.py",
        ),
        (
            {"cli/a.py": "import rich", "server/b.py": "import rich.table"},
            "rich is imported in cli and server/b.py",
        ),
        ({"utils.py": ""}, "utils.py belongs to no layer"),
    ],
)
def test_bad_sources_are_named(sources, complaint):
    assert check(sources) == [complaint]
