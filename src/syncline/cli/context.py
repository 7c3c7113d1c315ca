"""``context``: the servers that a person works with, and which of them is meant where none is named."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.text import Text

from syncline.cli.chosen import DEFAULT_SPACE, chosen
from syncline.cli.chosen import check_url as checked
from syncline.cli.failures import misused
from syncline.cli.terminal import Json, emit, local_time, note, out, say, table
from syncline.sync.contexts import Book, Context, Contexts
from syncline.sync.sign_in import now_ms

app = typer.Typer(name="context", help="Servers to work with: each with a space and credentials.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The context's name.")]
Server = Annotated[str, typer.Option("--server", "-s", metavar="URL", callback=checked, help="The server.")]
Space = Annotated[str, typer.Option("--space", metavar="NAME", help="The space.")]
Key = Annotated[str | None, typer.Option("--token", metavar="KEY", show_default=False, help="An API key.")]
KeyFromInput = Annotated[bool, typer.Option("--token-stdin", help="Read the API key from standard input.")]
Use = Annotated[bool, typer.Option("--use", help="Use it from now on; the first one is used anyway.")]


@app.command("list")
def list_contexts(json: Json = False) -> None:
    """List the contexts; the one in use is marked."""
    book, found = Contexts().read(), chosen()
    used = found.name if found else ""
    if json:
        emit({"current": used or None, "contexts": [_described(name, each) for name, each in _sorted(book)]})
        return
    shown = table("", "name", "server", "space", "user", "credentials")
    for name, each in _sorted(book):
        mark = Text("*", style="bold green") if name == used else ""
        shown.add_row(mark, name, Text(each.server), Text(each.space), Text(each.user), credentials(each))
    out.print(shown)
    if not book.contexts:
        note("None yet: syncline login, or syncline context add.")


@app.command()
def use(name: Name, json: Json = False) -> None:
    """Use a context from now on."""

    def change(book: Book) -> Book:
        book.find(name)
        return replace(book, current=name)

    context = Contexts().change(change).find(name)
    if json:
        emit({"current": name, **_described(name, context)})
    else:
        say(Text(f"{name}: {context.server}, space {context.space}."))


@app.command()
def add(
    name: Name,
    server: Server,
    space: Space = DEFAULT_SPACE,
    token: Key = None,
    token_stdin: KeyFromInput = False,
    use: Use = False,
    json: Json = False,
) -> None:
    """Add a context with an API key, or without credentials; syncline login makes those with a password."""
    if token and token_stdin:
        misused("--token and --token-stdin exclude each other.")
    contexts = Contexts()
    if name in contexts.read().contexts:
        misused(f"There is a context {name} already; syncline context remove {name} takes it away.")
    key = sys.stdin.readline().strip() if token_stdin else token or ""
    context = Context(server=server.rstrip("/"), space=space, key=key)
    book = contexts.put(name, context, use=use)
    if json:
        emit({"current": book.current, **_described(name, context)})
    else:
        say(f"{name} is added{', and in use' if book.current == name else ''}.")


@app.command()
def remove(name: Name, json: Json = False) -> None:
    """Forget a context. Its sign-in goes on at the server; syncline logout ends it."""

    def change(book: Book) -> Book:
        book.find(name)
        rest = {each: context for each, context in book.contexts.items() if each != name}
        return Book("" if book.current == name else book.current, rest)

    before = Contexts().read()
    Contexts().change(change)
    if json:
        emit({"name": name, "removed": True})
        return
    say(f"{name} is removed.")
    if before.current == name:
        note("No context is in use now: syncline context use.")


def credentials(context: Context) -> str:
    """What a context signs in with, in a few words."""
    if context.key:
        return "API key"
    if context.refresh_token:
        return "signed in"
    if context.access_token and context.expires_ms > now_ms():
        return f"signed in until {local_time(context.expires_ms)}"
    return "signed out" if context.user else "none"


def _described(name: str, context: Context) -> dict[str, str | None]:
    """A context without its secrets."""
    return {
        "name": name,
        "server": context.server,
        "space": context.space,
        "user": context.user or None,
        "credentials": credentials(context),
        "issuer": context.issuer or None,
    }


def _sorted(book: Book) -> list[tuple[str, Context]]:
    return sorted(book.contexts.items())
