"""Which snapshots of an item stay: the older, the sparser, and no more than there is room for."""

import pytest

from syncline.stores.snapshots import thin


def grown(steps: int, room: int) -> list[int]:
    """What is left when a snapshot of weight 1 is kept after every event."""
    left = []
    for count in range(1, steps + 1):
        left = thin(dict.fromkeys([*left, count], 1), room)
    return left


def test_what_has_room_stays():
    assert thin({}, 10) == []
    assert thin({5: 4, 1: 3, 0: 3}, 10) == [0, 1, 5]


@pytest.mark.parametrize("room", [20, 50, 100])
def test_the_way_to_any_place_is_some_part_of_its_age(room):
    left = grown(5_000, room)
    assert room / 2 <= len(left) <= room
    gaps = zip([0, *left], left, strict=False)
    assert all(end - start <= 15 / room * (5_000 - start) + 1 for start, end in gaps)


def test_the_newest_stays_alone_where_there_is_no_room():
    assert thin({1: 1, 2: 1, 3: 50}, 40) == [3]
    assert thin({3: 50}, 0) == [3]


def test_weights_count_and_not_numbers():
    assert thin({10: 100, 20: 1, 30: 1, 40: 1}, 50) == [20, 30, 40]
