"""ReplicaSets: keep as many pods of one template as asked.

Deployments make ReplicaSets, this controller makes their pods. Which pod goes first on a scale-down follows
`pkg/controller/controller_utils.go` (ActivePods): unscheduled, not ready, most restarts, youngest.
"""

from aiops_lab.kube.errors import ApiError
from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import (
    Key,
    Obj,
    annotations_of,
    available_since,
    being_deleted,
    condition,
    is_active,
    is_ready,
    meta,
    owner_reference,
)

BY = "replicaset-controller"
FAILURE = "ReplicaFailure"


def pod_of(owner: Obj, name: str, *, generate: str = "") -> Obj:
    """A pod as a controller makes it from its template."""
    template = owner["spec"]["template"]
    head: Obj = {
        "name": name,
        "namespace": meta(owner)["namespace"],
        "labels": dict((template.get("metadata") or {}).get("labels") or {}),
        "ownerReferences": [owner_reference(owner)],
    }
    if generate:
        head["generateName"] = generate
    if notes := (template.get("metadata") or {}).get("annotations"):
        head["annotations"] = dict(notes)
    spec = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
        **template["spec"],
    }
    spec["tolerations"] = [*(spec.get("tolerations") or ()), *_USUAL_TOLERATIONS]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": spec}


_USUAL_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{what}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for what in ("not-ready", "unreachable")
]


def _worth(pod: Obj) -> tuple[object, ...]:
    """The pods worth least go first."""
    return (
        bool(pod["spec"].get("nodeName")),
        (pod.get("status") or {}).get("phase") == "Running",
        is_ready(pod),
        -restarts_of(pod),
        tuple(-ord(letter) for letter in meta(pod)["creationTimestamp"]),
        meta(pod)["name"],
    )


def restarts_of(pod: Obj) -> int:
    """The most restarts of any of its containers."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((each["restartCount"] for each in statuses), default=0)


class ReplicaSets(Controller):
    """One pod more or less at a time is too slow: the whole difference at once, as the real one does."""

    kind = "ReplicaSet"
    watches = ("Pod",)

    def reconcile(self, key: Key) -> None:
        """Create or delete the difference, then write the status."""
        found = self.cluster.cache.get("ReplicaSet", *key)
        if found is None:
            return
        refusal = None if being_deleted(found) else self._manage(found)
        self._write_status(found, refusal)
        if refusal is None:
            self.worked(key)
        else:
            self.retry(key)

    def _manage(self, found: Obj) -> ApiError | None:
        active = [pod for pod in self.cluster.cache.owned(found, "Pod") if is_active(pod)]
        missing = (found["spec"].get("replicas", 1)) - len(active)
        if missing < 0:
            for pod in sorted(active, key=_worth)[:-missing]:
                self.cluster.remove(pod)
                self.cluster.say(Said(found, "SuccessfulDelete", f"Deleted pod: {meta(pod)['name']}", BY))
        return self.create_pods(found, (self._pod(found) for _ in range(missing)), BY)

    def _pod(self, found: Obj) -> Obj:
        stem = f"{meta(found)['name']}-"
        return pod_of(found, stem + self.cluster.pod_suffix(found), generate=stem)

    def _write_status(self, found: Obj, refusal: ApiError | None) -> None:
        active = [pod for pod in self.cluster.cache.owned(found, "Pod") if is_active(pod)]
        wait = int(found["spec"].get("minReadySeconds") or 0)
        now = self.cluster.clock.now()
        ready = [pod for pod in active if is_ready(pod)]
        available = [pod for pod in ready if available_since(pod, wait, now)]
        if len(available) < len(ready):
            self.wake((meta(found)["namespace"], meta(found)["name"]), after_s=max(1, wait))
        status: Obj = {"replicas": len(active), "observedGeneration": meta(found).get("generation", 1)}
        counts = {
            "fullyLabeledReplicas": len(active),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
        }
        status |= {name: count for name, count in counts.items() if count}
        if refusal is not None:
            status["conditions"] = [condition(found, FAILURE) or self._failure(refusal)]
        self.cluster.write_status(found, status)

    def _failure(self, refusal: ApiError) -> Obj:
        """The first refusal stands until nothing is refused any more (replica_set_utils.go)."""
        return {
            "type": FAILURE,
            "status": "True",
            "reason": "FailedCreate",
            "message": str(refusal),
            "lastTransitionTime": self.cluster.stamp(),
        }


def revision_of(obj: Obj) -> int:
    """The rollout revision noted on a ReplicaSet or Deployment, 0 when none is."""
    return int(annotations_of(obj).get("deployment.kubernetes.io/revision") or 0)
