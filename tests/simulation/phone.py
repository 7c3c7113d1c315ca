"""A replica with a wrong clock and a session: the shell around the core's state machine, without awaiting."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.core.answers import decode_answer
from syncline.core.beginning import Take
from syncline.core.effects import Apply, Given, Restamp, Rewind, Settle
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.core.messages import AskSnapshot, ErrorMessage, Give, Hello, Live, Page, Pull, Push, encode
from syncline.errors import EpochChanged, SynclineError
from syncline.replica.documents.library import BUDGET_BYTES
from syncline.stores import Change
from syncline.stores.documents import MemoryDocumentIndex
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.snapshots import MemorySnapshotStore
from syncline.testing import entropy_from, nodes_from


class Phone:
    """One replica: its store survives crashes, everything else does not."""

    def __init__(self, world, name, user, clock, store=None, *, history=True):
        self.world, self.name, self.user, self.clock = world, name, user, clock
        self._entropy, self._nodes = entropy_from(world.chance), nodes_from(world.chance)
        self.store = store or MemoryReplicaStore(self._nodes())
        self.is_cut_off, self.history = False, history
        self.resets = self.named = 0
        self.failure = None
        """The code of what ended its last conversation; None: nothing did."""
        self.snapshots, self.index = MemorySnapshotStore(), MemoryDocumentIndex()
        self.boot()

    def boot(self):
        sources = {"now_ms": self.clock, "entropy": self._entropy, "make_node": self._nodes}
        self.replica = self.world.Replica(self, snapshots=self.snapshots, index=self.index, **sources)
        self.replica.library._budget_bytes = self.world.chance.choice((1, 10_000, BUDGET_BYTES))
        self.session = self.line = None

    def reopen(self, *, keeps_snapshots):
        """Opens the store anew; what is derived from it may be lost."""
        if not keeps_snapshots:
            self.snapshots, self.index = MemorySnapshotStore(), MemoryDocumentIndex()
        self.boot()

    def new_node(self):
        """A name that no node has yet."""
        return self._nodes()

    def name_event(self):
        """The payload of the next event."""
        self.named += 1
        return f"{self.name}/{self.named}"

    def copy(self, name, clock):
        """The file of this replica at a second place, where it is opened too."""
        store = MemoryReplicaStore("")
        state, entries = self.store.state(), list(self.store.load())
        store.commit(Change(bases=list(self.store.bases()), entries=entries, outbox=self.store.outbox(), state=state))
        store._state = state  # how often it was rewritten is copied too, and so are the snapshots
        other = Phone(self.world, name, self.user, clock, store)
        other.snapshots._items = {item: dict(kept) for item, kept in self.snapshots._items.items()}
        return other

    # Its end of a conversation

    def connect(self):
        world = self.world
        batch_size = world.chance.choice((1, 2, 3, 1_000))
        gives_all = not world.is_rough or world.chance.random() < 0.5
        self.session = world.Session(
            space="default", token=self.user, batch_size=batch_size, gives_all=gives_all, history=self.history
        )
        self.line = world.open_line(self)
        self._ref, self.failure = 0, None

    def hang_up(self, *, loses=True):
        """Ends the conversation as the sync manager does."""
        if self.line is not None:
            self.line.leave(loses=loses)
            self.session = self.line = None
            self.replica.keep_acks()

    def crash(self, *, loses=True):
        if self.line is not None:
            self.line.leave(loses=loses)
        answered = {each.event.payload for each in self.store.outbox("pending")}
        self.world.forgotten |= answered - {event.payload for event in self.replica.pending()}
        self.reopen(keeps_snapshots=self.world.chance.random() < 0.7)

    def act(self):
        """Takes the session's next step; whether there was one."""
        if self.line is None:
            self.connect()
        step = self.session.next(self._local())
        if step is None:
            return False
        if isinstance(step, Restamp):
            self.world.note(self.name, "restamps", step.now_ms, [event.id for event in self.replica.pending()])
            self.world.restamped(self)
            self.replica.perform(step)
            self.world.writing.note_names(self.replica.pending())
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
            case Give():
                self.world.note(self.name, "gives", [event.id for event in self.session.giving.given])
            case AskSnapshot():
                self.world.note(self.name, "asks for a snapshot after", step.after)
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
            self.failure = error.code
            self.hang_up()
            return
        for effect in effects:
            try:
                self._perform(effect)
            except EpochChanged as error:
                self.world.note(self.name, "meets another log")
                self.failure = error.code
                self.hang_up()
                return
            if self.world.has_bad_luck(0.01):
                self.world.note(self.name, "crashes")
                self.crash(loses=False)
                return
        if was_live and isinstance(answer, ErrorMessage) and answer.ref is None:
            self.hang_up()

    def _perform(self, effect):
        match effect:
            case Settle(answers) | Given(answers):
                for event, outcome in answers:
                    self.world.answered(self, event, outcome)
            case Apply(Page() as page):
                self.world.note(self.name, "applies", [entry.seq for entry in page.entries])
            case Take():
                self.world.note(self.name, "takes", [base.item for base in effect.part.bases], "at", effect.part.seq)
            case Rewind():
                self.resets += 1
                self.world.note(self.name, "rewinds from", self.store.state().seq)
        self.replica.perform(effect)
        self.world.check_phone(self)
