"""`spec/PROTOCOL.md` says what the code does: its examples decode, its tables hold every code and every limit."""

import json
import re
from pathlib import Path

import pytest

from syncline.core import limits, messages
from syncline.core.batch import decode_events
from syncline.core.events import Event
from syncline.core.log import RECEIPT_LENGTH
from syncline.core.session import CLOSE_CODES, CLOSE_OTHERWISE
from syncline.errors import BY_CODE

PAGE = (Path(__file__).parents[2] / "spec" / "PROTOCOL.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
ERRORS = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (yes|no) \| (.+) \|$", PAGE, re.MULTILINE)
LIMITS = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \| (.+) \|$", PAGE, re.MULTILINE)
REQUESTS = {kind.__struct_config__.tag for kind in messages.Request.__args__}
ANSWERS = {kind.__struct_config__.tag for kind in messages.Answer.__args__}


def test_every_message_has_exactly_one_example():
    assert sorted(json.loads(example)["type"] for example in EXAMPLES) == sorted(REQUESTS | ANSWERS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: json.loads(example)["type"])
def test_every_example_is_read_and_shows_every_member(example):
    kind = json.loads(example)["type"]
    readers = [messages.decode_request] * (kind in REQUESTS) + [messages.decode_answer] * (kind in ANSWERS)
    for read in readers:
        message = read(example.encode())
        assert json.loads(example).keys() == {"type", *message.__struct_fields__}
        for entry in getattr(message, "entries", []):
            assert isinstance(entry.event, Event)
            assert len(entry.receipt) == RECEIPT_LENGTH
        if isinstance(message, messages.Push):
            assert all(isinstance(event, Event) for event in decode_events(bytes(message.events)))


def test_the_example_s_limits_are_the_real_ones():
    (welcome,) = (json.loads(example) for example in EXAMPLES if '"welcome"' in example)
    assert messages.decode_answer(json.dumps(welcome).encode()).limits == limits.Limits()


def test_every_error_is_in_the_table_and_no_other():
    assert [code for code, *_ in ERRORS] == list(BY_CODE)


@pytest.mark.parametrize(("code", "status", "retryable", "meaning"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors_have_their_status(code, status, retryable, meaning):
    assert int(status) == BY_CODE[code].status
    assert (retryable == "yes") is BY_CODE[code].retryable
    assert meaning


def test_every_limit_is_in_the_table_with_its_number():
    names = [name for name in vars(limits) if re.fullmatch(r"[A-Z_]+", name)]
    assert {name: int(number.replace(",", "")) for name, number, _ in LIMITS} == {
        name: getattr(limits, name) for name in names
    }


def test_every_close_code_is_told():
    for code, number in CLOSE_CODES.items():
        assert f"{number} `{code}`" in PAGE
    assert f"{CLOSE_OTHERWISE} for any other error" in PAGE
