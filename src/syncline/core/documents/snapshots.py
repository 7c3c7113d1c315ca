"""Snapshots: the state of a document as bytes, from which folding goes on as if it had never stopped.

    [version, clock, is made, ids, deletes, overruled, top, made, placed, texts]

``encode`` depends on the state alone: the order of arrival, repetitions, how runs are split and loading in between do
not show. The form is canonical JSON (RFC 8785), so a browser can read and write it. ``pack`` compresses it to be
stored and sent; its bytes depend on the compressor and are not canonical.

Events are numbered by their ids, ascending; a name is an event and k, two numbers. The objects that events made stand
in ``made`` in order of their names: event, k, kind, parent (its number there, its name if it is named by its place,
or null: the document), slot (a key, or the name of an element), content. Those that are named by their place stand in
``placed`` by their names, unless they are empty: whether anybody looked at one does not show. Contents:

    map      {key: slot}
    list     [runs, entries]; an entry is [slot], or [slot, slot of homes] for an element that was moved; and for a
             place to which an element was moved it is the index of the entry of that element
    text     its number in ``texts``, [runs, characters, other states]; a state is a list of names, [] for the insertion
    counter  [sum, {once: [event, k, by]}]; what is beyond ±(2^53−1) is a string
    set      {canonical form of a member: its adds}; an add is a name, or [] for what the set was made with

A slot is a list of puts in order of their names: [value] for what its map or element was made with, [value, name], or
[value, name, origin] with the numbers of names in line. A value that is an object is [its number in ``made``] or [its
name].
"""

from __future__ import annotations

import re
import zlib

import msgspec

from syncline.core.documents.columns import VERSION, require
from syncline.core.documents.document import Document
from syncline.core.documents.snapshot_reader import Reader, Snapshot
from syncline.core.documents.snapshot_writer import Writer
from syncline.core.limits import MAX_SNAPSHOT_BYTES
from syncline.errors import NewerSchema, StoreDamaged, SynclineError, TooLarge

_VERSION = re.compile(rb"\[([1-9][0-9]{0,8})[,\]]")
_BROKEN = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    *(SynclineError, msgspec.MsgspecError),
)


def encode(document: Document) -> bytes:
    """The canonical bytes of a document's state."""
    return Writer(document).write()


def decode(item: str, data: bytes) -> Document:
    """The document of a snapshot. Raises NewerSchema if a newer version wrote it, StoreDamaged if it is damaged."""
    version = _VERSION.match(data)
    require(version, "it does not begin with a version")
    if version and int(version[1]) > VERSION:
        raise NewerSchema(f"The snapshot has version {int(version[1])}; this Syncline knows {VERSION}.")
    try:
        return Reader(item, msgspec.json.decode(data, type=Snapshot)).read()
    except StoreDamaged:
        raise
    except _BROKEN as error:
        raise StoreDamaged(f"The snapshot is damaged: {error}") from None


def pack(data: bytes) -> bytes:
    """A snapshot compressed (zlib, RFC 1950). Raises TooLarge for what ``unpack`` would not take."""
    if len(data) > MAX_SNAPSHOT_BYTES:
        raise TooLarge(f"The snapshot of a document has at most {MAX_SNAPSHOT_BYTES} bytes.")
    return zlib.compress(data, 9)


def unpack(data: bytes) -> bytes:
    """What ``pack`` compressed. Raises TooLarge before it takes more memory than allowed, or StoreDamaged."""
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(data, MAX_SNAPSHOT_BYTES + 1)
    except zlib.error as error:
        raise StoreDamaged(f"The packed snapshot is damaged: {error}") from None
    if len(unpacked) > MAX_SNAPSHOT_BYTES:
        raise TooLarge(f"The snapshot of a document has at most {MAX_SNAPSHOT_BYTES} bytes.")
    require(stream.eof and not stream.unused_data, "it is packed as one stream")
    return unpacked
