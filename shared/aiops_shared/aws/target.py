"""Where and as whom AWS is asked: the key of every session and client (decision D16)."""

import re
from contextvars import ContextVar
from dataclasses import dataclass, replace

from aiops_shared.auth.acting import acting
from aiops_shared.errors import InvalidInputError

# What would be a host label of an endpoint may be nothing but a region (bad input BI-075).
_REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_SESSION_NAME = re.compile(r"[^A-Za-z0-9_+=,.@-]")
SESSION_NAME_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class AwsTarget:
    """Account, region and role asked, on behalf of which caller and run. Empty: the default chain's own."""

    account: str = ""
    region: str = ""
    role: str = ""
    external_id: str = ""
    caller: str = ""
    run: str = ""

    def __post_init__(self) -> None:
        """Raises InvalidInputError for a region that is none."""
        if self.region:
            require_region(self.region)

    @property
    def session_name(self) -> str:
        """The role session's name, so that CloudTrail says who and in which run."""
        run = _SESSION_NAME.sub("-", self.run)[:32]
        tail = f"+{run}" if run else ""
        head = "aiops-" + (_SESSION_NAME.sub("-", self.caller) or "unknown")
        return head[: SESSION_NAME_CHARACTERS - len(tail)] + tail

    @property
    def user_agent(self) -> str:
        """What one call adds to the user agent: who, and in which run."""
        words = [f"caller/{_SESSION_NAME.sub('-', self.caller)[:64]}"] if self.caller else []
        words += [f"run/{_SESSION_NAME.sub('-', self.run)[:64]}"] if self.run else []
        return " ".join(words)

    def __str__(self) -> str:
        return "/".join(part for part in (self.account, self.region) if part) or "the default account"


def for_whom(target: AwsTarget) -> AwsTarget:
    """The target as the caller of this work reaches it, and the run that acts for it: CloudTrail names both
    (D16). Nobody in particular: whom the target names, the process's own caller.
    """
    now = acting()
    return target if now is None else replace(target, caller=now.who.name, run=now.run)


# Account, role, caller and run of the request that a thread is about to sign; set by `clients`.
ASKING: ContextVar[AwsTarget] = ContextVar("aiops_aws_asking", default=AwsTarget())  # noqa: B039  # frozen


def session_of(target: AwsTarget) -> AwsTarget:
    """Whose role session serves this work: its own caller's and run's, since the session's name says them;
    without a role that of all callers, whose credentials are the same.
    """
    return for_whom(target) if target.role else replace(target, caller="", run="")


def require_region(region: str) -> str:
    """A region's name. Raises InvalidInputError."""
    if _REGION.fullmatch(region) is None:
        raise InvalidInputError(f"region {ascii(region)[:60]}", "not a region", "like us-west-2")
    return region
