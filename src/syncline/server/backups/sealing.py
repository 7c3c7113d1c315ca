"""What a backup's files are sealed with: nothing, or a key that is made of a secret that the folder does not hold."""

from __future__ import annotations

import hashlib
import hmac
import secrets

import msgspec

from syncline.errors import BadSettings, StoreDamaged
from syncline.server import ciphers

MIN_SECRET_BYTES = 16
COST, BLOCK, LANES = 1 << 17, 8, 1
"""Of scrypt (RFC 7914): 128 MiB and some tenths of a second for each guess."""
MEMORY_BYTES = 256 * 1024 * 1024


class Encryption(msgspec.Struct, frozen=True, kw_only=True):
    """How a folder is encrypted, as it says in ``backup.json``: AES-256-GCM, by a key that scrypt makes."""

    cipher: str = "AES-256-GCM"
    kdf: str = "scrypt"
    salt: str
    cost: int = COST
    block: int = BLOCK
    lanes: int = LANES
    check: str
    """By which a wrong key is told at once."""

    @classmethod
    def new(cls, secret: bytes) -> Encryption:
        """For a folder that is made now."""
        bare = cls(salt=secrets.token_hex(16), check="")
        return msgspec.structs.replace(bare, check=_derived(bare.master(secret), "check").hex())

    def master(self, secret: bytes) -> bytes:
        """The key that a secret makes with this salt."""
        return hashlib.scrypt(
            secret,
            salt=bytes.fromhex(self.salt),
            n=self.cost,
            r=self.block,
            p=self.lanes,
            maxmem=MEMORY_BYTES,
            dklen=32,
        )


class Seals:
    """Seals files, and says whether what is read is as it was written. Without a key, sums tell of accidents alone."""

    def __init__(self, master: bytes | None = None) -> None:
        self._cipher = _derived(master, "files") if master else None
        self._listings = _derived(master, "listings") if master else b""

    @classmethod
    def of(cls, encryption: Encryption | None, secret: bytes | None) -> Seals:
        """Raises BadSettings unless the secret is the folder's, or neither has one."""
        if encryption is None and secret is None:
            return cls()
        if encryption is None:
            raise BadSettings("This backup is not encrypted. Say it without a key, or take a new folder.")
        if secret is None:
            raise BadSettings("This backup is encrypted: --key-file names the file with its key.")
        master = encryption.master(secret)
        if not hmac.compare_digest(_derived(master, "check").hex(), encryption.check):
            raise BadSettings("This is not the key with which the backup was encrypted.")
        return cls(master)

    def seal(self, name: str, text: bytes) -> bytes:
        """A file's content; it reads under this name alone."""
        return text if self._cipher is None else ciphers.seal(self._cipher, text, name.encode())

    def unseal(self, name: str, content: bytes) -> bytes:
        """What was sealed. Raises StoreDamaged."""
        if self._cipher is None:
            return content
        text = ciphers.unseal(self._cipher, content, name.encode())
        if text is None:
            raise StoreDamaged(f"{name} is not as it was written.")
        return text

    def sum(self, text: bytes) -> str:
        """What stands below a listing (64 hex digits): nobody without the key can make it for another one."""
        return hmac.digest(self._listings, text, "sha256").hex()


def checked_secret(text: bytes) -> bytes:
    """A secret as it stands in a file. Raises BadSettings if it could be guessed."""
    secret = text.strip()
    if len(secret) < MIN_SECRET_BYTES:
        raise BadSettings(f"A key has {MIN_SECRET_BYTES} characters or more: openssl rand -hex 32 makes one.")
    return secret


def _derived(master: bytes, purpose: str) -> bytes:
    return hmac.digest(master, f"syncline backup {purpose}".encode(), "sha256")
