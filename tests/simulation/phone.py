"""A replica with a wrong clock and a session: the shell around the core's state machine, without awaiting."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.core.messages import ErrorMessage, Hello, Live, Page, Pull, Push, decode_answer, encode
from syncline.core.session import Apply, Restamp, Rewind, Settle
from syncline.errors import SynclineError
from syncline.replica import Replica
from syncline.stores import Change
from syncline.stores.memory import MemoryReplicaStore
from syncline.testing import entropy_from, nodes_from


class Phone:
    """One replica: its store survives crashes, everything else does not."""

    def __init__(self, world, name, user, clock, store=None):
        self.world, self.name, self.user, self.clock = world, name, user, clock
        self._entropy, self._nodes = entropy_from(world.chance), nodes_from(world.chance)
        self.store = store or MemoryReplicaStore(self._nodes())
        self.is_cut_off = False
        self.resets = 0
        self.boot()

    def boot(self):
        self.replica = Replica(self.store, now_ms=self.clock, entropy=self._entropy, make_node=self._nodes)
        self.session = self.line = None

    def copy(self, name, clock):
        """The file of this replica at a second place, where it is opened too."""
        store = MemoryReplicaStore("")
        state, entries = self.store.state(), list(self.store.load())
        store.commit(Change(entries=entries, outbox=self.store.outbox(), state=state))
        return Phone(self.world, name, self.user, clock, store)

    # Its end of a conversation

    def connect(self):
        world = self.world
        batch_size = world.chance.choice((1, 2, 3, 1_000))
        self.session = world.Session(space="default", token=self.user, batch_size=batch_size)
        self.line = world.open_line(self)
        self._ref = 0

    def hang_up(self, *, loses=True):
        """Ends the conversation as the sync manager does."""
        if self.line is not None:
            self.line.leave(loses=loses)
            self.session = self.line = None
            self.replica.keep_acks()

    def crash(self, *, loses=True):
        if self.line is not None:
            self.line.leave(loses=loses)
        self.boot()

    def act(self):
        """Takes the session's next step; whether there was one."""
        if self.line is None:
            self.connect()
        step = self.session.next(self._local())
        if step is None:
            return False
        if isinstance(step, Restamp):
            self.world.note(self.name, "restamps", step.now_ms, [event.id for event in self.replica.pending()])
            self.replica.perform(step)
            self.world.check_phone(self)
        else:
            self._send(step)
        return True

    def _local(self):
        return self.replica.local(None if self.session.holds_back else MAX_PUSH_EVENTS + 1)

    def _send(self, step):
        match step:
            case Hello():
                self.world.note(self.name, "says hello as", step.node)
            case Push():
                self.world.note(self.name, "pushes", [event.id for event in self.session._pushed])
            case Pull():
                self.world.note(self.name, "pulls from", self.store.state().seq)
        if not isinstance(step, Hello):
            self._ref += 1
            step = replace(step, ref=self._ref)
        self.line.up.append(encode(step))

    def go_live(self):
        self.session.live = True
        self.world.note(self.name, "goes live from", self.store.state().seq)
        self.line.up.append(encode(Live(cursor=self.replica.local(0).cursor)))

    @property
    def may_go_live(self):
        session = self.session
        return session is not None and session.caught_up and not session.live and session._request is None

    def receive(self, text):
        """Carries out what an answer means, step by step; the power may fail between two steps."""
        answer = decode_answer(text)
        was_live = self.session.live
        try:
            effects = self.session.receive(answer)
        except SynclineError as error:
            self.world.note(self.name, "hangs up:", error.code)
            self.hang_up()
            return
        for effect in effects:
            self._perform(effect)
            if self.world.has_bad_luck(0.01):
                self.world.note(self.name, "crashes")
                self.crash(loses=False)
                return
        if was_live and isinstance(answer, ErrorMessage) and answer.ref is None:
            self.hang_up()

    def _perform(self, effect):
        match effect:
            case Settle(answers):
                for event, outcome in answers:
                    self.world.answered(self, event, outcome)
            case Apply(Page() as page):
                self.world.note(self.name, "applies", [entry.seq for entry in page.entries])
            case Rewind():
                self.resets += 1
                self.world.note(self.name, "rewinds from", self.store.state().seq)
        self.replica.perform(effect)
        self.world.check_phone(self)
