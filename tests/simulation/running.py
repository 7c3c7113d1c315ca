"""Running many worlds of a kind: the seed of one that ends badly is told, with what happened there last."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

CHUNK = 50
TOLD = 60
ENOUGH = 400
"""Seeds in which each broken part must be found."""


def run(kind: Callable[[int], Any], seeds: Iterable[int]) -> Iterator[Any]:
    """The worlds of these seeds after they have run."""
    for seed in seeds:
        world = kind(seed)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001  (whatever it is, the seed has to be told)
            trace = "\n".join(" ".join(map(str, words))[:300] for words in world.trace[-TOLD:])
            how = f"python -m tests.simulation {name_of(kind)} {seed}"
            pytest.fail(f"{how}\n{trace}\n{type(error).__name__}: {error}")
        yield world


def check_found(kind: Callable[[int], Any]) -> None:
    """Fails unless some world of a broken kind ends badly."""
    for seed in range(ENOUGH):
        try:
            kind(seed).run()
        except (AttributeError, NameError, TypeError):  # the world itself is wrong
            raise
        except Exception:  # noqa: BLE001  (whatever shows it)
            return
    pytest.fail(f"{name_of(kind)} went unnoticed")


def name_of(kind: Callable[[int], Any]) -> str:
    """What a kind of worlds is called."""
    return str(getattr(kind, "__name__", kind))
