"""Where people may sign in: the OpenID providers of the settings, for programs that have no token yet."""

from __future__ import annotations

import msgspec

from syncline.server.http import Request


class KnownIssuer(msgspec.Struct):
    """A provider; ``client_id`` is null if programs without a browser cannot sign in there."""

    issuer: str
    audience: str
    client_id: str | None


class KnownIssuers(msgspec.Struct):
    """The providers whose tokens are accepted."""

    issuers: list[KnownIssuer]


async def list_issuers(request: Request) -> None:
    """``GET auth/issuers``: the OpenID providers whose tokens are accepted; everybody may ask."""
    known = request.service.settings.oidc
    found = KnownIssuers([KnownIssuer(one.issuer, one.audience, one.client_id or None) for one in known])
    await request.answer(msgspec.json.encode(found))
