"""Giving: what a log may have lost, from who has kept it, judged by its receipts (``core.gifts``).

Who gives to a log of another epoch is told so, unless that log is empty and the giver may give everything: then it
takes the epoch, and all who use it begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from syncline.core import gifts
from syncline.core.admission import Outcome, Submission, may_give_all
from syncline.core.answers import encode_ack
from syncline.core.erasure import Erasures, erased
from syncline.core.events import Event
from syncline.core.gifts import Given
from syncline.core.log import Receipts
from syncline.core.messages import Give
from syncline.errors import EpochChanged, EventError, Forbidden, Overloaded, Unauthorized, Unvouched

if TYPE_CHECKING:
    from syncline.server.member import Member

INLINE_BYTES = 4 * 1024
"""Larger gifts are read and verified in a thread, so that they hold up nobody."""
NONE = frozenset[bytes]()


async def give(member: Member, message: Give) -> bytes:
    """Stores what may be stored of some entries; the encoded ``ack``.

    Raises EpochChanged, SpaceDeleted if they are of a log that was deleted, Overloaded when the log has just taken
    their epoch, and what ``check`` raises.
    """
    member.check()
    await _check_epoch(member, message.epoch)
    given, vouched = await _read(member, message)
    events = [each.event for each in given]
    member.meter.events(len(events), member.space.rate)
    gift = Submission(events, member.user, rights=member.rights, is_gift=True, vouched=vouched)
    outcomes, head = await member.space.submit(gift)
    _look_at(member, outcomes)
    return b'{"type":"ack","ref":%d,%b}' % (message.ref, encode_ack(events, outcomes, head.seq))


async def _check_epoch(member: Member, epoch: str) -> None:
    """Has an empty log take the epoch of what comes. Raises unless it is the log's."""
    space = member.space
    if epoch == space.hub.head.epoch:
        return
    if not may_give_all(member.user, member.rights, space.access):
        raise EpochChanged("What is given was in another log: the space was made anew.", epoch=space.hub.head.epoch)
    await space.take_epoch(epoch)
    raise Overloaded("The log was empty, and is now the one that was given: connect again, and give it all.")


async def _read(member: Member, message: Give) -> tuple[Sequence[Given], frozenset[bytes]]:
    array = bytes(message.entries)
    if len(array) <= INLINE_BYTES:
        return read(array, message.epoch, member.space.receipts, member.space.erasures)
    return await member.space.run(read, array, message.epoch, member.space.receipts, member.space.erasures)


def read(array: bytes, epoch: str, receipts: Receipts, erasures: Erasures) -> tuple[Sequence[Given], frozenset[bytes]]:
    """The entries of a gift, and the digests of those that receipts vouch for. What was erased comes erased."""
    given = [each._replace(event=_as_erased(each.event, erasures)) for each in gifts.decode(array)]
    return given, gifts.vouched(receipts, epoch, given)


def pushed(
    events: Sequence[Event | EventError], user: str, may: Callable[[str, str], bool], erasures: Erasures
) -> tuple[Sequence[Event | EventError], frozenset[bytes]]:
    """The events of a push, those that were erased in their erased form; and the digests of these that are accepted.

    An author who never got an answer pushes once more, to a log that was put back, what has been erased since. ``may``:
    whether the user may do an action on an item.
    """
    gone = [event for event in events if isinstance(event, Event) and erasures.has(event)] if erasures.keys else []
    if not gone:
        return events, NONE
    mine = frozenset(event.digest for event in gone if event.user == user and may(event.item, event.action))
    return [erased(event) if isinstance(event, Event) and erasures.has(event) else event for event in events], mine


def _as_erased(event: Event | EventError, erasures: Erasures) -> Event | EventError:
    if isinstance(event, EventError):
        return event
    if erasures.has(event):
        return erased(event)
    return Unvouched("Nothing here says that this event was erased.") if event.is_erased else event


def _look_at(member: Member, outcomes: Sequence[Outcome]) -> None:
    """Notes what is forbidden. Raises Unauthorized if that is so of all."""
    for outcome in outcomes[:1]:
        if isinstance(outcome, Unauthorized):
            raise outcome
    for outcome in outcomes:
        if isinstance(outcome, Forbidden):
            member.on_refused(outcome)
