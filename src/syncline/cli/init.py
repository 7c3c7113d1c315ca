"""``init``: a data directory with its first key and its setup token, before anything is served."""

from __future__ import annotations

import asyncio
import os

from rich.text import Text

from syncline.cli.flags import Config, Data, config_file
from syncline.cli.terminal import Json, emit, note, out, say
from syncline.server.settings import Settings, gather


def init(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Make a data directory with its first API key and setup token, without serving.

    One that has a key is left as it is. Its server must not run.
    """
    settings, _ = gather(file=config_file(config), environment=os.environ, flags={"data": data})
    key, setup_token = asyncio.run(_make(settings))
    if json:
        emit({"data": settings.data, "key": key, "setup_token": setup_token})
    elif key is None:
        note(f"{settings.data} is ready already, with a key of its own: syncline keys list --data {settings.data}")
    else:
        say(Text(key, style="bold green" if out.is_terminal else ""))
        note("The administrator's API key; it is not shown again.")
        note(f"Setup token, for 24 hours: {setup_token}. When the server runs: syncline login --setup {setup_token}")


async def _make(settings: Settings) -> tuple[str | None, str | None]:
    """What a first start of the server would make, and nothing served."""
    from syncline.server.service import Service  # as in ``serve``

    service = Service(settings, makes_key=True)
    service.start()
    await service.stop()
    return service.first_key, service.first_setup_token
