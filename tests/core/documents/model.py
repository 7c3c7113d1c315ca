"""A document said as plainly as can be, to hold the fold against: sets of puts, and trees of places.

Nothing is carried out here. Every op only adds to what was ever put, named and inserted; what shows is read off at the
end. It reads ops as they travel, takes them to be well formed, and is slow. Who is overruled is told.
"""

from typing import Any, NamedTuple

from syncline.core import canonical

MARKS = {"$map": "map", "$text": "text", "$counter": "counter", "$set": "set"}
LARGEST = 2**53 - 1


def opened(value: Any) -> tuple[str | None, Any]:
    if isinstance(value, dict):
        for mark, kind in MARKS.items():
            if mark in value:
                return kind, value[mark]
        return "map", value
    return ("list", value) if isinstance(value, list) else (None, value)


def size(value: Any) -> int:
    kind, content = opened(value)
    if kind == "map":
        return 1 + sum(map(size, content.values()))
    if kind == "list":
        return 1 + sum(1 + size(member) for member in content)
    return 0 if kind is None else 1 + len(content) if kind == "text" else 1


def height(value: Any) -> int:
    kind, content = opened(value)
    inner = content.values() if kind == "map" else content if kind == "list" else ()
    return 0 if kind is None else 1 + max(map(height, inner), default=0)


def rank(name: str) -> tuple[str, int]:
    return name[:36], int(name[37:])


class Reference(NamedTuple):
    name: str


class Slot:
    """What was ever put here, and what was ever named."""

    def __init__(self) -> None:
        self.puts: dict[str, tuple[str, Any]] = {}
        self.named: set[str] = set()

    def standing(self) -> list[tuple[str, Any]]:
        """The name and value of each put that nobody named, the greatest origin first."""
        left = [
            (rank(origin), rank(name), name, v) for name, (origin, v) in self.puts.items() if name not in self.named
        ]
        return [(name, value) for _, _, name, value in sorted(left, key=lambda each: each[:2], reverse=True)]


class Thing:
    """An object: its slots, and for a list or text the tree of its places."""

    def __init__(self, kind: str, birth: Any, depth: int) -> None:
        self.kind, self.birth, self.depth = kind, birth, depth
        self.slots: dict[Any, Slot] = {}
        self.homes: dict[str, Slot] = {}
        self.parents: dict[str, str | None] = {}
        self.owners: dict[str, str] = {}
        self.content: dict[str, str] = {}
        self.start = 0
        self.plain: list[int] = []
        self.once: dict[str, list[tuple[tuple[str, int], int]]] = {}

    def slot(self, place: Any) -> Slot:
        return self.slots.setdefault(place, Slot())

    def in_order(self) -> list[str]:
        """The places of the tree: each, then its children, the greatest first."""
        children: dict[str | None, list[str]] = {}
        for place, parent in self.parents.items():
            children.setdefault(parent, []).append(place)
        found: list[str] = []
        waiting = sorted(children.get(None, ()), key=rank)
        while waiting:
            found.append(waiting.pop())
            waiting += sorted(children.get(found[-1], ()), key=rank)
        return found

    def elements(self) -> list[tuple[str, list[tuple[str, Any]]]]:
        """The elements that are there, in order, and what stands in each."""
        shown = []
        for place in self.in_order():
            element = self.owners[place]
            puts = self.slots[element].standing()
            if puts and self.homes[element].standing()[0][1] == place:
                shown.append((element, puts))
        return shown


class Model:
    def __init__(self) -> None:
        self.top = Thing("top", None, 0)
        self.things: dict[str, Thing] = {"": Thing("map", (self.top, ""), 1)}
        self.deletes = Slot()
        self.is_made = False

    # What was ever said

    def take(self, event: str, ops: list[dict[str, Any]], has_effect: bool = True) -> None:
        self.event, self.has_effect = event, has_effect
        self.is_made |= has_effect and bool(ops)
        k = 0
        for op in ops:
            values = op.get("values", ())
            getattr(self, "_" + op["op"])(op, f"{event}:{k}", k + 1)
            k += 1 + size(op.get("value") if op["op"] == "put" else None) + sum(1 + size(value) for value in values)
            k += len(op.get("text", ""))

    def full(self, name: str) -> str:
        return self.event + name if name[:1] == ":" and name[1:2].isdigit() else name

    def over(self, op: dict[str, Any]) -> set[str]:
        return {self.full(name) for name in op.get("over", ())} if self.has_effect else set()

    def find(self, name: str) -> Thing | None:
        if name in self.things:
            return self.things[name]
        parent, slash, rest = name.rpartition("/")
        if not slash:
            return self.things.setdefault(name, Thing(name[1:], (self.top, ""), 1)) if name[1:].isalpha() else None
        above = self.find(parent)
        key, _, kind = rest.rpartition(":")
        if above is None or above.kind != "map" or above.depth > 63:
            return None
        key = key.replace("~1", "/").replace("~0", "~")
        return self.things.setdefault(name, Thing(kind, (above, key), above.depth + 1))

    def where(self, op: dict[str, Any]) -> tuple[Thing | None, Any]:
        if "elem" in op:
            thing, elem = self.find(self.full(op["in"])), self.full(op["elem"])
            return (thing, elem) if thing and thing.kind == "list" and elem in thing.homes else (None, elem)
        if "key" not in op:
            return self.top, ""
        thing = self.find(self.full(op.get("in", "")))
        return thing if thing and thing.kind == "map" else None, op["key"]

    def named(self, op: dict[str, Any]) -> set[str]:
        return self.over(op) | ({self.full(op["elem"])} if "elem" in op and self.has_effect else set())

    def _put(self, op: dict[str, Any], name: str, k: int) -> None:
        if "elems" in op:
            thing = self.find(self.full(op.get("in", "")))
            if thing and thing.kind == "text" and self.has_effect:
                for place in self.places(op["elems"]) & thing.parents.keys():
                    thing.slots[place].named |= self.over(op)
                    thing.slots[place].puts[name] = (name, True)
            return
        thing, place = self.where(op)
        if thing is None:
            return
        if "object" in op:
            value: Any = Reference(self.full(op["object"]))
            old = self.find(value.name)
            if old is None or old.birth != (thing, place):
                return
        elif thing.depth + height(op["value"]) > 64:
            return
        else:
            value = self.make(op["value"], k, thing, place)[0]
        if self.has_effect:
            thing.slot(place).puts[name] = (self.full(op.get("again", name)), value)
            thing.slot(place).named |= self.named(op)

    def _del(self, op: dict[str, Any], name: str, k: int) -> None:
        if "elems" not in op:
            thing, place = self.where(op)
            if thing:
                thing.slot(place).named |= self.over(op)
            return
        thing = self.find(self.full(op.get("in", "")))
        if thing and thing.kind in ("list", "text") and self.has_effect:
            for place in self.places(op["elems"]) & thing.slots.keys():
                thing.slots[place].named |= self.over(op) | {place}

    def _ensure(self, op: dict[str, Any], name: str, k: int) -> None:
        thing, place = self.where(op)
        if thing is None:
            return
        escaped = place.replace("~", "~0").replace("/", "~1")
        root = "" if op["kind"] == "map" else ":" + op["kind"]
        child = root if thing is self.top else f"{self.full(op.get('in', ''))}/{escaped}:{op['kind']}"
        if self.find(child) and self.has_effect:
            thing.slot(place).puts[name] = (name, Reference(child))
            thing.slot(place).named |= self.over(op)

    def places(self, elems: list[str]) -> set[str]:
        found = set()
        for elem in elems:
            first, _, count = self.full(elem).partition("+")
            event, k = rank(first)
            found |= {f"{event}:{each}" for each in range(k, k + int(count or 1))}
        return found

    def _insert(self, op: dict[str, Any], name: str, k: int) -> None:
        thing = self.find(self.full(op.get("in", "")))
        after = self.full(op["after"]) if "after" in op else None
        if thing is None or not (after is None or after in thing.parents):
            return
        if thing.kind == "text" and "text" in op:
            self.characters(thing, after, op["text"], k)
        if thing.kind == "list" and thing.depth + max(map(height, op.get("values", ())), default=0) <= 64:
            self.members(thing, after, op.get("values", ()), k)

    def characters(self, thing: Thing, after: str | None, text: str, k: int) -> int:
        for character in text:
            place = f"{self.event}:{k}"
            thing.parents[place], thing.content[place] = after, character
            slot = thing.slot(place)
            if self.has_effect:
                slot.puts[place] = (place, True)
            after, k = place, k + 1
        return k

    def members(self, thing: Thing, after: str | None, values: Any, k: int) -> int:
        for value in values:
            place = f"{self.event}:{k}"
            thing.parents[place], thing.owners[place] = after, place
            thing.homes[place], slot = Slot(), thing.slot(place)
            thing.homes[place].puts[place] = (place, place)
            made, k = self.make(value, k + 1, thing, place)
            if self.has_effect:
                slot.puts[place] = (place, made)
            after = place
        return k

    def _move(self, op: dict[str, Any], name: str, k: int) -> None:
        thing, elem = self.where(op)
        if thing is None:
            return
        origin = place = name
        if "again" in op:
            origin = place = self.full(op["again"])
            if thing.owners.get(place) != elem:
                return
        else:
            after = self.full(op["after"]) if "after" in op else None
            if not (after is None or after in thing.parents):
                return
            thing.parents[name], thing.owners[name] = after, elem
        if self.has_effect:
            thing.homes[elem].puts[name] = (origin, place)
            thing.homes[elem].named |= self.named(op)

    def target(self, op: dict[str, Any], kind: str) -> Thing | None:
        thing = self.find(self.full(op.get("in", "")))
        return thing if thing and thing.kind == kind and self.has_effect else None

    def _inc(self, op: dict[str, Any], name: str, k: int) -> None:
        if thing := self.target(op, "counter"):
            if "once" in op:
                thing.once.setdefault(op["once"], []).append((rank(name), op["by"]))
            else:
                thing.plain.append(op["by"])

    def _add(self, op: dict[str, Any], name: str, k: int) -> None:
        if thing := self.target(op, "set"):
            slot = thing.slot(member(op["value"]))
            slot.puts[name] = (name, op["value"])
            slot.named |= self.over(op)

    def _discard(self, op: dict[str, Any], name: str, k: int) -> None:
        if thing := self.target(op, "set"):
            thing.slot(member(op["value"])).named |= self.over(op)

    def _delete(self, op: dict[str, Any], name: str, k: int) -> None:
        if self.has_effect:
            self.deletes.puts[name] = (name, True)

    def _restore(self, op: dict[str, Any], name: str, k: int) -> None:
        self.deletes.named |= self.over(op)

    def make(self, value: Any, k: int, parent: Thing, place: Any) -> tuple[Any, int]:
        kind, content = opened(value)
        if kind is None:
            return value, k
        name = f"{self.event}:{k}"
        thing = self.things[name] = Thing(kind, (parent, place), parent.depth + 1)
        k += 1
        if kind == "map":
            for key in sorted(content, key=lambda key: key.encode("utf-16-be")):
                made, k = self.make(content[key], k, thing, key)
                thing.slot(key).puts[name] = (name, made)
        elif kind == "list":
            k = self.members(thing, None, content, k)
        elif kind == "text":
            k = self.characters(thing, None, content, k)
        elif kind == "counter":
            thing.start = content
        for each in content if kind == "set" else ():
            thing.slot(member(each)).puts[name] = (name, each)
        return Reference(name), k

    # What leaves a put unnamed

    def is_contradicted(self, event: Any) -> bool:
        """Whether an event writes a slot in which a put stands that neither this op nor one before it names."""
        self.event, self.has_effect = event.id, True
        named: dict[int, set[str]] = {}
        for op in event.ops:
            for slot, own in self.written(op):
                known = named.setdefault(id(slot), set())
                known |= {*self.over(op), own}
                if any(name not in known and value != self.ensured(op) for name, value in slot.standing()):
                    return True
        return False

    def ensured(self, op: dict[str, Any]) -> Any:
        """The child an op ensures, which is the same whoever ensures it."""
        if op["op"] != "ensure":
            return ...
        if "key" not in op:
            return Reference("" if op["kind"] == "map" else f":{op['kind']}")
        key = op["key"].replace("~", "~0").replace("/", "~1")
        return Reference(f"{self.full(op.get('in', ''))}/{key}:{op['kind']}")

    def written(self, op: dict[str, Any]) -> list[tuple[Slot, str]]:
        """The slots of maps, elements and places that an op writes, and a put that it names by naming an element."""
        thing = self.things.get(self.full(op.get("in", "")))
        if op["op"] in ("put", "del", "ensure") and not op.keys() & {"elem", "elems"}:
            owner = thing if "key" in op else self.top
            return [(owner.slot(op.get("key", "")), "")] if owner else []
        if thing is None or thing.kind != "list" or op["op"] not in ("put", "del", "move"):
            return []
        found = self.places(op.get("elems", [op.get("elem")])) & thing.homes.keys()
        return [((thing.homes if op["op"] == "move" else thing.slots)[place], place) for place in found]

    # What shows

    def value(self, marked: bool = True) -> Any:
        return self.show(self.root(), marked) if self.is_made and not self.deletes.standing() else None

    def root(self) -> Any:
        puts = self.top.slot("").standing()
        return puts[0][1] if puts else Reference("")

    def show(self, value: Any, marked: bool = True) -> Any:
        if not isinstance(value, Reference):
            return value
        thing = self.things[value.name]
        if thing.kind == "map":
            found = {key: slot.standing() for key, slot in thing.slots.items()}
            members = {key: self.show(puts[0][1], marked) for key, puts in found.items() if puts}
            return {"$map": members} if marked and any(key[:1] == "$" for key in members) else members
        if thing.kind == "list":
            return [self.show(puts[0][1], marked) for _, puts in thing.elements()]
        content = self.content(thing)
        return {"$" + thing.kind: content} if marked else content

    def content(self, thing: Thing) -> Any:
        if thing.kind == "text":
            return "".join(thing.content[place] for place in thing.in_order() if thing.slots[place].standing())
        if thing.kind == "set":
            found = {key: slot.standing() for key, slot in thing.slots.items()}
            return [found[key][0][1] for key in sorted(found) if found[key]]
        total = thing.start + sum(thing.plain) + sum(min(each)[1] for each in thing.once.values())
        return max(-LARGEST, min(LARGEST, total))

    def conflicts(self) -> list[Any]:
        """As ``[path, name of the put that shows, [[name, value] of each other]]``."""
        found: list[Any] = []
        if self.value() is not None or (self.is_made and not self.deletes.standing()):
            self.conflict([], self.top.slot("").standing(), found)
            if not self.top.slot("").standing():
                self.below(Reference(""), [], found)
        return found

    def conflict(self, path: list[Any], puts: list[tuple[str, Any]], found: list[Any]) -> None:
        if puts:
            others = [[name, self.show(value)] for name, value in puts[1:] if not same(value, puts[0][1])]
            if others:
                found.append([path, puts[0][0], others])
            self.below(puts[0][1], path, found)

    def below(self, value: Any, path: list[Any], found: list[Any]) -> None:
        thing = self.things[value.name] if isinstance(value, Reference) else None
        if thing and thing.kind == "map":
            for key in sorted(thing.slots, key=lambda key: key.encode("utf-16-be")):
                self.conflict([*path, key], thing.slots[key].standing(), found)
        if thing and thing.kind == "list":
            for index, (_, puts) in enumerate(thing.elements()):
                self.conflict([*path, index], puts, found)


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def member(value: Any) -> bytes:
    """What members of a set are equal by."""
    return canonical.encode(value)
