"""The server's settings: from a TOML file, ``SYNCLINE_*`` variables and flags, each overruling the one before."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit

import msgspec

from syncline.core import limits
from syncline.core.quotas import Quotas
from syncline.errors import BadSettings
from syncline.server.bus import chosen
from syncline.server.logs import POSTGRES, kind_of
from syncline.server.masking import masked
from syncline.server.origins import Origins
from syncline.server.proxies import Proxies
from syncline.transports.addresses import is_loopback
from syncline.transports.nats_url import NatsUrl

PREFIX = "SYNCLINE_"


class OidcIssuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID provider whose tokens are accepted, and of which space the users are that it names."""

    issuer: str
    """Its URL, to the letter as its tokens have it in ``iss``; https, except on this machine."""
    audience: str
    """What its tokens for this server have in ``aud``."""
    user_claim: str = "sub"
    """The claim that is the user's name. ``email`` counts only if the issuer has verified it."""
    space_claim: str = ""
    """The claim that is the user's space; or else there is ``space``."""
    space: str = ""
    """The space of all its users."""
    client_id: str = ""
    """The public client there with which ``syncline login --device`` signs in (RFC 8628). Empty: it cannot."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting, with its default."""

    data: str = "syncline-data"
    """Directory of the spaces and the server's register; of what is derived from them, if they are elsewhere."""
    store: str = ""
    """Where spaces are kept: sqlite (if nothing is said), lmdb or jsonl in data; or postgresql://user@host/database."""
    archives: str = ""
    """Directory of what spaces have let go of; if nothing is said: archives in data."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8080
    """Port to listen on; 0 takes a free one."""
    grpc_port: int = -1
    """Port on which gRPC is served beside it; 0 takes a free one, -1: none. Needs the extra ``grpc``."""
    nats: str = ""
    """URL of a NATS over which clients are answered, too: nats://user:password@host:4222. Needs the extra ``nats``."""
    bus: str = ""
    """What carries hints between servers that share a store: postgres (if nothing is said) or nats://host:4222."""
    open: bool = False
    """Whether requests without credentials are served. On loopback addresses only."""
    demo: bool = False
    """To try things out: open, with a data directory that is deleted at the end. On loopback addresses only."""
    origins: tuple[str, ...] = ()
    """Web pages of other places that may use the server: https://app.example, or * for all. Its own always may."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    create_spaces: bool = True
    """Whether a space is made when it is first used. Otherwise only ``syncline spaces create`` makes spaces."""
    max_open_spaces: int = 256
    """Spaces held open at a time."""
    documents_megabytes: int = 64
    """Documents of one space that are kept in memory, measured as they are stored. Others are read when asked for."""
    head_seconds: float = limits.HEAD_SECONDS
    """Time a request's head may take to arrive."""
    body_seconds: float = limits.BODY_SECONDS
    """Time a request's body may take to arrive."""
    hello_seconds: float = limits.HELLO_SECONDS
    """Time a WebSocket may take to say hello."""
    idle_seconds: float = limits.IDLE_SECONDS
    """Time after which a silent connection is closed."""
    away_seconds: float = limits.AWAY_SECONDS
    """Time of silence after which it is not shown any more who is at the other end of a WebSocket."""
    shutdown_seconds: float = 10.0
    """Time that requests under way have to end when the server stops."""
    drain_seconds: float = 0.0
    """Before that, time in which it still serves and /readyz says no, so that a balancer sends clients elsewhere."""
    address_requests_per_second: float = 50_000
    """Requests and messages from one address (of IPv6: a /64), on an average. 0: no limit."""
    credential_requests_per_second: float = 50_000
    """The same with one key or session."""
    user_requests_per_second: float = 50_000
    """The same of one user."""
    address_events_per_second: float = 500_000
    """Events pushed from one address, on an average. 0: no limit."""
    credential_events_per_second: float = 500_000
    """The same with one key or session."""
    user_events_per_second: float = 500_000
    """The same of one user."""
    burst_seconds: float = 5.0
    """At once comes at most what the averages allow in this time."""
    quota_events: int = 0
    """Events in one space, unless it has a quota of its own. 0: no limit, here and below."""
    quota_bytes: int = 0
    """Bytes of the events in one space, in canonical form."""
    quota_items: int = 0
    """Items in one space."""
    quota_connections: int = 0
    """Sessions and streams of one space that are open at a time."""
    quota_events_per_second: int = 0
    """Events pushed to one space, on an average."""
    upstream: str = ""
    """URL of a server that is the centre of this one: http://… or https://…"""
    upstream_token: str = ""
    """API key there, with which this server reads what it may, and gives what came here under its authors' names."""
    upstream_spaces: tuple[str, ...] = ("default",)
    """Spaces that are in agreement with those of the same names there."""
    log_level: str = "info"
    """debug, info, warning or error."""
    oidc: tuple[OidcIssuer, ...] = ()
    """OpenID providers whose tokens are accepted: tables called oidc in the file, elsewhere a JSON array."""

    @property
    def quotas(self) -> Quotas:
        """Of spaces that have none of their own."""
        return Quotas(**{name: getattr(self, f"quota_{name}") for name in Quotas.__struct_fields__})

    @property
    def is_open(self) -> bool:
        """Whether requests without credentials are served."""
        return self.open or self.demo


class Setting(NamedTuple):
    """One setting's value, and where it came from."""

    name: str
    value: Any
    source: str

    @property
    def shown(self) -> Any:
        """The value for people to see: of a URL without its secrets, and of a token that there is one."""
        if self.name.endswith("_token") and self.value:
            return "…"
        return masked(self.value) if isinstance(self.value, str) else self.value


def gather(
    *, file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> tuple[Settings, list[Setting]]:
    """The settings, and the source of each. ``flags`` that are None were not given. Raises BadSettings."""
    found = {field: Setting(field, getattr(Settings(), field), "default") for field in Settings.__struct_fields__}
    layers = [
        (_from_file(file), f"file {file}"),
        (_from_environment(environment), "environment"),
        ({name: value for name, value in flags.items() if value is not None}, "flag"),
    ]
    for layer, source in layers:
        for name, value in layer.items():
            if name not in found:
                known = ", ".join(sorted(found))
                raise BadSettings(f"{name}: there is no such setting ({source}). There are: {known}.")
            origin = f"environment {PREFIX}{name.upper()}" if source == "environment" else source
            found[name] = Setting(name, _converted(name, value, origin), origin)
    settings = Settings(**{name: setting.value for name, setting in found.items()})
    _check(settings)
    if settings.demo and found["data"].source != "default":
        raise BadSettings(f"demo: what it stores is deleted at its end, so it takes no data ({found['data'].source}).")
    return settings, list(found.values())


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(f"{file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{file} is not TOML: {error}") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    names = {PREFIX + field.upper(): field for field in Settings.__struct_fields__}
    return {names[name]: value for name, value in environment.items() if name in names}


def _converted(name: str, value: Any, source: str) -> Any:
    kind = get_type_hints(Settings)[name]
    if name == "oidc":
        return _issuers(value, source)
    if kind == tuple[str, ...] and isinstance(value, str):
        value = [each.strip() for each in value.split(",") if each.strip()]
    if kind is bool and isinstance(value, str):
        value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
            value.lower(), value
        )
    try:
        return msgspec.convert(value, kind, strict=not isinstance(value, str))
    except msgspec.ValidationError:
        wanted = "a list of texts" if kind == tuple[str, ...] else kind.__name__
        raise BadSettings(f"{name}: {value!r} is not {wanted} ({source}).") from None


def _issuers(value: Any, source: str) -> tuple[OidcIssuer, ...]:
    try:
        listed = msgspec.json.decode(value) if isinstance(value, str) else value
        return msgspec.convert(listed, tuple[OidcIssuer, ...])
    except msgspec.MsgspecError as error:
        raise BadSettings(f"oidc: {error} ({source}).") from None


def _check(settings: Settings) -> None:
    if not 0 <= settings.port <= 65535:
        raise BadSettings(f"port: {settings.port} is not between 0 and 65535.")
    if not -1 <= settings.grpc_port <= 65535:
        raise BadSettings(f"grpc_port: {settings.grpc_port} is not between -1 and 65535.")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise BadSettings(f"log_level: {settings.log_level!r} is not debug, info, warning or error.")
    for name in (
        "head_seconds",
        "body_seconds",
        "hello_seconds",
        "idle_seconds",
        "away_seconds",
        "shutdown_seconds",
        "burst_seconds",
        "max_open_spaces",
        "documents_megabytes",
    ):
        if not getattr(settings, name) > 0:
            raise BadSettings(f"{name}: must be greater than 0.")
    for name in Settings.__struct_fields__:
        is_limit = name.endswith("_per_second") or name.startswith("quota_") or name == "drain_seconds"
        if is_limit and not 0 <= getattr(settings, name) < float("inf"):
            raise BadSettings(f"{name}: must not be less than 0.")
    if kind_of(settings.store) == POSTGRES and settings.demo:
        raise BadSettings("demo: what it stores is deleted at its end, so it takes no database.")
    chosen.check(settings.bus, settings.store)
    _check_nats(settings)
    _check_upstream(settings)
    _check_issuers(settings.oidc)
    Origins(settings.origins)
    Proxies(settings.trusted_proxies)
    if settings.is_open and not is_loopback(settings.host):
        name = "demo" if settings.demo else "open"
        raise BadSettings(
            f"{name}: refused on {settings.host}, where anybody could write. Serve on 127.0.0.1, or without --{name}."
        )


def _check_nats(settings: Settings) -> None:
    if settings.nats:
        NatsUrl.parse(settings.nats)
        if settings.is_open:
            name = "demo" if settings.demo else "open"
            raise BadSettings(f"{name}: refused with nats, over which anybody anywhere may write.")


def _check_upstream(settings: Settings) -> None:
    if not settings.upstream:
        return
    shown = masked(settings.upstream)
    if not settings.upstream.startswith(("http://", "https://")):
        raise BadSettings(f"upstream: {shown!r} is not a URL such as https://sync.example.com.")
    if shown != settings.upstream:  # it would be told wherever the centre's address is
        raise BadSettings(f"upstream: {shown!r} has credentials, which belong into upstream_token.")
    if not settings.upstream_spaces:
        raise BadSettings("upstream_spaces: without any there is nothing to be in agreement about.")


def _check_issuers(issuers: tuple[OidcIssuer, ...]) -> None:
    if len({one.issuer for one in issuers}) < len(issuers):
        raise BadSettings("oidc: an issuer is there twice.")
    for one in issuers:
        if not is_safe_url(one.issuer):
            raise BadSettings(f"oidc: {one.issuer!r} is no https URL; plain http is for this machine alone.")
        if not one.audience or not one.user_claim:
            raise BadSettings(f"oidc: {one.issuer} needs an audience and a user_claim.")
        if bool(one.space) == bool(one.space_claim):
            raise BadSettings(f"oidc: {one.issuer} needs either a space or a space_claim.")


def is_safe_url(url: str) -> bool:
    """Whether nobody on the way can change what comes from a URL: https, or this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False
