"""Jobs that run kubectl: when one completes, what it was told to patch is patched.

CronJobs that move an autoscaler's minimum (F6) run `kubectl patch`. The pod itself is played like any other;
its one effect is carried out here, with its ServiceAccount's rights: what RBAC refuses is an event of the
Job and changes nothing (the real pod would exit 1).
"""

import json

from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.patching.merge import merge_patch
from aiops_lab.kube.ports import UserInfo
from aiops_lab.kube.rbac import Attributes, Rbac
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.jobs import finished
from aiops_lab.world.objects import Key, Obj, key_of, meta

BY = "kubectl"
REPOSITORY = "registry.k8s.io/kubectl"
_KINDS = {
    "hpa": "HorizontalPodAutoscaler",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "deployment": "Deployment",
    "deploy": "Deployment",
}


class KubectlJobs(Controller):
    """Carries out what completed Jobs were told."""

    kind = "Job"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._rbac = Rbac(cluster.store)
        self._done: set[str] = set()

    def reset(self) -> None:
        """Nothing was carried out yet."""
        super().reset()
        self._done.clear()

    def reconcile(self, key: Key) -> None:
        """A Job that completed and runs kubectl, once."""
        job = self.cluster.cache.get("Job", *key)
        if job is None or finished(job) != "Complete" or meta(job)["uid"] in self._done:
            return
        self._done.add(meta(job)["uid"])
        spec = job["spec"]["template"]["spec"]
        container = spec["containers"][0]
        if str(container["image"]).rpartition(":")[0] == REPOSITORY:
            self._carry_out(job, spec, [*container.get("command", ()), *container.get("args", ())])

    def _carry_out(self, job: Obj, spec: Obj, words: list[str]) -> None:
        told = [word for word in words if word != "kubectl"]
        if told[:1] != ["patch"] or len(told) < 3 or "-p" not in told:
            return
        home, account = key_of(job)[0], spec.get("serviceAccountName", "default")
        kind = _KINDS.get(told[1], told[1])
        resource = self.cluster.store.resource(kind)
        user = UserInfo(f"system:serviceaccount:{home}:{account}")
        wanted = Attributes("patch", resource.group, resource.plural, namespace=home, name=told[2])
        patch = json.loads(told[told.index("-p") + 1])
        live = self.cluster.cache.get(kind, home, told[2])
        try:
            self._rbac.require(user, wanted)
        except ApiError as refusal:
            self.cluster.say(Said(job, "Failed", str(refusal), BY, warning=True))
            return
        if live is not None:
            self.cluster.edit(live, lambda fresh: fresh.update(merge_patch(fresh, patch)), BY)
