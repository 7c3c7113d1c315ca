"""The core in JavaScript, in a process for each module of tests."""

import pytest

from tests.js.driving import NODE, driver


@pytest.fixture(scope="module")
def node():
    if NODE is None:
        pytest.skip("there is no Node here")
    with driver() as process:
        yield process
