"""StatefulSets: numbered pods, one after the other, each waiting for the one before it to be Ready.

After `pkg/controller/statefulset/stateful_set_control.go`, OrderedReady; a rolling update goes from the
highest number down to `partition`.
"""

import hashlib
import json

from aiops_lab.kube.errors import ApiError
from aiops_lab.world.cluster import Controller
from aiops_lab.world.deployments import wanted
from aiops_lab.world.events import Said
from aiops_lab.world.objects import (
    Key,
    Obj,
    being_deleted,
    is_active,
    is_ready,
    key_of,
    labels_of,
    meta,
)
from aiops_lab.world.replicas import pod_of

BY = "statefulset-controller"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # rand.SafeEncodeString
REVISION = "controller-revision-hash"


def template_digest(owner: Obj) -> str:
    """A short hash of the pod template, the same for the same template."""
    text = json.dumps(owner["spec"]["template"], sort_keys=True)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


class StatefulSets(Controller):
    """Keeps pods name-0 … name-(n-1)."""

    kind = "StatefulSet"
    watches = ("Pod",)

    def reconcile(self, key: Key) -> None:
        """One step, then the status."""
        found = self.cluster.cache.get("StatefulSet", *key)
        if found is None or being_deleted(found):
            return
        pods = {number_of(pod): pod for pod in self.cluster.cache.owned(found, "Pod")}
        self._step(found, pods)
        self._write_status(found)

    def _step(self, found: Obj, pods: dict[int, Obj]) -> None:
        parallel = found["spec"].get("podManagementPolicy") == "Parallel"
        for number in range(wanted(found)):
            pod = pods.get(number)
            if pod is None:
                self._create(found, number)
            elif not is_active(pod) and not being_deleted(pod):
                self.cluster.remove(pod)
            if not parallel and (pod is None or not is_ready(pod) or being_deleted(pod)):
                return
        surplus = sorted((number for number in pods if number >= wanted(found)), reverse=True)
        if surplus:
            self._delete(found, pods[surplus[0]])
            return
        self._update(found, pods)

    def _create(self, found: Obj, number: int) -> None:
        name = f"{meta(found)['name']}-{number}"
        pod = pod_of(found, name)
        meta(pod)["generateName"] = f"{meta(found)['name']}-"
        meta(pod)["labels"] |= {
            REVISION: f"{meta(found)['name']}-{template_digest(found)}",
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(number),
        }
        for claim in found["spec"].get("volumeClaimTemplates") or ():
            self._claim(found, pod, claim)
        pod["spec"]["hostname"], pod["spec"]["subdomain"] = name, found["spec"].get("serviceName", "")
        head = f"create Pod {name} in StatefulSet {meta(found)['name']}"
        try:
            self.cluster.store.create(pod, manager="kube-controller-manager")
        except ApiError as refusal:
            self.cluster.say(Said(found, "FailedCreate", f"{head} failed error: {refusal}", BY, warning=True))
            raise
        words = f"{head} successful"
        self.cluster.say(Said(found, "SuccessfulCreate", words, BY))

    def _claim(self, found: Obj, pod: Obj, template: Obj) -> None:
        name, home = f"{meta(template)['name']}-{meta(pod)['name']}", meta(found)["namespace"]
        volume = {"name": meta(template)["name"], "persistentVolumeClaim": {"claimName": name}}
        pod["spec"]["volumes"] = [*(pod["spec"].get("volumes") or ()), volume]
        if self.cluster.cache.get("PersistentVolumeClaim", home, name) is None:
            labels = dict(found["spec"]["selector"].get("matchLabels") or {})
            made = {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": name, "namespace": home, "labels": labels},
                "spec": template["spec"],
            }
            self._create_claim(found, meta(pod)["name"], made)

    def _create_claim(self, found: Obj, pod: str, claim: Obj) -> None:
        name, owner = meta(claim)["name"], meta(found)["name"]
        try:
            self.cluster.store.create(claim, manager="kube-controller-manager")
        except ApiError as refusal:
            words = f"create Claim {name} for Pod {pod} in StatefulSet {owner} failed error: {refusal}"
            self.cluster.say(Said(found, "FailedCreate", words, BY, warning=True))
            raise
        words = f"create Claim {name} Pod {pod} in StatefulSet {owner} success"
        self.cluster.say(Said(found, "SuccessfulCreate", words, BY))

    def _delete(self, found: Obj, pod: Obj) -> None:
        if being_deleted(pod):
            return
        self.cluster.remove(pod)
        words = f"delete Pod {meta(pod)['name']} in StatefulSet {meta(found)['name']} successful"
        self.cluster.say(Said(found, "SuccessfulDelete", words, BY))

    def _update(self, found: Obj, pods: dict[int, Obj]) -> None:
        strategy = found["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        target = f"{meta(found)['name']}-{template_digest(found)}"
        for number in sorted(pods, reverse=True):
            if number >= partition and labels_of(pods[number]).get(REVISION) != target:
                self._delete(found, pods[number])
                return

    def _write_status(self, found: Obj) -> None:
        pods = [pod for pod in self.cluster.cache.owned(found, "Pod") if is_active(pod)]
        target = f"{meta(found)['name']}-{template_digest(found)}"
        updated = sum(labels_of(pod).get(REVISION) == target for pod in pods)
        ready = sum(is_ready(pod) for pod in pods)
        before = (found.get("status") or {}).get("currentRevision", target)
        done = updated == len(pods) == wanted(found)
        self.cluster.write_status(
            found,
            {
                "observedGeneration": meta(found).get("generation", 1),
                "replicas": len(pods),
                "readyReplicas": ready,
                "availableReplicas": ready,
                "currentReplicas": updated if done else len(pods) - updated,
                "updatedReplicas": updated,
                "currentRevision": target if done else before,
                "updateRevision": target,
                "collisionCount": 0,
            },
        )


def number_of(pod: Obj) -> int:
    """The number at the end of a StatefulSet's pod's name."""
    return int(key_of(pod)[1].rpartition("-")[2])
