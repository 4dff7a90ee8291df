"""How a person gives what is waited for: the command, and the page where its address is known (D4)."""

import re
from typing import Final

from aiops_shared.auth.callers import inbound
from aiops_shared.settings import HttpSettings

_OR: Final = " or "
_ID: Final = re.compile(r"\b(?:apr|ask)_[A-Za-z0-9_-]{1,40}")


def approve_command(about: str) -> str:
    """At a terminal of the store."""
    return f"eks-aiops approve {about}"


def ways_to_approve(about: str, http: HttpSettings) -> str:
    """At a terminal, or on the page: of the public URL, else of the process that this call came to."""
    url = http.approvals_url(about, listening=inbound() is not None)
    return f"{approve_command(about)}{_OR}{url}" if url else approve_command(about)


def approval_named_in(hint: str) -> str:
    """The id that `ways_to_approve` names, "" without one."""
    found = _ID.search(hint)
    return found[0] if found else ""
