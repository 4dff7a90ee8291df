"""Who calls: over stdio whoever started the process, over HTTP whom the request's token names.

`aiops_shared.remote` sets the latter for the time of one request. Work that outlives its request does not
keep it by accident: background tasks are begun `as_nobody`, and name whom they go on for (`acting.carried`).
The servers make a `guardrails.models.Caller` of it; here it is plain data, since guardrails stand above.
"""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal

from aiops_shared.settings import Settings

LOCAL_SCOPES: Final = frozenset({"aiops:read", "aiops:sensitive", "aiops:plan", "aiops:execute"})


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """A name for the audit and for AWS sessions, and whether it may count as a person.

    `scopes` None: not limited by a token (stdio). `groups`: as the token has them, for Kubernetes.
    """

    name: str
    kind: Literal["human", "agent"] = "human"
    scopes: frozenset[str] | None = None
    groups: tuple[str, ...] = ()

    @property
    def held(self) -> frozenset[str]:
        """The scopes, where a token names them; else those of a local caller."""
        return LOCAL_SCOPES if self.scopes is None else self.scopes


_ITSELF: Final = CallerIdentity("")  # the process, for work of its own that no caller asked for
_inbound: ContextVar[CallerIdentity | None] = ContextVar("aiops_inbound", default=None)


def inbound() -> CallerIdentity | None:
    """Whom the request's token names; None outside of an HTTP request."""
    found = _inbound.get()
    return None if found is _ITSELF else found


def alone() -> bool:
    """Whether this is the process's own work, which nobody is impersonated for."""
    return _inbound.get() is _ITSELF


@contextmanager
def called_by(identity: CallerIdentity | None) -> Iterator[None]:
    """While the block runs, `identity` calls."""
    token = _inbound.set(identity)
    try:
        yield
    finally:
        _inbound.reset(token)


@contextmanager
def of_its_own() -> Iterator[None]:
    """While the block runs, the process works for itself: discovery, the forwarder, readiness."""
    with called_by(_ITSELF):
        yield


def calling(own: CallerIdentity) -> CallerIdentity:
    """Who calls now: the token's subject, else the process's `own` identity."""
    return inbound() or own


def caller_from(settings: Settings) -> CallerIdentity:
    """The process's own identity: the caller that the settings name, else the operating system's user."""
    return CallerIdentity(settings.caller.name or _os_user(), settings.caller.kind)


def _os_user() -> str:
    """By the process's user id where there is one: LOGNAME and USER are the environment's word only."""
    if not hasattr(os, "getuid"):
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without an entry in passwd
        return f"uid-{os.getuid()}"
