"""The report: a table for each figure, the goals, and everything as JSON for other programs."""

import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.machine import Facts
from bench.plan import Plan
from bench.results import Figure, Goal, Row

REFERENCE = "Syncline"


def show(console: Console, figure: Figure) -> None:
    console.rule(f"[bold]{figure.name}[/]: {figure.title}", align="left")
    for work in dict.fromkeys(row.work for row in figure.rows):
        rows = [row for row in figure.rows if row.work == work]
        console.print(work_table(work, rows))
        for remark in remarks(rows):
            console.print(f"  {remark}", style="dim", highlight=False)
        console.print()
    if figure.goals:
        console.print(goal_table(figure.goals))


def remarks(rows: list[Row]) -> list[str]:
    """What each contender is, or why it is not there."""
    skipped = [f"{row.contender}: skipped: {row.skipped}" for row in rows if row.skipped]
    return [f"{row.contender}: {row.note}" for row in rows if row.note and not row.skipped] + skipped


def work_table(title: str, rows: list[Row]) -> Table:
    details = list(dict.fromkeys(name for row in rows for name in row.details))
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for column in [rows[0].unit, "lowest–highest", *details, f"÷ {REFERENCE}"]:
        table.add_column(column, justify="right", no_wrap=True)
    reference = next((row.value for row in rows if row.contender.startswith(REFERENCE)), None)
    for row in rows:
        table.add_row(*cells(row, details, reference))
    return table


def cells(row: Row, details: list[str], reference: float | None) -> list[str]:
    if row.value is None or row.spread is None:
        return [row.contender, "skipped"]
    spread = f"{number(row.spread[0])}–{number(row.spread[1])}"
    seen = ["" if (value := row.detail(name)) is None else number(value) for name in details]
    return [row.contender, number(row.value), spread, *seen, f"{row.value / reference:.2f}" if reference else ""]


def goal_table(goals: list[Goal]) -> Table:
    table = Table(title="goals", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("")
    for column in ("goal", "seen", ""):
        table.add_column(column, justify="right")
    for goal in goals:
        bound = f"{'≤' if goal.at_most else '≥'} {number(goal.wanted)}"
        seen = "–" if goal.seen is None else number(goal.seen)
        verdict = {None: "[dim]not measured", True: "[green]met", False: "[red]missed"}[goal.met]
        table.add_row(goal.text, bound, seen, verdict)
    return table


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def as_json(figures: list[Figure], plan: Plan, machine: Facts) -> dict[str, Any]:
    return {
        "machine": machine,
        "rounds": plan.rounds,
        "quick": plan.quick,
        "figures": {figure.name: figure_json(figure) for figure in figures},
    }


def figure_json(figure: Figure) -> dict[str, Any]:
    rows = [
        {
            "work": row.work,
            "contender": row.contender,
            "unit": row.unit,
            "median": row.value,
            "samples": [sample.value for sample in row.samples],
            "details": row.details,
            "note": row.note,
            "skipped": row.skipped,
        }
        for row in figure.rows
    ]
    goals = [{**vars(goal), "met": goal.met} for goal in figure.goals]
    return {"title": figure.title, "rows": rows, "goals": goals}


def write(file: Path, report: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
