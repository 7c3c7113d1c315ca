"""The command line: ``syncline <verb>``. One module for each group of verbs; this one puts them together.

Results go to stdout, everything else (progress, notes, errors) to stderr. With ``--json`` stdout holds one JSON
document or JSON Lines and nothing else. The exit codes are a promise (``docs/cli.md`` has them too):

    0    done
    1    something was refused, or failed at the other end
    2    wrong usage, or a setting that does not fit
    3    the server cannot be reached, or cannot answer just now
    4    the credentials do not allow this, or the space is not there
    5    a file, directory or address of this machine
    6    there is nothing to undo or redo
    130  interrupted
    141  nobody reads the output any more
"""

from __future__ import annotations

import typer

from syncline.cli import (
    acl,
    audit,
    bench,
    chosen,
    config,
    context,
    document_history,
    documents,
    export,
    imports,
    init,
    keys,
    log,
    login,
    pull,
    push,
    serve,
    spaces,
    status,
    tail,
    users,
    version,
    whoami,
)
from syncline.cli.failures import Verbs

__all__ = ["app", "main"]

app = typer.Typer(
    name="syncline",
    cls=Verbs,
    help="Local-first sync: a server, and what a terminal can do with its log.",
    epilog="Most verbs take --json. syncline login, or else SYNCLINE_SERVER, SYNCLINE_SPACE and SYNCLINE_TOKEN, name a "
    "server once for all.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SERVER, ACCESS, LOG = "Run", "Sign in", "Read and write a log"
DOCUMENTS, ADMINISTRATION = "Documents", "Administer"

app.callback()(chosen.choose)

app.command(rich_help_panel=SERVER)(serve.serve)
app.command(rich_help_panel=SERVER)(init.init)
app.command(rich_help_panel=SERVER)(status.status)
app.command(rich_help_panel=SERVER)(bench.bench)
app.command(rich_help_panel=SERVER)(version.version)
app.command(rich_help_panel=ACCESS)(login.login)
app.command(rich_help_panel=ACCESS)(login.logout)
app.command(rich_help_panel=ACCESS)(whoami.whoami)
app.add_typer(context.app, rich_help_panel=ACCESS)
app.command(rich_help_panel=LOG)(log.log)
app.command(rich_help_panel=LOG)(tail.tail)
app.command(rich_help_panel=LOG)(pull.pull)
app.command(rich_help_panel=LOG)(push.push)
app.command(rich_help_panel=LOG)(export.export)
app.command("import", rich_help_panel=LOG)(imports.import_)
documents.app.add_typer(document_history.app)
app.add_typer(documents.app, rich_help_panel=DOCUMENTS)
app.add_typer(spaces.app, rich_help_panel=ADMINISTRATION)
app.add_typer(users.app, rich_help_panel=ADMINISTRATION)
app.add_typer(keys.app, rich_help_panel=ADMINISTRATION)
app.add_typer(acl.app, rich_help_panel=ADMINISTRATION)
app.command(rich_help_panel=ADMINISTRATION)(audit.audit)
app.add_typer(config.app, rich_help_panel=ADMINISTRATION)


def main() -> None:
    """The entry point of the console script."""
    app()
