import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import pointers
from syncline.core.limits import MAX_POINTER_LENGTH
from syncline.errors import BadPatch, PatchFailed

RFC_6901 = {  # section 5
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC_6901),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_rfc(pointer, value):
    assert pointers.resolve(RFC_6901, pointers.parse(pointer)) == value


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ()),
        ("/", ("",)),
        ("//", ("", "")),
        ("/a~1b/~0", ("a/b", "~")),
        ("/~01", ("~1",)),
        ("/~00~11", ("~0/1",)),
        ("/0/-/é😀", ("0", "-", "é😀")),
    ],
)
def test_a_pointer_is_its_tokens(text, tokens):
    assert pointers.parse(text) == tokens
    assert pointers.format(tokens) == text


@given(st.lists(st.text("ab~/01-é😀", max_size=6), max_size=6))
def test_parsing_undoes_formatting(tokens):
    assert pointers.parse(pointers.format(tokens)) == tuple(tokens)


def test_indexes_are_formatted_too():
    assert pointers.format(["tasks", 0, "a/b"]) == "/tasks/0/a~1b"


@pytest.mark.parametrize("text", ["a", "a/b", " /a", "#/a", "~0", "/~", "/a~", "/~2", "/~/0", "/~0~", "/~~0", "/a/~x"])
def test_what_is_no_pointer_is_refused(text):
    with pytest.raises(BadPatch):
        pointers.parse(text)


def test_a_pointer_has_a_length():
    longest = "/" + "a" * (MAX_POINTER_LENGTH - 1)
    assert pointers.parse(longest) == (longest[1:],)
    with pytest.raises(BadPatch, match="more than 1024 characters"):
        pointers.parse(longest + "a")


@pytest.mark.parametrize(
    "token", ["", "-", "-0", "-1", "+1", "01", "00", "1.0", "1e0", " 1", "1 ", "0x1", "١", "²", "a"]
)
def test_what_is_no_index_finds_no_element(token):
    for find in (pointers.key, pointers.gap)[: 1 if token == pointers.END else 2]:
        with pytest.raises(PatchFailed, match="not the index"):
            find(["a", "b"], token)


def test_an_element_is_found_and_a_gap_is_one_more():
    array = ["a", "b"]
    assert [pointers.key(array, token) for token in ("0", "1")] == [0, 1]
    assert [pointers.gap(array, token) for token in ("0", "1", "2", "-")] == [0, 1, 2, 2]
    for find, token in ((pointers.key, "2"), (pointers.gap, "3"), (pointers.key, "9" * 1_000)):
        with pytest.raises(PatchFailed, match="the array has 2"):
            find(array, token)


@pytest.mark.parametrize("token", ["0", "a", "-"])
@pytest.mark.parametrize("value", ["text", 1, None, True])
def test_a_scalar_holds_nothing(value, token):
    for find in (pointers.key, pointers.gap):
        with pytest.raises(PatchFailed, match="neither an object nor an array"):
            find(value, token)


@pytest.mark.parametrize("pointer", ["/b", "/a/b", "/a/0/x", "/0", "/-"])
def test_what_is_not_there_is_not_found(pointer):
    with pytest.raises(PatchFailed):
        pointers.resolve({"a": [1]}, pointers.parse(pointer))


def test_a_number_can_be_a_key():
    assert pointers.resolve({"0": {"01": ["x"], "-": 2}}, ("0", "01", "0")) == "x"
    assert pointers.key({"-": 2}, "-") == "-"


def test_a_message_shows_little_of_a_long_token():
    with pytest.raises(PatchFailed) as failure:
        pointers.resolve({}, ["x" * 1_000])
    assert len(failure.value.message) < 100
