"""Replays one seed and tells everything: ``python -m tests.simulation SEED``. Two numbers are a range to search.

``bounded`` before them means a world whose server forgets.
"""

import sys
from collections import Counter

from tests.simulation.bounded import BoundedWorld
from tests.simulation.world import World


def main(first, last=None, *, kind=World):
    if last is None:
        kind(int(first), tell=print).run()
        print("all is well")
        return
    failures = Counter()
    for seed in range(int(first), int(last)):
        try:
            kind(seed).run()
        except Exception as error:  # noqa: BLE001  (a search goes on)
            what = f"{type(error).__name__}: {str(error).splitlines()[0][:60] if str(error) else ''}"
            failures[what] += 1
            print(seed, what)
    print(failures.total(), "failed")


if __name__ == "__main__":
    if sys.argv[1] == "bounded":
        main(*sys.argv[2:], kind=BoundedWorld)
    else:
        main(*sys.argv[1:])
