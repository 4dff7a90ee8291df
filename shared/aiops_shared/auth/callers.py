"""Who calls: over stdio whoever started the process, over HTTP whom the request's token names.

`aiops_shared.remote` sets the latter for the time of one request; everything that asks "on whose behalf?"
(guardrails, AWS sessions, Kubernetes impersonation, limits, audit) asks `calling` here. The servers make a
`guardrails.models.Caller` of it; here it is plain data, since guardrails stand above.
"""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from aiops_shared.settings import Settings


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """A name for the audit and for AWS sessions, and whether it may count as a person.

    `scopes` None: not limited by a token (stdio). `groups`: as the token has them, for Kubernetes.
    """

    name: str
    kind: Literal["human", "agent"] = "human"
    scopes: frozenset[str] | None = None
    groups: tuple[str, ...] = ()


_inbound: ContextVar[CallerIdentity | None] = ContextVar("aiops_inbound", default=None)


def inbound() -> CallerIdentity | None:
    """Whom the request's token names; None outside of an HTTP request."""
    return _inbound.get()


@contextmanager
def called_by(identity: CallerIdentity | None) -> Iterator[None]:
    """While the block runs, `identity` calls."""
    token = _inbound.set(identity)
    try:
        yield
    finally:
        _inbound.reset(token)


def calling(own: CallerIdentity) -> CallerIdentity:
    """Who calls now: the token's subject, else the process's `own` identity."""
    return _inbound.get() or own


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
