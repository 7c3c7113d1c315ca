"""Worlds in which somebody is away for a year or more, while the server makes snapshots and lets go of history.

Who leaves has often just pushed, and was not answered; and works on, alone, by a clock that stands, runs or leaps. The
others go on, months pass, the horizon passes who is away. In the end all that was recorded is in the log once, and a
tally shows as many as were counted.
"""

from __future__ import annotations

from syncline.core.documents.objects import Ref
from syncline.stores import load
from tests.simulation.bounded import BoundedWorld
from tests.simulation.world import DAY

MONTH, YEAR = 30 * DAY, 365 * DAY
KEPT = 90 * DAY
"""For how long the server keeps history."""
TALLY = "tally"


class AwayWorld(BoundedWorld):
    """Months pass, and not everybody is there."""

    def __init__(self, seed, **more):
        self.away, self.counted = {}, 0
        self.snapshots = self.returned = self.overtaken = self.unheard = 0
        """How many snapshots were made; how many came back, after the horizon had passed them; how much of what they
        had pushed unanswered lay before it."""
        super().__init__(seed, **more)

    def choose_deeds(self):
        own = {self.leave: 6, self.work_alone: 10, self.count: 10, self.months_pass: 12, self.come_back: 3}
        return {**super().choose_deeds(), **own, self.take: 4, self.forget: 4}

    # Who leaves

    def leave(self):
        """Somebody goes offline for long; at times with the last answer lost."""
        here = [phone for phone in self.phones if phone.name not in self.away]
        if len(here) < 2:
            return
        phone = self.chance.choice(here)
        if self.chance.random() < 0.7:
            self.count_at(phone)
            self.push_unheard(phone)
        phone.hang_up()
        self.lines = [line for line in self.lines if line.phone]  # nothing arrives a year late
        phone.is_cut_off, self.away[phone.name] = True, self.server_clock()
        self.note(phone.name, "is away from now on")

    def push_unheard(self, phone):
        """What is pending arrives at the server, and no answer comes back."""
        phone.hang_up()
        while phone.act():
            line = phone.line
            while line is not None and line.up:
                is_push = b'"type":"push"' in line.up[0]
                answers = line.peer.receive(line.up.popleft())
                if is_push:
                    self.note(phone.name, "is not answered")
                    return
                for answer in answers:
                    phone.receive(answer)
                if phone.line is not line:
                    return

    def cut_or_heal(self):
        absent = {phone: phone.is_cut_off for phone in self.phones if phone.name in self.away}
        super().cut_or_heal()
        for phone, is_cut_off in absent.items():
            phone.is_cut_off = is_cut_off

    # What happens meanwhile

    def months_pass(self):
        """For who is away not always: a device that is off has no time, and a clock may be set."""
        ms = self.chance.choice((MONTH, MONTH, 3 * MONTH))
        self.server_clock.advance(ms)
        for phone in self.phones:
            phone.clock.advance(ms * self.chance.choice((0, 1, 1, 1, 2)) if phone.name in self.away else ms)
        self.note("months pass:", ms // MONTH)

    def work_alone(self):
        """Who is away records, too."""
        absent = [phone for phone in self.phones if phone.name in self.away]
        if absent:
            phone = self.chance.choice(absent)
            phone.replica.record_many([self._draft(phone)])
            self.count_at(phone)

    def count(self):
        self.count_at(self.chance.choice(self.phones))

    def count_at(self, phone):
        """One more."""
        with phone.replica.document(TALLY).edit() as edit:
            root = edit.editor.document.objects[Ref("")]
            edit.editor.increment(edit.editor.ensure(root, "n", "counter"), 1)
        self.counted += 1

    def take(self):
        self.snapshots += 1
        super().take()

    def forget(self):
        """History goes that is old enough, if the newest snapshot has it."""
        old = [entry.seq for entry in load(self.server.store) if entry.at < self.server_clock() - KEPT]
        target = min(len(old), self.server.newest.seq)
        if target > self.server.horizon:
            self.server.horizon = target
            self.note("history is forgotten up to", target)

    # Who comes back

    def come_back(self):
        """Somebody who was away for a year."""
        since = self.server_clock() - YEAR
        back = [phone for phone in self.phones if self.away.get(phone.name, since + 1) <= since]
        if back:
            self.return_of(self.chance.choice(back))

    def return_of(self, phone):
        del self.away[phone.name]
        phone.is_cut_off = False
        state, horizon = phone.store.state(), self.server.horizon
        stored = {entry.event.id for entry in load(self.server.store) if state.seq < entry.seq <= horizon}
        self.returned += 1
        self.overtaken += state.seq < horizon
        self.unheard += sum(each.event.id in stored for each in phone.store.outbox("pending"))
        self.note(phone.name, "is back, from", state.seq, "while history begins after", horizon)

    def heal(self):
        for phone in self.phones:
            if phone.name in self.away:
                self.return_of(phone)
        super().heal()
        for phone in self.phones if self.counted and not self.twofold else ():
            shown = phone.replica.document(TALLY).plain
            assert shown == {"n": self.counted}, f"{phone.name} counts {shown} instead of {self.counted}"

    def restamped(self, phone):
        """Nothing excuses what is stored twice: no log was put back."""
