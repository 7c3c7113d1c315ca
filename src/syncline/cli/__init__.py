"""The command line: ``syncline <verb>``. One module for each group of verbs; this one names them all.

Results go to stdout, everything else (progress, notes, errors) to stderr. With ``--json`` stdout holds one JSON
document or JSON Lines and nothing else. The exit codes are a promise (``docs/cli.md`` has them too):

    0    done
    1    something was refused, or failed at the other end
    2    wrong usage, or a setting that does not fit
    3    the server cannot be reached, or cannot answer or store this just now: later it may
    4    the credentials do not allow this, or the space is not there
    5    a file, directory or address of this machine
    6    there is nothing to undo or redo
    130  interrupted
    141  nobody reads the output any more
"""

from __future__ import annotations

from typing import Any

import typer

from syncline.cli.chosen import choose
from syncline.cli.failures import Verbs
from syncline.cli.loading import Loaded

__all__ = ["app", "main"]

PANELS = {
    "Run": "serve init sync share heal doctor status bench version",
    "Sign in": "login logout whoami context account",
    "Read and write a log": "log tail pull push export import",
    "Documents": "doc",
    "Administer": "spaces users keys acl audit erase config",
    "Back up": "backup verify prove give archives",
}
MODULES = {"logout": "login", "import": "imports", "doc": "document_history"}


class Syncline(Verbs):
    """The group of all verbs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Loaded(PANELS, MODULES)  # type: ignore[assignment]  # nobody adds to them


app = typer.Typer(
    name="syncline",
    cls=Syncline,
    help="Local-first sync: a server, and what a terminal can do with its log.",
    epilog="Most verbs take --json. syncline login, or else SYNCLINE_SERVER, SYNCLINE_SPACE and SYNCLINE_TOKEN, name a "
    "server once for all.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(choose)


def main() -> None:
    """The entry point of the console script."""
    app()
