"""What a planner hands to the guardrails: a change not yet judged, and the facts around its target."""

from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import Field

from aiops_shared.guardrails.models import ActionName, FieldChange, ObjectRef, Reversible, Step
from aiops_shared.results import Frozen

Obj = dict[str, Any]


class Around(Frozen):
    """What stands around one object when a change of it is planned or carried out."""

    ref: ObjectRef
    now: datetime
    obj: Obj | None
    namespace: Obj | None = None
    pods: tuple[Obj, ...] = ()
    replica_sets: tuple[Obj, ...] = ()
    pdbs: tuple[Obj, ...] | None = None  # None: could not be read, so no headroom is assumed
    hpas: tuple[Obj, ...] = ()
    owners: tuple[Obj, ...] = ()  # from the direct owner up to the top controller
    neighbours: tuple[Obj, ...] | None = None  # of a NetworkPolicy: all pods of its namespace
    free_memory_bytes: int | None = None  # the most that one schedulable node has left
    free_cpu_millicores: int | None = None
    usage: dict[str, tuple[int, int]] = Field(default_factory=dict)  # pod -> CPU millicores, memory bytes
    gaps: tuple[str, ...] = ()


class Draft(Frozen):
    """One exact change, before dry run and judgement."""

    action: ActionName
    ref: ObjectRef
    confirm: str
    steps: tuple[Step, ...]
    paths: tuple[str, ...] = ()  # what the steps write
    reads: tuple[str, ...] = ()  # what the plan reasons from
    diff: tuple[FieldChange, ...]
    reversible: Reversible
    lost: tuple[str, ...] = ()
    at_once: int = 0  # pods disrupted at the same time, at the widest
    replicas_after: int | None = None
    revisions_back: int = 0
    raise_pct: int = 0
    needs_bytes: int = 0  # extra memory that a node must have free
    needs_millicores: int = 0
    warnings: tuple[str, ...] = ()
    shows: dict[str, str] = Field(default_factory=dict)  # what a person wants to see beside the diff


class Wish(Frozen):
    """The arguments of plan_workload_change that shape the change."""

    replicas: int | None = None
    container: str = ""
    memory_limit: str = ""
    memory_request: str = ""
    cpu_limit: str = ""
    cpu_request: str = ""
    image: str = ""
    to_revision: int | None = None

    def given(self) -> set[str]:
        """The arguments that were given."""
        return {name for name, value in self if value not in (None, "")}


class DryRun(Frozen):
    """What the API server says it would do."""

    validation: Literal["server_dry_run", "prechecked", "schema_only"]
    obj: Obj | None = None  # the object as it would be
    missing: tuple[str, ...] = ()  # rights that a server-side dry run would need (D14)
    remarks: tuple[str, ...] = ()  # what the API server warned of (its `Warning` headers)
    takes_over: tuple[str, ...] = ()  # people's kubectl, whose fields it writes: only by force


class Surroundings(Protocol):
    """What stands around one object, and the dry run of a change to it. Fulfilled by the clients."""

    async def around(
        self, cluster: str | None, kind: str, namespace: str, name: str, *, must_exist: bool = False
    ) -> Around:
        """Gather. NotFoundError with the nearest names when the object must be there and is not."""
        ...

    async def dry_run(self, draft: Draft, around: Around) -> DryRun:
        """Ask the API server what the first step would do. Raises what it refuses."""
        ...

    async def dry_apply(self, manifest: Obj, around: Around) -> DryRun:
        """Ask the API server what applying the manifest would give."""
        ...


def at(obj: Obj | None, *path: str) -> Any:
    """The value below nested objects, or None."""
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def name_of(obj: Obj | None) -> str:
    """metadata.name."""
    return str(at(obj, "metadata", "name") or "")


def uid_of(obj: Obj | None) -> str:
    """metadata.uid."""
    return str(at(obj, "metadata", "uid") or "")


def containers_of(obj: Obj | None) -> list[Obj]:
    """The containers of a workload's template, or of a pod."""
    spec = at(obj, "spec", "template", "spec") or at(obj, "spec") or {}
    found = spec.get("containers") if isinstance(spec, dict) else None
    return [item for item in found or [] if isinstance(item, dict)]


def replicas_of(obj: Obj | None) -> int:
    """spec.replicas; Kubernetes' default is 1."""
    value = at(obj, "spec", "replicas")
    return value if isinstance(value, int) else 1
