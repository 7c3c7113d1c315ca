"""Proxies in front of the server: whose word is believed about where a request comes from.

Anybody can write ``X-Forwarded-For``. It counts only if the connection itself comes from one of the networks in the
setting ``trusted_proxies``; then the right-most address in it that is no such proxy is the client's, because every
proxy adds on the right what it saw itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from syncline.errors import BadSettings

Address = IPv4Address | IPv6Address


class Proxies:
    """The setting ``trusted_proxies``: addresses, or networks such as ``10.0.0.0/8``. Raises BadSettings."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = [_network(each) for each in trusted]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Whether a proxy's address is in one of the networks."""
        return self._is_trusted(_address(address))

    def client(self, peer: str, forwarded: str) -> str:
        """The address of the client behind a trusted peer, from its ``X-Forwarded-For``."""
        nearest = peer
        for hop in reversed(forwarded.split(",")):
            address = _address(hop)
            if address is None:
                break  # whoever wrote this, it says nothing about what is left of it
            nearest = str(address)
            if not self._is_trusted(address):
                break
        return nearest

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def scheme_of(forwarded: str) -> str | None:
    """The scheme that the nearest proxy was asked with, from its ``X-Forwarded-Proto``."""
    scheme = forwarded.rpartition(",")[2].strip().lower()
    return scheme if scheme in ("http", "https") else None


def joined(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """All headers of one name as one list, in order."""
    return ",".join(value.decode("latin-1") for each, value in headers if each == name)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise BadSettings(f"trusted_proxies: {error}.") from None


def _address(text: str) -> Address | None:
    """An address, however it is written: with a port, in brackets, or IPv4 within IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
