"""`rows`: what each part of a row costs a push. To be written with the store that has those rows.

The place for it, and what belongs here: the in-process `append` of the SQLite store in batches of 1,000, with
and without its digest, tail and receipt, and with and without the item index kept current. Each variant is a
`Contender` that runs a module of `bench.load` in the project's own environment; the goal is that the item
index costs push at most 25 %. Until then the figure says that it is missing.
"""

from bench.plan import Plan, skipped_rows
from bench.results import Figure, Goal

WORK = "append in batches of 1,000, in process"
MISSING = "not written yet: it belongs to the store's author, see bench/figures/rows.py"


def measure(plan: Plan) -> Figure:
    figure = Figure("rows", "Cost of digest, tail, receipt and item index in a push")
    figure.rows = skipped_rows([WORK], "events/s", {"Syncline store": MISSING})
    figure.goals = [Goal("share of push that is left with the item index", None, 0.75)]
    return figure
