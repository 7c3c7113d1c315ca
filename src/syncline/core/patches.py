"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396): ``apply`` and ``diff``, ``merge``.

Values are I-JSON as ``canonical.decode`` gives them, at most MAX_DEPTH deep. No function changes an argument: what is
changed is copied, the path down to it and no more, and the rest of the result is the argument's own. So treat
arguments and results as immutable.

Equality is JSON's: numbers by their value (1 is 1.0), true is no number, strings by their code points, objects
without regard to order.

Left out of ``diff``: it finds no moves and no copies, and where elements of an array were both changed and removed
side by side it guesses from either end which is which.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import methodcaller
from typing import Any, Protocol

import msgspec

from syncline.core import pointers
from syncline.core.limits import MAX_DEPTH, MAX_PATCH_COPIED_BYTES, MAX_PATCH_OPERATIONS, MAX_POINTER_LENGTH
from syncline.errors import BadPatch, PatchFailed, PatchTestFailed, SynclineError, TooDeep, TooLarge

MAX_EDITS = 128
"""Elements that ``diff`` removes from and adds to one array at most; further apart, arrays are paired by place."""

CONTAINERS = (dict, list)

_utf16 = methodcaller("encode", "utf-16-be")  # the order of keys in the canonical form
_sorted = msgspec.json.Encoder(order="deterministic").encode
_as_it_is = msgspec.json.Encoder().encode  # twice as fast; keys mostly stand in the same order anyway


def equal(left: Any, right: Any) -> bool:
    """JSON equality."""
    if left != right:  # Python's equality errs on the kind side only: True == 1
        return False
    if not isinstance(left, CONTAINERS):
        return isinstance(left, bool) == isinstance(right, bool)
    if _same(left, right):
        return True
    if isinstance(left, dict):
        return all(equal(value, right[key]) for key, value in left.items())
    return all(map(equal, left, right))


def _same(left: Any, right: Any) -> bool:
    """Equality at the speed of C. It tells 1 from 1.0, of which decoded values hold the first alone."""
    if left is right:
        return True
    return left == right and (_as_it_is(left) == _as_it_is(right) or _sorted(left) == _sorted(right))


# Applying


def apply(value: Any, patch: Any) -> Any:
    """The value after all operations of a JSON Patch, in order: all are applied, or none.

    Raises BadPatch if the patch is malformed, whatever the value; PatchFailed or PatchTestFailed if an operation does
    not fit; TooDeep if something would nest deeper than MAX_DEPTH; TooLarge if more than MAX_PATCH_COPIED_BYTES would
    be copied, or moved deeper, in all. ``index`` among the error's details is the operation that it was, from 0.
    The whole value can be replaced but not removed. Members that RFC 6902 does not know are ignored.
    """
    draft = _Draft(value)
    carry_out(patch, draft)
    return draft.root


class Patched(Protocol):
    """What a patch is carried out on; paths come as tokens."""

    def test(self, path: Sequence[str], value: Any) -> None:
        """Raises PatchTestFailed unless this value is there."""

    def add(self, path: Sequence[str], value: Any) -> None:
        """Adds a member or an element, or replaces a member."""

    def remove(self, path: Sequence[str]) -> None:
        """Removes what is there."""

    def replace(self, path: Sequence[str], value: Any) -> None:
        """Replaces what is there."""

    def move(self, path: Sequence[str], source: Sequence[str]) -> None:
        """Removes what is at ``source`` and adds it at ``path``."""

    def copy(self, path: Sequence[str], source: Sequence[str]) -> None:
        """Adds what is at ``source`` at ``path`` as well."""


def carry_out(patch: Any, target: Patched) -> None:
    """All operations, in order, after the whole patch was read. Errors get the ``index`` of their operation."""
    for index, (name, arguments) in enumerate(_read(patch)):
        try:
            getattr(target, name)(*arguments)
        except SynclineError as error:
            error.details["index"] = index
            raise


class Allowance:
    """How much a patch may still copy: MAX_PATCH_COPIED_BYTES in all, because copies of copies grow fast."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_PATCH_COPIED_BYTES

    def spend(self, value: Any) -> None:
        """Counts a value that will stand in one more place. Raises TooLarge."""
        self._left -= len(_as_it_is(value))
        if self._left < 0:
            raise TooLarge(f"The patch copies more than {MAX_PATCH_COPIED_BYTES} bytes.")


class _Draft:
    """A value that is being patched.

    Its containers are copied when they are first changed; ``_own`` holds the copies, which can be changed in place.
    A container stands there by its id, and being held it keeps that id.
    """

    __slots__ = ("_allowance", "_own", "root")

    def __init__(self, value: Any) -> None:
        self.root = value
        self._own: dict[int, Any] = {}
        self._allowance = Allowance()

    def test(self, path: Sequence[str], value: Any) -> None:
        if not equal(pointers.resolve(self.root, path), value):
            raise PatchTestFailed("The value is not the one that the patch asks for.")

    def add(self, path: Sequence[str], value: Any) -> None:
        check_depth(value, len(path))
        self._put(path, value)

    def remove(self, path: Sequence[str]) -> None:
        if not path:
            raise PatchFailed("The whole value cannot be removed.")
        parent = self._opened(path)
        del parent[pointers.key(parent, path[-1])]

    def replace(self, path: Sequence[str], value: Any) -> None:
        check_depth(value, len(path))
        if not path:
            self.root = value
            return
        parent = self._opened(path)
        parent[pointers.key(parent, path[-1])] = value

    def move(self, path: Sequence[str], source: Sequence[str]) -> None:
        value = pointers.resolve(self.root, source)
        if path == source:
            return
        if path[: len(source)] == source:
            raise PatchFailed("A value cannot be moved into itself.")
        if len(path) > len(source):
            self._weigh(value, len(path))
        self.remove(source)
        self._put(path, value)

    def copy(self, path: Sequence[str], source: Sequence[str]) -> None:
        value = pointers.resolve(self.root, source)
        self._weigh(value, len(path))
        self._own.clear()  # two places will share the value: neither may change it in place
        self._put(path, value)

    def _put(self, path: Sequence[str], value: Any) -> None:
        if not path:
            self.root = value
            return
        parent = self._opened(path)
        if isinstance(parent, dict):
            parent[path[-1]] = value
        else:
            parent.insert(pointers.gap(parent, path[-1]), value)

    def _opened(self, path: Sequence[str]) -> Any:
        """The container around a place; it and all those above it are the draft's own after this."""
        own, parent = self._own, self.root
        if id(parent) not in own:
            parent = self.root = self._copied(parent)
        for token in path[:-1]:
            key = pointers.key(parent, token)
            child = parent[key]
            if id(child) not in own:
                child = parent[key] = self._copied(child)
            parent = child
        return parent

    def _copied(self, container: Any) -> Any:
        if not isinstance(container, CONTAINERS):
            raise PatchFailed("The path leads into a value that is neither an object nor an array.")
        own = container.copy()
        self._own[id(own)] = own
        return own

    def _weigh(self, value: Any, above: int) -> None:
        """Count a value that is put into another place, before it is walked."""
        self._allowance.spend(value)
        check_depth(value, above)


def check_depth(value: Any, above: int) -> None:
    """Raise TooDeep if a value that stands within so many containers nests too deep. Level by level: no recursion."""
    level = [value] if isinstance(value, CONTAINERS) else []
    while level:
        above += 1
        if above > MAX_DEPTH:
            raise TooDeep(f"The value nests deeper than {MAX_DEPTH}.")
        children = chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [child for child in children if isinstance(child, CONTAINERS)]


_OPERATIONS = {
    "test": ("path", "value"),
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "from"),
    "copy": ("path", "from"),
}
"""The members that each operation needs."""


def _read(patch: Any) -> list[tuple[str, list[Any]]]:
    """The operations of a patch, each with its arguments. Raises BadPatch."""
    if not isinstance(patch, list):
        raise BadPatch("A patch is a list of operations.")
    if len(patch) > MAX_PATCH_OPERATIONS:
        raise BadPatch(f"A patch has at most {MAX_PATCH_OPERATIONS} operations, not {len(patch)}.")
    steps = []
    for index, operation in enumerate(patch):
        try:
            steps.append(_read_operation(operation))
        except BadPatch as error:
            error.details["index"] = index
            raise
    return steps


def _read_operation(operation: Any) -> tuple[str, list[Any]]:
    name = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(name, str) or name not in _OPERATIONS:
        raise BadPatch(f"An operation is an object whose op is one of {', '.join(_OPERATIONS)}.")
    arguments = []
    for member in _OPERATIONS[name]:
        if member not in operation:
            raise BadPatch(f"The operation {name} needs a member {member}.")
        argument = operation[member]
        if member != "value":
            if not isinstance(argument, str):
                raise BadPatch(f"The member {member} of an operation is a JSON Pointer.")
            argument = pointers.parse(argument)
        arguments.append(argument)
    return name, arguments


# Comparing


def diff(before: Any, after: Any) -> list[dict[str, Any]]:
    """A JSON Patch that makes ``after`` of ``before``; the same two values always give the same patch.

    It keeps what arrays have in common (see MAX_EDITS) and names just what changed, objects' keys in canonical order.
    A container for which that would not be a patch that ``apply`` takes is replaced as a whole.
    """
    operations: list[dict[str, Any]] = []
    _compare(before, after, "", operations)
    return operations


def _compare(before: Any, after: Any, path: str, out: list[dict[str, Any]]) -> None:
    start = len(out)
    if isinstance(before, dict) and isinstance(after, dict):
        _compare_objects(before, after, path, out)
    elif isinstance(before, list) and isinstance(after, list):
        _compare_arrays(before, after, path, out)
    elif not equal(before, after):
        out.append({"op": "replace", "path": path, "value": after})
        return
    if len(out) - start > MAX_PATCH_OPERATIONS or any(len(each["path"]) > MAX_POINTER_LENGTH for each in out[start:]):
        out[start:] = [{"op": "replace", "path": path, "value": after}]


def _compare_objects(before: dict[str, Any], after: dict[str, Any], path: str, out: list[dict[str, Any]]) -> None:
    for key in _changed(before, after):
        place = f"{path}/{pointers.escape(key)}"
        if key not in after:
            out.append({"op": "remove", "path": place})
        elif key not in before:
            out.append({"op": "add", "path": place, "value": after[key]})
        else:
            _compare(before[key], after[key], place, out)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The keys under which two objects differ, in canonical order."""
    changed = [key for key, value in before.items() if key not in after or not _same(value, after[key])]
    changed += [key for key in after if key not in before]
    return sorted(changed, key=_utf16)


def _compare_arrays(before: list[Any], after: list[Any], path: str, out: list[dict[str, Any]]) -> None:
    done = at = 0  # everything is said about before[:done], which has become after[:at]
    for start, end, length in _matches(before, after):
        if done < start or at < end:
            _compare_runs(before[done:start], after[at:end], path, at, out)
        done, at = start + length, end + length


def _compare_runs(removed: list[Any], added: list[Any], path: str, at: int, out: list[dict[str, Any]]) -> None:
    """Say how one run of elements becomes another: what is over goes or comes, then the others change in pairs."""
    pairs = min(len(removed), len(added))
    gone, come = len(removed) - pairs, len(added) - pairs
    if not pairs or gone == come or _likeness(removed, added) >= _likeness(removed[gone:], added[come:]):
        over, spare = at + pairs, added[pairs:]
    else:
        over, spare = at, added[:come]
        removed, added, at = removed[gone:], added[come:], at + come
    out += [{"op": "remove", "path": f"{path}/{over}"} for _ in range(gone)]
    out += [{"op": "add", "path": f"{path}/{over + n}", "value": value} for n, value in enumerate(spare)]
    for n in range(pairs):
        _compare(removed[n], added[n], f"{path}/{at + n}", out)


def _likeness(left: list[Any], right: list[Any]) -> int:
    """How many members are the same in the objects of two runs, pair by pair."""
    pairs = [pair for pair in zip(left, right, strict=False) if isinstance(pair[0], dict) and isinstance(pair[1], dict)]
    return sum(key in other and other[key] == value for one, other in pairs for key, value in one.items())


def _matches(before: list[Any], after: list[Any]) -> list[tuple[int, int, int]]:
    """Where two arrays agree: (index before, index after, length) of each run, the last one at their ends."""
    head = _alike(before, after)
    tail = _alike(before[head:][::-1], after[head:][::-1])
    start, end = len(before) - tail, len(after) - tail
    middle = _common([*map(_sorted, before[head:start])], [*map(_sorted, after[head:end])])
    return [(0, 0, head), *((head + at, head + to, length) for at, to, length in middle), (start, end, tail)]


def _alike(left: list[Any], right: list[Any]) -> int:
    """How many elements are the same before the first that is not."""
    for n, (one, other) in enumerate(zip(map(_as_it_is, left), map(_as_it_is, right), strict=False)):
        if one != other and not _same(left[n], right[n]):
            return n
    return min(len(left), len(right))


def _common(before: list[bytes], after: list[bytes]) -> list[tuple[int, int, int]]:
    """The runs of a longest common subsequence, or none if the sequences are more than MAX_EDITS apart.

    The greedy algorithm of Myers, "An O(ND) Difference Algorithm and Its Variations" (1986). On diagonal k, which is
    the index before minus the index after, it goes as far as it can with 0, 1, 2, … edits. Each diagonal holds
    how far that was, and the matches on the way as a linked list, the last one first.
    """
    width, height = len(before), len(after)
    if abs(width - height) > MAX_EDITS or set(before).isdisjoint(after):
        return []
    reached: dict[int, tuple[int, Any]] = {1: (0, None)}
    for edits in range(min(MAX_EDITS, width + height) + 1):
        for k in range(-edits, edits + 1, 2):
            if k == -edits or (k != edits and reached[k - 1][0] < reached[k + 1][0]):
                at, matches = reached[k + 1]  # one was added
            else:
                at, matches = reached[k - 1]  # one was removed
                at += 1
            start = at
            while at < width and at - k < height and before[at] == after[at - k]:
                at += 1
            if at > start:
                matches = (start, start - k, at - start), matches
            if at >= width and at - k >= height:
                return _in_order(matches)
            reached[k] = at, matches
    return []


def _in_order(matches: Any) -> list[tuple[int, int, int]]:
    runs = []
    while matches is not None:
        run, matches = matches
        runs.append(run)
    return runs[::-1]


# Merging


def merge(value: Any, patch: Any) -> Any:
    """The value after a JSON Merge Patch: objects merge, null removes a member, anything else replaces.

    Raises TooDeep if the patch nests deeper than MAX_DEPTH.
    """
    check_depth(patch, 0)
    return _merge(value, patch)


def _merge(value: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = value.copy() if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), change)
    return result
