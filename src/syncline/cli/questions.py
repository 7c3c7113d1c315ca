"""What a command asks somebody at a terminal. What is secret is never shown, and on a pipe nobody is asked."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from syncline.cli.failures import misused

FROM_INPUT = "--password-stdin"

FromInput = Annotated[bool, typer.Option(FROM_INPUT, help="Read the password from standard input.")]


def password(question: str, *, from_input: bool, is_new: bool = False) -> str:
    """A password; a new one is asked for twice."""
    if from_input:
        return line()
    if not sys.stdin.isatty():
        misused(f"A password is asked for on a terminal; here {FROM_INPUT} reads it.")
    return str(typer.prompt(question, hide_input=True, err=True, confirmation_prompt=is_new))


def line() -> str:
    """The next line of standard input."""
    return sys.stdin.readline().rstrip("\r\n")


def asked(what: str, flag: str, *, is_secret: bool = False) -> str:
    """What is said by a flag otherwise."""
    if not sys.stdin.isatty():
        misused(f"Say it with {flag}: nobody can be asked here.")
    return str(typer.prompt(what, hide_input=is_secret, err=True))
