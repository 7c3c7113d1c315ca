"""What is shown of an address in which there may be a secret: all but that, and rather less than more."""

from __future__ import annotations

import re

__all__ = ["masked"]

CREDENTIALS = re.compile(r"(\w[\w+.-]*)://([^:@]*)(:?)(.*)@", re.DOTALL)
"""Up to the last @: a password may have one, too, and several servers may be named."""
PARAMETER = re.compile(r"([?&][^=&]*(?:password|token|secret)[^=&]*=)[^&]*", re.IGNORECASE)


def masked(url: str) -> str:
    """A URL without its password; and without a name that comes without one, unless PostgreSQL is asked for it."""
    return PARAMETER.sub(r"\1…", CREDENTIALS.sub(_without_secret, url))


def _without_secret(found: re.Match[str]) -> str:
    scheme, name, colon, _ = found.groups()
    if not colon and not scheme.startswith("postgres"):
        return f"{scheme}://…@"
    return f"{scheme}://{name}:…@" if colon else found[0]
