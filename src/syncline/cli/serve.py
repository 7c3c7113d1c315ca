"""``serve``: the sync server in the foreground."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from rich.text import Text

import syncline
from syncline.cli.flags import Config, config_file, with_settings
from syncline.cli.terminal import Json, emit, out, say
from syncline.server.masking import masked
from syncline.server.settings import Settings, gather

if TYPE_CHECKING:
    from syncline.server.app import App

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}

DEMO = "[bold reverse yellow] DEMO [/] [yellow]Nobody is asked for a key; all that is stored is deleted at the end.[/]"

SNIPPET = """\
[dim]# Python[/]
import syncline

with syncline.open(
    "notes.db",
    server="{url}",
    token="{key}",
) as notes:
    notes.record("task.milk", "create", {{"title": "Milk"}})
    print(notes.sync())

[dim]# curl[/]
curl {url}/v1/pull \\
  -H "Authorization: Bearer {key}"
"""


@with_settings
def serve(config: Config = None, json: Json = False, **flags: Any) -> None:
    """Serve spaces over HTTP and WebSocket, and with --grpc-port over gRPC.

    Settings come from the file, then SYNCLINE_* variables, then these flags; syncline config show tells which won.
    Ctrl-C ends it: requests under way are finished first.
    """
    from syncline.server.run import run  # the web server: no other command waits for it

    settings, _ = gather(file=config_file(config), environment=os.environ, flags=flags)
    set_up_logging(settings.log_level)
    logger, silence = logging.getLogger("uvicorn.error"), logging.Filter("nobody")
    logger.addFilter(silence)  # a start that fails is told once, in our words

    def on_ready(app: App, port: int) -> None:
        logger.removeFilter(silence)
        _announce(app, port, json=json)

    with _data_directory(settings) as directory:
        run(replace(settings, data=directory), on_ready)


@contextmanager
def _data_directory(settings: Settings) -> Iterator[str]:
    """Where the data are; of a demo a place that is gone afterwards."""
    if not settings.demo:
        yield settings.data
        return
    with TemporaryDirectory(prefix="syncline-demo-") as directory:
        yield directory


def set_up_logging(level: str) -> None:
    """Log lines to stderr, with the time in UTC."""
    logging.Formatter.converter = time.gmtime
    form = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format=form, datefmt="%Y-%m-%dT%H:%M:%S")


def address(settings: Settings, port: int, scheme: str = "http") -> str:
    """The URL by which this machine reaches the server."""
    host = WILDCARDS.get(settings.host, settings.host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _announce(app: App, port: int, *, json: bool) -> None:
    service = app.service
    url, key = address(service.settings, port), service.first_key
    grpc = None if app.grpc_port is None else address(service.settings, app.grpc_port, "grpc")
    nats = masked(service.settings.nats) or None
    if json:
        secrets = {"key": key, "setup_token": service.first_setup_token}
        places = {"url": url, "grpc": grpc, "nats": nats}
        emit({**places, "data": service.settings.data, **secrets, "version": syncline.__version__})
        return
    say(Text.assemble("Syncline ", syncline.__version__, " is ready at ", (url, "bold cyan")))
    if grpc is not None:
        say(Text.assemble("gRPC is at ", (grpc, "bold cyan")))
    if nats is not None:
        say(Text.assemble("Clients are answered over NATS at ", (nats, "bold cyan")))
    say(Text.assemble("A demo is at ", (f"{url}/demo/", "cyan")))
    say(f"[dim]Data in {service.settings.data}; Ctrl-C ends it.[/]")
    if service.settings.demo:
        say(DEMO)
    elif service.settings.open:
        say("[yellow]Open: whoever reaches this address may read and write without a key.[/]")
    if key is not None:
        _show_key(url, key, service.first_setup_token)
    out.file.flush()


def _show_key(url: str, key: str, setup_token: str | None) -> None:
    say("\nThis is its first start. Its API key, [bold]shown this once[/]:\n")
    say(Text.assemble("    ", (key, "bold green")))
    if setup_token is not None:
        say("\nOr sign in as its administrator, with a password of your own:\n")
        say(Text(f"    syncline login --server {url} --setup {setup_token}"))
        say(Text.assemble("\nor in a browser: ", (f"{url}/setup#{setup_token}", "cyan")))
    say("\nTo begin with:\n")
    for line in SNIPPET.format(url=url, key=key).splitlines():
        say(f"    {line}".rstrip())
