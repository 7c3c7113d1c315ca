"""``status``: how a replica's file stands to its server, or how a server is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from rich.text import Text

from syncline.cli.files import ReplicaFile, looking_at
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Remote, Server, Space, Token
from syncline.cli.terminal import Json, emit, facts, local_time, note, out
from syncline.errors import Forbidden
from syncline.replica.foresight import doomed
from syncline.stores import ReplicaStore
from syncline.stores.sqlite.mending import put_aside

STATUSES = ("pending", "acked", "heard", "refused", "orphan", "unvouched")
"""Of local events."""


def status(
    replica: ReplicaFile = None,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show how a replica's file stands, or how the server is and where its space stands.

    The file is only read, so another program may have it open.
    """
    if replica is not None:
        _show_replica(replica, json)
    else:
        _show_server(asyncio.run(_ask(Remote(server, space, token))), json)


def _show_replica(path: Path, json: bool) -> None:
    with looking_at(path) as store:
        found, refused = _replica(store), store.outbox("refused")
    aside = [str(each) for each in put_aside(path)]
    if json:
        emit({"replica": str(path), **found, "put_aside": aside})
        return
    shown: dict[str, str | Text] = {
        "replica": str(path),
        "node": found["node"] + (" (copied: gets a new one before its next push)" if found["copied"] else ""),
        "user": found["user"] or "not known before the first sync",
        "epoch": found["epoch"] or "none yet",
        "head": f"{found['head']:,}",
        **({"history": f"from seq {found['horizon'] + 1:,} on"} if found["horizon"] else {}),
        "pending": Text(f"{found['pending']:,}", style="yellow" if found["pending"] else ""),
        "heard": f"{found['heard']:,}",
        **{name: f"{found[name]:,}" for name in ("orphan", "unvouched") if found[name]},
        "refused": Text(f"{found['refused']:,}", style="red" if found["refused"] else ""),
        "last synced": local_time(found["last_synced"]),
    }
    out.print(facts(shown))
    for each in aside:
        note(f"damaged once, and put aside: {each}")
    if found["orphan"]:
        note(f"{found['orphan']:,} that the server's log has lost go back to it with the next sync")
    if found["unvouched"]:
        note(f"{found['unvouched']:,} of others it did not take back: they stay; syncline give offers them again")
    if found["doomed"]:
        note(f"{found['doomed']:,} pending would be refused, by the rules of the last sync")
    for one in refused[:10]:
        error = one.error or {}
        note(f"refused: {one.event.item} {one.event.action}: {error.get('message')} ({error.get('code')})")


def _replica(store: ReplicaStore) -> dict[str, Any]:
    state, pending = store.state(), (each.event for each in store.outbox("pending"))
    counts = {status: len(store.outbox(status)) for status in STATUSES}
    return {
        "node": state.node,
        "user": state.user,
        "epoch": state.epoch,
        "head": state.seq,
        "horizon": state.horizon,
        **counts,
        "doomed": len(doomed(state, pending)),
        "last_synced": state.synced_at,
        "copied": state.copied,
    }


async def _ask(remote: Remote) -> dict[str, Any]:
    async with remote.administer() as administration:
        await administration.ready()
        space = await administration.space(remote.space, root=True)
        try:
            spaces: list[str] | None = await administration.spaces()
        except Forbidden:
            spaces = None  # this key is not the administrator's
    return {"server": remote.server, "health": "ready", "spaces": spaces, "space": space}


def _show_server(found: dict[str, Any], json: bool) -> None:
    if json:
        emit(found)
        return
    space, spaces = found["space"], found["spaces"]
    shown: dict[str, str | Text] = {
        "server": found["server"],
        "health": Text(found["health"], style="green"),
        "spaces": ", ".join(spaces) if spaces is not None else "only an administrator sees them",
        "space": space["name"],
        "epoch": space["epoch"],
        "head": f"{space['head']:,}",
        "root": space["root"],
        "last entry": local_time(space["at"] or None),
    }
    out.print(facts(shown))
