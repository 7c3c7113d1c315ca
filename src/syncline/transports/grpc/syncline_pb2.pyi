from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HelloRequest(_message.Message):
    __slots__ = ("protocol",)
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    def __init__(self, protocol: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("epoch", "head", "time", "user", "own", "limits", "rules", "actions", "items", "expires", "peer", "erasable")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    ERASABLE_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    head: int
    time: int
    user: str
    own: str
    limits: Limits
    rules: bytes
    actions: _containers.RepeatedScalarFieldContainer[str]
    items: _containers.RepeatedScalarFieldContainer[str]
    expires: int
    peer: bool
    erasable: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, epoch: _Optional[str] = ..., head: _Optional[int] = ..., time: _Optional[int] = ..., user: _Optional[str] = ..., own: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., rules: _Optional[bytes] = ..., actions: _Optional[_Iterable[str]] = ..., items: _Optional[_Iterable[str]] = ..., expires: _Optional[int] = ..., peer: _Optional[bool] = ..., erasable: _Optional[_Iterable[str]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("event_bytes", "push_events", "body_bytes", "page_entries", "drift_ms")
    EVENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    PUSH_EVENTS_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    PAGE_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    DRIFT_MS_FIELD_NUMBER: _ClassVar[int]
    event_bytes: int
    push_events: int
    body_bytes: int
    page_entries: int
    drift_ms: int
    def __init__(self, event_bytes: _Optional[int] = ..., push_events: _Optional[int] = ..., body_bytes: _Optional[int] = ..., page_entries: _Optional[int] = ..., drift_ms: _Optional[int] = ...) -> None: ...

class AuthenticateRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class Authenticated(_message.Message):
    __slots__ = ("user", "time", "expires")
    USER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    user: str
    time: int
    expires: int
    def __init__(self, user: _Optional[str] = ..., time: _Optional[int] = ..., expires: _Optional[int] = ...) -> None: ...

class PushRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: bytes
    def __init__(self, events: _Optional[bytes] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("results", "head")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    results: bytes
    head: int
    def __init__(self, results: _Optional[bytes] = ..., head: _Optional[int] = ...) -> None: ...

class PullRequest(_message.Message):
    __slots__ = ("cursor", "limit", "items")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    limit: int
    items: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cursor: _Optional[str] = ..., limit: _Optional[int] = ..., items: _Optional[_Iterable[str]] = ...) -> None: ...

class LiveRequest(_message.Message):
    __slots__ = ("cursor", "items")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    items: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cursor: _Optional[str] = ..., items: _Optional[_Iterable[str]] = ...) -> None: ...

class Inquiry(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: bytes
    def __init__(self, message: _Optional[bytes] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: bytes
    def __init__(self, message: _Optional[bytes] = ...) -> None: ...

class Page(_message.Message):
    __slots__ = ("entries", "late", "forget", "cursor", "more", "bases")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    FORGET_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    entries: bytes
    late: bytes
    forget: _containers.RepeatedScalarFieldContainer[str]
    cursor: str
    more: bool
    bases: bytes
    def __init__(self, entries: _Optional[bytes] = ..., late: _Optional[bytes] = ..., forget: _Optional[_Iterable[str]] = ..., cursor: _Optional[str] = ..., more: _Optional[bool] = ..., bases: _Optional[bytes] = ...) -> None: ...
