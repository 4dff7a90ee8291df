"""What people were told in the lab's world: by the webhook and the pager, for tests and the demo to read."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from aiops_lab.aws.account import Account

Obj = dict[str, Any]


@dataclass
class Hearing:
    """What arrived, oldest first; reset with the world. `pages`: by dedup_key, since equal ones are one."""

    slack: list[Obj] = field(default_factory=list)
    pages: dict[str, list[Obj]] = field(default_factory=dict)


class Heard(Protocol):
    """The observatory, as far as these rooms need it."""

    @property
    def account(self) -> Account:
        """The world's AWS account, which keeps the state of every room."""
        ...
