"""``heal``: a replica's file is compared with its server as a whole, and both get what they lack."""

from __future__ import annotations

import typer

from syncline.cli.chosen import DEFAULT_SPACE, Space, Token, credentials
from syncline.cli.databases import Server
from syncline.cli.failures import REFUSED, misused
from syncline.cli.files import File, looking_at
from syncline.cli.passing import counting
from syncline.cli.terminal import Json, complain, count, emit, say


def heal(
    file: File, server: Server = None, space: Space = DEFAULT_SPACE, token: Token = None, json: Json = False
) -> None:
    """Sync a replica's file, and mend every other difference from its server.

    What the file lacks, or holds otherwise, it gets as it stands in the log; what the log lacks, it is offered.
    """
    from syncline.sync import open as open_replica

    if server is None:
        misused("Heal with which server? syncline login, or --server.")
    with looking_at(file):
        pass  # a file whose name was misspelled is not made
    with open_replica(file, server=server, space=space, token=credentials(server, token), transport="http") as replica:
        with counting("Healing", replica, json=json):
            result = replica.heal()
        tree, _ = replica.tree(since=replica.horizon, local=False)
    single = [error for error in result.errors if error is not result.failure]
    counts = {"mended": result.mended, "given": result.given, "pushed": result.pushed, "pulled": result.pulled}
    if json:
        errors = [error.to_wire() for error in result.errors]
        emit({"replica": str(file), **counts, "entries": tree.count, "root": tree.root.hex(), "errors": errors})
    else:
        for error in single:
            complain(f"{error.message} ({error.code})")
    if result.failure is not None:
        raise result.failure
    if not json:
        say(f"{file}: {count(result.mended, 'entry', 'entries')} mended, {result.given:,} given to the server.")
    if single:
        raise typer.Exit(REFUSED)
