"""A session that may begin with ``authenticate``, and takes commands beside the log's own messages."""

from __future__ import annotations

from typing import Any, NamedTuple

from syncline.core.messages import ErrorMessage, Hello, Message, Welcome, encode
from syncline.core.requests import checked, ref_of
from syncline.core.server_session import Authenticate, Deed, Send, ServerSession
from syncline.errors import HelloRequired, SynclineError, UserMismatch
from syncline.server.dialects.commands import shapes

NODE = "socket"
"""Stands for the node of a client that does not name itself, in the hello that its ``authenticate`` amounts to."""


class Obey(NamedTuple):
    """Carry out a command, and answer it."""

    ref: int | None
    text: bytes


class Authenticated(Message, frozen=True, kw_only=True, omit_defaults=True, tag="authenticated"):
    """Answers ``authenticate``: whose session it is, and where the space's log ends."""

    ref: int | None = None
    user_id: str
    epoch: str
    seq: int
    time: int


class CommandSession(ServerSession):
    """A server's half of a conversation with a client that keeps no log, or with a replica."""

    login: shapes.Authenticate | None = None
    """How the session began, if not with ``hello``."""

    def receive(self, text: bytes) -> list[Any]:
        """See ``ServerSession.receive``; commands become ``Obey``."""
        kind = shapes.kind_of(text)
        if kind is None:
            return super().receive(text)
        try:
            return [self._authenticate(text) if kind == "authenticate" else self._obey(text)]
        except SynclineError as error:
            return [Send(encode(ErrorMessage.of(error, ref_of(text))))] if self.is_open else self.reject(error)

    def _authenticate(self, text: bytes) -> Deed:
        command = shapes.read(text)
        assert isinstance(command, shapes.Authenticate)
        hello = Hello(node=command.node or NODE, space=command.space, token=command.auth_token)
        deed = self._greet(checked(hello))
        if isinstance(deed, Authenticate):
            self.login = command
        return deed

    def _obey(self, text: bytes) -> Obey:
        if not self.is_open:
            raise HelloRequired("The first message of a session is hello or authenticate.")
        return Obey(ref_of(text), text)

    def welcome(self, welcome: Welcome) -> list[Deed]:
        """See ``ServerSession.welcome``."""
        if self.login is None:
            return super().welcome(welcome)
        if self.login.user_id not in (None, welcome.user):
            return self.reject(UserMismatch("user_id is not the user of these credentials."))
        self.is_open = True
        answer = Authenticated(
            ref=self.login.ref, user_id=welcome.user, epoch=welcome.epoch, seq=welcome.head, time=welcome.time
        )
        return [Send(encode(answer))]
