"""`access`: checks of access a second, each of another user, item and action, so that nothing is remembered.

Beside it the plain way: all rules lie in order, the most specific first, and the first that matches decides.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, interleave
from bench.results import Figure, Goal, Sample
from syncline.core.access.index import specificity
from syncline.core.access.rules import ALLOW, DEFAULTS, DENY, READ, Rule, Rules

UNIT = "checks/s"
SCAN = "scan of all rules"
WANTED = 100_000
TOGETHER = 200  # questions between two looks at the clock
QUESTIONS = 400_000
ACTIONS = ("create", "edit", "finish", READ)
MIXED = (10, 1_000, 10_000)
MANY = 10_000

Question = tuple[str, str, str]
Decide = Callable[[str, str, str], Rule | None]


def measure(plan: Plan) -> Figure:
    figure = Figure("access", "Access: who may do what, decided in process, no question twice")
    works = {f"{count:,} rules": mixed(count) for count in MIXED} | {f"{MANY:,} {n}": s() for n, s in SHAPES.items()}
    for work, rules in works.items():
        contenders = [contender(plan, SYNCLINE.name, Rules, rules), contender(plan, SCAN, scan, rules)]
        figure.rows += interleave(plan, work, UNIT, contenders)
        if len(rules) >= MANY:
            figure.goals.append(Goal(f"{work}: checks/s", figure.value(work, SYNCLINE.name), WANTED))
    return figure


def contender(plan: Plan, name: str, index: Callable[[list[Rule]], "Rules | Scan"], rules: list[Rule]) -> Contender:
    seconds = plan.size(1.0, 0.2)

    def run(warm_up: bool) -> Sample:
        return Sample(rate(index([*DEFAULTS, *rules]).decide, list(islice(questions(), QUESTIONS)), seconds))

    return Contender(name, run)


def rate(decide: Decide, asked: Sequence[Question], seconds: float) -> float:
    """Questions a second, until the time is over or the questions are."""
    done = 0
    gc.disable()
    started = time.perf_counter()
    while done < len(asked) and time.perf_counter() - started < seconds:
        for question in asked[done : done + TOGETHER]:
            decide(*question)
        done += TOGETHER
    elapsed = time.perf_counter() - started
    gc.enable()
    return done / elapsed


def questions() -> Iterator[Question]:
    """Users and projects by lot; every task is another one."""
    lot = random.Random(1)
    number = 0
    while True:
        number += 1
        item = f"project{lot.randrange(1_000)}.task{number}"
        yield f"team{lot.randrange(50)}-user{lot.randrange(1_000)}", item, lot.choice(ACTIONS)


class Scan:
    """Rules in order, looked at one by one."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = sorted(rules, key=precedence)

    def decide(self, user: str, item: str, action: str) -> Rule | None:
        for rule in self._rules:
            if matches(rule.item, item) and matches(rule.user, user) and matches(rule.action, action):
                return rule
        return None


def scan(rules: list[Rule]) -> Scan:
    return Scan(rules)


def precedence(rule: Rule) -> tuple[object, ...]:
    return specificity(rule.item), specificity(rule.user), specificity(rule.action), -rule.seq


def matches(pattern: str, name: str) -> bool:
    if pattern == "*":
        return not name.startswith(".") or name == READ
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


# Rules by lot, and in the shapes over which an index could stumble


def mixed(count: int) -> list[Rule]:
    """One in ten for everybody, three for a team, the rest for single users; half of them about whole projects."""
    lot = random.Random(2)

    def made(seq: int) -> Rule:
        team, user, project = lot.randrange(50), lot.randrange(1_000), lot.randrange(1_000)
        who = lot.choices(("*", f"team{team}-*", f"team{team}-user{user}"), (1, 3, 6))[0]
        item = f"project{project}.*" if lot.random() < 0.5 else f"project{project}.task{lot.randrange(1_000)}"
        return rule(who, item, lot.choice(("*", *ACTIONS)), seq)

    return [made(seq) for seq in range(1, count + 1)]


def rule(user: str, item: str, action: str, seq: int) -> Rule:
    return Rule(user, item, action, ALLOW if seq % 2 else DENY, seq, f"e{seq}")


def items_of_one() -> list[Rule]:
    return [rule("team*", f"project{seq % 1_000}.task{seq}", "*", seq) for seq in range(1, MANY + 1)]


def users() -> list[Rule]:
    return [rule(f"team{seq % 50}-user{seq}", "*", "*", seq) for seq in range(1, MANY + 1)]


def prefixes() -> list[Rule]:
    """Of every length up to 240, as if folders lay in folders."""
    return [rule("*", f"project{seq % 1_000}." + "a" * (seq % 230) + "*", "edit", seq) for seq in range(1, MANY + 1)]


SHAPES = {"items of one team": items_of_one, "users": users, "prefixes of all lengths": prefixes}
