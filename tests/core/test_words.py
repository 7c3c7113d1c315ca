"""What a word is, and what a search asks for."""

import pytest

from syncline.core.words import MAX_SEARCH_PARTS, All, Either, Phrase, Without, parse, strings, words
from syncline.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("Fresh milk, 2 l!", ["fresh", "milk", "2", "l"]),
        ("Crème BRÛLÉE", ["creme", "brulee"]),
        ("Straße İstanbul", ["strasse", "istanbul"]),
        ("snake_case e-mail", ["snake", "case", "e", "mail"]),
        ("牛乳を買う", ["牛", "乳", "を", "買", "う"]),
        ("ﬁne ①", ["fine", "1"]),
        ("हिन्दी", ["हनद"]),
        ("\ue000 — …", []),
    ],
)
def test_words(text, found):
    assert words(text) == found


def test_the_strings_of_a_value_are_found_without_its_keys():
    assert list(strings({"a": ["x", 1, {"b": "y"}], "c": None, "d": "z"})) == ["x", "y", "z"]


MILK, BREAD, TEA = (Phrase((word,)) for word in ("milk", "bread", "tea"))


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("", None),
        (" ?! () OR AND NOT -", None),
        ("Milk", MILK),
        ("milk bread", All((MILK, BREAD))),
        ("milk AND bread", All((MILK, BREAD))),
        ("milk OR bread tea", Either((MILK, All((BREAD, TEA))))),
        ("(milk OR bread) tea", All((Either((MILK, BREAD)), TEA))),
        ("-milk", Without(MILK)),
        ("NOT milk bread", All((Without(MILK), BREAD))),
        ("- (milk bread)", Without(All((MILK, BREAD)))),
        ("NOT NOT milk", Without(Without(MILK))),
        ('"Fresh milk"', Phrase(("fresh", "milk"))),
        ('-"fresh milk"', Without(Phrase(("fresh", "milk")))),
        ('"fresh mi"*', Phrase(("fresh", "mi"), True)),
        ('"fresh milk', Phrase(("fresh", "milk"))),
        ("mil*", Phrase(("mil",), True)),
        ("e-mail", Phrase(("e", "mail"))),
        ("牛乳", Phrase(("牛", "乳"))),
        ("milk ) bread", All((MILK, BREAD))),
        ("((milk", MILK),
        ("OR milk OR", MILK),
        ("or", Phrase(("or",))),
    ],
)
def test_a_search_is_read_as_it_is_meant(text, search):
    assert parse(text) == search


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("milk", True),
        ("tea", False),
        ("milk bread", True),
        ("milk tea", False),
        ("tea OR bread", True),
        ("-tea", True),
        ("-milk", False),
        ('"fresh milk"', True),
        ('"milk bread"', False),
        ("bre*", True),
        ("re*", False),
        ('"very fresh milk bread today"', False),
    ],
)
def test_a_search_holds_for_the_words_of_several_texts(text, holds):
    assert parse(text).holds([["very", "fresh", "milk"], [], ["bread"]]) is holds


def test_a_search_has_an_end():
    assert parse("(" * MAX_SEARCH_PARTS) is None
    with pytest.raises(BadRequest):
        parse("(" * (MAX_SEARCH_PARTS + 1))
