"""Every error code has its test: a new code has to be put here, and into one of the tables."""

from pathlib import Path

import pytest

from syncline.errors import BY_CODE

ON_THIS_MACHINE_ONLY = {  # never answered by a server
    *("connection_lost", "withdrawn", "store_closed", "store_locked", "unknown_event", "bad_settings"),
    *("needs_review", "resolver_failed"),  # held by the tests of the resolvers
    *("newer_schema", "store_damaged", "internal"),  # held by the tests of the stores and of the authority
    "log_changed",  # held by the tests of restoring
}
SOURCES = [*Path(__file__).parent.rglob("test_*.py"), *(Path(__file__).parents[1] / "crash").glob("test_*.py")]


@pytest.mark.parametrize("code", sorted(BY_CODE.keys() - ON_THIS_MACHINE_ONLY))
def test_a_test_asks_for_this_code(code):
    assert any(f'"{code}"' in file.read_text("utf-8") for file in SOURCES if file.name != Path(__file__).name)
