"""Where a server is, as far as its address tells."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["is_loopback", "is_near"]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_near(url: str) -> bool:
    """Whether a server is on this machine, so that nothing is gained by packing what is sent."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
