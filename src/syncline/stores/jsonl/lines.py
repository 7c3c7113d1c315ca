"""The lines of a segment: its head, entries, and after each batch a mark that makes it count.

{"log":{"format":1,"epoch":"…","seq":0,"tail":"…","at":0}}      the first line: where the log stands before it
{"seq":1,"at":…,"receipt":"…","event":{…}}                      an entry, exactly as it is sent
{"commit":{"seq":1,"tail":"…"}}                                 what stands above is committed up to this seq
"""

from __future__ import annotations

import re

import msgspec

from syncline.core.limits import MAX_EVENT_BYTES
from syncline.core.log import Head

FORMAT = 1
LONGEST_BYTES = 2 * MAX_EVENT_BYTES
HEAD = b'{"log":'
MARK = b'{"commit":'
MARK_LINE = re.compile(rb'\{"commit":\{"seq":(\d{1,16}),"tail":"([0-9a-f]{16})"\}\}\n')


class _Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    epoch: str
    seq: int
    tail: str
    at: int


class _Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log: _Log


class _Format(msgspec.Struct, frozen=True):
    format: int


class _AnyBegin(msgspec.Struct, frozen=True):
    log: _Format


def head_line(head: Head) -> bytes:
    """The first line of a segment that begins where a log has this end."""
    log = _Log(format=FORMAT, epoch=head.epoch, seq=head.seq, tail=head.tail.hex(), at=head.at)
    return msgspec.json.encode(_Begin(log)) + b"\n"


def format_of(line: bytes) -> int | None:
    """The format that a first line names; None if it is no first line of a segment."""
    try:
        return msgspec.json.decode(line, type=_AnyBegin).log.format
    except msgspec.MsgspecError:
        return None


def read_head(line: bytes) -> Head | None:
    """Where the log stands before a segment, by its first line; None if that does not read."""
    try:
        log = msgspec.json.decode(line, type=_Begin).log
        head = Head(log.epoch, log.seq, bytes.fromhex(log.tail), log.at)
    except (msgspec.MsgspecError, ValueError):
        return None
    return head if head_line(head) == line else None


def mark_line(seq: int, tail: bytes) -> bytes:
    """The line that makes the entries before it count."""
    return b'{"commit":{"seq":%d,"tail":"%b"}}\n' % (seq, tail.hex().encode())


def read_mark(line: bytes) -> tuple[int, bytes] | None:
    """The seq and tail of a mark; None if it is none."""
    found = MARK_LINE.fullmatch(line)
    return (int(found[1]), bytes.fromhex(found[2].decode())) if found else None


def begins_line(text: bytes, seq: int) -> bool:
    """Whether a line that is cut off may be the beginning of the entry of a seq, or of a mark."""
    return any(text[: len(begin)] == begin[: len(text)] for begin in (b'{"seq":%d,"at":' % seq, MARK + b'{"seq":'))
