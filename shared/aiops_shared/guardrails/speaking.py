"""Makes the guardrails' caller of whoever calls right now, and back; servers hand it to `Guardrails.open`."""

from collections.abc import Callable

from aiops_shared.auth.callers import CallerIdentity, calling
from aiops_shared.guardrails.models import Caller


def speaking(own: CallerIdentity) -> Callable[[], Caller]:
    """A function that says who calls now; `own` is who started the process."""
    return lambda: caller_of(calling(own))


def caller_of(identity: CallerIdentity) -> Caller:
    """The identity as policy and audit know it; without a token it has the scopes of a local caller."""
    return Caller(name=identity.name, kind=identity.kind, scopes=identity.held, groups=identity.groups)


def identity_of(caller: Caller) -> CallerIdentity:
    """The caller as AWS sessions and Kubernetes impersonation know it."""
    return CallerIdentity(caller.name, caller.kind, caller.scopes, caller.groups)
