"""The tables of `docs/bench.md`: `python -m bench.tables FILE...` prints what `--json` wrote; later files win."""

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any


def number(value: float | None) -> str:
    """As short as it says something."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}".rstrip("0").rstrip(".")


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(work: str, rows: list[dict[str, Any]]) -> list[str]:
    details = list(dict.fromkeys(name for each in rows for name in each["details"] if name != "load_cpu"))
    lines = [row([work, rows[0]["unit"], *details]), "|---|" + "---:|" * (1 + len(details))]
    for each in rows:
        if each["skipped"] is None:
            values = [each["median"], *(each["details"].get(name) for name in details)]
            lines.append(row([each["contender"], *map(number, values)]))
    return [*lines, ""]


def goals(found: list[dict[str, Any]]) -> list[str]:
    lines = [row(["goal", "wanted", "seen", ""]), "|---|---:|---:|---|"]
    for goal in found:
        said = "not measured" if goal["seen"] is None else "met" if goal["met"] else "missed"
        sign = "≤" if goal["at_most"] else "≥"
        lines.append(row([goal["text"], f"{sign} {number(goal['wanted'])}", number(goal["seen"]), said]))
    return [*lines, ""] if found else []


def figure(found: dict[str, Any]) -> list[str]:
    lines = [f"## {found['title']}", ""]
    for work, rows in groupby(found["rows"], key=lambda each: each["work"]):
        lines += table(work, list(rows))
    return lines + goals(found["goals"])


def main() -> None:
    figures: dict[str, Any] = {}
    for path in sys.argv[1:]:
        figures |= json.loads(Path(path).read_text("utf-8"))["figures"]
    print("\n".join(line for found in figures.values() for line in figure(found)).rstrip())


if __name__ == "__main__":
    main()
