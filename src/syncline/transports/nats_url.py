"""Where NATS is, and by what right it is used: what a URL says of it."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from syncline.errors import BadSettings

__all__ = ["INBOX", "NatsUrl", "SCHEMES", "is_nats"]

SCHEMES = ("nats://", "tls://")
INBOX = "_INBOX"
"""How the subjects begin on which answers come, unless the URL says otherwise."""
_PREFIX = re.compile(r"_[A-Za-z0-9_-]{1,63}")


class NatsUrl(NamedTuple):
    """``nats://user:password@host:4222``, or ``nats://token@host``, or ``tls://…``; several, with commas between.

    Parameters: ``creds``, a file with a JWT and its seed; ``ca``, a file with the certificates that are believed
    instead of the machine's; ``inbox``, how the subjects of answers begin. With ``tls://`` or ``ca`` nothing is said
    without TLS.
    """

    servers: tuple[str, ...]
    """Without credentials; fit to be shown."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    credentials: str = ""
    ca: str = ""
    inbox: str = INBOX
    needs_tls: bool = False

    def __str__(self) -> str:
        return ",".join(self.servers)

    @classmethod
    def parse(cls, text: str) -> NatsUrl:
        """What a URL says. Raises BadSettings."""
        places, _, query = text.partition("?")
        try:
            parts = [urlsplit(each if "://" in each else f"nats://{each}") for each in places.split(",")]
            servers = tuple(f"{each.scheme}://{_host(each.hostname)}:{each.port or 4222}" for each in parts)
            more = dict(parse_qsl(query, strict_parsing=bool(query)))
        except ValueError:
            raise _refused() from None
        if any(f"{each.scheme}://" not in SCHEMES or each.path not in ("", "/") or each.fragment for each in parts):
            raise _refused()
        if unknown := more.keys() - {"creds", "ca", "inbox"}:
            raise BadSettings(f"NATS: a URL may have creds, ca and inbox, not {', '.join(sorted(unknown))}.")
        inbox = more.get("inbox", INBOX)
        if not _PREFIX.fullmatch(inbox):
            raise BadSettings("NATS: inbox begins with '_', and has letters, digits, '_' and '-'.")
        user, password = (None if each is None else unquote(each) for each in (parts[0].username, parts[0].password))
        return cls(
            servers,
            user if password is not None else None,
            password,
            user if password is None else None,
            more.get("creds", ""),
            more.get("ca", ""),
            inbox,
            needs_tls="ca" in more or any(each.scheme == "tls" for each in parts),
        )


def is_nats(url: str) -> bool:
    """Whether a URL is one of NATS."""
    return url.startswith(SCHEMES)


def _host(name: str | None) -> str:
    if not name or not re.fullmatch(r"[A-Za-z0-9.:_-]+", name):
        raise ValueError("no host")
    return f"[{name}]" if ":" in name else name


def _refused() -> BadSettings:
    """It does not show the URL, in which there may be a password."""
    return BadSettings("NATS: this is not a URL such as nats://localhost:4222.")
