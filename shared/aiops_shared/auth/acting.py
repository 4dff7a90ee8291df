"""Whose rights a piece of work uses: the one answer for AWS sessions, Kubernetes impersonation and peers.

Whom a verified statement names (a run of the sop server), else whom the request's token names, else nobody
in particular: then the process's own caller. Context variables carry it, so it flows into threads and into
tasks that a call starts; what must not inherit it is begun `as_nobody`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from aiops_shared.auth.behalf import acting_for, current
from aiops_shared.auth.callers import CallerIdentity, called_by, inbound, of_its_own


@dataclass(frozen=True, slots=True)
class Acting:
    """A caller, and the run of the sop server that acts for it ("" outside of one)."""

    who: CallerIdentity
    run: str = ""


_run: ContextVar[str] = ContextVar("aiops_acting_run", default="")


def acting() -> Acting | None:
    """For whom this code works now; None for nobody but the process's own caller."""
    behalf = current()
    if behalf is not None:
        return Acting(behalf.identity, behalf.run_id)
    who = inbound()
    return None if who is None else Acting(who, _run.get())


@contextmanager
def carried(one: Acting | None) -> Iterator[None]:
    """While the block runs, work goes on for `one`, whatever this context held before (an action that
    outlives its request, or that another process began).
    """
    token = _run.set(one.run if one else "")
    try:
        with acting_for(None), called_by(one.who if one else None):
            yield
    finally:
        _run.reset(token)


@contextmanager
def as_nobody() -> Iterator[None]:
    """While the block runs, nobody in particular calls: what is begun in it inherits no request's caller."""
    with carried(None):
        yield


@contextmanager
def as_itself() -> Iterator[None]:
    """While the block runs, the process works for itself (see `callers.of_its_own`)."""
    with as_nobody(), of_its_own():
        yield
