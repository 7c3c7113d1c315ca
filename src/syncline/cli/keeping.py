"""``spaces retention``, ``snapshot``, ``label`` and ``labels``: how much of its history a space keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import typer

from syncline.cli.failures import misused
from syncline.cli.remote import DEFAULT_SERVER, Remote, Server, Token
from syncline.cli.terminal import Json, emit, facts, local_time, out, say, table
from syncline.transports.administration import Administration

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="SPACE", help="The space's name.")]
Days = Annotated[int, typer.Option(metavar="N", min=0, help="What came in the last N days stays.")]
Revisions = Annotated[int, typer.Option(metavar="N", min=0, help="The last N revisions of each item stay.")]
Labels = Annotated[bool, typer.Option("--labels", help="What came after the oldest label stays; if none: all.")]
KeepAll = Annotated[bool, typer.Option("--keep-all", help="All stays.")]
Now = Annotated[bool, typer.Option("--now", help="Do at once what that means, and wait for it.")]
Label = Annotated[str, typer.Argument(metavar="LABEL", help="The label's name.")]
Seq = Annotated[int | None, typer.Option(metavar="SEQ", help="The seq that it names; if none is given the last.")]
Remove = Annotated[bool, typer.Option("--remove", help="Take the label away.")]


def retention(
    name: Name,
    days: Days = 0,
    revisions: Revisions = 0,
    labels: Labels = False,
    keep_all: KeepAll = False,
    now: Now = False,
    server: Server = DEFAULT_SERVER,
    token: Token = None,
    json: Json = False,
) -> None:
    """Say how much of its history a space keeps, or show it. Of several rules each keeps what it says.

    What is not kept goes to archives, DATA/archives/SPACE, before its content leaves the log.
    """
    kept = {**({"days": days} if days else {}), **({"revisions": revisions} if revisions else {})}
    kept |= {"labels": True} if labels else {}
    if keep_all and kept:
        misused("--keep-all says it all; it goes with no other rule.")

    async def ask(administration: Administration) -> dict[str, Any]:
        if kept or keep_all:
            await administration.change_space(name, retention=kept)
        if now:
            await administration.keep_up(name)
        return await administration.space(name)

    space = Remote(server, token=token).ask(ask)
    if json:
        emit({"name": name, "retention": space.get("retention"), **space.get("history", {})})
    else:
        out.print(facts({"space": name, **told(space)}))


def snapshot(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """Make a snapshot of a space now, from which new replicas begin; the server also makes them by itself."""
    history = Remote(server, token=token).ask(lambda administration: administration.keep_up(name))
    if json:
        emit({"name": name, **history})
    else:
        out.print(facts({"space": name, **told({"history": history})}))


def label(
    name: Name,
    text: Label,
    seq: Seq = None,
    remove: Remove = False,
    server: Server = DEFAULT_SERVER,
    token: Token = None,
    json: Json = False,
) -> None:
    """Name a place in the history of a space, so that it can be found and kept."""

    async def ask(administration: Administration) -> int | None:
        if remove:
            await administration.remove_label(text)
            return None
        return await administration.set_label(text, seq)

    place = Remote(server, name, token).ask(ask)
    if json:
        emit({"label": text, "seq": place})
    else:
        say(f"{text} is gone." if place is None else f"{text} names seq {place:,}.")


def labels(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """List the labels of a space."""
    found = Remote(server, name, token).ask(lambda administration: administration.labels())
    if json:
        emit({"labels": found})
        return
    shown = table("label", "seq", right=("seq",))
    for each, seq in sorted(found.items(), key=lambda item: item[1]):
        shown.add_row(each, f"{seq:,}")
    out.print(shown)


def told(space: Mapping[str, Any]) -> dict[str, str]:
    """What administrators are told of a space's history."""
    history, kept = space.get("history"), space.get("retention")
    if history is None:
        return {}
    newest = history["snapshot"]
    words = {
        "kept": _words(kept) if kept is not None else "",
        "history after": f"{history['horizon']:,}" if history["horizon"] else "the beginning",
        "snapshot": f"{newest['seq']:,}, {local_time(newest['at'])}" if newest else "none",
        "not kept up": history.get("failure", ""),
    }
    return {name: text for name, text in words.items() if text}


def _words(kept: Mapping[str, Any]) -> str:
    words = [f"{kept['days']:,} days" if kept.get("days") else ""]
    words += [f"{kept['revisions']:,} revisions of each item" if kept.get("revisions") else ""]
    words += ["what came after the oldest label" if kept.get("labels") else ""]
    return ", ".join(filter(None, words)) or "everything"
