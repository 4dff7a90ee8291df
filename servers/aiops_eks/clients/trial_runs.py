"""Asks an API server what it says of manifests: server-side applies with dryRun=All, which store nothing.

Called by `scan_manifest`. A dry run is authorised like the real request, so an identity that only reads gets
`schema_only` with the right that is missing (D14). Secrets are never sent.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from aiops_eks.planning.wording import one_line
from aiops_eks.ports import KubeReadWrite, WritableClusters
from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    ClusterNotFoundError,
    NotConfiguredError,
    UpstreamError,
)
from aiops_shared.kube import remarks

MOST: Final = 20
AT_ONCE: Final = 4
WITHIN_S: Final = 10.0
_GRANT: Final = "grant "
Obj = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """What the API server said."""

    validation: str
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class _Heard:
    """The answers so far."""

    admitted: int = 0
    refusals: list[str] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True)
class TrialRuns:
    """Dry runs on the operator's clusters."""

    clusters: WritableClusters

    async def tried(self, cluster: str | None, namespace: str, objects: tuple[Obj, ...]) -> Trial:
        """Dry-run the first objects. Raises ClusterNotFoundError for a cluster that is named wrongly."""
        wished = [_placed(obj, namespace) for obj in objects if _may_be_sent(obj)]
        if not wished:
            return Trial("schema_only: nothing here is sent to a cluster")
        try:
            kube = await self.clusters.open(cluster)
        except ClusterNotFoundError:
            if cluster:
                raise
            return Trial("schema_only: name a cluster for a dry run")
        except NotConfiguredError:
            return Trial("schema_only: no cluster is configured")
        except AiopsError as problem:
            return Trial(f"schema_only: {one_line(problem.wire(), 200)}")
        heard = _Heard()
        with anyio.move_on_after(WITHIN_S) as deadline:
            await self._all(kube, wished[:MOST], heard)
        return _said(heard, len(wished), late=deadline.cancelled_caught)

    async def _all(self, kube: KubeReadWrite, wished: list[Obj], heard: _Heard) -> None:
        places = anyio.Semaphore(AT_ONCE)

        async def one(obj: Obj) -> None:
            async with places:
                if not heard.missing:
                    await _try(kube, obj, heard)

        async with anyio.create_task_group() as tasks:
            for obj in wished:
                tasks.start_soon(one, obj)


async def _try(kube: KubeReadWrite, obj: Obj, heard: _Heard) -> None:
    name = one_line(f"{obj.get('kind')} {obj['metadata']['name']}", 120)
    try:
        with remarks.heard() as said:
            await kube.apply(obj, force=True, dry_run=True)  # whose the fields are is asked by plan_manifest
    except AccessDeniedError as denied:
        if denied.hint.startswith(_GRANT):
            heard.missing = one_line(str(denied), 300)
        else:  # admission says no with the same status as authorization
            heard.refusals.append(f"{name}: {one_line(denied.reason, 300)}")
    except UpstreamError as problem:
        heard.missing = one_line(problem.wire(), 200)
    except AiopsError as problem:
        heard.refusals.append(f"{name}: {one_line(problem.reason, 300)}")
    else:
        heard.admitted += 1
        heard.warnings.update(dict.fromkeys(f"{name}: {one_line(text, 200)}" for text in said.texts))


def _said(heard: _Heard, wished: int, *, late: bool) -> Trial:
    refusals, warnings = tuple(heard.refusals), tuple(heard.warnings)
    if heard.missing and not heard.admitted and not refusals:
        return Trial(f"schema_only: {heard.missing}")
    text = f"server_dry_run: {heard.admitted} of {wished} admitted, {len(refusals)} refused"
    if late:
        text += f"; not all answered within {WITHIN_S:.0f} s"
    elif heard.missing:
        text += f"; the rest was not tried: {heard.missing}"
    elif wished > MOST:
        text += f"; the first {MOST} were tried"
    return Trial(text, refusals, warnings)


def _may_be_sent(obj: Obj) -> bool:
    about = obj.get("metadata")
    named = isinstance(about, dict) and isinstance(about.get("name"), str)
    return named and isinstance(obj.get("apiVersion"), str) and obj.get("kind") != "Secret"


def _placed(obj: Obj, namespace: str) -> Obj:
    """The object in the namespace that was asked for, where it names none."""
    if not namespace or obj["metadata"].get("namespace"):
        return obj
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}
