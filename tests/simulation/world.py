"""One simulated world: what happens, in which order, and how it all ends, decided by a seed alone."""

from __future__ import annotations

import random
from uuid import UUID

from syncline.core.access.scope import TRUSTED
from syncline.core.admission import Submission
from syncline.core.limits import Limits
from syncline.core.log import Receipts
from syncline.core.session import ClientSession
from syncline.errors import SynclineError
from syncline.replica import Draft
from syncline.stores import load
from syncline.stores.memory import MemoryEventStore
from syncline.testing import LogServer, ManualClock
from tests.simulation import checks, writing
from tests.simulation.network import Line
from tests.simulation.phone import Phone
from tests.simulation.writing import NamingReplica, Writing

STEPS = 260
MOST_ROUNDS = 40
MOST_STEPS = 2_000
MINUTE, DAY = 60_000, 86_400_000
ITEMS = ("task.a", "task.b", "note", "memo")
EPOCH = UUID(int=1).hex
RECEIPTS = Receipts(b"of the simulation")


class World:
    """Replicas, a server and the lines between them. Subclasses break one part on purpose."""

    Server = LogServer
    Session = ClientSession
    Replica = NamingReplica

    def __init__(self, seed, *, tell=None):
        self.seed, self.tell = seed, tell
        self.chance = random.Random(seed)
        self.trace = []
        self.recorded, self.acked, self.refused, self.together = {}, {}, set(), []
        self.twofold, self.unanswered = set(), set()
        """What may be stored twice, see ``copy_file``; and what may be once its author gives it another id, because a
        log has held and lost it, and its author was never answered."""
        self.forgotten = set()
        """Of what answers came, but a crash came before they were written down."""
        self.server_clock = ManualClock()
        self.server = self.Server(MemoryEventStore(EPOCH, RECEIPTS), now_ms=self.server_clock, receipts=RECEIPTS)
        page, push = self.chance.choice(((2, 2), (3, 1_000), (1_000, 1_000)))
        self.server.limits = Limits(page_entries=page, push_events=push)
        self.backup, self.restores, self.reset_due = None, 0, {}
        self.lines, self.phones = [], []
        self.writing, self.lost = Writing(self), set()
        users = self.chance.choice((("ann", "bob", "cleo", "dan"), ("ann", "ann", "bob", "bob")))
        for place in range(self.chance.randint(2, 4)):
            self._add(Phone(self, f"phone{place}", users[place], self._wrong_clock()))
        self.is_rough = self.chance.random() < 0.7  # some worlds are kind
        self.deeds = self.choose_deeds()

    def _add(self, phone):
        self.phones.append(phone)

    def _wrong_clock(self):
        offset = self.chance.choice((0, 0, 30_000, -2 * MINUTE, 4 * MINUTE, 10 * MINUTE, -DAY, 3 * DAY))
        return ManualClock(self.server_clock.now_ms + offset)

    def choose_deeds(self):
        """What may happen in this world, and how often."""
        rare = 0.6 if self.is_rough else 0.0
        return {
            self.record: 18,
            self.act: 45,
            self.deliver: 75,
            self.announce: 12,
            self.time_passes: 10,
            self.go_live: 4,
            self.finish: 5,
            self.break_line: 6 * rare,
            self.crash_phone: 3 * rare,
            self.crash_server: 2 * rare,
            self.cut_or_heal: 4 * rare,
            self.set_clock: 2 * rare,
            self.copy_file: 1.0 * rare if self.chance.random() < 0.4 else 0,
            self.back_up: 3 if self.chance.random() < 0.3 else 0,
            **self.writing.deeds(),
        }

    # What others ask

    def note(self, *words):
        self.trace.append(words)
        if self.tell is not None:
            self.tell(*words)

    def has_bad_luck(self, probability):
        return self.is_rough and self.chance.random() < probability

    def open_line(self, phone):
        self.lines.append(Line(phone, self.server.connect()))
        return self.lines[-1]

    def answered(self, phone, event, outcome):
        if isinstance(outcome, SynclineError):
            self.note(phone.name, "is refused", event.id, outcome.code)
        else:
            self.note(phone.name, "has its answer", event.id, outcome)
            if event.item[0] != ".":
                self.acked[self.writing.name_of(event)] = event.id, outcome

    def may_keep(self, outboxed):
        """Whether a replica may keep what the log does not take, in the end."""
        return False

    def restamped(self, phone):
        """What is pending gets other ids: others may know it by those that it had."""
        self.twofold |= (self.unanswered | self.forgotten) & {event.payload for event in phone.replica.pending()}

    def check_phone(self, phone):
        checks.check_phone(self, phone)

    def entries_of(self, phone, item):
        """What of an item has come to a replica from the log."""
        return phone.store.load(items=[item])

    @property
    def inboxes(self):
        """What is refused, on all replicas, by its payload."""
        return {self.writing.name_of(each.event) for phone in self.phones for each in phone.replica.refused()}

    def why(self, payloads):
        """The errors with which these were refused."""
        refused = [each for phone in self.phones for each in phone.replica.refused()]
        return [(each.event.payload, each.error) for each in refused if each.event.payload in payloads]

    # The deeds of fate

    @writing.short_stretches
    def run(self):
        """Lives through it all, then heals and checks. Raises AssertionError."""
        for _ in range(STEPS):
            self.chance.choices(list(self.deeds), list(self.deeds.values()))[0]()
        self.heal()
        checks.check_world(self)

    def record(self):
        phone = self.chance.choice(self.phones)
        count = self.chance.choice((1, 1, 1, 2, 3))
        drafts = [self._draft(phone) for _ in range(count)]
        phone.replica.record_many(drafts, together=count > 1 and self.chance.random() < 0.5)

    def _draft(self, phone):
        item = ".reserved" if self.chance.random() < 0.02 else self.chance.choice(ITEMS)
        return Draft(item, "update", phone.name_event())

    def recorded_at(self, phone, events, *, together):
        """A replica has recorded events, plain ones or a document's."""
        self.writing.note_meanings(events)
        for event in events:
            self.recorded[event.payload] = phone.user
            if event.item[0] == "." or (together and any(each.item[0] == "." for each in events)):
                self.refused.add(event.payload)
        if together:
            self.together.append([event.payload for event in events])
        self.note(phone.name, "records", [(event.id, event.item, event.action, event.payload) for event in events])

    def act(self):
        phone = self.chance.choice(self.phones)
        if not phone.is_cut_off:
            phone.act()

    def deliver(self):
        """One message arrives, or its line breaks on the way, or it arrives twice."""
        lines = [line for line in self.lines if line.waiting and not (line.phone and line.phone.is_cut_off)]
        if not lines:
            return
        line = self.chance.choice(lines)
        queue = self.chance.choice(line.waiting)
        if self.has_bad_luck(0.02):
            self.note("a message is lost")
            self._break(line)
        elif queue is line.up:
            self._arrive(line, queue.popleft())
        else:
            line.phone.receive(queue.popleft())

    def _arrive(self, line, text):
        answers = line.peer.receive(text)
        if b'"type":"hello"' not in text and b'"type":"live"' not in text and self.has_bad_luck(0.03):
            answers = line.peer.receive(text)
        for answer in answers:
            is_page = answer.startswith(b'{"type":"page","entries"') or b'"type":"error"' in answer
            (line.pages if is_page and line.phone and line.phone.session.live else line.answers).append(answer)
        if line.phone is None:
            self.note("what was sent over a broken line arrives")
            line.leave(loses=False)

    def announce(self):
        """The server sends a page to somebody who is live."""
        lines = [line for line in self.lines if line.peer and line.phone]
        if lines:
            line = self.chance.choice(lines)
            line.pages += line.peer.news()

    def go_live(self):
        phone = self.chance.choice(self.phones)
        if not phone.is_cut_off and phone.may_go_live and not phone.act():
            phone.go_live()

    def finish(self):
        """A replica ends its conversation, between two requests or in the middle of one."""
        self.chance.choice(self.phones).hang_up(loses=self.has_bad_luck(0.5))
        self.lines = [line for line in self.lines if not line.is_dead]

    def break_line(self):
        lines = [line for line in self.lines if line.phone]
        if lines:
            self.note("a line breaks")
            self._break(self.chance.choice(lines))

    def _break(self, line):
        if line.phone:
            line.phone.hang_up(loses=self.has_bad_luck(0.7))
        else:
            line.up.clear()

    def crash_phone(self):
        phone = self.chance.choice(self.phones)
        self.note(phone.name, "crashes")
        phone.crash(loses=self.has_bad_luck(0.5))

    def crash_server(self):
        self.note("the server crashes")
        self.lose_lines()

    def lose_lines(self):
        for line in self.lines:
            line.peer = None
            line.up.clear()
            if line.phone:
                line.phone.hang_up()
        self.lines.clear()

    def cut_or_heal(self):
        phone = self.chance.choice(self.phones)
        phone.is_cut_off = not phone.is_cut_off
        self.note(phone.name, "is cut off" if phone.is_cut_off else "is back")

    def time_passes(self):
        ms = self.chance.choice((1, 1, 50, 1_000, MINUTE))
        for clock in [self.server_clock, *(phone.clock for phone in self.phones)]:
            clock.advance(ms)

    def set_clock(self):
        phone = self.chance.choice(self.phones)
        ms = self.chance.choice((-2 * DAY, -MINUTE, MINUTE, 2 * DAY))
        phone.clock.advance(ms)
        self.note(phone.name, "sets its clock by", ms)

    def copy_file(self):
        if len(self.phones) < 6:
            phone = self.chance.choice(self.phones)
            other = phone.copy(f"{phone.name}+{len(self.phones)}", self._wrong_clock())
            waiting = [each.event for each in phone.store.outbox() if each.event.item[0] != "."]
            self.twofold |= {self.writing.name_of(event) for event in waiting}  # both may rename it
            self.note(phone.name, "is copied to", other.name)
            self._add(other)

    def back_up(self):
        """The log is copied aside, or the copy is put in its place."""
        if self.backup is None:
            self.backup = list(load(self.server.store))
            self.note("the log is copied at", len(self.backup))
        elif self.restores < 2 and self.has_bad_luck(0.3):
            self.restore()

    def restore(self):
        self.note("the log is restored at", len(self.backup))
        self.restores += 1
        self.lose_lines()
        lost = [entry.event for entry in load(self.server.store, len(self.backup))]
        self.lost.update(event.id for event in lost)
        self.unanswered |= {self.writing.name_of(each) for each in lost if each.item[0] != "."} - self.acked.keys()
        for phone in self.phones:
            text = phone.store.state().cursor
            cursor = self.server.codec.decode(text) if text else None
            if cursor and cursor.seq > len(self.backup):
                self.reset_due[phone.name] = phone.resets, cursor
        self.server.store = rebuilt(self.backup)

    # The end

    def heal(self):
        """The network is whole again: everybody syncs until nothing changes any more."""
        self.note("everything heals")
        while any(line.up for line in self.lines if line.phone is None):
            line = self.chance.choice([line for line in self.lines if line.phone is None and line.up])
            self._arrive(line, line.up.popleft())
        self.is_rough = False
        for phone in self.phones:
            phone.is_cut_off = False
        self._finish_live()
        for phone in self.phones:
            phone.hang_up()
        for _ in range(MOST_ROUNDS):
            before = self._picture()
            for phone in self.phones:
                self._sync(phone)
            if self._picture() == before:
                return
            self.server_clock.advance(1)
        raise AssertionError("the replicas never become quiet")

    def _finish_live(self):
        """Who is live brings everything to the server without connecting anew."""
        lines = [line for line in self.lines if line.phone and line.phone.session.live]
        goes_on = bool(lines)
        while goes_on:
            goes_on = False
            for line in lines:
                goes_on |= bool(line.phone and line.phone.act()) or bool(line.waiting)
                line.pages += line.peer.news()
                while line.waiting:
                    queue = line.waiting[0]
                    self._arrive(line, queue.popleft()) if queue is line.up else line.phone.receive(queue.popleft())
        for line in lines:
            if line.phone and line.phone.session.live and not line.phone.session.holds_back:
                assert not line.phone.replica.local().pending, f"{line.phone.name} is live but does not push"

    def _picture(self):
        return self.server.store.head(), [
            (phone.store.state().seq, phone.store.state().node, phone.store.outbox()) for phone in self.phones
        ]

    def _sync(self, phone):
        """One whole conversation, without a fault."""
        for _ in range(MOST_STEPS):
            if not phone.act():
                phone.hang_up()
                return
            line = phone.line
            while line is not None and line.up:
                for answer in line.peer.receive(line.up.popleft()):
                    phone.receive(answer)
                    if phone.line is not line:
                        return
        raise AssertionError(f"{phone.name} never ends its conversation")


def rebuilt(entries):
    """A log with these entries."""
    store = MemoryEventStore(EPOCH, RECEIPTS)
    for entry in entries:
        store.append([Submission([entry.event], entry.event.user, is_system=True, rights=TRUSTED)], now_ms=entry.at)
    assert [entry.encoded for entry in load(store)] == [entry.encoded for entry in entries]
    return store
