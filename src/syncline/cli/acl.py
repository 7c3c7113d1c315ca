"""``acl``: who may do what in a space. Add, remove, list, explain and test its rules."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.text import Text

from syncline.cli.expectations import Expectation, read_expectations, read_rules, words
from syncline.cli.failures import REFUSED, misused
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Remote, Server, Space, Token, insist
from syncline.cli.terminal import Json, count, emit, out, say, table
from syncline.core.access.rules import ALLOW, DEFAULTS, DENY, Rules
from syncline.core.access.state import Access
from syncline.core.lots import lots
from syncline.transports.administration import Administration

app = typer.Typer(name="acl", help="Say who may do what in a space.", no_args_is_help=True)

T = TypeVar("T")

AT_ONCE = 100
"""Rules in one request."""
STYLES = {ALLOW: "green", DENY: "red"}

User = Annotated[str, typer.Argument(metavar="USER", help="A name.")]
Item = Annotated[str, typer.Argument(metavar="ITEM", help="An item.")]
Action = Annotated[str, typer.Argument(metavar="ACTION", help="An action; reading is .read.")]
Pattern = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="USER ITEM ACTION allow|deny", show_default=False, help="Literals, prefixes with one trailing *, or *."
    ),
]
Rulebook = Annotated[
    Path | None,
    typer.Option("--from", "-f", metavar="FILE", show_default=False, help="A file with such a rule in each line."),
]
Ids = Annotated[list[str], typer.Argument(metavar="RULE…", help="Ids, as acl list shows them.")]
Concerned = Annotated[
    str | None, typer.Option("--user", metavar="USER", show_default=False, help="Only rules that concern this user.")
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A line for each expectation: USER ITEM ACTION allow|deny.")]
Offline = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", show_default=False, help="Ask the rules of this file, and no server."),
]


@app.command("list")
def list_rules(
    user: Concerned = None,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """List the rules in the order in which they were made; those of one user with the most specific first."""
    rules = Remote(server, space, token).ask(lambda administration: administration.rules(user))
    if json:
        emit({"rules": rules})
        return
    shown = table("id", "seq", "user", "item", "action", "type", right=("seq",))
    for rule in rules:
        kind = Text(rule["type"], style=STYLES[rule["type"]])
        names = map(Text, (rule["user"], rule["item"], rule["action"]))
        shown.add_row(rule["id"] or "(default)", str(rule["seq"] or ""), *names, kind)
    out.print(shown)


@app.command()
def add(
    rule: Pattern = None,
    from_: Rulebook = None,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Add a rule, or all of a file; up to 100 at a time hold together or not at all."""
    rules = _given(rule or [], from_)

    async def make(administration: Administration) -> list[dict[str, Any]]:
        return [made for several in lots(rules, AT_ONCE) for made in await administration.add_rules(several)]

    made = Remote(server, space, token).ask(make)
    if json:
        emit({"rules": made})
        return
    for each in made:
        say(Text(f"{each['id']}  {words(each)}"))


@app.command()
def remove(
    rule: Ids, server: Server = DEFAULT_SERVER, space: Space = DEFAULT_SPACE, token: Token = None, json: Json = False
) -> None:
    """Remove rules; of rules with equal patterns, the one before holds again."""
    ids = list(dict.fromkeys(rule))

    async def take_away(administration: Administration) -> None:
        for several in lots(ids, AT_ONCE):
            await administration.remove_rules(several)

    Remote(server, space, token).ask(take_away)
    if json:
        emit({"removed": ids})
    else:
        say(f"{count(len(ids), 'rule')} removed.")


@app.command()
def explain(
    user: User,
    item: Item,
    action: Action,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Say whether a user may do something, and why. Everybody may ask about themselves."""
    found = Remote(server, space, token).ask(lambda administration: administration.explain(user, item, action))
    if json:
        emit(found)
    else:
        say(_verdict(found["allowed"]), Text(_why(found)))


@app.command("test")
def compare(
    file: File,
    rules: Offline = None,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Compare what users may do with a file of expectations. The exit code is 1 if any differs.

    A file of rules has a line for each: USER ITEM ACTION allow|deny. In both, # begins a comment, and quotes keep
    together what has spaces.
    """
    expected = read_expectations(file)
    if rules is not None:
        found = _offline(expected, rules)
    else:
        found = Remote(server, space, token).ask(lambda administration: _online(administration, expected))
    differ = [(each, answer) for each, answer in zip(expected, found, strict=True) if answer["allowed"] != each.allowed]
    if json:
        emit({"expectations": len(expected), "differ": [each.to_json() | answer for each, answer in differ]})
    else:
        for each, answer in differ:
            say(Text(f"{file}:{each.line}: {each.words}, but it is"), _verdict(answer["allowed"]), Text(_why(answer)))
        say(f"{count(len(expected), 'expectation')}, {len(differ):,} {'differs' if len(differ) == 1 else 'differ'}.")
    if differ:
        raise typer.Exit(REFUSED)


def _given(rule: list[str], file: Path | None) -> list[dict[str, str]]:
    """The rules that a command line names."""
    if bool(rule) == (file is not None):
        misused("Give one rule, USER ITEM ACTION allow|deny, or a file of them with --from.")
    if file is None:
        if len(rule) != 4:
            misused("A rule has four words: USER ITEM ACTION allow|deny. Quote each * for your shell.")
        user, item, action, type = rule
        return [{"user": user, "item": item, "action": action, "type": type}]
    return [
        {"user": each.user, "item": each.item, "action": each.action, "type": each.type} for each in read_rules(file)
    ]


async def _online(administration: Administration, expected: list[Expectation]) -> list[dict[str, Any]]:
    return [await insist(partial(administration.explain, each.user, each.item, each.action)) for each in expected]


def _offline(expected: list[Expectation], file: Path) -> list[dict[str, Any]]:
    access = Access(Rules([*DEFAULTS, *read_rules(file)]))
    answers = [access.explain(each.user, each.item, each.action) for each in expected]
    return [
        {
            "allowed": answer.is_allowed,
            "reason": answer.reason,
            "rule": answer.rule and msgspec.to_builtins(answer.rule),
        }
        for answer in answers
    ]


def _verdict(is_allowed: bool) -> Text:
    word = ALLOW if is_allowed else DENY
    return Text(word, style=STYLES[word])


def _why(found: dict[str, Any]) -> str:
    """What decided, for people."""
    rule = found["rule"]
    if rule is None:
        return f"({found['reason']})"
    return f"by {words(rule)} ({rule['id'] or 'default'})"
