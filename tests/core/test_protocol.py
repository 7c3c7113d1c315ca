"""`spec/PROTOCOL.md` says what the code does: its examples decode, its tables hold every code and every limit."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from syncline.core import answers, limits, messages, requests
from syncline.core.batch import decode_events
from syncline.core.events import Entry, Event
from syncline.core.log import RECEIPT_LENGTH
from syncline.core.server_session import CLOSE_CODES, CLOSE_OTHERWISE
from syncline.errors import BY_CODE

PAGE = (Path(__file__).parents[2] / "spec" / "PROTOCOL.md").read_text("utf-8")
EXAMPLE = r"^```json\n(.*?)\n```$"
ERRORS = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (yes|no) \| (.+) \|$", PAGE, re.MULTILINE)
LIMITS = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \| (.+) \|$", PAGE, re.MULTILINE)
REPLICAS, SERVERS, EITHERS = (
    re.findall(EXAMPLE, part, re.MULTILINE | re.DOTALL)
    for part in re.split(r"^\*\*From (?:a replica|a server|either)\*\*$", PAGE, flags=re.MULTILINE)[1:]
)
READERS = [(requests.decode_request, REPLICAS + EITHERS), (answers.decode_answer, SERVERS + EITHERS)]


def type_of(example: str) -> str:
    return json.loads(example)["type"]


@pytest.mark.parametrize(("kinds", "examples"), [(messages.Request, REPLICAS), (messages.Answer, SERVERS)])
def test_every_message_has_exactly_one_example(kinds, examples):
    assert sorted(map(type_of, examples + EITHERS)) == sorted(k.__struct_config__.tag for k in kinds.__args__)


@pytest.mark.parametrize(
    ("read", "example"),
    [
        pytest.param(read, example, id=f"{read.__name__} {type_of(example)}")
        for read, examples in READERS
        for example in examples
    ],
)
def test_every_example_is_read_and_shows_every_member(read, example):
    message = read(example.encode())
    assert json.loads(example).keys() == {"type", *message.__struct_fields__}
    given = getattr(message, "entries", [])
    for entry in msgspec.json.decode(given, type=list[Entry]) if isinstance(message, messages.Give) else given:
        assert isinstance(entry.event, Event)
        assert len(entry.receipt) == RECEIPT_LENGTH
    if isinstance(message, messages.Push):
        assert all(isinstance(event, Event) for event in decode_events(bytes(message.events)))


def test_the_example_s_limits_are_the_real_ones():
    (welcome,) = (json.loads(example) for example in SERVERS if type_of(example) == "welcome")
    assert answers.decode_answer(json.dumps(welcome).encode()).limits == limits.Limits()


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
