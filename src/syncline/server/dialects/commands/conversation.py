"""What each command does, and what it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from syncline.core import canonical, patterns
from syncline.core.documents import values
from syncline.core.documents.names import MAP
from syncline.core.documents.revisions import Revision
from syncline.errors import BadRequest, CursorReset
from syncline.replica.documents.library import Library
from syncline.server.desk import Change, Desk
from syncline.server.dialects.commands import drafts, shapes
from syncline.server.dialects.commands.changes import changes_after, describe, revisions_after, revisions_in
from syncline.server.dialects.commands.session import CommandSession, Obey
from syncline.server.dialects.commands.subscription import Subscription
from syncline.server.dialects.commands.watched import Watched
from syncline.server.http import INLINE_BYTES
from syncline.server.member import Member

Send = Callable[[bytes], Awaitable[None]]


class Commands:
    """One conversation in this dialect; ``send`` sends a message."""

    def __init__(self, send: Send) -> None:
        self.session = CommandSession()
        self._send = send
        self._member: Member
        self._node: str | None = None
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    def enter(self, member: Member, node: str) -> None:
        """The session is about to open."""
        login = self.session.login
        self._member, self._node = member, login.node if login is not None else node

    async def leave(self) -> None:
        """The session is over."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = self._subscription = None

    async def carry_out(self, deed: Obey) -> None:
        """Carries out a command and answers it. Raises what it is refused for."""
        is_short = len(deed.text) <= INLINE_BYTES
        command = shapes.read(deed.text) if is_short else await asyncio.to_thread(shapes.read, deed.text)
        self._member.check()
        match command:
            case shapes.CreateDocument(document=document, action=action):
                await self._write(command, document.id, action, drafts.creating(document))
            case shapes.UpdateDocument(patch=patch):
                await self._write(command, patch.document_id, patch.action, drafts.changing(patch))
            case shapes.DeleteDocument(document_id=id, action=action):
                await self._write(command, id, action, drafts.deleting)
            case shapes.RequestSync():
                await self._sync(command)
            case shapes.GetChangesSince():
                await self._changes(command)
            case shapes.Subscribe():
                await self._subscribe(command)
            case shapes.Unsubscribe():
                await self._unsubscribe(command)

    async def _answer(self, command: shapes.Command, answer: Mapping[str, Any]) -> None:
        ref = {} if command.ref is None else {"ref": command.ref}
        await self._send(canonical.encode({**answer, **ref}))

    # Writing

    async def _write(self, command: shapes.Command, id: str, action: str, draft: Callable[[Desk], None]) -> None:
        item, watched = shapes.check_id(id), Watched(draft)

        def look(library: Library) -> tuple[Revision | None, int, int]:
            shelf = library.shelf(item)
            return watched.revision(library, shelf), shelf.revision, shelf.seq

        change = Change(action, watched.draft, self._node)
        _, (made, number, seq) = await self._member.write(item, change, look)
        await self._answer(command, describe(item, made) if made else _unchanged(item, number, seq))

    # Reading

    async def _sync(self, command: shapes.RequestSync) -> None:
        await self._member.catch_up()
        seq, count, after = self._member.space.hub.head.seq, 0, None
        is_named = command.document_ids is not None
        ids = [shapes.check_id(id) for id in command.document_ids or ()]
        if not is_named:
            ids, after = await self._items(command)
        for id in ids:
            messages = await self._state(id, command.revisions.get(id), is_named=is_named)
            for message in messages:
                await self._answer(command, message)
            count += bool(messages)
        await self._answer(command, {"type": "sync_complete", "count": count, "seq": seq, "after": after})

    async def _items(self, command: shapes.RequestSync) -> tuple[list[str], str | None]:
        """The next documents that fit any of the patterns, and after which to go on."""
        wanted = patterns.check(command.items) or ("*",)
        found = {id for each in wanted for id in await self._member.items(each, command.after, command.limit)}
        ids = sorted(found)[: command.limit]
        return [id for id in ids if not id.startswith(".")], ids[-1] if len(ids) == command.limit else None

    async def _state(self, id: str, known: int | None, *, is_named: bool) -> list[Mapping[str, Any]]:
        """What brings a client up to date that has a revision of a document, or none."""

        def look(library: Library) -> list[Mapping[str, Any]]:
            shelf = library.shelf(id)
            if known == shelf.revision or (known is None and not is_named and not shelf.document.exists):
                return []
            if known is not None and 0 < shelf.revision - known <= shapes.MAX_CHANGES:
                return [*revisions_in(id, known, shapes.MAX_CHANGES, library)]
            return [{"type": "document", "document": _shown(id, library)}]

        return await self._member.look_or([_nothing(id)] if is_named else [], id, look)

    async def _changes(self, command: shapes.GetChangesSince) -> None:
        await self._member.catch_up()
        since, head = command.since or 0, self._member.space.hub.head.seq
        if command.revision is not None:
            await self._changes_after_revision(command, command.revision)
            return
        if since > head:
            raise CursorReset(f"since: the log has {head} entries; ask for the documents again.")
        items = () if command.document_id is None else (shapes.check_id(command.document_id),)
        stretch = await changes_after(self._member, since, items, command.limit)
        await self._answer_changes(command, [each.encoded for each in stretch.changes], stretch.seq, more=stretch.more)

    async def _changes_after_revision(self, command: shapes.GetChangesSince, revision: int) -> None:
        if command.document_id is None or command.since is not None:
            raise BadRequest("A revision is one of a document_id, instead of since.")
        id = shapes.check_id(command.document_id)
        found = await revisions_after(self._member, id, revision, command.limit + 1)
        changes = found[: command.limit]
        seq = changes[-1]["seq"] if changes else self._member.space.hub.head.seq
        encoded = [canonical.encode(each) for each in changes]
        await self._answer_changes(command, encoded, seq, more=len(found) > command.limit)

    async def _answer_changes(self, command: shapes.Command, changes: list[bytes], seq: int, *, more: bool) -> None:
        ref = b"" if command.ref is None else b'"ref":%d,' % command.ref
        tail = b'"seq":%d,"more":%b}' % (seq, b"true" if more else b"false")
        await self._send(b'{"type":"changes",%b"changes":[%b],%b' % (ref, b",".join(changes), tail))

    # Being told

    async def _subscribe(self, command: shapes.Subscribe) -> None:
        wanted = _wanted(command)
        if self._subscription is None or self._task is None or self._task.done():
            await self.leave()
            self._subscription = Subscription(self._member, self._send)
        items = tuple(sorted({*self._subscription.items, *wanted}))
        patterns.check(items)
        self._subscription.items = items
        await self._say_subscribed(command, "subscribed")
        if self._task is None:
            self._task = asyncio.create_task(self._subscription.run())

    async def _unsubscribe(self, command: shapes.Unsubscribe) -> None:
        wanted = _wanted(command)
        if self._subscription is not None:
            self._subscription.items = tuple(each for each in self._subscription.items if each not in wanted)
            if not self._subscription.items:
                await self.leave()
        await self._say_subscribed(command, "unsubscribed")

    async def _say_subscribed(self, command: shapes.Command, what: str) -> None:
        subscription = self._subscription
        items = list(subscription.items) if subscription is not None else []
        seq = subscription.seq if subscription is not None else self._member.space.hub.head.seq
        await self._answer(command, {"type": what, "items": items, "seq": seq})


def _wanted(command: shapes.Subscribe | shapes.Unsubscribe) -> set[str]:
    wanted = {*map(shapes.check_id, command.documents), *command.items}
    if not wanted:
        raise BadRequest("documents or items say which are meant.")
    return wanted


def _unchanged(item: str, revision: int, seq: int) -> dict[str, Any]:
    """The answer to a write after which the document shows what it showed before."""
    patches: dict[str, Any] = {"forward_patch": [], "reverse_patch": []}
    return {"type": "document_updated", "document_id": item, "revision": revision, "seq": seq, **patches}


def _nothing(id: str) -> dict[str, Any]:
    """A document that is not there, or that may not be read."""
    return {"type": "document", "document": {"id": id, "revision": 0, "seq": 0, "at": 0, "deleted": True}}


def _shown(id: str, library: Library) -> dict[str, Any]:
    """A document as it is."""
    shelf = library.shelf(id)
    shown: dict[str, Any] = {"id": id, "revision": shelf.revision, "seq": shelf.seq, "at": shelf.at}
    if not shelf.document.exists:
        return {**shown, "deleted": True}
    content = shelf.document.value()
    kind, members = values.open_value(content)
    title = members.get(drafts.TITLE) if kind == MAP else None
    return {**shown, **({drafts.TITLE: title} if isinstance(title, str) else {}), "content": content}
