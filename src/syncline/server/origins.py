"""Which web pages may talk to the server: a browser says with each request of a page where the page comes from.

A page of this very server may, and what is no browser sends no ``Origin``. Pages of other places may if the setting
``origins`` names them. All others are refused, reading and writing, because a browser that can reach the server may
stand where the page's author cannot: on the machine of an open server, or in somebody's session with a host app.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from syncline.errors import BadSettings, ForbiddenOrigin
from syncline.transports.addresses import is_loopback

ANY = "*"
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^\s*/?#@:\[\]]+)(:[0-9]{1,5})?")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Origins:
    """The setting ``origins``: whole origins such as ``https://app.example``, or ``*``. Raises BadSettings."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(each.lower() for each in allowed)
        wrong = next((each for each in sorted(self._allowed) if each != ANY and not ORIGIN.fullmatch(each)), None)
        if wrong is not None:
            raise BadSettings(f"origins: {wrong!r} is no origin, such as https://app.example:8443, nor '{ANY}'.")
        self._hosts = frozenset(_host(each) for each in self._allowed - {ANY})

    def admit(self, origin: str | None, host: str, *, is_secure: bool = False) -> str | None:
        """What to tell a browser that its page may read: None if it knows already. Raises ForbiddenOrigin.

        ``is_secure``: the request came by https, to this server or to a proxy that is trusted. Then a page of the same
        name that came by http is another place: whoever was on its way wrote it.
        """
        if origin is None or (_host(origin.lower()) == host.lower() and not (is_secure and _is_plain(origin))):
            return None
        if ANY in self._allowed:
            return ANY
        if origin.lower() in self._allowed:
            return origin
        raise ForbiddenOrigin(f"Pages of {origin[:200]} may not use this server; its setting origins names those.")

    def check_local(self, host: str) -> None:
        """Raises ForbiddenOrigin unless a name is one of this machine, or of an origin that is allowed.

        Of an open server on a loopback address only: a page may make its own name lead here (DNS rebinding), and then
        be of the same origin. Where credentials are asked for, it has none.
        """
        if not _is_local(host) and host.lower() not in self._hosts:
            raise ForbiddenOrigin(f"An open server answers to localhost, not to {host[:200]!r}.")


def _host(origin: str) -> str:
    """Host and port, as the header ``Host`` has them."""
    scheme, _, host = origin.partition("://")
    return host.removesuffix(DEFAULT_PORTS.get(scheme, "/"))


def _is_plain(origin: str) -> bool:
    return origin.lower().startswith("http://")


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name.endswith(".localhost")
