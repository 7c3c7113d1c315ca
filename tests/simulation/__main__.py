"""Replays one seed and tells everything: ``python -m tests.simulation SEED``. Two numbers are a range to search."""

import sys
from collections import Counter

from tests.simulation.world import World


def main(first, last=None):
    if last is None:
        World(int(first), tell=print).run()
        print("all is well")
        return
    failures = Counter()
    for seed in range(int(first), int(last)):
        try:
            World(seed).run()
        except Exception as error:  # noqa: BLE001  (a search goes on)
            kind = f"{type(error).__name__}: {str(error).splitlines()[0][:60] if str(error) else ''}"
            failures[kind] += 1
            print(seed, kind)
    print(failures.total(), "failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
