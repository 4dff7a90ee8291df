"""Where and as whom AWS is asked: the key of every session and client (decision D16)."""

import re
from dataclasses import dataclass

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
        """What the suite adds to the user agent, for calls without a role."""
        words = ["eks-aiops"]
        words += [f"caller/{_SESSION_NAME.sub('-', self.caller)[:64]}"] if self.caller else []
        words += [f"run/{_SESSION_NAME.sub('-', self.run)[:64]}"] if self.run else []
        return " ".join(words)

    def __str__(self) -> str:
        return "/".join(part for part in (self.account, self.region) if part) or "the default account"


def require_region(region: str) -> str:
    """A region's name. Raises InvalidInputError."""
    if _REGION.fullmatch(region) is None:
        raise InvalidInputError(f"region {ascii(region)[:60]}", "not a region", "like us-west-2")
    return region
