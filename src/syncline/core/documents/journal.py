"""What came, went and moved in a list while events were folded: one step for each element, in the words of RFC 6902.

Steps are indexes at the time when they were made. If an element comes, goes or moves again, its earlier step is taken
out of the journal and those after it are rewritten as if it had stayed where it was; so an insertion that is taken back
leaves nothing, and a drag over many places is one move.
"""

from __future__ import annotations

from typing import NamedTuple

from syncline.core.documents.objects import Element, List

NOWHERE = float("inf")
"""The index of an element that is not there. It comes after all others and stays when those before it shift."""

LOOKBACK = 128
"""How many steps are rewritten at most because one element came, went or moved again."""


class Step(NamedTuple):
    """An element of a list came, went or moved: its index before and after, as things stood then, or NOWHERE.

    As in RFC 6902 the index after is that in the list without the element.
    """

    element: Element
    at: float
    now: float


class Journal:
    """The steps from a list as it was to the list as it is, at most one for each element."""

    def __init__(self, target: List) -> None:
        self.steps: list[Step] = []
        self._target = target
        self._elements: set[Element] = set()
        """Those that have a step."""
        self._before: list[Element] | None = None

    @property
    def is_over(self) -> bool:
        """Whether steps are not kept any more, because too many would have to be rewritten."""
        return self._before is not None

    def before(self) -> list[Element]:
        """The elements of the list as it was."""
        if self._before is not None:
            return self._before
        elements = list(self._target.visible())
        for element, at, now in reversed(self.steps):
            if now != NOWHERE:
                del elements[int(now)]
            if at != NOWHERE:
                elements.insert(int(at), element)
        return elements

    def add(self, step: Step) -> None:
        """Takes the step that the list has just made."""
        if self._before is not None:
            return
        self.steps.append(step)
        if step.element not in self._elements:
            self._elements.add(step.element)
            return
        earlier = range(len(self.steps) - 2, max(len(self.steps) - 2 - LOOKBACK, -1), -1)
        last = next((place for place in earlier if self.steps[place].element is step.element), None)
        if last is None:
            self._before = self.before()
        else:
            self._join(last)

    def _join(self, last: int) -> None:
        """Makes one step of an element's earlier step and the one at the end.

        The element is left where it was until the end; the steps in between are told as they are without the first.
        """
        element, there, here = self.steps.pop(last)
        _, _, now = self.steps.pop()
        for place in range(last, len(self.steps)):
            self.steps[place], there, here = _past(self.steps[place], there, here)
        if there == now:
            self._elements.remove(element)
        else:
            self.steps.append(Step(element, there, now))


def _past(step: Step, there: float, here: float) -> tuple[Step, float, float]:
    """A step in a list in which one element is not ``here`` but still ``there``, and where that is afterwards."""
    element, at, now = step
    if at != NOWHERE:
        bare = at - (here < at)  # the index in the list without that element
        here -= at < here
        at = bare + (there <= bare)
        there -= at < there
    if now != NOWHERE:
        bare = now - (here < now)
        here += now <= here
        now = bare + (there < bare)
        there += now <= there
    return Step(element, at, now), there, here
