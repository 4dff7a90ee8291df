"""What `generate_config` answers: files, where every number of them is from, and what a reviewer reads."""

from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table

Kind = Literal["resources", "hpa", "hpa_schedule", "nodepool", "placeholder", "alarms", "spec"]
KINDS: tuple[Kind, ...] = ("resources", "hpa", "hpa_schedule", "nodepool", "placeholder", "alarms", "spec")
PARTS = ("requirements", "design", "tasks")  # of a spec
Dialect = Literal["plain", "keda", "ack", "markdown"]


class ConfigAsk(Frozen):
    """For which workload, what."""

    cluster: str | None = None
    namespace: str = ""
    kind: str = "Deployment"
    name: str = ""
    kinds: tuple[Kind, ...] = ()
    full: bool = False


class GeneratedFile(Frozen):
    """One file, one object: what a repository would hold. Nothing was written anywhere."""

    path: str
    kind: Kind
    dialect: Dialect = "plain"
    valid: Annotated[bool | None, Field(description="null: nothing could check it")] = None
    checked: Annotated[str, Field(description="By what, and what it said")] = ""
    content: Annotated[str, Field(description="Empty where it did not fit: detail=full")] = ""


class PullRequest(Frozen):
    """The text of the change, for people."""

    title: str
    body: str


class GeneratedConfig(Answer):
    """Files whose every number is in `rationale`."""

    workload: str
    files: tuple[GeneratedFile, ...] = ()
    rationale: Table
    decisions: Annotated[tuple[str, ...], Field(description="For a person")] = ()
    pull_request: PullRequest | None = None
