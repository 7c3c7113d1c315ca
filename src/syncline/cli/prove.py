"""``prove``: that one event is in a log, for somebody who has no more than the root of its tree; and checking that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from syncline.cli.chosen import DEFAULT_SPACE, Space, Token, origin, server_of
from syncline.cli.failures import REFUSED, misused
from syncline.cli.flags import Config, Data, Store, config_file
from syncline.cli.remote import Remote
from syncline.cli.terminal import Json, complain, count, emit, note, say, write
from syncline.server.settings import gather

if TYPE_CHECKING:
    from syncline.core.attestation import Attestation

Id = Annotated[str | None, typer.Argument(metavar="[EVENT-ID]", show_default=False, help="The event's id.")]
Log = Annotated[
    str | None,
    typer.Option("--log", metavar="LOG", show_default=False, help="One log, as syncline verify takes it."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        envvar="SYNCLINE_SERVER",
        metavar="URL",
        callback=server_of,
        show_default=False,
        help="Ask this server.",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", show_default=False, help="Write the proof to a file.")
]
Check = Annotated[
    Path | None, typer.Option("--check", metavar="FILE", show_default=False, help="Check the proof in a file.")
]
Root = Annotated[
    str | None, typer.Option("--root", metavar="HEX", show_default=False, help="The root, known from elsewhere.")
]


def prove(
    ctx: typer.Context,
    id: Id = None,
    log: Log = None,
    data: Data = None,
    store: Store = None,
    config: Config = None,
    server: Address = None,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    out: Out = None,
    check: Check = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Prove that an event is in a log, or check such a proof.

    The log is that of --server, as far as one may read it there; or --log; or the space's of the server whose data are
    here (--data, --store, --config), which may run meanwhile. If none of these is said, SYNCLINE_SERVER or the context
    names the server; without one, the settings name the data. A proof is worth as much as the root with which it is
    checked: syncline verify, syncline status or somebody else tells that.
    """
    if (id is None) == (check is None):
        misused("Say the id of an event, or --check with the file of a proof.")
    if check is not None:
        _check(check, root, json=json)
        return
    from syncline.cli.looking import opened_log, opened_server
    from syncline.core.attestation import Attestation
    from syncline.stores.attesting import attest

    assert id is not None
    is_here = any((log, data, store, config))
    if server is not None and (origin(ctx, "server") == "flag" or not is_here):
        proof = Remote(server, space, token).ask(lambda administration: administration.proof(id))
        made = Attestation.read(msgspec.json.encode(proof))
    elif log is not None:
        with opened_log(log) as reader:
            made = attest(reader, id)
    else:
        settings, _ = gather(file=config_file(config), environment=os.environ, flags={"data": data, "store": store})
        with opened_server(settings.store, Path(settings.data)) as here, here.open(space) as reader:
            made = attest(reader, id)
    _give(made, out)


def _check(file: Path, root: str | None, *, json: bool) -> None:
    from syncline.core.attestation import Attestation

    read = Attestation.read(file.read_bytes())
    wrong = read.wrong(root)
    if json:
        id = read.id if wrong is None else None
        emit({"holds": wrong is None, "wrong": wrong, "root": read.root, "digest": read.digest, "id": id})
    elif wrong is None:
        say(f"{_named(read)} is in the tree with this root.")
        note(f"By its own word it is of the log {read.epoch}, {count(read.count, 'event')} at seq {read.seq:,}.")
        if root is None:
            note(f"If its root was {read.root}: --root compares it with one that you know from elsewhere.")
    else:
        complain(wrong)
    if wrong is not None:
        raise typer.Exit(REFUSED)


def _named(read: Attestation) -> str:
    return f"An event with the digest {read.digest}" if read.id is None else f"Event {read.id}"


def _give(made: Attestation, out: Path | None) -> None:
    text = msgspec.json.encode(made) + b"\n"
    if out is None:
        write(text)
        return
    out.write_bytes(text)
    note(f"{out} proves it; syncline prove --check {out} checks that. The root: {made.root}")
