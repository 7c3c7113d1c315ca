"""A document and what it became: a list of tasks of 2 or 50 KB, where a person renamed it, ticked one and added one.

The two share nothing, as if each had been decoded from its own text.
"""

from typing import Any

TASKS = {"2 KB": 14, "50 KB": 342}  # how many make this size


def document(tasks: int) -> dict[str, Any]:
    return {
        "created": 1_700_000_000_000,
        "owner": "ann",
        "tags": ["home", "shop"],
        "tasks": [task(n) for n in range(tasks)],
        "title": "Plan",
    }


def task(n: int) -> dict[str, Any]:
    return {
        "done": n % 3 == 0,
        "due": 1_700_000_000_000 + n * 60_000,
        "estimate": {"hours": n % 5, "minutes": n * 7 % 60},
        "id": f"t{n}",
        "tags": ["shop"],
        "title": f"Buy milk and bread for the {n}th time",
    }


def edited(tasks: int) -> dict[str, Any]:
    after = document(tasks)
    after["title"] = "Plan for the week"
    after["tasks"][tasks // 2]["done"] ^= True
    after["tasks"].append({"done": False, "id": "new", "title": "Write it down"})
    return after
