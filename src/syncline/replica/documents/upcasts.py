"""Schema evolution: reading what an older program wrote in the form this program knows.

An event says in ``meta.schema`` which version of the app's own format its author knew; without it that is version 1. A
document has the greatest version of its events. An upcast is a pure function from the value of one version to that of a
later one. Documents are read through the upcasts at hand; the log is not rewritten. Only an edit makes the newer form
last: before it, the difference is written as an event of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from msgspec import UNSET

from syncline.core import patterns
from syncline.core.documents import values
from syncline.core.documents.assign import assign
from syncline.core.documents.creation import establish
from syncline.core.documents.edit import Editor
from syncline.core.documents.objects import Map, Ref
from syncline.core.events import Event
from syncline.core.patterns import matcher
from syncline.errors import BadSettings

FIRST_SCHEMA = 1
"""The version of what says nothing of a version."""
UPCAST = "upcast"
"""The action of the event that makes the newer form of a document last."""

Function = Callable[[Any], Any]
F = TypeVar("F", bound=Function)


class Step(NamedTuple):
    """One upcast."""

    to_version: int
    function: Function


class Upcasts:
    """The upcasts a program knows, by item pattern."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[int, Step]] = {}

    def register(self, item_pattern: str, from_version: int, to_version: int) -> Callable[[F], F]:
        """Decorates a pure function that takes a value of one version and returns it in a later one.

        The value is the content of a document (``Text``, ``Counter`` and ``ORSet`` in it), or the payload of an event
        without ops. It may be changed in place. For an item counts the most specific pattern. Raises BadSettings.
        """
        patterns.check([item_pattern])
        if not FIRST_SCHEMA <= from_version < to_version:
            raise BadSettings(f"An upcast leads to a later version, not from {from_version} to {to_version}.")
        steps = self._steps.setdefault(item_pattern, {})
        if from_version in steps:
            raise BadSettings(f"There is an upcast of {item_pattern} from version {from_version} already.")

        def register(function: F) -> F:
            steps[from_version] = Step(to_version, function)
            return function

        return register

    def version(self, item: str) -> int:
        """The version that this program knows."""
        return max((step.to_version for step in self._of(item).values()), default=FIRST_SCHEMA)

    def apply(self, item: str, value: Any, version: int) -> Any:
        """A value in the form this program knows; one of a version that it does not know yet, as it is.

        Raises BadSettings if no upcasts lead there.
        """
        steps, known = self._of(item), self.version(item)
        while version < known:
            if version not in steps:
                there = ", ".join(f"{start} to {step.to_version}" for start, step in sorted(steps.items()))
                raise BadSettings(f"{item}: no upcast leads on from version {version}; there are {there}.")
            version, function = steps[version]
            value = function(value)
        return value

    def _of(self, item: str) -> Mapping[int, Step]:
        fitting = [pattern for pattern in self._steps if matcher([pattern])(item)]
        best = max(fitting, key=lambda pattern: (not pattern.endswith("*"), len(pattern)), default=None)
        return self._steps[best] if best is not None else {}

    def __str__(self) -> str:
        """Tells registries apart that read differently."""
        return " ".join(
            f"{pattern}:{start}-{step.to_version}"
            for pattern, steps in sorted(self._steps.items())
            for start, step in sorted(steps.items())
        )


UPCASTS = Upcasts()
"""Those that ``syncline.upcast`` registers."""
upcast = UPCASTS.register


def schema_of(event: Event) -> int:
    """The version an event's author knew."""
    found = event.meta.get("schema") if event.meta is not UNSET else None
    return found if isinstance(found, int) else FIRST_SCHEMA


def write(editor: Editor, value: Any) -> None:
    """Makes a document show a value, doing the least; what is made anew merges if several replicas do it apart."""
    wire, root = values.to_wire(value), editor.document.root
    target = editor.document.objects[root] if type(root) is Ref else None
    kind, members = values.open_value(wire)
    if not isinstance(target, Map) or kind != "map":
        assign(editor, editor.document.top, "", wire)
        return
    for key in [key for key in target.slots if key not in members]:
        editor.delete(target, key)
    for key, member in values.in_order(members):
        kind, content = values.open_value(member)
        if kind is not None and key not in target.slots:
            establish(editor, editor.ensure(target, key, kind), content)
        else:
            assign(editor, target, key, member)


def frozen(value: Any) -> Any:
    """A value that cannot be changed by mistake: it is not the document."""
    if isinstance(value, dict):
        return MappingProxyType({key: frozen(member) for key, member in value.items()})
    return tuple(map(frozen, value)) if isinstance(value, list) else value
