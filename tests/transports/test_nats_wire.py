"""Subjects and parts: what a space is called means nothing to NATS, and an answer arrives whole or not at all."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.messages import Hello
from syncline.errors import BadRequest, BadSettings, ConnectionLost, InternalError
from syncline.server import registry
from syncline.transports import nats_wire
from syncline.transports.nats import NatsTransport
from syncline.transports.nats_connection import Message
from syncline.transports.nats_wire import ANY, HEADROOM, VERBS, Parts, cut, place_of, subject_of

NAMES = st.from_regex(registry.SPACE, fullmatch=True)
BAD = ["", "*", ">", "a.*", "a.>", "a b", "a\r\nPUB x 0\r\n", "a\tb", "A", ".a", "é", "a=b", "a\0", "x" * 65, "a\n"]
SUBJECT = re.compile(r"syncline\.v1\.[a-z0-9][a-z0-9_=-]*\.[a-z]+")


def test_the_rule_is_that_of_the_server():
    assert nats_wire.SPACE == registry.SPACE


@given(NAMES, st.sampled_from(VERBS))
def test_a_space_is_one_token_and_can_be_read_again(space, verb):
    subject = subject_of(space, verb)
    assert SUBJECT.fullmatch(subject)
    assert subject.count(".") == ANY.count(".")
    assert place_of(subject) == (space, verb)


@pytest.mark.parametrize("space", BAD)
def test_what_no_space_is_called_reaches_no_subject(space):
    with pytest.raises(BadRequest):
        subject_of(space, "push")


@pytest.mark.parametrize("space", BAD)
async def test_a_bad_name_is_refused_before_anything_is_said(space):
    transport = NatsTransport("nats://127.0.0.1:1")  # where nobody listens
    with pytest.raises(BadRequest):
        await transport.hello(Hello(node="n", space=space))
    await transport.close()


async def test_where_nobody_listens_the_connection_is_lost():
    transport = NatsTransport("nats://127.0.0.1:1")
    with pytest.raises(ConnectionLost):
        await transport.hello(Hello(node="n"))
    await transport.close()


def test_a_url_is_looked_at_before_it_is_used():
    with pytest.raises(BadSettings):
        NatsTransport("http://localhost")


@given(st.binary(max_size=100), st.integers(HEADROOM + 1, HEADROOM + 40))
def test_an_answer_is_cut_and_put_together(answer, most):
    messages = [Message("s", "", part, headers) for headers, part in cut(answer, most)]
    assert all(len(message.data) <= most - HEADROOM for message in messages)
    parts = Parts()
    assert [parts.take(message) for message in messages] == [None] * (len(messages) - 1) + [answer]


def of(part: str, data: bytes = b"x") -> Message:
    return Message("s", "", data, {"Part": part} if part else {})


@pytest.mark.parametrize(
    ("came", "error"),
    [
        (["2/3"], ConnectionLost),
        (["1/3", "3/3"], ConnectionLost),
        (["1/3", "1/3"], ConnectionLost),
        (["1/3", ""], InternalError),
        (["x/3"], InternalError),
        (["1"], InternalError),
    ],
)
def test_an_answer_of_which_a_part_is_missing_is_none(came, error):
    parts = Parts()
    for part in came[:-1]:
        assert parts.take(of(part)) is None
    with pytest.raises(error):
        parts.take(of(came[-1]))
