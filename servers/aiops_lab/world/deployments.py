"""Deployments: roll a new template out through ReplicaSets, and say how it goes.

The arithmetic is that of `pkg/controller/deployment` (rolling.go, recreate.go, progress.go, sync.go):
maxSurge and maxUnavailable hold at every step, unhealthy old replicas go first, a rollout without progress
for `progressDeadlineSeconds` is ProgressDeadlineExceeded, old ReplicaSets stay for `revisionHistoryLimit`.
"""

import math
from datetime import timedelta
from typing import Any

from aiops_lab.kube.errors import ApiError
from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import (
    Key,
    Obj,
    annotations_of,
    being_deleted,
    condition,
    controller_of,
    meta,
    moment_of,
    owner_reference,
    stamp,
)
from aiops_lab.world.replicas import FAILURE, revision_of

BY = "deployment-controller"
HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = (REVISION, DESIRED, MOST, "kubectl.kubernetes.io/last-applied-configuration")


def fenceposts(deployment: Obj) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods: surge rounds up, unavailable down, never both 0."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, wanted(deployment)
    rolling = strategy.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted(deployment), up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted(deployment), up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _share(value: str | int, of: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    exact = of * int(value.removesuffix("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)


def wanted(workload: Obj) -> int:
    """spec.replicas, 1 when it is not set."""
    return int(workload["spec"].get("replicas", 1))


def _template(replica_set: Obj) -> Any:
    template = replica_set["spec"]["template"]
    head = dict(template.get("metadata") or {})
    head["labels"] = {name: text for name, text in (head.get("labels") or {}).items() if name != HASH}
    return {"metadata": _bare(head), "spec": template["spec"]}


def _bare(head: Obj) -> Obj:
    return {name: value for name, value in head.items() if value and name != "creationTimestamp"}


def _failure_of(deployment: Obj, new: Obj | None, old: list[Obj]) -> Obj | None:
    """What the new ReplicaSet could not do, else an old one (progress.go, getReplicaFailures)."""
    found = [condition(each, FAILURE) for each in [*([new] if new else []), *old]]
    failure = next((each for each in found if each is not None), None)
    before = condition(deployment, FAILURE)
    if failure is None or (before and before["reason"] == failure["reason"]):
        return before if failure is not None else None
    return {**failure, "lastUpdateTime": failure["lastTransitionTime"]}


def _count(obj: Obj, field: str) -> int:
    return int((obj.get("status") or {}).get(field) or 0)


class Deployments(Controller):
    """Keeps one Deployment's ReplicaSets on their way to its template."""

    kind = "Deployment"
    watches = ("ReplicaSet", "Pod")

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """A ReplicaSet concerns its Deployment; a pod that went concerns a Recreate that waits for it."""
        owner = controller_of(obj)
        if owner and owner["kind"] == "ReplicaSet" and change == "DELETED":
            parent = self.cluster.cache.get("ReplicaSet", meta(obj)["namespace"], owner["name"])
            owner = controller_of(parent) if parent else None
        return [(meta(obj)["namespace"], owner["name"])] if owner and owner["kind"] == "Deployment" else []

    def reconcile(self, key: Key) -> None:
        """One step of scaling or rolling, then the status."""
        deployment = self.cluster.cache.get("Deployment", *key)
        if deployment is None or being_deleted(deployment):
            return
        if not deployment["spec"].get("paused"):
            self._ensure_new(deployment)
        new, old = self._sets(deployment)
        if deployment["spec"].get("paused"):
            self._scale_paused(deployment, new, old)
        elif (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            self._recreate(deployment, new, old)
        else:
            self._roll(deployment, new, old)
        new, old = self._sets(deployment)
        self._write_status(deployment, new, old)
        self._clean_history(deployment, new, old)

    def _sets(self, deployment: Obj) -> tuple[Obj | None, list[Obj]]:
        owned = sorted(self.cluster.cache.owned(deployment, "ReplicaSet"), key=revision_of)
        head = _bare(dict(deployment["spec"]["template"].get("metadata") or {}))
        target = {"metadata": head, "spec": deployment["spec"]["template"]["spec"]}
        new = next((each for each in owned if _template(each) == target), None)
        return new, [each for each in owned if new is None or meta(each)["uid"] != meta(new)["uid"]]

    # the new ReplicaSet

    def _ensure_new(self, deployment: Obj) -> None:
        new, old = self._sets(deployment)
        latest = max([revision_of(each) for each in old], default=0)
        if new is None:
            self._create(deployment, old, latest + 1)
        elif revision_of(new) <= latest:
            self._note(new, {REVISION: str(latest + 1)})
        current, _ = self._sets(deployment)
        if current is not None and revision_of(deployment) != revision_of(current):
            self._note(deployment, {REVISION: str(revision_of(current))})

    def _note(self, obj: Obj, notes: dict[str, str]) -> None:
        def change(fresh: Obj) -> None:
            meta(fresh)["annotations"] = {**annotations_of(fresh), **notes}

        self.cluster.edit(obj, change, BY)

    def _create(self, deployment: Obj, old: list[Obj], revision: int) -> None:
        digest = self.cluster.template_hash(deployment)
        template = deployment["spec"]["template"]
        head = dict(template.get("metadata") or {})
        labels = {**(head.get("labels") or {}), HASH: digest}
        kept = {name: text for name, text in annotations_of(deployment).items() if name not in _NOT_COPIED}
        surge, _ = fenceposts(deployment)
        made: Obj = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta(deployment)['name']}-{digest}",
                "namespace": meta(deployment)["namespace"],
                "labels": labels,
                "annotations": {
                    **kept,
                    REVISION: str(revision),
                    DESIRED: str(wanted(deployment)),
                    MOST: str(wanted(deployment) + surge),
                },
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": {
                    **deployment["spec"]["selector"],
                    "matchLabels": {
                        **(deployment["spec"]["selector"].get("matchLabels") or {}),
                        HASH: digest,
                    },
                },
                "template": {"metadata": {**head, "labels": labels}, "spec": template["spec"]},
            },
        }
        if seconds := deployment["spec"].get("minReadySeconds"):
            made["spec"]["minReadySeconds"] = seconds
        first = self._new_size(deployment, 0, sum(wanted(each) for each in old))
        if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate" and old:
            first = 0
        made["spec"]["replicas"] = first
        try:
            created = self.cluster.store.create(made, manager=BY)
        except ApiError as refusal:
            self._say_refused(deployment, meta(made)["name"], refusal)
            raise
        self._progress(
            deployment, "NewReplicaSetCreated", f'Created new replica set "{meta(created)["name"]}"'
        )
        if first:
            self._say_scaled(deployment, created, 0, first)

    def _say_refused(self, deployment: Obj, name: str, refusal: ApiError) -> None:
        reason, words = "ReplicaSetCreateError", f'Failed to create new replica set "{name}": {refusal}'
        self._progress(deployment, reason, words, holds=False)
        self.cluster.say(Said(deployment, reason, words, BY, warning=True))

    def _new_size(self, deployment: Obj, new_now: int, total: int) -> int:
        if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            return wanted(deployment)
        room = wanted(deployment) + fenceposts(deployment)[0] - total
        return new_now + max(0, min(room, wanted(deployment) - new_now))

    # strategies

    def _roll(self, deployment: Obj, new: Obj | None, old: list[Obj]) -> None:
        if new is None:
            return
        if wanted(new) > wanted(deployment):
            self._scale(deployment, new, wanted(deployment))
            return
        size = self._new_size(deployment, wanted(new), wanted(new) + sum(wanted(each) for each in old))
        if size != wanted(new):
            self._scale(deployment, new, size)
            return
        self._shrink_old(deployment, new, [each for each in old if wanted(each)])

    def _shrink_old(self, deployment: Obj, new: Obj, old: list[Obj]) -> None:
        least = wanted(deployment) - fenceposts(deployment)[1]
        total = wanted(new) + sum(wanted(each) for each in old)
        room = total - least - (wanted(new) - _count(new, "availableReplicas"))
        for each in old:
            sick = wanted(each) - _count(each, "availableReplicas")
            if (cut := min(sick, room)) > 0:
                room -= cut
                self._scale(deployment, each, wanted(each) - cut)
        fresh, old = self._sets(deployment)
        old = [each for each in old if wanted(each)]
        available = sum(_count(each, "availableReplicas") for each in [*old, *([fresh] if fresh else [])])
        spare = available - least
        for each in old:
            cut = min(wanted(each), spare, max(0, room))
            if cut > 0:
                spare -= cut
                room -= cut
                self._scale(deployment, each, wanted(each) - cut)

    def _recreate(self, deployment: Obj, new: Obj | None, old: list[Obj]) -> None:
        for each in old:
            if wanted(each):
                self._scale(deployment, each, 0)
        left = any(self.cluster.cache.owned(each, "Pod") for each in old)
        if new is not None and not left and wanted(new) != wanted(deployment):
            self._scale(deployment, new, wanted(deployment))

    def _scale_paused(self, deployment: Obj, new: Obj | None, old: list[Obj]) -> None:
        active = [each for each in [*old, *([new] if new else [])] if wanted(each)]
        if not active:
            active = [new] if new is not None else old[-1:]
        desired = wanted(deployment) + (fenceposts(deployment)[0] if len(active) > 1 else 0)
        change = desired - sum(wanted(each) for each in active)
        asked_before = [int(annotations_of(each).get(DESIRED) or wanted(deployment)) for each in active]
        if active and change and asked_before[-1] != wanted(deployment):
            largest = max(active, key=wanted)
            self._scale(deployment, largest, max(0, wanted(largest) + change))

    def _scale(self, deployment: Obj, replica_set: Obj, size: int) -> None:
        before, surge = wanted(replica_set), fenceposts(deployment)[0]

        def change(fresh: Obj) -> None:
            fresh["spec"]["replicas"] = size
            notes = {DESIRED: str(wanted(deployment)), MOST: str(wanted(deployment) + surge)}
            meta(fresh)["annotations"] = {**annotations_of(fresh), **notes}

        self.cluster.edit(replica_set, change, BY)
        self._say_scaled(deployment, replica_set, before, size)

    def _say_scaled(self, deployment: Obj, replica_set: Obj, before: int, size: int) -> None:
        way, name = "up" if size > before else "down", meta(replica_set)["name"]
        words = f"Scaled {way} replica set {name} from {before} to {size}"
        self.cluster.say(Said(deployment, "ScalingReplicaSet", words, BY))

    def _clean_history(self, deployment: Obj, new: Obj | None, old: list[Obj]) -> None:
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [each for each in old if not wanted(each) and not _count(each, "replicas")]
        if new is not None:
            for each in idle[: max(0, len(idle) - limit)]:
                self.cluster.remove(each)

    # status

    def _write_status(self, deployment: Obj, new: Obj | None, old: list[Obj]) -> None:
        sets = [*old, *([new] if new else [])]
        totals = {
            "replicas": sum(_count(each, "replicas") for each in sets),
            "updatedReplicas": _count(new, "replicas") if new else 0,
            "readyReplicas": sum(_count(each, "readyReplicas") for each in sets),
            "availableReplicas": sum(_count(each, "availableReplicas") for each in sets),
        }
        asked = sum(wanted(each) for each in sets)
        totals["unavailableReplicas"] = max(0, asked - totals["availableReplicas"])
        current = self.cluster.cache.get(
            "Deployment", meta(deployment)["namespace"], meta(deployment)["name"]
        )
        if current is None:
            return
        status: Obj = {name: count for name, count in totals.items() if count}
        status["observedGeneration"] = meta(current).get("generation", 1)
        available = self._available(current, totals["availableReplicas"])
        progressing = self._progressing(current, new, totals)
        failure = _failure_of(current, new, old)
        status["conditions"] = [each for each in (available, failure, progressing) if each]
        self.cluster.write_status(current, status)

    def _available(self, deployment: Obj, available: int) -> Obj:
        enough = available >= wanted(deployment) - fenceposts(deployment)[1]
        word = "Available" if enough else "Unavailable"
        text = "has" if enough else "does not have"
        return self._condition(
            deployment,
            "Available",
            holds=enough,
            reason=f"MinimumReplicas{word}",
            message=f"Deployment {text} minimum availability.",
        )

    def _progressing(self, deployment: Obj, new: Obj | None, totals: dict[str, int]) -> Obj | None:
        before = condition(deployment, "Progressing")
        if deployment["spec"].get("paused"):
            words = "Deployment is paused"
            return self._condition(deployment, "Progressing", "Unknown", "DeploymentPaused", words)
        name = f'ReplicaSet "{meta(new)["name"]}"' if new else "Deployment"
        complete = totals["updatedReplicas"] == totals["replicas"] == totals["availableReplicas"]
        if complete and totals["replicas"] == wanted(deployment):
            words = f"{name} has successfully progressed."
            return self._condition(deployment, "Progressing", True, "NewReplicaSetAvailable", words)
        if before and before["reason"] == "NewReplicaSetAvailable" and not self._rolling(deployment, totals):
            return before
        if before is None or before["reason"] == "DeploymentPaused" or self._moved(deployment, totals):
            words = f"{name} is progressing."
            return self._condition(deployment, "Progressing", True, "ReplicaSetUpdated", words, touched=True)
        if self._overdue(deployment, before):
            words = f"{name} has timed out progressing."
            return self._condition(deployment, "Progressing", False, "ProgressDeadlineExceeded", words)
        return before

    @staticmethod
    def _rolling(deployment: Obj, totals: dict[str, int]) -> bool:
        return totals["updatedReplicas"] < totals["replicas"] or totals["updatedReplicas"] < wanted(
            deployment
        )

    @staticmethod
    def _moved(deployment: Obj, totals: dict[str, int]) -> bool:
        old = _count(deployment, "replicas") - _count(deployment, "updatedReplicas")
        return (
            totals["updatedReplicas"] > _count(deployment, "updatedReplicas")
            or totals["replicas"] - totals["updatedReplicas"] < old
            or totals["readyReplicas"] > _count(deployment, "readyReplicas")
            or totals["availableReplicas"] > _count(deployment, "availableReplicas")
        )

    def _overdue(self, deployment: Obj, progressing: Obj) -> bool:
        if progressing["reason"] == "ProgressDeadlineExceeded":
            return True
        seconds = float(deployment["spec"].get("progressDeadlineSeconds", 600))
        end = moment_of(progressing["lastUpdateTime"]) + timedelta(seconds=seconds)
        left = (end - self.cluster.clock.now()).total_seconds()
        if left > 0:
            self.wake((meta(deployment)["namespace"], meta(deployment)["name"]), after_s=left + 0.5)
        return left <= 0

    def _progress(self, deployment: Obj, reason: str, message: str, *, holds: bool = True) -> None:
        current = self.cluster.cache.get(
            "Deployment", meta(deployment)["namespace"], meta(deployment)["name"]
        )
        if current is None:
            return
        status = dict(current.get("status") or {})
        others = [each for each in status.get("conditions") or () if each["type"] != "Progressing"]
        made = self._condition(current, "Progressing", holds, reason, message, touched=True)
        self.cluster.write_status(current, status | {"conditions": [*others, made]})

    def _condition(
        self,
        deployment: Obj,
        kind: str,
        holds: bool | str,
        reason: str,
        message: str,
        *,
        touched: bool = False,
    ) -> Obj:
        now, before = stamp(self.cluster.clock.now()), condition(deployment, kind)
        text = holds if isinstance(holds, str) else ("True" if holds else "False")
        if before and not touched and (before["status"], before["reason"]) == (text, reason):
            return before
        kept = before["lastTransitionTime"] if before and before["status"] == text else now
        return {
            "type": kind,
            "status": text,
            "reason": reason,
            "message": message,
            "lastUpdateTime": now,
            "lastTransitionTime": kept,
        }
