"""Strict I-JSON in, RFC 8785 canonical JSON out.

``decode`` takes nothing that two parsers could read differently (RFC 7493): no duplicate keys, no NaN, no lone
surrogates, no integer that a double would round. ``encode`` writes the one canonical form (RFC 8785) whose
SHA-256 is the digest of an event. A number is an ``int`` when it is integral and within ±(2^53−1), otherwise
a ``float``; there is no minus zero.

Encoding leans on msgspec wherever its output is already canonical; where it is not (floats, keys beyond
U+DFFF, whose UTF-16 order differs from that of code points) the readable writer below does the work.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.errors import BadJson, InvalidEvent, NumberOutOfRange, TooDeep

MAX_NUMBER_LENGTH = 400
"""Longest number literal that is looked at; a finite double needs at most 309 digits before the point."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)  # one without an end goes to the end: linear
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_NOT_BRACKETS = bytes(c for c in range(256) if c not in b"[]{}")
_quick = msgspec.json.Encoder(order="deterministic").encode


def digest(body: bytes) -> bytes:
    """SHA-256 (32 bytes) of a canonical form."""
    return hashlib.sha256(body).digest()


# Decoding


def decode(data: bytes, *, max_depth: int, is_exact: bool = False) -> Any:
    """The value of one JSON text. Raises BadJson, NumberOutOfRange or TooDeep.

    ``is_exact``: integers are read digit by digit, however large; ``encode`` refuses those that no double holds.
    """
    if depth(data) > max_depth:
        raise TooDeep(f"The value nests deeper than {max_depth}.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJson(f"The text is not UTF-8 (byte {error.start}).") from None
    try:
        value = (_exact_decoder if is_exact else _decoder).decode(text)
    except json.JSONDecodeError as error:
        raise BadJson(f"Not JSON: {error.msg} (character {error.pos}).") from None
    if "\\u" in text:
        _refuse_surrogates(value)
    return value


def depth(data: bytes) -> int:
    """How deep the brackets of a JSON text nest; strings do not count. An upper bound if the text is broken."""
    if data.count(b"[") + data.count(b"{") < 2:
        return data.count(b"[") + data.count(b"{")
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    deepest = level = 0
    for bracket in brackets:
        level += 1 if bracket in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def has_long_digits(data: bytes) -> bool:
    """Whether a text may hold an integer beyond 2^53, which has at least 16 digits."""
    return b"0" * 16 in data.translate(_DIGITS)


def _integer(literal: str) -> int | float:
    return _exact(_any_integer(literal), literal)


def _any_integer(literal: str) -> int:
    if len(literal) > MAX_NUMBER_LENGTH:
        raise NumberOutOfRange("An integer has more digits than any double.")
    return int(literal)


def _exact(value: int, literal: str = "") -> int | float:
    """An integer as a number. Beyond 2^53 a double has to hold it, or be written as this very literal (RFC 8785)."""
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value
    try:
        double = float(value)
    except OverflowError:
        double = 0.0
    if double != value and number(double) != literal:
        raise NumberOutOfRange(f"No double holds {value} exactly; send it as a string.")
    return double


def _real(literal: str) -> int | float:
    return _finite(float(literal))


def _finite(value: float) -> int | float:
    if value - value != 0.0:
        raise NumberOutOfRange("A number is not a finite double.")
    if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return value


def _constant(literal: str) -> Any:
    raise BadJson(f"{literal} is not JSON.")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = Counter(names).most_common(1)[0][0]
        raise BadJson(f"The key {twice[:64]!r} stands twice in one object.")
    return result


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadJson("A string holds a lone surrogate.") from None


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_constant)
_exact_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_any_integer, parse_float=_real, parse_constant=_constant
)


# Encoding


def encode(value: Any) -> bytes:
    """The canonical form (RFC 8785). Raises NumberOutOfRange, InvalidEvent or BadJson for what JSON cannot say."""
    try:
        if _is_plain(value):
            return _quick(value)
        parts: list[str] = []
        _write(value, parts.append)
        return "".join(parts).encode()
    except UnicodeEncodeError:
        raise BadJson("A string holds a lone surrogate.") from None
    except RecursionError:
        raise TooDeep("The value nests too deep, or contains itself.") from None


def _is_plain(value: Any) -> bool:
    """Whether msgspec's own form is canonical: no float, no key that UTF-16 orders otherwise, no odd type."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER)
    if kind is dict:
        return all(type(k) is str and (k.isascii() or max(k) < "\ud800") for k in value) and all(
            map(_is_plain, value.values())
        )
    return kind is list and all(map(_is_plain, value))


def _write(value: Any, out: Callable[[str], Any]) -> None:
    """The readable writer: every case of RFC 8785, section 3.2."""
    if isinstance(value, dict):
        _write_object(value, out)
    elif isinstance(value, list | tuple):
        out("[")
        for position, member in enumerate(value):
            out("," if position else "")
            _write(member, out)
        out("]")
    else:
        out(_scalar(value))


def _write_object(value: dict[Any, Any], out: Callable[[str], Any]) -> None:
    if not all(isinstance(key, str) for key in value):
        raise InvalidEvent("The keys of a JSON object are strings.")
    out("{")
    for position, key in enumerate(sorted(value, key=_utf16)):
        out("," if position else "")
        out(_string(key) + ":")
        _write(value[key], out)
    out("}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return number(_exact(value))
    if isinstance(value, float):
        return number(_finite(value))
    raise InvalidEvent(f"{type(value).__name__} is not a JSON value.")


def _string(value: str) -> str:
    return _quick(str.__str__(value)).decode()


def number(value: float) -> str:
    """A finite number as ECMAScript writes it (ECMA-262, Number::toString), which RFC 8785 prescribes."""
    if isinstance(value, int) or value == 0:
        return int.__repr__(int(value))
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return sign + _place(digits, point)


def _place(digits: str, point: int) -> str:
    """``0.digits × 10^point`` in ECMAScript's four notations."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{point - 1:+d}"
