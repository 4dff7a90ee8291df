"""Where a rollout and its Argo CD Application stand, read from the objects. Pure.

A Deployment's words are kubectl's (`kubectl rollout status`, polymorphichelpers/rollout_status.go); an
Application's are Argo CD's own (`status.sync`, `status.health`, `status.operationState`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Obj = Mapping[str, Any]
FAILED = frozenset({"Failed", "Error"})


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where a workload's rollout stands. `began`: when its newest version was made, RFC 3339."""

    state: str
    says: str
    image: str = ""


@dataclass(frozen=True, slots=True)
class Sync:
    """Where an Application stands."""

    status: str = ""
    health: str = ""
    revision: str = ""
    says: str = ""
    deployed_at: str = ""
    failed: bool = False
    workloads: tuple[tuple[str, str, str], ...] = ()  # kind, namespace, name


def rollout_of(live: Obj) -> Rollout:
    """The rollout of a Deployment or StatefulSet."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    wanted, image = int(spec.get("replicas", 1)), _image(spec)
    if int(status.get("observedGeneration") or 0) < int((live.get("metadata") or {}).get("generation") or 0):
        return Rollout("progressing", "the controller has not seen the new version yet", image)
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    progress = conditions.get("Progressing") or {}
    updated, ready = int(status.get("updatedReplicas") or 0), int(status.get("readyReplicas") or 0)
    counted = f"{updated} of {wanted} updated, {ready} ready"
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return Rollout("stuck", f"{counted}: {progress.get('message', '')}", image)
    if spec.get("paused"):
        return Rollout("paused", counted, image)
    if updated < wanted or ready < wanted or int(status.get("replicas") or 0) > updated:
        return Rollout("progressing", counted, image)
    return Rollout("complete", counted, image)


def sync_of(application: Obj) -> Sync:
    """The state of an Application."""
    status = application.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    operation = status.get("operationState") or {}
    history = status.get("history") or [{}]
    kinds = {"Deployment", "StatefulSet"}
    return Sync(
        status=str(sync.get("status", "Unknown")),
        health=str(health.get("status", "Unknown")),
        revision=str(sync.get("revision", "")),
        says=str(health.get("message") or operation.get("message") or ""),
        deployed_at=str(history[-1].get("deployedAt", "")),
        failed=operation.get("phase") in FAILED,
        workloads=tuple(
            (str(one["kind"]), str(one.get("namespace", "")), str(one["name"]))
            for one in status.get("resources") or ()
            if one.get("kind") in kinds and one.get("name")
        ),
    )


def _image(spec: Obj) -> str:
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or [{}]
    return str(containers[0].get("image", ""))
