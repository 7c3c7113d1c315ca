"""What a credential is limited to, and which limits are narrower than others."""

import pytest

from syncline.core.access.scope import UNSCOPED, Scope

READER = Scope((".read",), ("task.*",))


@pytest.mark.parametrize(
    "narrower",
    [
        READER,
        Scope((".read",), ("task.milk",)),
        Scope((".read",), ("task.a*", "task.b*")),
        Scope((".read", ".read"), ("task.*",)),
    ],
)
def test_narrower_scopes(narrower):
    assert READER.includes(narrower)
    assert UNSCOPED.includes(narrower)


@pytest.mark.parametrize(
    "other",
    [
        UNSCOPED,
        Scope((".read",)),
        Scope((), ("task.*",)),
        Scope((".read", "edit"), ("task.*",)),
        Scope((".read",), ("tas*",)),
        Scope((".read",), ("*",)),
        Scope((".read",), ("task.*", "note.a")),
        Scope((".*",), ("task.*",)),
    ],
)
def test_other_scopes(other):
    assert not READER.includes(other)


def test_a_star_is_everything():
    assert Scope(("*",), ("*",)).includes(Scope((".read",), (".acl",)))
    assert UNSCOPED.includes(UNSCOPED)
