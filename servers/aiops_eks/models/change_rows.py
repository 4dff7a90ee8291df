"""What `list_changes` is asked and what it returns."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from aiops_shared.kube.choosing import Where
from aiops_shared.results import Answer, Table


@dataclass(frozen=True, slots=True)
class ChangeAsk:
    """Which changes to list. An absent namespace means all, and AWS with it."""

    cluster: Where = None
    namespace: str = ""
    kind: str = ""
    name: str = ""
    since: str = "-1h"
    until: str = ""
    limit: int = 30
    cursor: str = ""


class ChangeList(Answer):
    """You get what changed, newest first."""

    total: Annotated[int, Field(description="Changes found")]
    changes: Table
