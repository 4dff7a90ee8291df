"""What `find_sops` is asked and what it answers."""

from typing import Annotated, Any

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table
from aiops_sop.models.documents import Risk

Json = Any


class SopAsk(Frozen):
    """One question: by words, by what happened, by a cause, or one by name."""

    query: str = ""
    event: dict[str, Json] = Field(default_factory=dict)
    cause: str = ""
    name: str = ""
    limit: int = 10


class SopView(Frozen):
    """One SOP in full."""

    id: str
    version: int
    title: str
    risk: Risk
    digest: str
    guided: Annotated[bool, Field(description="Text to follow; nothing is executed")] = False
    triggers: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    params: Table | None = None
    steps: Table | None = None
    tried: int = 0
    helped: int = 0
    document: str = ""


class Sops(Answer):
    """SOPs, the most fitting first."""

    sops: Table | None = None
    total: int = 0
    sop: Annotated[SopView | None, Field(description="One in full, by name")] = None
    broken: Annotated[Table | None, Field(description="Files that may not run, and why")] = None
