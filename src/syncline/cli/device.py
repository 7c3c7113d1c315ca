"""Signing in at a server's OpenID provider, by a code that is shown here and typed where there is a browser."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.cli.terminal import err, note
from syncline.errors import NotFound
from syncline.sync.contexts import Context
from syncline.sync.sign_in import issued
from syncline.transports.device_grant import DeviceGrant, Invitation
from syncline.transports.signing_in import KnownIssuer, SigningIn


async def sign_in_by_device(before: Context, issuer: str | None) -> Context:
    """The context with a provider's tokens. Raises NotFound, Forbidden, TokenExpired or IssuerUnavailable."""
    async with SigningIn(before.server, space=before.space) as server:
        chosen = _chosen(await server.issuers(), issuer, before.server)
    assert chosen.client_id is not None
    grant = DeviceGrant(chosen.issuer, chosen.client_id, chosen.audience)
    invitation = await grant.invite()
    _show(invitation, before.server)
    tokens = await grant.wait(invitation)
    known = replace(before, issuer=chosen.issuer, client_id=chosen.client_id, audience=chosen.audience)
    return await _named(issued(known, tokens))


async def _named(context: Context) -> Context:
    """The context with its user, as the server knows them. Raises UnknownSpace if they are another space's."""
    async with SigningIn(context.server, context.access_token, context.space) as server:
        return replace(context, user=str((await server.me())["user"]))


def _chosen(known: list[KnownIssuer], wanted: str | None, server: str) -> KnownIssuer:
    possible = [each for each in known if each.client_id and wanted in (None, each.issuer)]
    if not possible:
        raise NotFound(f"{server} knows no such provider to sign in at by a code; log in with a password.")
    if len(possible) > 1:
        names = ", ".join(each.issuer for each in possible)
        raise NotFound(f"{server} knows several providers: name one with --issuer. There are: {names}.")
    return possible[0]


def _show(invitation: Invitation, server: str) -> None:
    err.print("Open this address in a browser, and type the code:\n", markup=False)
    err.print(f"    {invitation.verification_uri}", markup=False, style="bold cyan", soft_wrap=True)
    err.print(f"    {invitation.user_code}\n", markup=False, style="bold green", soft_wrap=True)
    note(f"What you get there is shown to {server}. Waiting; Ctrl-C gives up.")
