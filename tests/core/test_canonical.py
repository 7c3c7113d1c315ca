import hashlib
import json
from decimal import Decimal
from enum import IntEnum, StrEnum
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import canonical
from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.errors import BadJson, InvalidEvent, NumberOutOfRange, SynclineError, TooDeep
from tests.core.samples import finite, json_values, numbers, same, texts

SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


# A naive model of RFC 8785, written from its text


def naive(value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(map(naive_character, value)) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(naive, value)) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=utf16_units)
        return "{" + ",".join(f"{naive(key)}:{naive(value[key])}" for key in keys) + "}"
    return naive_number(value)


def naive_character(character: str) -> str:
    code = ord(character)
    return SHORT.get(code) or (f"\\u{code:04x}" if code < 32 else character)


def utf16_units(text: str) -> list[int]:
    encoded = text.encode("utf-16-be")
    return [encoded[at] << 8 | encoded[at + 1] for at in range(0, len(encoded), 2)]


def naive_number(value: float) -> str:
    """ECMA-262, Number::toString(x, 10): s × 10^(n−k) with k digits."""
    if value == 0:
        return "0"
    if value < 0:
        return "-" + naive_number(-value)
    decimal = Decimal(repr(float(value))).normalize().as_tuple()
    s = "".join(map(str, decimal.digits))
    k = len(s)
    n = k + decimal.exponent
    if k <= n <= 21:
        return s + "0" * (n - k)
    if 0 < n <= 21:
        return s[:n] + "." + s[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + s
    exponent = f"e{'+' if n > 0 else '-'}{abs(n - 1)}"
    return (s if k == 1 else s[0] + "." + s[1:]) + exponent


def decode(text: str | bytes, max_depth: int = 64):
    return canonical.decode(text.encode() if isinstance(text, str) else text, max_depth=max_depth)


# What must always hold


@given(json_values)
def test_the_form_is_that_of_the_naive_model(value):
    assert canonical.encode(value).decode() == naive(value)


@given(json_values)
def test_decoding_undoes_encoding(value):
    assert same(decode(canonical.encode(value)), value)


@given(json_values, st.booleans())
def test_every_spelling_of_a_value_has_one_form(value, ascii_only):
    spelled = json.dumps(value, ensure_ascii=ascii_only, indent=1)
    assert canonical.encode(decode(spelled)) == canonical.encode(value)


@given(finite)
def test_a_number_is_written_as_the_model_does_and_read_back(value):
    text = canonical.number(value)
    assert text == naive_number(value)
    assert float(text) == value


@given(st.lists(texts, unique=True, max_size=8))
def test_keys_stand_in_utf16_order(keys):
    read = list(json.loads(canonical.encode(dict.fromkeys(keys, 1.5))))
    assert all(utf16_units(left) < utf16_units(right) for left, right in pairwise(read))


@given(st.binary(max_size=40) | st.text('[]{}",:\\ue0123.-tfn \t', max_size=24).map(str.encode))
def test_nothing_but_an_error_of_ours_comes_from_any_bytes(data):
    try:
        value = decode(data)
    except SynclineError:
        return
    assert same(decode(canonical.encode(value)), value)


@given(st.integers(0, 70), json_values)
def test_depth_is_that_of_the_value(levels, value):
    def deep(value):
        members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if members is None else 1 + max(map(deep, members), default=0)

    for _ in range(levels):
        value = [value]
    assert canonical.depth(canonical.encode(value)) == deep(value)


# Decoding: what is refused


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "[1,]",
        "[1 2]",
        "{'a':1}",
        '{"a":1,}',
        "[1]]",
        "1 2",
        "01",
        "+1",
        ".5",
        "1.",
        "0x10",
        "1_000",
        "١",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "True",
        '"\t"',
        '"\\x41"',
        '"open',
        "\ufeff1",
        "\u00a01",
        '{"a":1,"a":1}',
        '{"a":1,"b":{"x":1,"\\u0078":2}}',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '{"\\ud800":1}',
        '["\\uDFFF"]',
    ],
)
def test_what_is_not_i_json_is_refused(text):
    with pytest.raises(BadJson):
        decode(text)


@pytest.mark.parametrize("data", [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', "1".encode("utf-16"), b"\x80"])
def test_what_is_not_utf_8_is_refused(data):
    with pytest.raises(BadJson, match="UTF-8"):
        decode(data)


@pytest.mark.parametrize(
    "literal",
    [
        "9007199254740993",
        "-9007199254740993",
        "18446744073709551615",
        "123456789012345678901234",
        "1e309",
        "-1e309",
        "1" + "0" * 309,
        "1" * 400,
        "1" * 401,
        "[1e999]",
    ],
)
def test_a_number_that_no_double_holds_is_refused(literal):
    with pytest.raises(NumberOutOfRange):
        decode(literal)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("9007199254740991", MAX_SAFE_INTEGER),
        ("-9007199254740991", -MAX_SAFE_INTEGER),
        ("9007199254740992", 2.0**53),
        ("18446744073709551616", 2.0**64),
        ("1" + "0" * 22, 1e22),
        ("1.0", 1),
        ("1e2", 100),
        ("-0", 0),
        ("-0.0", 0),
        ("-0e99", 0),
        ("9007199254740991.0", MAX_SAFE_INTEGER),
        ("1e16", 1e16),
        ("5e-324", 5e-324),
        ("1e-400", 0),
        ("0." + "3" * 500, 1 / 3),
    ],
)
def test_a_number_is_an_int_when_it_is_integral_and_safe(literal, value):
    assert same(decode(literal), value)


@pytest.mark.parametrize("value", [295147905179352825856.0, 1.2345678901234567e20, -1.2345678901234567e19, 2.0**60])
def test_a_large_double_is_read_as_it_is_written(value):
    """Its shortest digits, padded with zeros as RFC 8785 wants, are not the integer that it holds."""
    assert int(canonical.encode(value)) != int(value)
    assert same(decode(canonical.encode(value)), value)


def test_integers_are_read_digit_by_digit_if_asked_for():
    text = b"[1700000000000000001,-9007199254740993,1,1e3,1.5]"
    assert canonical.decode(text, max_depth=1, is_exact=True) == [1700000000000000001, -(2**53) - 1, 1, 1000, 1.5]
    with pytest.raises(NumberOutOfRange):
        canonical.decode(b"9" * 500, max_depth=1, is_exact=True)
    with pytest.raises(BadJson):
        canonical.decode(b'{"a":1,"a":1}', max_depth=1, is_exact=True)


def test_a_pair_of_surrogates_is_one_character():
    assert decode('"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_limited(opening):
    closing = "]" if opening == "[" else "}"
    assert decode(opening * 64 + "1" + closing * 64)
    for text in (opening * 65 + "1" + closing * 65, opening * 100_000):
        with pytest.raises(TooDeep):
            decode(text)


def test_brackets_in_strings_do_not_count():
    assert decode('["' + "[{" * 100 + '\\"[[[", "\\\\", []]', max_depth=2)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('[["' + '\\"' * 200_000, BadJson),
        ('[["' + "\\" * 200_001, BadJson),
        ("{" + ",".join(f'"{n}":1' for n in range(50_000)) + ',"49999":1}', BadJson),
        ("9" * 500_000, NumberOutOfRange),
        ('"' * 300_001, BadJson),
    ],
)
def test_hostile_texts_cost_linear_time(text, error):
    """Each of these once took minutes, or would with a careless reader."""
    with pytest.raises(error):
        decode(text)


# Encoding: what JSON cannot say


class Weekday(IntEnum):
    MONDAY = 1


class Colour(StrEnum):
    RED = "red"


class LoudFloat(float):
    def __repr__(self) -> str:
        return f"LoudFloat({float(self)})"

    def __abs__(self):
        return LoudFloat(float.__abs__(self))


class LoudInt(int):
    def __str__(self) -> str:
        return f"LoudInt({int(self)})"

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (-0.0, b"0"),
        (1.0, b"1"),
        ([1.0, True, None], b"[1,true,null]"),
        ((1, (2.5, "a")), b'[1,[2.5,"a"]]'),
        ({"b": 1, "a": ()}, b'{"a":[],"b":1}'),
        (2**60, b"1152921504606847000"),
        ({"😀": 1, "\ufb33": 2}, '{"😀":1,"\ufb33":2}'.encode()),
        (Weekday.MONDAY, b"1"),
        ({Colour.RED: Colour.RED}, b'{"red":"red"}'),
        (LoudFloat(-1.5), b"-1.5"),
        (LoudInt(7), b"7"),
        ("\x7f\u2028</script>", '"\x7f\u2028</script>"'.encode()),
    ],
)
def test_values_of_python_have_a_form(value, form):
    assert canonical.encode(value) == form


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), [1.5, float("nan")], 2**53 + 1, 10**400])
def test_a_number_that_json_cannot_say_is_refused(value):
    with pytest.raises(NumberOutOfRange):
        canonical.encode(value)


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, {1: "a"}, {"a": 1, None: 2}, [1j], Decimal(1)])
def test_a_type_that_json_does_not_have_is_refused(value):
    with pytest.raises(InvalidEvent):
        canonical.encode(value)


@pytest.mark.parametrize("value", ["\ud800", ["\udfff"], {"\ud800": 1}, {"\ud800": 1.5}, [1.5, "\ud800"]])
def test_a_lone_surrogate_is_refused(value):
    with pytest.raises(BadJson):
        canonical.encode(value)


def test_a_value_within_itself_is_refused():
    plain, odd = [], [1.5]
    plain.append(plain)
    odd.append(odd)
    for value in (plain, odd):
        with pytest.raises(TooDeep):
            canonical.encode(value)


@pytest.mark.parametrize("value", [0, 0.0, -0.0])
def test_zero_has_one_form(value):
    assert canonical.number(value) == "0"


@given(numbers)
def test_the_digest_is_sha_256(value):
    body = canonical.encode(value)
    assert canonical.digest(body) == hashlib.sha256(body).digest()
