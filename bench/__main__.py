"""`python -m bench [--quick] [--rounds N] [--json FILE] [figure ...]`: measure, and print what was seen."""

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console

from bench import machine, report
from bench.figures import FIGURES
from bench.plan import Plan, say

REPORT_COLUMNS = 120  # where the output is a file


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="figure", help=f"of {', '.join(FIGURES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a small run, to see that everything works")
    parser.add_argument("--rounds", type=int, help="rounds that are counted (5; quick: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as JSON")
    given = parser.parse_args()
    if unknown := set(given.figures) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    return given


def main() -> None:
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the servers are ended too
    plan = Plan(rounds=given.rounds or (2 if given.quick else 5), quick=given.quick)
    console = Console(width=None if sys.stdout.isatty() else REPORT_COLUMNS)
    facts, figures = machine.facts(), []
    console.print("  ".join(f"{name} {value}" for name, value in facts.items()), style="dim")
    for name in given.figures or FIGURES:
        say(name)
        figure = FIGURES[name](plan)
        figures.append(figure)
        report.show(console, figure)
    if given.json:
        report.write(given.json, report.as_json(figures, plan, facts))


if __name__ == "__main__":
    main()
