"""Replays one seed and tells everything: ``python -m tests.simulation [KIND] SEED``. Two numbers are a range to search.

A kind is a class of worlds, ``BoundedWorld`` say; without one it is ``World``.
"""

import sys
from collections import Counter

from tests.simulation import away, bounded, damaged, erasing, healing, peers, recreated, world
from tests.simulation.world import World

MODULES = (away, bounded, damaged, erasing, healing, peers, recreated, world)
KINDS = {name: kind for module in MODULES for name, kind in vars(module).items() if name.endswith("World")}


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
    if sys.argv[1] in KINDS:
        main(*sys.argv[2:], kind=KINDS[sys.argv[1]])
    else:
        main(*sys.argv[1:])
