"""The documents of a log in one SQLite file beside it, found by JSON functions, by extracted terms, and by FTS5.

``terms`` holds, for the fields that were added, what stands there in each document (and, as members, what is in a list
that stands there), so a comparison is a search in one B-tree. Other comparisons look into the JSON of each document.
``texts`` has the words as ``core.words`` tells them, so that a search means the same everywhere: its tokenizer only
parts them at the spaces. Derived data: see ``snapshots`` about its file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path as FilePath
from threading import Lock
from typing import Any, NamedTuple

import msgspec

from syncline.core import canonical, queries, words
from syncline.core.patterns import matcher
from syncline.core.queries import Condition, Path, Query, Term
from syncline.errors import ForeignFile, StorageFull, StoreDamaged
from syncline.stores.documents import Indexed
from syncline.stores.tables.database import Database, Schema, discard, insert

SCHEMA = Schema(
    "index of documents",
    0x53594E34,
    [
        """
        CREATE TABLE documents (
            id INTEGER PRIMARY KEY,
            item TEXT NOT NULL UNIQUE,
            body TEXT,
            local TEXT NOT NULL
        );
        CREATE INDEX documents_by_local ON documents (item, local) WHERE local != '';
        CREATE TABLE fields (id INTEGER PRIMARY KEY, pattern TEXT NOT NULL, path TEXT NOT NULL, UNIQUE (pattern, path));
        CREATE TABLE terms (
            field INTEGER NOT NULL,
            is_member INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            "key" NOT NULL,
            document INTEGER NOT NULL,
            PRIMARY KEY (field, is_member, kind, "key", document)
        ) WITHOUT ROWID;
        CREATE INDEX terms_by_document ON terms (document);
        CREATE VIRTUAL TABLE texts USING fts5 (words, content = '', contentless_delete = 1, tokenize = 'ascii');
        CREATE TABLE place (place TEXT NOT NULL);
        INSERT INTO place VALUES ('');
        """
    ],
)

LOCAL = "SELECT item, local FROM documents WHERE local != ''"
KNOWN = "SELECT id, body, local FROM documents WHERE item = ?"
ADD = "INSERT INTO documents (item, body, local) VALUES (?, ?, ?) RETURNING id"
CHANGE = "UPDATE documents SET body = ?, local = ? WHERE id = ?"
ADD_TERMS = "INSERT OR IGNORE INTO terms"
ADD_WORDS = "INSERT INTO texts (rowid, words) VALUES (?, ?)"
ADD_FIELD = "INSERT INTO fields (pattern, path) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id"
BODIES = "SELECT id, item, body FROM documents WHERE body IS NOT NULL"
MERGE_WORDS = "INSERT INTO texts (texts) VALUES ('optimize')"
"""Documents that are gone only have tombstones until their words are merged with others."""
EMPTY = "DELETE FROM terms; DELETE FROM texts; DELETE FROM documents;"

KIND = (
    "CASE {} WHEN 'false' THEN 1 WHEN 'true' THEN 2 WHEN 'integer' THEN 3 WHEN 'real' THEN 3 WHEN 'text' THEN 4"
    " WHEN 'array' THEN 5 WHEN 'object' THEN 6 ELSE 0 END"
)
BETWEEN_STRINGS = " \ue000 "
"""No word, so that no phrase goes from one string to the next."""


class Field(NamedTuple):
    """A field whose terms are extracted."""

    id: int
    pattern: str
    path: Path

    def covers(self, query: Query) -> bool:
        """Whether it has the terms of every document that a query asks for."""
        return query.pattern == self.pattern or (
            self.pattern.endswith("*") and query.pattern.startswith(self.pattern[:-1])
        )


class SqliteDocumentIndex:
    """Documents in a file; see ``DocumentIndex``. Only one program may have it open: whoever has the log open."""

    def __init__(self, path: FilePath | str, *, checked: bool = False) -> None:
        """``checked``: each page has a checksum beside it."""
        self._path, self._is_checked = FilePath(path), checked
        self._lock = Lock()
        self._open()

    def _open(self) -> None:
        self._db = Database(self._path, SCHEMA, shared=True, derived=True, checked=self._is_checked)
        with self._db.writing() as cursor:
            rows = cursor.execute("SELECT id, pattern, path FROM fields")
            self._fields = [Field(id, pattern, tuple(msgspec.json.decode(path))) for id, pattern, path in rows]

    def place(self) -> str:
        """See ``DocumentIndex.place``."""
        return str(self._do(lambda cursor: cursor.execute("SELECT place FROM place").get))

    def local(self) -> Mapping[str, str]:
        """See ``DocumentIndex.local``."""
        return dict(self._do(lambda cursor: cursor.execute(LOCAL).fetchall()))

    def update(
        self, documents: Mapping[str, Indexed], place: str | None = None, *, anew: bool = False, scrub: bool = False
    ) -> None:
        """See ``DocumentIndex.update``."""

        def work(cursor: Any) -> None:
            if anew:
                cursor.execute(EMPTY)
            for item, indexed in documents.items():
                _put(cursor, item, indexed, self._fields)
            if place is not None:
                cursor.execute("UPDATE place SET place = ?", (place,))
            if scrub:
                cursor.execute(MERGE_WORDS)

        if scrub:
            self._scrub(work)
        else:
            self._do(work)

    def _scrub(self, work: Callable[[Any], None]) -> None:
        with suppress(StorageFull):
            self._do(work)
            if self._db.scrub():
                return
        with self._lock:
            self._begin_anew()
        raise StoreDamaged(f"{self._path.name} could not be cleaned, and begins anew.")

    def add_field(self, pattern: str, path: Path) -> None:
        """See ``DocumentIndex.add_field``."""

        def work(cursor: Any) -> list[Field]:
            id = cursor.execute(ADD_FIELD, (pattern, msgspec.json.encode(path).decode())).get
            if id is None:
                return []
            field, fits = Field(id, pattern, path), matcher([pattern])
            for document, item, body in cursor.execute(BODIES).fetchall():
                if fits(item):
                    _add_terms(cursor, document, queries.read(body.encode()), [field])
            return [field]

        self._fields += self._do(work)

    def find(self, query: Query) -> list[str]:
        """See ``DocumentIndex.find``."""
        sql, values = statement(query, self._fields)
        return [item for (item,) in self._do(lambda cursor: cursor.execute(sql, values).fetchall())]

    def explain(self, query: Query) -> list[str]:
        """How SQLite answers a query: the steps of its plan."""
        sql, values = statement(query, self._fields)
        return [
            step[-1] for step in self._do(lambda cursor: cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
        ]

    def close(self) -> None:
        """See ``DocumentIndex.close``."""
        with self._lock:
            self._db.close()

    def _do(self, work: Callable[[Any], Any]) -> Any:
        """Does something in a transaction of the one connection: another one might not find the same file."""
        with self._lock:
            try:
                with self._db.writing() as cursor:
                    return work(cursor)
            except (StoreDamaged, ForeignFile) as error:
                self._begin_anew()
                raise StoreDamaged(f"{self._path.name} was damaged, and begins anew.") from error

    def _begin_anew(self) -> None:
        fields = self._fields
        self._db.close()
        discard(self._path)
        self._open()
        with self._db.writing() as cursor:
            for _, pattern, path in fields:
                id = cursor.execute(ADD_FIELD, (pattern, msgspec.json.encode(path).decode())).get
                self._fields.append(Field(id, pattern, path))


# Writing


def _put(cursor: Any, item: str, indexed: Indexed, fields: Sequence[Field]) -> None:
    body = None if indexed.body is None else indexed.body.decode()
    known = cursor.execute(KNOWN, (item,)).fetchone()
    if known is None and body is None and not indexed.local:
        return
    if known is None:
        id, before = cursor.execute(ADD, (item, body, indexed.local)).get, None
    else:
        id, before, _ = known
        cursor.execute(CHANGE, (body, indexed.local, id))
    if before != body:
        _replace(cursor, id, before, body, [field for field in fields if matcher([field.pattern])(item)])
    if body is None and not indexed.local:
        cursor.execute("DELETE FROM documents WHERE id = ?", (id,))


def _replace(cursor: Any, id: int, before: str | None, body: str | None, fields: Sequence[Field]) -> None:
    """What is found by terms and words, for a document that shows something else now."""
    if before is not None:
        cursor.execute("DELETE FROM terms WHERE document = ?", (id,))
        cursor.execute("DELETE FROM texts WHERE rowid = ?", (id,))
    if body is not None:
        value = queries.read(body.encode())
        _add_terms(cursor, id, value, fields)
        cursor.execute(
            ADD_WORDS, (id, BETWEEN_STRINGS.join(" ".join(words.words(each)) for each in words.strings(value)))
        )


def _add_terms(cursor: Any, document: int, value: Any, fields: Sequence[Field]) -> None:
    for field in fields:
        found = queries.find(value, field.path)
        members = found if isinstance(found, list) else ()
        terms = [(0, queries.term(found)), *((1, queries.term(member)) for member in members)]
        insert(cursor, ADD_TERMS, [(field.id, is_member, *term, document) for is_member, term in terms])


# Finding


class _Values:
    """What is bound to a statement: nothing of a query stands in its text."""

    def __init__(self) -> None:
        self.list: list[Any] = []

    def bind(self, value: Any) -> str:
        """The parameter for a value."""
        self.list.append(value)
        return f"?{len(self.list)}"


def statement(query: Query, fields: Sequence[Field]) -> tuple[str, list[Any]]:
    """The SELECT of a query, and what is bound to it."""
    values = _Values()
    parts = ["body IS NOT NULL", *_items(query.pattern, values)]
    for condition in query.conditions:
        field = next((field for field in fields if field.path == condition.path and field.covers(query)), None)
        parts.append(_by_terms(condition, field, values) if field else _by_json(condition, values))
    if query.search is not None:
        parts.append(_search(query.search, values))
    order = [
        step
        for path, descends in query.order
        for step in _order(values.bind(_json_path(path)), "DESC" if descends else "ASC")
    ]
    limit = values.bind(-1 if query.limit is None else query.limit)
    return (
        f"SELECT item FROM documents WHERE {' AND '.join(parts)} ORDER BY {', '.join([*order, 'item'])} LIMIT {limit}",
        values.list,
    )


def _items(pattern: str, values: _Values) -> Iterator[str]:
    prefix = pattern.removesuffix("*")
    if prefix == pattern:
        yield f"item = {values.bind(pattern)}"
    elif prefix:
        yield f"item >= {values.bind(prefix)} AND item < {values.bind(prefix + chr(0x7F))}"  # items are ASCII up to ~


def _order(path: str, direction: str) -> list[str]:
    return [f"{KIND.format(f'json_type(body, {path})')} {direction}", f"body ->> {path} {direction}"]


def _by_terms(condition: Condition, field: Field, values: _Values) -> str:
    which = f"field = {values.bind(field.id)} AND is_member = {int(condition.operator == 'has')}"
    found = [
        f"SELECT document FROM terms WHERE {which} AND {each}"
        for each in _comparisons(condition, "kind", '"key"', values)
    ]
    is_in = "NOT IN" if condition.operator == "not in" else "IN"
    return f"documents.id {is_in} ({' UNION ALL '.join(found) or 'SELECT NULL WHERE 0'})"


def _by_json(condition: Condition, values: _Values) -> str:
    path = values.bind(_json_path(condition.path))
    if condition.operator == "has":
        (equals,) = _comparisons(condition, KIND.format("type"), "value", values)
        return f"(json_type(body, {path}) = 'array' AND EXISTS (SELECT 1 FROM json_each(body, {path}) WHERE {equals}))"
    kind = KIND.format(f"json_type(body, {path})")
    alternatives = " OR ".join(f"({each})" for each in _comparisons(condition, kind, f"body ->> {path}", values))
    return f"NOT ({alternatives or '0'})" if condition.operator == "not in" else f"({alternatives or '0'})"


def _comparisons(condition: Condition, kind: str, key: str, values: _Values) -> list[str]:
    """What must hold for kind and key: one of these."""
    if condition.operator in ("in", "not in", "has"):
        return [_one_of(each, condition.terms, kind, key, values) for each in sorted({t.kind for t in condition.terms})]
    (term,) = condition.terms
    if condition.operator == "begins":
        bounds = [f"{key} >= {values.bind(term.key)}"]
        if after := _successor(term.key):
            bounds.append(f"{key} < {values.bind(after)}")
    else:
        bounds = [f"{key} {condition.operator} {values.bind(term.key)}"]
    return [f"{kind} = {term.kind} AND {' AND '.join(bounds)}"]


def _one_of(wanted: int, terms: Sequence[Term], kind: str, key: str, values: _Values) -> str:
    if wanted <= queries.TRUE:
        return f"{kind} = {wanted}"
    keys = ", ".join(values.bind(term.key) for term in terms if term.kind == wanted)
    return f"{kind} = {wanted} AND {key} IN ({keys})"


def _successor(prefix: str) -> str | None:
    """The least string greater than all that begin so, in the order of code points; None if there is none."""
    prefix = prefix.rstrip("\U0010ffff")
    if not prefix:
        return None
    after = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if after == 0xD800 else after)


def _json_path(path: Path) -> str:
    return "$" + "".join(f".{canonical.encode(key).decode()}" for key in path)


def _search(search: words.Search, values: _Values) -> str:
    match search:
        case words.All(parts):
            return f"({' AND '.join(_search(part, values) for part in parts)})"
        case words.Either(parts):
            return f"({' OR '.join(_search(part, values) for part in parts)})"
        case words.Without(part):
            return f"NOT {_search(part, values)}"
        case words.Phrase(phrase, is_prefix):
            match = f'"{" ".join(phrase)}"{" *" if is_prefix else ""}'  # words have no quotes in them
            return f"documents.id IN (SELECT rowid FROM texts WHERE words MATCH {values.bind(match)})"
