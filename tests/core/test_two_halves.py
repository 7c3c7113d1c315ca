"""The two halves of a session, joined back to back over nothing but bytes."""

from hypothesis import given
from hypothesis import strategies as st

from syncline.core.access.views import View
from syncline.core.admission import Ledger, Submission
from syncline.core.answers import decode_answer, encode_ack, encode_page
from syncline.core.batch import decode_events
from syncline.core.cursors import Cursor, CursorCodec, Stand, check_place
from syncline.core.effects import Apply, Restamp, Rewind, Settle
from syncline.core.events import Event
from syncline.core.limits import MAX_DRIFT_MS
from syncline.core.log import NO_TAIL, Head, extend
from syncline.core.messages import ErrorMessage, Pull, Welcome, encode
from syncline.core.patterns import matcher
from syncline.core.server_session import Authenticate, Commit, Read, Send, ServerSession
from syncline.core.session import ClientSession, Local
from syncline.core.stamps import NIL_ID, StampClock
from syncline.errors import SynclineError
from tests.core.samples import EPOCH, KEY, NOW, RECEIPTS, a_value


def no_seq(item, since):
    """Nobody expects anything of an item here."""


class Log:
    """A server in memory: the session's deeds carried out on a list."""

    def __init__(self) -> None:
        self.head, self.rows, self.codec = Head(EPOCH), [], CursorCodec(KEY)
        self.nodes = {}

    def append(self, array: bytes, user: str) -> bytes:
        events = [each.with_user(user) if isinstance(each, Event) else each for each in decode_events(array)]
        known = {row.event.key: (row.seq, row.event.digest) for row in self.rows}
        held = {"known": known, "held": {}, "nodes": self.nodes, "last_n": self.last_n, "last_seq": no_seq}
        ledger = Ledger(self.head, **held, now_ms=NOW)
        outcomes = ledger.submit(Submission(events, user))
        self.head, rows = extend(self.head, ledger.accepted, NOW, RECEIPTS)
        self.rows += rows
        self.nodes = ledger.nodes
        return encode_ack(events, outcomes, self.head.seq)

    def last_n(self, item: str, node: str) -> int:
        return max((r.event.n for r in self.rows if (r.event.item, r.event.node) == (item, node)), default=0)

    def tail(self, seq: int) -> bytes | None:
        return (NO_TAIL if seq == 0 else self.rows[seq - 1].tail) if seq <= len(self.rows) else None

    def page(self, pull: Pull) -> bytes:
        stand, since = Stand(View.everything(pull.items).digest, items=tuple(pull.items)), 0
        if pull.cursor:
            cursor = self.codec.decode(pull.cursor)
            check_place(cursor, self.head, self.tail)
            since = cursor.seq
        rows = self.rows[since : since + pull.limit]
        seq, wanted = since + len(rows), matcher(pull.items)
        encoded = b",".join(row.encoded for row in rows if wanted(row.event.item))
        cursor = self.codec.encode(Cursor(EPOCH, seq, self.tail(seq), stand))
        return encode_page(encoded, cursor, more=seq < self.head.seq, ref=pull.ref)


class Connection:
    """One session with the log: a request's bytes in, the answers' bytes out."""

    def __init__(self, log: Log, user: str) -> None:
        self.log, self.user, self.session = log, user, ServerSession()

    def send(self, text: bytes) -> list[bytes]:
        return [out for deed in self.session.receive(text) for out in self.carry_out(deed)]

    def carry_out(self, deed) -> list[bytes]:
        match deed:
            case Authenticate(hello):
                own = self.log.nodes[hello.node].own if hello.node in self.log.nodes else None
                head = self.log.head
                answer = Welcome(epoch=head.epoch, head=head.seq, time=NOW, user=self.user, own=own)
                return [deed.text for deed in self.session.welcome(answer)]
            case Commit(ref, events):
                return [b'{"type":"ack","ref":%d,%b}' % (ref, self.log.append(bytes(events), self.user))]
            case Read(pull):
                try:
                    return [self.log.page(pull)]
                except SynclineError as error:
                    return [encode(ErrorMessage.of(error, pull.ref))]
            case Send(text):
                return [text]
        return []


class Replica:
    """The least replica there is: what it recorded, what it knows, and where it stands."""

    def __init__(self, node: str, user: str = "ann") -> None:
        self.node, self.user, self.n = node, user, 0
        self.cursor, self.pending, self.settled, self.entries = None, {}, {}, {}
        self.clock = StampClock(node, NIL_ID)

    def record(self, item: str, payload=None, now=NOW, **more) -> Event:
        self.n += 1
        value = a_value(self.n, node=self.node, item=item, payload=payload, user=self.user, **more)
        event = Event.of(value | {"id": self.clock.next(now, self.n)})
        self.pending[event.id] = event
        return event

    def sync(self, log: Log, *, cut_after: int = 1_000, **options) -> None:
        """One session; the answer to its last message is lost when it is cut."""
        client, connection = ClientSession(space="home", **options), Connection(log, self.user)
        for count in range(1_000):
            step = client.next(Local(self.node, self.cursor, False, list(self.pending.values())))
            if step is None:
                return
            if isinstance(step, Restamp):
                self.restamp(step.now_ms)
                continue
            (text,) = connection.send(encode(step))
            if count == cut_after:
                return
            for effect in client.receive(decode_answer(text)):
                self.perform(effect)
        raise AssertionError("the session does not end")

    def perform(self, effect) -> None:
        match effect:
            case Settle(settled):
                for event, answer in settled:
                    self.settled[event.id] = answer
                    del self.pending[event.id]
            case Apply(page, _):
                self.cursor = page.cursor
                for entry in page.entries:
                    assert self.entries.get(entry.seq, entry).encoded == entry.encoded
                    self.entries[entry.seq] = entry
                    self.clock.receive(entry.event.id)
                    self.pending.pop(entry.event.id, None)
            case Rewind():
                self.cursor = None

    def restamp(self, now_ms: int) -> None:
        self.clock = StampClock(self.node, max((e.event.id for e in self.entries.values()), default=NIL_ID))
        renamed, self.pending = list(self.pending.values()), {}
        self.n -= len(renamed)
        for event in renamed:
            self.record(event.item, event.payload, now_ms)


deeds = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["record", "record", "sync", "cut", "together"]),
        st.integers(0, 4),
    ),
    max_size=25,
)


@given(deeds, st.integers(1, 4))
def test_replicas_agree_whatever_is_cut(deeds, batch_size):
    """Acked is stored, nothing is stored twice, seqs have no gaps, pulls skip nothing, and all end up the same."""
    log, replicas = Log(), [Replica("n0"), Replica("n1"), Replica("n2", "bob")]
    recorded = []
    for who, deed, number in deeds:
        replica = replicas[who]
        if deed == "record":
            recorded.append(replica.record(f"item.{number}", number))
        elif deed == "together":
            recorded += [replica.record("item.tx", n, meta={"tx": f"t{len(recorded)}"}) for n in range(number)]
        else:
            replica.sync(log, batch_size=batch_size, cut_after=number if deed == "cut" else 1_000)
    for replica in [*replicas, *replicas]:
        replica.sync(log, batch_size=batch_size)
    assert [row.seq for row in log.rows] == list(range(1, len(recorded) + 1))
    assert sorted(row.event.id for row in log.rows) == sorted(event.id for event in recorded)
    for replica in replicas:
        assert not replica.pending
        assert [replica.entries[row.seq].encoded for row in log.rows] == [row.encoded for row in log.rows]
        for id, seq in replica.settled.items():
            assert log.rows[seq - 1].event.id == id
    for node in ("n0", "n1", "n2"):
        order = [row.event.n for row in log.rows if row.event.node == node]
        assert order == sorted(order), "events arrive in the order they were made"


def test_a_refused_event_blocks_nothing():
    log, replica = Log(), Replica("n1")
    good = [replica.record("a"), replica.record("b")]
    bad = replica.record(".acl")
    later = replica.record("a")
    replica.sync(log)
    assert [row.event for row in log.rows] == [*good, later]
    assert replica.settled[bad.id].code == "reserved_action"
    assert not replica.pending


def test_a_replica_whose_clock_runs_ahead_is_mended():
    log, other, replica = Log(), Replica("n0"), Replica("n1")
    other.record("a", now=NOW + MAX_DRIFT_MS)
    other.sync(log)
    first = replica.record("a", 1, now=NOW + 10 * MAX_DRIFT_MS)
    replica.sync(log)
    assert [row.event.payload for row in log.rows] == [None, 1]
    assert log.rows[0].event.id < log.rows[1].event.id < first.id


def test_a_view_holds_what_was_asked_for():
    log, writer, reader = Log(), Replica("n0"), Replica("n1")
    for item in ("task.a", "note.b", "task.c"):
        writer.record(item)
    writer.sync(log)
    reader.sync(log, items=("task.*",))
    assert [entry.event.item for entry in reader.entries.values()] == ["task.a", "task.c"]
    assert list(reader.entries) == [1, 3]


def test_a_log_restored_from_an_older_copy_is_noticed():
    log, replica = Log(), Replica("n0")
    for number in range(4):
        replica.record("a", number)
        replica.sync(log)
    older = Log()
    older.append(b"[%b]" % log.rows[0].event.body, "ann")
    replica.sync(older)
    assert replica.cursor == older.codec.encode(Cursor(EPOCH, 1, older.head.tail))
