"""The rules of a space over HTTP: who may do what, and why. Each change is an event on ``.acl``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from syncline.core.access.rules import Rule, check_rule
from syncline.core.access.state import ACL_ITEM, ADD_RULE, BY_ROOT, READ, REMOVE_RULE, Decision
from syncline.core.events import ACTION, ITEM, USER
from syncline.errors import BadRequest, NotFound
from syncline.server.administration import Act, record_all
from syncline.server.http import Request
from syncline.server.member import Member
from syncline.server.register.users import is_plain

MAX_RULES = 100
"""Rules that are added or removed by one request."""
BY_SCOPE = "scope"
"""Why something is denied that the rules would allow: the credentials are not for it."""
_SHAPES = {"user": USER, "item": ITEM, "action": ACTION}


class NewRule(msgspec.Struct):
    """A rule to be made; each pattern is a literal, a prefix with one trailing ``*``, or ``*``."""

    user: str
    item: str
    action: str
    type: str


class NewRules(msgspec.Struct):
    """Several of them, in one commit; or one, as it is."""

    rules: list[NewRule]


class Rules(msgspec.Struct):
    """Rules; one without an ``id`` is there from the start."""

    rules: list[Rule]


class Removed(msgspec.Struct):
    """The ids of rules that hold no longer."""

    removed: list[str]


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a user (whoever asks: none is named) may do an action with an item."""

    item: str
    action: str
    user: str | None = None


class Explanation(msgspec.Struct):
    """Why: ``root``, ``suspended``, ``scope``, ``rule`` (which is there then), or ``nothing matches``."""

    allowed: bool
    reason: str
    rule: Rule | None


async def list_rules(request: Request) -> None:
    """``GET acl``: the rules, in the order in which they were made; those that concern a ``user`` by specificity."""
    user = request.parameter("user")
    async with request.enter() as member:
        member.check_may(ACL_ITEM, READ)
        rules = member.space.access.rules
        found = sorted(rules, key=lambda rule: rule.seq) if user is None else rules.of(user)
        await request.answer(msgspec.json.encode(Rules(found)))


async def add_rules(request: Request) -> None:
    """``POST acl``: makes a rule, or several in one commit."""
    given = _rules(await request.value())
    async with request.enter() as member:
        acts = [Act(ACL_ITEM, ADD_RULE, _payload(rule)) for rule in given]
        events = await record_all(member, acts)
        made = [
            Rule(rule.user, rule.item, rule.action, rule.type, event.seq, event.id)
            for rule, event in zip(given, events, strict=True)
        ]
        await request.answer(msgspec.json.encode(Rules(made)), status=201)


async def remove_rule(request: Request) -> None:
    """``DELETE acl/{id}``: removes a rule."""
    async with request.enter() as member:
        await _remove(request, member, [request.scope["path_params"]["id"]])


async def remove_rules(request: Request) -> None:
    """``DELETE acl``: removes the rules whose ids are given as ``rule``, in one commit."""
    ids = list(dict.fromkeys(request.query.get("rule", [])))
    if not 0 < len(ids) <= MAX_RULES:
        raise BadRequest(f"rule: give the ids of 1 to {MAX_RULES} rules.")
    async with request.enter() as member:
        await _remove(request, member, ids)


async def explain(request: Request) -> None:
    """``POST acl/explain``: whether a user may do something, and the rule that says so."""
    question = await request.message(Question)
    _check(question)
    async with request.enter() as member:
        if question.user not in (None, member.user):
            member.check_may(ACL_ITEM, READ)
        allowed, rule, reason = _decision(member, question)
        await request.answer(msgspec.json.encode(Explanation(allowed, reason, rule)))


def _rules(value: Any) -> list[Rule]:
    several = value.get("rules") if isinstance(value, dict) and value.keys() == {"rules"} else [value]
    if not isinstance(several, list) or not 0 < len(several) <= MAX_RULES:
        raise BadRequest(f"rules: must be a list of 1 to {MAX_RULES} rules.")
    return [_rule(place, each) for place, each in enumerate(several)]


def _rule(place: int, value: Any) -> Rule:
    try:
        rule = check_rule(value)
        if not is_plain(rule.user):
            raise BadRequest(f"user: {rule.user[:80]!a} is nobody's name: those are printable, and in NFC.")
        return rule
    except BadRequest as error:
        raise BadRequest(f"rules[{place}]: {error.message}", index=place) from None


def _payload(rule: Rule) -> dict[str, str]:
    return {"user": rule.user, "item": rule.item, "action": rule.action, "type": rule.type}


async def _remove(request: Request, member: Member, ids: Sequence[str]) -> None:
    member.check_may(ACL_ITEM, REMOVE_RULE)
    for id in ids:
        if not id or member.space.access.rules.get(id) is None:
            raise NotFound(f"There is no rule {id[:80]!r}.")
    await record_all(member, [Act(ACL_ITEM, REMOVE_RULE, {"rule": id}) for id in ids])
    await request.answer(msgspec.json.encode(Removed(list(ids))))


def _check(question: Question) -> None:
    for field, shape in _SHAPES.items():
        name = getattr(question, field)
        if name is not None and not shape.fullmatch(name):
            raise BadRequest(f"{field}: {name[:64]!r} does not match {shape.pattern}.")


def _decision(member: Member, question: Question) -> Decision:
    if question.user not in (None, member.user):
        return member.space.access.explain(str(question.user), question.item, question.action)
    if not member.rights.scope.allows(question.item, question.action):
        return Decision(False, None, BY_SCOPE)
    if member.rights.is_trusted:
        return Decision(True, None, BY_ROOT)
    return member.space.access.explain(member.user, question.item, question.action)
