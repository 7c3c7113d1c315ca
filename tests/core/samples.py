"""What the tests of the core make their examples from: events, ids, and strategies for I-JSON."""

from typing import Any

from hypothesis import strategies as st

from syncline.core.canonical import number
from syncline.core.events import Event
from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.core.log import Receipts
from syncline.core.stamps import Stamp, node_hash

EPOCH = "0123456789abcdef0123456789abcdef"
KEY = bytes(range(32))
RECEIPTS = Receipts(KEY)
NOW = 1_700_000_000_000


def an_id(ms: int = NOW, counter: int = 0, node: str = "n1", random: int = 0) -> str:
    return str(Stamp(ms, counter, node_hash(node), random))


def a_value(n: int = 1, *, node: str = "n1", ms: int = NOW, **members: Any) -> dict[str, Any]:
    """The JSON value of a valid event, the n-th of its node."""
    value = {"action": "create", "clock": {node: n}, "id": an_id(ms, n, node), "item": "task.milk", "node": node}
    return value | {"user": "ann"} | members


def an_event(n: int = 1, **members: Any) -> Event:
    return Event.of(a_value(n, **members))


def double(value: float) -> float:
    """The number a JSON reader has to make of it: an int when integral and safe, never minus zero."""
    return int(value) if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER else value


finite = st.floats(allow_nan=False, allow_infinity=False).map(double)
numbers = st.one_of(
    finite,
    st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
    st.integers(53, 1023).map(lambda power: float(2**power)),
)
texts = st.one_of(st.text(max_size=12), st.text('"\\/\b\t\n\f\r\x00\x1f\x7fé€\ud7ff\ue000\uffff😀', max_size=6))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from 1.0 and from True."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return number(left) == number(right) if type(left) is float else left == right
