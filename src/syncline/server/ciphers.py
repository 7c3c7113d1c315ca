"""Ciphers and signatures, from the one library for them: the only module that knows ``cryptography``."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


def seal(key: bytes, text: bytes, about: bytes) -> bytes:
    """AES-256-GCM (NIST SP 800-38D): a random nonce, and what was encrypted. ``about`` must be the same to read it."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, about)


def unseal(key: bytes, sealed: bytes, about: bytes) -> bytes | None:
    """What was encrypted; None if it was not with this key, not about this, or not as it is now."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        return None
