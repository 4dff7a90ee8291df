"""Volumes: a claim gets its volume once a pod that uses it has a node, or at once where one is named.

The scheduler and the kubelet do not wait for it here; a claim whose StorageClass does not exist stays Pending
and says so, which is what a diagnosis needs.
"""

from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import Key, Obj, being_deleted, key_of, meta

BY = "persistentvolume-controller"


class Claims(Controller):
    """Binds PersistentVolumeClaims."""

    kind = "PersistentVolumeClaim"
    watches = ("Pod",)

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """The claims that a pod with a node uses."""
        if change == "DELETED" or not obj["spec"].get("nodeName"):
            return []
        return [(meta(obj)["namespace"], name) for name in claims_of(obj)]

    def reconcile(self, key: Key) -> None:
        """Bind one claim, or say why it waits."""
        claim = self.cluster.cache.get(self.kind, *key)
        if claim is None or being_deleted(claim) or (claim.get("status") or {}).get("phase") == "Bound":
            return
        wanted = claim["spec"].get("storageClassName", "gp3")
        if claim["spec"].get("volumeName"):
            self._bind(claim)
        elif self.cluster.cache.get("StorageClass", "", wanted) is None:
            words = f'storageclass.storage.k8s.io "{wanted}" not found'
            self.cluster.say(Said(claim, "ProvisioningFailed", words, BY, warning=True))
            self.cluster.write_status(claim, {"phase": "Pending"})
            self.wake(key, after_s=15)
        elif any(key[1] in claims_of(pod) for pod in self._with_nodes(key[0])):
            self._provision(claim, wanted)
        else:
            words = "waiting for first consumer to be created before binding"
            self.cluster.say(Said(claim, "WaitForFirstConsumer", words, BY))
            self.cluster.write_status(claim, {"phase": "Pending"})

    def _with_nodes(self, namespace: str) -> list[Obj]:
        return [pod for pod in self.cluster.cache.all("Pod", namespace) if pod["spec"].get("nodeName")]

    def _provision(self, claim: Obj, storage_class: str) -> None:
        name = f"pvc-{meta(claim)['uid']}"
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "accessModes": claim["spec"].get("accessModes") or ["ReadWriteOnce"],
                "storageClassName": storage_class,
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": {"kind": self.kind, "namespace": key_of(claim)[0], "name": key_of(claim)[1]},
                "csi": {
                    "driver": "ebs.csi.aws.com",
                    "volumeHandle": f"vol-0{self.cluster.rng.getrandbits(64):016x}",
                },
            },
            "status": {"phase": "Bound"},
        }
        self.cluster.store.create(volume, manager="ebs.csi.aws.com")
        self.cluster.edit(claim, lambda fresh: fresh["spec"].update(volumeName=name), BY)

    def _bind(self, claim: Obj) -> None:
        modes = claim["spec"].get("accessModes") or ["ReadWriteOnce"]
        room = (claim["spec"].get("resources") or {}).get("requests") or {}
        self.cluster.write_status(claim, {"phase": "Bound", "accessModes": modes, "capacity": room})


def claims_of(pod: Obj) -> list[str]:
    """The names of the claims among a pod's volumes."""
    volumes = pod["spec"].get("volumes") or ()
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each]
