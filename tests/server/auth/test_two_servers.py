"""Two servers on one register at the same moment: what may happen once happens once, and what one knows both know."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice

import pyotp
import pytest

from syncline.errors import (
    InvalidCredentials,
    SynclineError,
    TokenReused,
    TooManyAttempts,
    Unauthorized,
    UserExists,
)
from syncline.server.auth.guard import Guard
from syncline.server.auth.identity import Identity
from syncline.server.auth.second_factor import SecondFactors
from syncline.server.auth.sessions import MAX_OF_ONE, Sessions
from syncline.server.auth.setup_tokens import SetupTokens
from syncline.server.auth.tickets import Tickets
from syncline.server.auth.tokens import SIGNS_MS, AccessTokens
from syncline.server.register.acts import ActTable
from syncline.server.register.audit import UNAUTHORIZED, AuditTable, Note
from tests.server.auth.conftest import SECOND

THREADS = 8
ALICE = "home", "alice"


@pytest.fixture
def pair(open_register):
    """The registers of two servers, with alice of home in them."""
    registers = open_register(), open_register()
    registers[0].users.create(*ALICE)
    return registers


@pytest.fixture
def both(pair):
    """Makes something of each register's database."""
    return lambda make, *more: [make(register.database, *more) for register in pair]


def at_once(calls, count=24):
    """What calls answer, or raise, that several threads make as nearly at once as they can, one after the other."""

    def answer(call):
        try:
            return call()
        except SynclineError as error:
            return type(error)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(answer, islice(cycle(calls), count)))


# What may happen once


def test_a_refresh_token_has_one_successor_and_its_reuse_ends_the_session_everywhere(both, clock):
    one, other = both(Sessions, clock, b"secret")
    begun = one.begin(*ALICE)
    (successor,) = set(at_once([lambda: one.refresh(begun.token), lambda: other.refresh(begun.token)]))
    clock.pass_(10 * SECOND)
    with pytest.raises(TokenReused):
        other.refresh(begun.token)
    assert not one.is_valid(begun.id)
    with pytest.raises(Unauthorized):
        one.refresh(successor.token)


def test_a_code_of_the_telephone_and_one_on_paper(both, clock):
    one, other = both(SecondFactors, clock, b"secret")
    totp = pyotp.TOTP(one.enrol(*ALICE).secret)
    codes = other.confirm(*ALICE, totp.generate_otp(clock() // 30_000))
    clock.pass_(30 * SECOND)
    for code in (totp.generate_otp(clock() // 30_000), codes[0]):
        answers = at_once([partial(each.accept, *ALICE, code) for each in (one, other)])
        assert answers.count(None) == 1
        assert set(answers) == {None, InvalidCredentials}
    for code in codes[1:]:
        other.accept(*ALICE, code)


def test_guesses_at_both_are_counted_together(both, clock):
    one, other = both(Guard, clock)
    answers = at_once([lambda: one.begin("", *ALICE), lambda: other.begin("", *ALICE)], 40)
    assert answers.count(TooManyAttempts) == 35
    others = at_once([lambda: one.begin("192.0.2.1"), lambda: other.begin("192.0.2.1")], 40)
    assert others.count(TooManyAttempts) == 35


def test_a_setup_token(both, clock):
    one, other = both(SetupTokens, clock, b"secret")
    token = one.issue(*ALICE)
    answers = at_once([lambda: one.redeem(token), lambda: other.redeem(token)])
    assert (answers.count(ALICE), answers.count(InvalidCredentials)) == (1, 23)


def test_a_ticket(both, clock):
    one, other = both(Tickets, clock)
    identity = Identity("alice", "home", "key:aa")
    for _ in range(5):
        ticket = one.issue(identity)
        answers = at_once([partial(each.redeem, ticket) for each in (one, other)])
        assert (answers.count(identity), answers.count(Unauthorized)) == (1, 23)


def test_names_keys_and_spaces(pair):
    one, other = pair
    made = at_once([lambda: one.users.create("home", "bob"), lambda: other.users.create("home", "bob")])
    assert (made.count(None), made.count(UserExists)) == (1, 23)
    assert at_once([lambda: one.create_space("garden"), lambda: other.create_space("garden")]).count(True) == 1
    one.create_key("laptop", "alice", "home")
    (key,) = other.keys()
    assert at_once([lambda: one.revoke_key(key.id), lambda: other.revoke_key(key.id)]).count(True) == 1
    assert len(set(at_once([lambda: one.secret("new"), lambda: other.secret("new")]))) == 1


# What both know


def test_they_sign_with_one_key_and_know_each_others(both, clock):
    one, other = both(AccessTokens, clock, "us")
    for _ in range(2):
        tokens = at_once([lambda: one.issue(*ALICE, "s1")[0], lambda: other.issue(*ALICE, "s1")[0]])
        for token in tokens:
            assert one.verify(token) == other.verify(token)
        assert one._keys == other._keys
        clock.pass_(SIGNS_MS)
    assert len(one._keys) == 2


def test_a_key_that_another_server_has_made_since(both, clock, store):
    one, other = both(AccessTokens, clock, "us")
    token = one.issue(*ALICE, "s1")[0]
    if store == "sqlite":  # one server has it for itself
        with pytest.raises(Unauthorized):
            other.verify(token)
    else:
        assert other.verify(token).user == "alice"


def test_both_may_change_different_quotas(pair):
    one, other = (register.space_table for register in pair)
    pair[0].create_space("garden")
    at_once([lambda: one.set_quotas("garden", {"events": 1}), lambda: other.set_quotas("garden", {"items": 2})])
    assert one.state("garden").quotas == other.state("garden").quotas == {"events": 1, "items": 2}


def test_one_user_has_so_many_sessions(both, clock):
    one, other = both(Sessions, clock, b"secret")
    at_once([lambda: one.begin(*ALICE), lambda: other.begin(*ALICE)], MAX_OF_ONE + 20)
    assert len(one.of_user(*ALICE)) == MAX_OF_ONE


def test_refusals_at_both_are_counted_in_one_row(both, clock):
    one, other = both(AuditTable)
    now = clock()
    notes = [Note(UNAUTHORIZED, "home", "", f"192.0.2.{n}", "x", now + n, now + n) for n in range(20)]
    later = [note._replace(first=note.first + 5, last=note.last + 5) for note in reversed(notes)]
    assert set(at_once([lambda: one.write(notes), lambda: other.write(later)])) == {None}
    found = {noted.note.address: noted.note for noted in one.newest(None, 100)}
    assert {note.times for note in found.values()} == {24}
    assert [found[note.address] for note in notes] == [note._replace(last=note.last + 5, times=24) for note in notes]


def test_one_at_a_time_tells_of_acts(both, store):
    one, other = both(ActTable)
    with one.claimed() as ours, other.claimed() as theirs:
        assert (ours, theirs) == (True, store == "sqlite")  # a file has one server
    with other.claimed() as theirs:
        assert theirs


# What is heard


def test_all_servers_hear_of_what_ends_and_not_of_what_passes(pair, clock, store):
    if store == "sqlite":
        pytest.skip("a file counts whatever another program has written")
    one, other = pair
    sessions, tickets, guard = (
        Sessions(one.database, clock, b"secret"),
        Tickets(one.database, clock),
        Guard(one.database, clock),
    )
    begun, key = sessions.begin(*ALICE), one.create_key("laptop", "alice", "home")
    one.create_space("garden")
    heard = other.database.foreign_version

    def passing():
        guard.succeeded(guard.begin("192.0.2.1", *ALICE))
        tickets.redeem(tickets.issue(one.api_keys.identify(key)))
        sessions.refresh(sessions.begin(*ALICE).token)
        one.api_keys.note_use(one.keys()[0].id)
        one.api_keys.write_uses()
        AuditTable(one.database).write([Note(UNAUTHORIZED, "home", "", "", "x", 1, 1)])

    before = heard()
    passing()
    assert heard() == before
    for ending in (
        lambda: sessions.end(begun.id),
        lambda: one.revoke_key(one.keys()[0].id),
        lambda: one.users.suspend(*ALICE),
        lambda: one.users.resume(*ALICE),
        lambda: one.users.remove(*ALICE),
        lambda: one.space_table.suspend("garden"),
        lambda: one.space_table.set_quotas("garden", {"events": 1}),
        lambda: one.delete_space("garden"),
        lambda: ActTable(one.database).add("home", ".user.ann", ".user.create"),
    ):
        before = heard()
        ending()
        assert heard() > before
