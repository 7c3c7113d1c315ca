"""The server's half of a session, alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.answers import decode_answer
from syncline.core.messages import ErrorMessage, Hello, Live, Ping, Pong, Pull, Welcome, encode
from syncline.core.server_session import Authenticate, Close, Commit, Follow, Read, Send, ServerSession
from syncline.errors import (
    Forbidden,
    InternalError,
    RequestTimeout,
    Unauthorized,
    UnknownSpace,
)
from tests.core.samples import EPOCH, NOW

WELCOME = Welcome(epoch=EPOCH, head=0, time=NOW, user="ann")


def said(deeds) -> list:
    """Deeds as plain data: what is sent decoded, an error as its code and ref."""
    plain = []
    for deed in deeds:
        message = decode_answer(deed.text) if isinstance(deed, Send) else deed
        plain.append((message.code, message.ref) if isinstance(message, ErrorMessage) else message)
    return plain


def open_server() -> ServerSession:
    server = ServerSession()
    server.receive(encode(Hello(node="n1")))
    server.welcome(WELCOME)
    return server


def test_hello_is_checked_and_welcomed():
    server = ServerSession()
    hello = Hello(node="n1", space="home", token="key")
    assert server.receive(encode(hello)) == [Authenticate(hello)]
    assert not server.is_open
    assert said(server.welcome(WELCOME)) == [WELCOME]
    assert server.is_open


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (encode(Pull()), "hello_required"),
        (encode(Ping()), "hello_required"),
        (encode(Hello(node="n1", protocol=2)), "unsupported_protocol"),
        (b"GET / HTTP/1.1", "bad_json"),
        (b'{"type":"what"}', "bad_request"),
        (b"\xff", "bad_json"),
    ],
)
def test_what_is_no_hello_ends_the_session(text, code):
    assert said(ServerSession().receive(text)) == [(code, None), Close(4400, code)]


def test_a_second_hello_before_the_first_is_answered_ends_the_session():
    server = ServerSession()
    server.receive(encode(Hello(node="n1")))
    assert said(server.receive(encode(Hello(node="n1")))) == [("hello_required", None), Close(4400, "hello_required")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthorized("who?"), 4401),
        (Forbidden("no"), 4403),
        (UnknownSpace("where?"), 4404),
        (RequestTimeout("slow"), 4408),
        (InternalError("oh"), 4400),
    ],
)
def test_a_rejected_session_is_closed_with_a_code(error, code):
    server = open_server()
    assert said(server.reject(error)) == [(error.code, None), Close(code, error.code)]
    assert not server.is_open


def test_requests_become_deeds():
    server = open_server()
    (commit,) = server.receive(b'{"type":"push","ref":3,"events":[1, 2]}')
    assert (type(commit), commit.ref, bytes(commit.events)) == (Commit, 3, b"[1, 2]")
    pull = Pull(ref=4, cursor="c", limit=5, items=("a",))
    assert server.receive(encode(pull)) == [Read(pull)]
    assert said(server.receive(encode(Ping(ref=5)))) == [Pong(ref=5)]
    assert server.receive(encode(Pong())) == []


def test_one_live_subscription_at_a_time():
    server = open_server()
    live = Live(cursor="c", items=("a",))
    assert server.receive(encode(live)) == [Follow(live)]
    assert said(server.receive(encode(live))) == [("bad_request", None)]
    server.unfollow()
    assert server.receive(encode(live)) == [Follow(live)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b'{"type":"pull","ref":7,"limit":0}', ("bad_request", 7)),
        (b'{"type":"push","ref":7}', ("bad_request", 7)),
        (b'{"type":"ping","ref":7,"ref":8}', ("bad_json", 8)),
        (b'{"type":"hello","node":"n1"}', ("hello_required", None)),
        (b"{", ("bad_json", None)),
    ],
)
def test_a_wrong_request_is_answered_to_who_asked_and_the_session_goes_on(text, answer):
    server = open_server()
    assert said(server.receive(text)) == [answer]
    assert said(server.receive(encode(Ping()))) == [Pong()]


@given(st.lists(st.binary(max_size=20) | st.sampled_from([encode(Hello(node="n")), encode(Ping()), encode(Live())])))
def test_whatever_arrives_is_answered_never_raised(texts):
    for server in (ServerSession(), open_server()):
        for text in texts:
            assert isinstance(server.receive(text), list)
