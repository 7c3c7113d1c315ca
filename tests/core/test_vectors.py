"""The vectors of `spec/vectors`: plain data that belongs to no language, and is the truth for every implementation."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from syncline.core import answers, canonical, cursors, log, messages, patterns, requests, stamps
from syncline.core.access.rules import Rule
from syncline.core.bases import Base
from syncline.core.batch import decode_events
from syncline.core.clocks import VectorClock
from syncline.core.cursors import Cursor, CursorCodec, Stand, Way, check_place, thin
from syncline.core.effects import Apply, Given, Greet, MarkCopied, Meet, Restamp, Rewind, Settle, Wait
from syncline.core.events import Event
from syncline.core.gifts import Offer, Voucher
from syncline.core.log import Head, Receipts
from syncline.core.server_session import (
    Announce,
    Authenticate,
    Close,
    Commit,
    Follow,
    Inquire,
    Read,
    Reauthenticate,
    Send,
    ServerSession,
)
from syncline.core.session import ClientSession, Local
from syncline.core.stamps import NIL_ID, Stamp, StampClock
from syncline.errors import BY_CODE, SynclineError

FILES = (Path(__file__).parents[2] / "spec" / "vectors").glob("*.json")
VECTORS = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(FILES)}


def cases(name: str, *path: str):
    """The cases of a list in a file, each under its place and what it is about."""
    found = VECTORS[name]
    for step in path:
        found = found[step]
    words = [case.get("about", "")[:40] if isinstance(case, dict) else "" for case in found]
    names = [f"{path[-1]} {place} {about}".strip() for place, about in enumerate(words)]
    return [pytest.param(case, id=name) for case, name in zip(found, names, strict=True)]


def code_of(action) -> str | None:
    """The code of the error that an action raises."""
    try:
        action()
    except SynclineError as error:
        return error.code
    return None


def decode(text: str | bytes) -> Any:
    return canonical.decode(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"), max_depth=64)


@pytest.mark.parametrize("name", VECTORS)
def test_every_file_says_what_it_is_about(name):
    assert VECTORS[name]["about"]


# Canonical JSON


@pytest.mark.parametrize("case", cases("canonical", "numbers") + cases("canonical", "more_numbers"))
def test_numbers(case):
    (value,) = struct.unpack(">d", bytes.fromhex(case["bits"]))
    assert canonical.encode(value).decode() == case["text"]
    assert canonical.encode(decode(case["text"])).decode() == case["text"]
    assert decode(case["text"]) == value


@pytest.mark.parametrize("bits", VECTORS["canonical"]["no_numbers"])
def test_no_numbers(bits):
    assert code_of(lambda: canonical.encode(struct.unpack(">d", bytes.fromhex(bits))[0])) == "number_out_of_range"


@pytest.mark.parametrize("case", cases("canonical", "texts"))
def test_canonical_texts(case):
    body = canonical.encode(decode(case["text"]))
    assert body.decode() == case["canonical"]
    assert canonical.digest(body).hex() == case["digest"]
    assert canonical.encode(decode(body)) == body


@pytest.mark.parametrize("case", cases("decoding", "refused"))
def test_texts_that_are_refused(case):
    data = bytes.fromhex(case["hex"]) if "hex" in case else case["text"]
    assert code_of(lambda: decode(data)) == case["code"]


@pytest.mark.parametrize("case", cases("decoding", "read"))
def test_texts_that_are_read(case):
    assert canonical.encode(decode(case["text"])).decode() == case["canonical"]


# Events


def read_event(text: str) -> Event:
    """By itself, and in a batch between others: the answer is the same."""
    try:
        alone: Any = Event.of(decode(text))
    except SynclineError as error:
        alone = error
    try:
        (found,) = decode_events(b"[" + text.encode("utf-8", "surrogatepass") + b"]")
    except SynclineError as error:
        found = error
    assert type(found) is type(alone)
    if isinstance(alone, SynclineError):
        raise alone
    assert found == alone
    return alone


@pytest.mark.parametrize("case", cases("events", "cases"))
def test_events(case):
    if "code" in case:
        assert code_of(lambda: read_event(case["text"])) == case["code"]
        return
    event = read_event(case["text"])
    assert event.body.decode() == case["canonical"]
    assert event.digest.hex() == case["digest"]


@pytest.mark.parametrize("case", cases("events", "padded"))
def test_events_of_a_size(case):
    room = case["bytes"] - len(canonical.encode(case["event"] | {"payload": ""}))
    payload = case["character"] * (room // len(case["character"].encode()))
    body = canonical.encode(case["event"] | {"payload": payload})
    assert len(body) == case["bytes"]
    assert code_of(lambda: read_event(body.decode())) == case.get("code")


# Stamps


@pytest.mark.parametrize("case", cases("stamps", "parse"))
def test_stamps_are_parsed(case):
    stamp = Stamp(case["ms"], case["counter"], case["node_hash"], case["random"])
    assert Stamp.parse(case["id"]) == stamp
    assert str(stamp) == case["id"]


@pytest.mark.parametrize("place", range(len(VECTORS["stamps"]["refused"])))
def test_no_stamps(place):
    assert code_of(lambda: Stamp.parse(VECTORS["stamps"]["refused"][place])) == "invalid_event"


@pytest.mark.parametrize("case", cases("stamps", "node_hash"))
def test_node_hashes(case):
    assert stamps.node_hash(case["node"]) == case["hash"]


@pytest.mark.parametrize("case", cases("stamps", "clocks"))
def test_stamp_clocks(case):
    clock = StampClock(case["node"], case["last"] or NIL_ID)
    for step in case["steps"]:
        if "receive" in step:
            clock.receive(step["receive"])
        elif "code" in step:
            assert code_of(lambda step=step: clock.next(*step["next"])) == step["code"]
        else:
            assert clock.next(*step["next"]) == step["id"]


@pytest.mark.parametrize("case", cases("stamps", "drift"))
def test_drift(case):
    assert stamps.drift_limit(case["now"]) == case["refused_from"]


def test_the_order_of_ids():
    order = VECTORS["stamps"]["order"]
    assert sorted(order, key=Stamp.parse) == sorted(order, key=stamps.key) == sorted(order) == order


# Vector clocks


@pytest.mark.parametrize("case", cases("clocks", "compare"))
def test_clocks_compare(case):
    left, right, ordering = case
    assert VectorClock(left).compare(VectorClock(right)).value == ordering


@pytest.mark.parametrize("case", cases("clocks", "merge"))
def test_clocks_merge(case):
    left, right, merged = map(VectorClock, case)
    assert left.merge(right) == right.merge(left) == merged


@pytest.mark.parametrize("case", cases("clocks", "texts"))
def test_texts_of_clocks(case):
    assert VectorClock.parse(case["text"]) == case["clock"]
    assert str(VectorClock(case["clock"])) == case["text"]


@pytest.mark.parametrize("place", range(len(VECTORS["clocks"]["refused_texts"])))
def test_no_texts_of_clocks(place):
    assert code_of(lambda: VectorClock.parse(VECTORS["clocks"]["refused_texts"][place])) == "invalid_event"


@pytest.mark.parametrize("case", cases("clocks", "refused"))
def test_no_clocks(case):
    assert code_of(lambda: VectorClock(case)) == "invalid_event"


# The log, and cursors

RECEIPTS = Receipts(bytes.fromhex(VECTORS["log"]["key"]))
CODEC = CursorCodec(bytes.fromhex(VECTORS["cursors"]["key"]))


@pytest.mark.parametrize("case", cases("log", "tails"))
def test_tails(case):
    digests = [bytes.fromhex(digest) for digest in case["digests"]]
    assert [log.NO_TAIL, *log.chain(log.NO_TAIL, digests)][-1].hex() == case["tail"]


@pytest.mark.parametrize("case", cases("log", "receipts"))
def test_receipts(case):
    place = case["epoch"], case["seq"], bytes.fromhex(case["digest"])
    assert RECEIPTS.issue(*place[:2], [place[2]]) == [case["receipt"]]
    assert RECEIPTS.verify(*place, case["receipt"])


@pytest.mark.parametrize("case", cases("log", "forged"))
def test_forged_receipts(case):
    assert not RECEIPTS.verify(case["epoch"], case["seq"], bytes.fromhex(case["digest"]), case["receipt"])


def stand_of(case):
    return Stand(bytes.fromhex(case["view"]), case["rules"], tuple(case["items"]))


@pytest.mark.parametrize("case", cases("cursors", "cursors"))
def test_cursors(case):
    way = case["way"] and Way(stand_of(case["way"]), case["way"]["item"], case["way"]["seq"])
    cursor = Cursor(case["epoch"], case["seq"], bytes.fromhex(case["tail"]), stand_of(case), way)
    assert CODEC.encode(cursor) == case["text"]
    assert CODEC.decode(case["text"]) == cursor


@pytest.mark.parametrize("place", range(len(VECTORS["cursors"]["refused"])))
def test_no_cursors(place):
    assert code_of(lambda: CODEC.decode(VECTORS["cursors"]["refused"][place])) == "bad_cursor"


@pytest.mark.parametrize("case", cases("cursors", "resume", "cases"))
def test_resuming(case):
    there = VECTORS["cursors"]["resume"]
    tails = {int(seq): bytes.fromhex(tail) for seq, tail in there["tails"].items()}
    head = Head(there["epoch"], there["seq"], tails[there["seq"]])
    cursor = Cursor(case["epoch"], case["seq"], bytes.fromhex(case["tail"]))
    try:
        check_place(cursor, head, tails.get)
        answer = {"from": cursor.seq}
    except SynclineError as error:
        answer = {"code": error.code}
    assert answer.items() <= case.items()


@pytest.mark.parametrize("case", cases("cursors", "thin"))
def test_thinning(case):
    kept: list[int] = []
    for seq in case["seqs"]:
        kept = thin([*kept, seq])
    assert kept == case["kept"]
    assert len(kept) <= cursors.KEPT_CURSORS


# Patterns


@pytest.mark.parametrize("case", cases("patterns", "checked"))
def test_patterns(case):
    assert list(patterns.check(case["given"])) == case["used"]


@pytest.mark.parametrize("case", cases("patterns", "refused"))
def test_no_patterns(case):
    assert code_of(lambda: patterns.check(case)) == "bad_request"


@pytest.mark.parametrize("case", cases("patterns", "matches"))
def test_matches(case):
    assert patterns.matcher(patterns.check(case["patterns"]))(case["item"]) == case["matches"]


# Messages


def full(message: messages.Message) -> dict[str, Any]:
    """A message as JSON with every member, whether it has its default or not."""
    members = {name: getattr(message, name) for name in message.__struct_fields__}
    return {"type": message.__struct_config__.tag} | {name: plain(value) for name, value in members.items()}


def plain(value: Any) -> Any:
    if isinstance(value, messages.Result | messages.Peer | Rule | Base):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    return [plain(each) for each in value] if isinstance(value, list) else json.loads(messages.encode(value))


def is_within(part: Any, whole: Any) -> bool:
    """Whether a value says nothing that another does not say too."""
    if isinstance(part, dict):
        return all(name in whole and is_within(value, whole[name]) for name, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_within, part, whole))
    return part == whole


@pytest.mark.parametrize("kind", ["requests", "answers"])
@pytest.mark.parametrize("place", range(max(len(VECTORS["messages"][kind]) for kind in ("requests", "answers"))))
def test_messages(kind, place):
    for case in VECTORS["messages"][kind][place : place + 1]:
        read = requests.decode_request if kind == "requests" else answers.decode_answer
        for spelled in (case["message"], {name: value for name, value in case["full"].items() if value is not None}):
            message = read(json.dumps(spelled).encode())
            assert full(message) == case["full"]
            assert full(read(messages.encode(message))) == case["full"]
            written = json.loads(messages.encode(message))
            assert is_within(case["message"], written)
            assert is_within(written, case["full"])


@pytest.mark.parametrize("case", cases("messages", "refused_requests"))
def test_no_requests(case):
    assert code_of(lambda: requests.decode_request(case["text"].encode())) == case["code"]


@pytest.mark.parametrize("place", range(len(VECTORS["messages"]["refused_answers"])))
def test_no_answers(place):
    text = VECTORS["messages"]["refused_answers"][place].encode()
    assert code_of(lambda: answers.decode_answer(text)) == "internal"


@pytest.mark.parametrize("case", cases("messages", "tolerated"))
def test_tolerated_requests(case):
    assert full(requests.decode_request(case["text"].encode())) == case["full"]


@pytest.mark.parametrize("case", cases("messages", "states"))
def test_states_of_presences(case):
    text = case["text"].encode()
    assert requests.decode_request(text) is not None
    if "code" in case:
        assert code_of(lambda: requests.state_of(text)) == case["code"]
        return
    state = requests.state_of(text)
    assert state == (case["canonical"] and case["canonical"].encode())


def test_every_message_has_an_example():
    shown = {case["message"]["type"] for kind in ("requests", "answers") for case in VECTORS["messages"][kind]}
    assert shown == {k.__struct_config__.tag for k in (*messages.Request.__args__, *messages.Answer.__args__)}


# Sessions


@pytest.mark.parametrize("trace", cases("session_client", "traces"))
def test_the_replica_s_half(trace):
    events = {name: Event.of(value) for name, value in trace["events"].items()}
    names = {event.body: name for name, event in events.items()}
    options = {**trace["options"], "items": tuple(trace["options"].get("items", ()))}
    client = ClientSession(**{"space": "home", **options})
    for step in trace["steps"]:
        if "next" in step:
            told = step["next"]
            local = Local(
                told["node"],
                told["cursor"],
                told["copied"],
                [events[name] for name in told["pending"]],
                [offer_of(events, **offer) for offer in told.get("offers", ())],
                told.get("epoch"),
                told.get("user"),
            )
            assert step_of(client.next(local), names) == step["step"]
        elif "raises" in step:
            answer = answers.decode_answer(json.dumps(step["receive"]).encode())
            assert code_of(lambda answer=answer: client.receive(answer)) == step["raises"]
        elif "receive" in step:
            answer = answers.decode_answer(json.dumps(step["receive"]).encode())
            assert [effect_of(effect, names) for effect in client.receive(answer)] == step["effects"]
        elif "live" in step:
            client.live = True
        elif "gives_all" in step:
            client.giving.gives_all = True
        elif "withholds" in step:
            assert client.giving.withholds == step["withholds"]
        elif "held" in step:
            assert client.postponed.seconds == step["held"]
        elif "renew" in step:
            client.renew(step["renew"])
        elif "lasts" in step:
            assert client.lasts_ms == step["lasts"]
        else:
            client.release()


def offer_of(events: dict[str, Event], event: str, **place: Any) -> Offer:
    voucher = Voucher(**place)
    return Offer(voucher.event(events[event].body), voucher)


def step_of(step: Any, names: dict[bytes, str]) -> Any:
    match step:
        case messages.Give():
            entries = json.loads(bytes(step.entries))
            named = [{**each, "event": names[canonical.encode(each["event"])]} for each in entries]
            return {"give": {"epoch": step.epoch, "entries": named}}
        case messages.Hello():
            return {"hello": {"node": step.node, "space": step.space, "token": step.token}}
        case messages.Push():
            return {"push": [names[event.body] for event in decode_events(bytes(step.events))]}
        case messages.Pull():
            return {"pull": {"cursor": step.cursor, "limit": step.limit, "items": list(step.items)}}
        case messages.Auth():
            return {"auth": step.token}
        case Restamp():
            return {"restamp": step.now_ms}
    return step


def effect_of(effect: Any, names: dict[bytes, str]) -> Any:
    match effect:
        case Greet():
            return {"greet": True}
        case Settle():
            return {"settle": [[names[e.body], a if isinstance(a, int) else a.code] for e, a in effect.answers]}
        case Apply():
            return {"apply": effect.page.cursor}
        case Given():
            return {"given": [[names[e.body], a if isinstance(a, int) else a.code] for e, a in effect.answers]}
        case Rewind():
            return {"rewind": effect.head}
        case MarkCopied():
            return {"mark_copied": names[effect.event.body]}
        case Wait():
            return {"wait": effect.seconds}
        case Meet():
            return {"meet": full(effect.peers)["peers"]}
    return effect


@pytest.mark.parametrize("trace", cases("session_server", "traces"))
def test_the_server_s_half(trace):
    server = ServerSession()
    for step in trace["steps"]:
        if "unfollow" in step:
            server.unfollow()
            continue
        if "welcome" in step:
            answer = answers.decode_answer(json.dumps(step["welcome"]).encode())
            assert isinstance(answer, messages.Welcome)
            deeds = server.welcome(answer)
        elif "reject" in step:
            deeds = server.reject(BY_CODE[step["reject"]["code"]](step["reject"]["message"]))
        else:
            deeds = server.receive(step["receive"].encode())
        assert [deed_of(deed) for deed in deeds] == step["deeds"]


def deed_of(deed: Any) -> Any:
    match deed:
        case Authenticate():
            return {"authenticate": full(deed.hello)}
        case Reauthenticate():
            return {"reauthenticate": deed._asdict()}
        case Commit():
            return {"commit": {"ref": deed.ref, "events": json.loads(bytes(deed.events))}}
        case Read():
            return {"read": full(deed.pull)}
        case Follow():
            return {"follow": full(deed.live)}
        case Inquire():
            assert deed.ref == deed.inquiry.ref
            return {"inquire": full(deed.inquiry)}
        case Announce():
            assert deed.ref == deed.presence.ref
            return {"announce": full(deed.presence)}
        case Close():
            return {"close": [deed.code, deed.reason]}
        case Send():
            message = json.loads(deed.text)
            if message["type"] == "error":
                return {"send_error": {"code": message["code"], "ref": message.get("ref")}}
            return {"send": message}
    return deed
