"""Zstandard (RFC 8878), from the standard library where it has it."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor
    from compression.zstd import ZstdError as Error
else:
    from backports.zstd import ZstdDecompressor
    from backports.zstd import ZstdError as Error

__all__ = ["Error", "decompress"]


def decompress(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """At most ``max_bytes`` of what one frame decodes to, and whether that was one complete frame."""
    decompressor = ZstdDecompressor()
    return decompressor.decompress(data, max_bytes), decompressor.eof and not decompressor.unused_data
