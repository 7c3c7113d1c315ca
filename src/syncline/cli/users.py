"""``users``: who there is in a space, and how they get in, at a server or in its data directory."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from syncline.cli.failures import misused
from syncline.cli.registers import Ask, administering
from syncline.cli.terminal import Json, emit, facts, local_time, note, out, say, table

app = typer.Typer(name="users", help="Administer the users of a space.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read a first password from standard input; else a setup token.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
@administering
def list_users(ask: Ask[list[dict[str, Any]]], json: Json = False) -> None:
    """List the users of the space."""
    users = ask(lambda register: register.users())
    if json:
        emit({"users": users})
        return
    shown = table("user", "state", "password", "second factor", "created")
    for user in users:
        shown.add_row(Text(user["name"]), _state(user), *_ways(user), local_time(user["created_ms"]))
    out.print(shown)


@app.command()
@administering
def show(ask: Ask[dict[str, Any]], name: Name, json: Json = False) -> None:
    """Show a user."""
    user = ask(lambda register: register.user(name))
    if json:
        emit(user)
        return
    shown: dict[str, str | Text] = {
        "user": Text(user["name"], style="bold"),
        "state": _state(user),
        **dict(zip(("password", "second factor"), _ways(user), strict=True)),
        "created": local_time(user["created_ms"]),
    }
    out.print(facts(shown))


@app.command()
@administering
def create(ask: Ask[dict[str, Any]], name: Name, password_stdin: FromInput = False, json: Json = False) -> None:
    """Make a user, who gets in by a setup token (syncline login --setup), or by a password."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    _tell_setup(ask(lambda register: register.create_user(name, password)), f"{name} is made.", json)


@app.command()
@administering
def setup(ask: Ask[dict[str, Any]], name: Name, json: Json = False) -> None:
    """Make a new setup token for a user, to set a password with; an earlier one is void."""
    _tell_setup(ask(lambda register: register.change_user(name, "setup")), "", json)


@app.command("reset-totp")
@administering
def reset_totp(ask: Ask[None], name: Name, json: Json = False) -> None:
    """Take away a second factor that was lost: the user's sessions end, and a password is enough to log in."""
    ask(lambda register: register.reset_totp(name))
    emit({"name": name, "second_factor": False}) if json else say(Text(f"{name} has no second factor any more."))


@app.command()
@administering
def suspend(ask: Ask[dict[str, Any]], name: Name, json: Json = False) -> None:
    """Suspend a user: nothing they hold is valid until they are resumed."""
    user = ask(lambda register: register.change_user(name, "suspend"))
    emit(user) if json else say(Text(f"{name} is suspended."))


@app.command()
@administering
def resume(ask: Ask[dict[str, Any]], name: Name, json: Json = False) -> None:
    """End a user's suspension."""
    user = ask(lambda register: register.change_user(name, "resume"))
    emit(user) if json else say(Text(f"{name} may come in again."))


@app.command()
@administering
def remove(ask: Ask[None], name: Name, yes: Yes = False, json: Json = False) -> None:
    """Remove a user for ever: keys and sessions end, and the name is not used again. What they wrote stays."""
    if not yes:
        _confirm(name)
    ask(lambda register: register.remove_user(name))
    emit({"name": name, "removed": True}) if json else say(Text(f"{name} is removed."))


def _state(user: dict[str, Any]) -> Text:
    if user["suspended_ms"] is None:
        return Text("active")
    return Text(f"suspended since {local_time(user['suspended_ms'])}", style="yellow")


def _ways(user: dict[str, Any]) -> tuple[str, str]:
    """Whether there is a password, and a second factor."""
    return "yes" if user["has_password"] else "no", "on" if user["second_factor"] else "off"


def _tell_setup(made: dict[str, Any], words: str, json: bool) -> None:
    token = made["setup_token"]
    if json:
        emit(made)
    elif token is None:
        say(Text(words))
    else:
        say(Text(token, style="bold green" if out.is_terminal else ""))
        note(f"{words} With this token, once and within 24 hours: syncline login --setup {token}".strip())


def _confirm(name: str) -> None:
    if not sys.stdin.isatty():
        misused("Removing cannot be undone, and nobody can be asked here. Say --yes if it is meant.")
    if typer.prompt(f"This ends all that {name} holds, for ever. The name again", err=True) != name:
        misused("That is another name; nobody was removed.")
