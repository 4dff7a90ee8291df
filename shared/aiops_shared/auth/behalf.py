"""Whom a call of one server to another is made for: a signed statement beside its arguments (D16).

The sop server makes one for each call of a run, and for each call that it makes while it answers a request;
the server that is called verifies it, and from there on policy, limits, scopes and audit go by the caller it
names, not by who carries the call. Signed with a key of the state store, which both servers read; it names
the one call that it is for (server, tool, arguments), lives five minutes at most and can only make a verdict
stricter than the named caller's own.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from aiops_shared.auth.callers import LOCAL_SCOPES, CallerIdentity
from aiops_shared.errors import BehalfInvalidError
from aiops_shared.results import Frozen

META_KEY: Final = "eks-aiops/on-behalf-of"
LONGEST: Final = timedelta(minutes=5)
SKEW: Final = timedelta(seconds=30)
RunMode = Literal["", "plan", "supervised", "auto"]


class Behalf(Frozen):
    """Who asked for the run that makes this call, and under which procedure. No `run_id`: no run."""

    caller: Annotated[str, Field(min_length=1, max_length=256)]
    kind: Literal["human", "agent"]
    scopes: frozenset[str] = LOCAL_SCOPES  # what the caller held when the run, or the request, began
    groups: tuple[str, ...] = ()
    run_id: Annotated[str, Field(max_length=64)] = ""
    step: Annotated[str, Field(max_length=200)] = ""
    sop: Annotated[str, Field(max_length=128)] = ""
    sop_digest: Annotated[str, Field(max_length=64)] = ""
    mode: RunMode = "supervised"
    always_ask: bool = False  # the step wants a person whatever policy says
    promoted: bool = False  # the SOP earned mode auto in production (supervised runs, a fresh drill)
    confidence_pct: Annotated[int, Field(ge=0, le=100)] = 100
    audience: Annotated[str, Field(min_length=1, max_length=64)]  # the server it is meant for
    call: Annotated[str, Field(max_length=64)] = ""  # `call_of` the tool and its arguments
    until: datetime

    @property
    def identity(self) -> CallerIdentity:
        """The caller that it names."""
        return CallerIdentity(self.caller, self.kind, self.scopes, self.groups)


def call_of(tool: str, arguments: Mapping[str, Any]) -> str:
    """What stands for one call in a statement. Arguments without a value are as good as absent."""
    given = {name: value for name, value in arguments.items() if value is not None}
    text = json.dumps([tool, given], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def signed(behalf: Behalf, key: bytes) -> dict[str, str]:
    """The statement as it travels in `_meta`."""
    body = behalf.model_dump_json()
    return {"says": body, "mac": _mac(body, key)}


def verified(sent: Any, key: bytes, audience: str, call: str, now: datetime) -> Behalf:
    """The statement of a call (`call_of`). `now` is safety time. Raises BehalfInvalidError."""
    body, mac = (sent.get("says"), sent.get("mac")) if isinstance(sent, dict) else (None, None)
    if not isinstance(body, str) or not isinstance(mac, str):
        raise _invalid("it is not of the form")
    if not hmac.compare_digest(mac.encode(), _mac(body, key).encode()):
        raise _invalid("its signature does not hold")
    try:
        behalf = Behalf.model_validate(json.loads(body))
    except (ValidationError, ValueError) as error:
        raise _invalid("it is not of the form") from error
    if behalf.audience != audience:
        raise _invalid(f"it is meant for {behalf.audience}")
    if not hmac.compare_digest(behalf.call.encode(), call.encode()):
        raise _invalid("it is meant for another call")
    if not now - SKEW <= behalf.until <= now + LONGEST + SKEW:
        raise _invalid("its time is over, or too far away")
    return behalf


def _mac(body: str, key: bytes) -> str:
    return hmac.new(key, body.encode(), "sha256").hexdigest()


def _invalid(reason: str) -> BehalfInvalidError:
    return BehalfInvalidError(
        "on-behalf-of statement",
        reason,
        "servers that call each other share one AIOPS_STATE_URL and key file",
    )


_current: ContextVar[Behalf | None] = ContextVar("aiops_behalf", default=None)


def current() -> Behalf | None:
    """The statement of the call that is being answered; None for a call of one's own."""
    return _current.get()


@contextmanager
def acting_for(behalf: Behalf | None) -> Iterator[None]:
    """While the block runs, calls are answered for whom the statement names."""
    token = _current.set(behalf)
    try:
        yield
    finally:
        _current.reset(token)
