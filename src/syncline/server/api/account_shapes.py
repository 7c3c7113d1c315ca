"""The shapes of bodies and answers about users, keys and sessions. Times are milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from syncline.core.access.rules import Rule

JSON = b"application/json"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A body; whoever misspells a field is told so."""


class Login(Body):
    """Name and password, and a code if there is a second factor; ``label`` is what the program calls itself."""

    user: str
    password: str
    code: str | None = None
    label: str = ""


class Refresh(Body):
    """A refresh token, which is used up."""

    refresh_token: str


class Logout(Body):
    """The session to end; without a token that of the credentials."""

    refresh_token: str | None = None


class Setup(Body):
    """A setup token, and either a new password or the name of a new key."""

    token: str
    password: str | None = None
    key: str | None = None
    label: str = ""


class ChangePassword(Body):
    """The password of now, and the next."""

    old: str
    new: str


class Code(Body):
    """A code of the second factor, or one for recovery."""

    code: str


class CreateUser(Body):
    """A new user; without a password there is a setup token."""

    name: str
    password: str | None = None


class CreateKey(Body):
    """A new key, by default of whoever asks; ``actions`` and ``items`` are patterns it is limited to."""

    name: str
    user: str | None = None
    actions: list[str] = []
    items: list[str] = []
    expires_ms: int | None = None


class Granted(msgspec.Struct):
    """Who has logged in, and the tokens; ``space`` is null for all. The refresh token is used once."""

    user: str
    space: str | None
    access_token: str
    expires_ms: int
    refresh_token: str


class Me(msgspec.Struct):
    """Who somebody is, by which credential, what it is limited to, and the rules; ``rules`` is null if none binds."""

    user: str
    space: str | None
    credential: str
    actions: tuple[str, ...]
    items: tuple[str, ...]
    expires_ms: int | None
    rules: list[Rule] | None
    second_factor: bool


class Enrolled(msgspec.Struct):
    """What an app for codes needs to know."""

    secret: str
    uri: str


class Recovery(msgspec.Struct):
    """Codes for a day without the telephone, each for once; shown this time alone."""

    recovery_codes: list[str]


class ShownSession(msgspec.Struct):
    """A login that goes on; ``used_ms`` is its last refresh."""

    id: str
    label: str
    created_ms: int
    used_ms: int
    is_current: bool


class Sessions(msgspec.Struct):
    """The sessions, the one used last first."""

    sessions: list[ShownSession]


class Ticket(msgspec.Struct):
    """A ticket that opens one socket or stream."""

    ticket: str
    expires_ms: int


class Ended(msgspec.Struct):
    """Whether there was something to end."""

    ended: bool


class ShownUser(msgspec.Struct):
    """A user; ``suspended_ms`` is null for one who is not."""

    name: str
    created_ms: int
    suspended_ms: int | None
    has_password: bool
    second_factor: bool


class Users(msgspec.Struct):
    """Users, by name."""

    users: list[ShownUser]


class CreatedUser(msgspec.Struct):
    """A user who was made; the setup token is null if there is a password."""

    name: str
    setup_token: str | None


class SetupToken(msgspec.Struct):
    """A setup token, valid for 24 hours, once."""

    name: str
    setup_token: str


class ShownKey(msgspec.Struct):
    """An API key without its text."""

    id: str
    name: str
    user: str
    actions: tuple[str, ...]
    items: tuple[str, ...]
    created_ms: int
    expires_ms: int | None
    used_ms: int | None


class CreatedKey(ShownKey, kw_only=True):
    """An API key with its text, which is shown this time alone."""

    key: str


class Keys(msgspec.Struct):
    """Keys, oldest first."""

    keys: list[ShownKey]


BODIES: Mapping[str, Mapping[bytes, Any]] = {
    "login": {JSON: Login},
    "refresh": {JSON: Refresh},
    "logout": {JSON: Logout},
    "set_up": {JSON: Setup},
    "change_password": {JSON: ChangePassword},
    "confirm_second_factor": {JSON: Code},
    "turn_off_second_factor": {JSON: Code},
    "create_user": {JSON: CreateUser},
    "create_key": {JSON: CreateKey},
}
ANSWERS: Mapping[str, Any] = {
    **dict.fromkeys(("login", "refresh"), Granted),
    "set_up": (Granted, CreatedKey),
    "logout": Ended,
    "show_me": Me,
    "enrol_second_factor": Enrolled,
    "confirm_second_factor": Recovery,
    "list_sessions": Sessions,
    "make_ticket": Ticket,
    "list_users": Users,
    "create_user": CreatedUser,
    **dict.fromkeys(("show_user", "suspend_user", "resume_user"), ShownUser),
    "issue_setup_token": SetupToken,
    "list_keys": Keys,
    "create_key": CreatedKey,
}
CREATE = {"create_user", "issue_setup_token", "create_key", "set_up"}
