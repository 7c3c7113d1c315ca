"""Pages for people: one file each, with the style and the script it needs, which it alone may run.

A Content Security Policy (Level 3) names them by their hashes, so that nothing can be slipped in; and it lets a page
talk to this server alone.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from syncline.server.http import Request

HTML = b"text/html; charset=utf-8"
INLINE = re.compile(rb"<(style|script)>(.*?)</\1>", re.DOTALL)


async def show_home(request: Request) -> None:
    """``GET /``: what this server is, and where to go from here."""
    await _show(request, "home.html")


async def show_setup(request: Request) -> None:
    """``GET /setup``: the page on which a setup token, from the address's fragment, becomes a password."""
    await _show(request, "setup.html")


async def _show(request: Request, name: str) -> None:
    body, policy = _page(name)
    await request.answer(
        body,
        kind=HTML,
        cache_control="no-store",
        content_security_policy=policy,
        referrer_policy="no-referrer",
        x_content_type_options="nosniff",
    )


@cache
def _page(name: str) -> tuple[bytes, str]:
    """A page, and what its browser may do with it."""
    body = (files("syncline.server") / "pages" / name).read_bytes()
    hashes = {kind.decode(): b64encode(sha256(inline).digest()).decode() for kind, inline in INLINE.findall(body)}
    sources = "; ".join(f"{kind}-src 'sha256-{digest}'" for kind, digest in hashes.items())
    closed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return body, f"default-src 'none'; connect-src 'self'; {sources}; {closed}"
