"""Looking at a backup without a server and without restoring it: every file, every entry, every tail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from syncline.core.adoption import adopt
from syncline.core.log import Head
from syncline.errors import LogChanged, StoreDamaged
from syncline.server import zstd
from syncline.server.backups import segments
from syncline.server.backups.folder import Folder, Listing, Log, Segment
from syncline.server.register import copying

MAX_REGISTER_BYTES = 1 << 30


class Checking:
    """Checks backups of one folder; what several have in common is read once."""

    def __init__(self, folder: Folder, note: Callable[[int], None]) -> None:
        """``note`` is called with how many entries were looked at."""
        self._folder, self._note = folder, note
        self._good: dict[tuple[str, Head], Head] = {}
        self._seen = 0

    def check(self, listing: Listing) -> list[str]:
        """What is wrong with a backup; nothing if all of it can be restored."""
        wrong = [each for space, log in listing.spaces.items() for each in self._check_log(space, log)]
        if listing.register is not None:
            try:
                copying.spaces(read_register(self._folder, listing))
            except StoreDamaged as error:
                wrong.append(error.message)
        return wrong

    def _check_log(self, space: str, log: Log) -> list[str]:
        wrong, head = list[str](), Head(log.epoch)
        for segment in log.segments:
            before = head
            try:
                head = self._good.get((segment.file, before)) or self._followed(segment, before)
                self._good[segment.file, before] = head
            except StoreDamaged as error:
                wrong.append(f"{space}, seq {segment.first} to {segment.last}: {error.message}")
                head = Head(log.epoch, segment.last, bytes.fromhex(segment.tail), segment.at)
        if head != log.head:
            wrong.append(f"{space}: its segments lead to seq {head.seq} and not to its head at seq {log.seq}.")
        return wrong

    def _followed(self, segment: Segment, head: Head) -> Head:
        """The end of the log after a segment. Raises StoreDamaged."""
        for entries, then in segments.read(self._folder, segment, head):
            try:
                head, _ = adopt(head, entries, then)
            except LogChanged as error:
                raise StoreDamaged(error.message) from None
            self._seen += len(entries)
            self._note(self._seen)
        if (head.seq, head.tail.hex(), head.at) != (segment.last, segment.tail, segment.at):
            raise StoreDamaged(f"{segment.file} leads elsewhere than the backup says.")
        return head


def read_register(folder: Folder, listing: Listing) -> bytes:
    """The copy of the register. Raises StoreDamaged."""
    assert listing.register is not None
    with suppress(zstd.Error):
        text, is_whole = zstd.decompress(folder.get(listing.register), MAX_REGISTER_BYTES)
        if is_whole:
            return text
    raise StoreDamaged(f"{listing.register.file} cannot be unpacked.")
