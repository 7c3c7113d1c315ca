"""Zstandard (RFC 8878), from the standard library where it has it."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor
    from compression.zstd import ZstdError as Error
    from compression.zstd import compress as _compress
else:
    from backports.zstd import ZstdDecompressor
    from backports.zstd import ZstdError as Error
    from backports.zstd import compress as _compress

__all__ = ["Error", "compress", "decompress"]

LEVEL = 1
"""The higher ones take more time than they save bytes."""


def compress(data: bytes) -> bytes:
    """One frame."""
    return _compress(data, LEVEL)


def decompress(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """At most ``max_bytes`` of what one frame decodes to, and whether that was one complete frame."""
    decompressor = ZstdDecompressor()
    return decompressor.decompress(data, max_bytes), decompressor.eof and not decompressor.unused_data
