"""Who calls over stdio: the person or agent that started the process.

The server makes a `guardrails.models.Caller` of it; here it is plain data, since guardrails stand above.
"""

import getpass
import os
from dataclasses import dataclass
from typing import Literal

from aiops_shared.settings import Settings


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """A name for the audit and for AWS sessions, and whether it may count as a person."""

    name: str
    kind: Literal["human", "agent"] = "human"


def caller_from(settings: Settings) -> CallerIdentity:
    """The caller that the settings name, else the operating system's user."""
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
