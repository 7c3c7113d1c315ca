"""``doctor``: looks at a set-up, on this machine and over the network, and says what to mend."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from syncline.cli.checks import here, replicas, shared, there
from syncline.cli.checks.findings import GOOD, PROBLEM, WARNING, Checks, Finding, carried_out
from syncline.cli.chosen import DEFAULT_SPACE
from syncline.cli.chosen import check_url as checked
from syncline.cli.failures import REFUSED
from syncline.cli.flags import Config, config_file, with_settings
from syncline.cli.remote import Remote, Space, Token
from syncline.cli.terminal import Json, count, emit, out, say
from syncline.server.settings import gather

MARKS = {GOOD: ("+", "green"), WARNING: ("!", "yellow"), PROBLEM: ("x", "bold red")}

Address = Annotated[
    str | None,
    typer.Option("--server", "-s", metavar="URL", callback=checked, show_default=False, help="Look at this one, too."),
]

Looked = Annotated[
    Path | None,
    typer.Argument(metavar="[REPLICA.db]", show_default=False, help="Look at this replica's file, not at a server's."),
]


@with_settings
def doctor(
    replica: Looked = None,
    config: Config = None,
    server: Address = None,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
    **flags: Any,
) -> None:
    """Look at a set-up, and say what to mend.

    With a replica's file: whether that is whole. Otherwise: whether syncline serve with these settings would do well
    here. With --server, also whether that server does, seen from here, through what stands between. Nothing is changed
    or stored. Ends with 1 if there is a problem.
    """
    settings, _ = gather(file=config_file(config), environment=os.environ, flags=flags)
    remote = Remote(server, space, token) if server else None
    things = [here.checks(settings), shared.checks(settings)] if replica is None else [replicas.checks(replica)]
    things += [there.checks(remote)] if remote else []
    logging.getLogger("syncline").addHandler(logging.NullHandler())  # what goes wrong is a finding
    findings = asyncio.run(_look(things, json=json))
    worst = {finding.state for finding in findings}
    if json:
        emit({"well": PROBLEM not in worst, "findings": [finding._asdict() for finding in findings]})
    else:
        _conclude(findings)
    if PROBLEM in worst:
        raise typer.Exit(REFUSED)


async def _look(things: Iterable[Checks], *, json: bool) -> list[Finding]:
    findings = []
    for checks in things:
        async for finding in carried_out(checks):
            findings.append(finding)
            if not json:
                _show(finding)
    return findings


def _show(finding: Finding) -> None:
    mark, style = MARKS[finding.state]
    say(Text.assemble((f" {mark} ", style), (f"{finding.what:12}", "dim"), finding.found))
    if finding.advice:
        say(Text.assemble(" " * 15, (finding.advice, style)))


def _conclude(findings: list[Finding]) -> None:
    problems, warnings = (sum(each.state == state for each in findings) for state in (PROBLEM, WARNING))
    out.print()
    if problems or warnings:
        say(f"{count(problems, 'problem')}, {count(warnings, 'warning')}.")
    else:
        say(Text("All is well.", style="green"))
