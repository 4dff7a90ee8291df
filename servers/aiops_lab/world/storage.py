"""Claims: bound to a volume that fits, or to one that a provisioner makes, or waiting and saying why.

After pkg/controller/volume/persistentvolume (pv_controller.go), the resizer of the CSI project and the claim
protection. `Drivers` are the programs outside the control plane: a lab may stop one or let it fail.
"""

from dataclasses import dataclass, field

from aiops_lab.resources import quantity
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import Key, Obj, annotations_of, being_deleted, key_of, labels_of, meta
from aiops_lab.world.volumes import (
    BOUND_NOTE,
    SELECTED_NODE,
    ZONE,
    best_volume,
    claims_of,
    class_of,
    is_bound,
    is_delayed,
    modes_of,
    reserved_for,
    users_of,
    wants,
)

BY = "persistentvolume-controller"
EBS = "ebs.csi.aws.com"
PROTECTION = "kubernetes.io/pvc-protection"
RESYNC_S = 15.0  # PVClaimBinderSyncPeriod
_PROVISIONED_BY = (
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
)
_IN_TREE = {"kubernetes.io/aws-ebs": EBS}
_MODES = {
    "ReadWriteMany": "MULTI_NODE_MULTI_WRITER",
    "ReadOnlyMany": "MULTI_NODE_READER_ONLY",
}


@dataclass(frozen=True, slots=True)
class Driver:
    """A CSI driver's controller: whether it runs, and the gRPC text its calls fail with (empty: none)."""

    running: bool = True
    create_error: str = ""
    delete_error: str = ""
    resize_error: str = ""


@dataclass
class Drivers:
    """The drivers of one world; only EBS is installed from the start."""

    known: dict[str, Driver] = field(default_factory=lambda: {EBS: Driver()})

    def reset(self) -> None:
        """A new world."""
        self.known = {EBS: Driver()}

    def get(self, name: str) -> Driver:
        """A driver nobody installed does not run."""
        return self.known.get(name, Driver(running=False))


class Claims(Controller):
    """Binds, provisions, resizes and protects PersistentVolumeClaims."""

    kind = "PersistentVolumeClaim"
    watches = ("Pod", "PersistentVolume", "StorageClass")

    def __init__(self, cluster: Cluster, drivers: Drivers) -> None:
        super().__init__(cluster)
        self._drivers = drivers

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """The claims that a pod uses; those that a volume or class may serve."""
        del change
        if obj["kind"] == "Pod":
            return [(meta(obj)["namespace"], name) for name in claims_of(obj)]
        found = self.cluster.cache.all(self.kind)
        if obj["kind"] == "PersistentVolume":  # who only looks for any volume looks again by itself
            ours = meta(obj)["name"]
            return [
                key_of(each)
                for each in found
                if each["spec"].get("volumeName") == ours
                or (obj["spec"].get("claimRef") and reserved_for(obj, each))
            ]
        return [key_of(each) for each in found if not is_bound(each)]

    def reconcile(self, key: Key) -> None:
        """One step of one claim."""
        claim = self.cluster.cache.get(self.kind, *key)
        if claim is None:
            return
        if being_deleted(claim):
            self._release(claim)
        elif is_bound(claim) or BOUND_NOTE in annotations_of(claim):
            self._follow_bound(claim)
        else:
            self._bind_or_wait(claim)

    def _say(self, claim: Obj, reason: str, words: str, *, warning: bool = False, by: str = BY) -> None:
        self.cluster.say(Said(claim, reason, words, by, warning=warning))

    def _release(self, claim: Obj) -> None:
        """Let a deleted claim go once no pod uses it (pkg/controller/volume/pvcprotection)."""
        held = meta(claim).get("finalizers") or []
        if PROTECTION in held and not users_of(self.cluster.cache, *key_of(claim)):

            def free(fresh: Obj) -> None:
                meta(fresh)["finalizers"] = [each for each in held if each != PROTECTION]

            self.cluster.edit(claim, free, BY)

    # unbound

    def _bind_or_wait(self, claim: Obj) -> None:
        cache = self.cluster.cache
        wanted = claim["spec"].get("volumeName")
        volume = cache.get("PersistentVolume", "", wanted) if wanted else self._match(claim)
        if wanted:
            self._bind_named(claim, volume)
        elif volume is not None:
            self._bind(claim, volume)
        elif is_delayed(cache, claim) and SELECTED_NODE not in annotations_of(claim):
            self._wait_for_pod(claim)
        elif class_of(claim):
            self._provision(claim)
        else:
            words = "no persistent volumes available for this claim and no storage class is set"
            self._say(claim, "FailedBinding", words)
            self._pending(claim)

    def _match(self, claim: Obj) -> Obj | None:
        cache, chosen = self.cluster.cache, annotations_of(claim).get(SELECTED_NODE, "")
        if chosen or not is_delayed(cache, claim):
            return best_volume(cache, claim, cache.get("Node", "", chosen) if chosen else None)
        reserved = [each for each in cache.all("PersistentVolume") if reserved_for(each, claim)]
        return reserved[0] if reserved else None

    def _pending(self, claim: Obj) -> None:
        self.cluster.write_status(claim, {"phase": "Pending"})
        self.wake(key_of(claim), after_s=RESYNC_S)

    def _bind_named(self, claim: Obj, volume: Obj | None) -> None:
        if volume is None:
            self._pending(claim)
        elif volume["spec"].get("claimRef") and not reserved_for(volume, claim):
            words = f'volume "{meta(volume)["name"]}" already bound to a different claim.'
            self._say(claim, "FailedBinding", words, warning=True)
            self._pending(claim)
        elif why := _mismatch(volume, claim):
            words = f'Cannot bind to requested volume "{meta(volume)["name"]}": {why}'
            self._say(claim, "VolumeMismatch", words, warning=True)
            self._pending(claim)
        else:
            self._bind(claim, volume)

    def _wait_for_pod(self, claim: Obj) -> None:
        home, name = key_of(claim)
        waiting = [
            meta(each)["name"]
            for each in users_of(self.cluster.cache, home, name)
            if not each["spec"].get("nodeName")
        ]
        if waiting:
            self._say(claim, "WaitForPodScheduled", f"waiting for pod {min(waiting)} to be scheduled")
        else:
            words = "waiting for first consumer to be created before binding"
            self._say(claim, "WaitForFirstConsumer", words)
        self._pending(claim)

    def _bind(self, claim: Obj, volume: Obj) -> None:
        name = meta(volume)["name"]
        ref = {
            "kind": self.kind,
            "apiVersion": "v1",
            "namespace": meta(claim)["namespace"],
            "name": meta(claim)["name"],
            "uid": meta(claim)["uid"],
        }

        def settle(fresh: Obj) -> None:
            fresh["spec"]["volumeName"] = name
            meta(fresh)["annotations"] = {**annotations_of(fresh), BOUND_NOTE: "yes"}

        self.cluster.edit(volume, lambda fresh: fresh["spec"].update(claimRef=ref), BY)
        self.cluster.edit(claim, settle, BY)
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"].get("accessModes"),
            "capacity": volume["spec"].get("capacity"),
        }
        self.cluster.write_status(claim, status)

    # provisioning

    def _provision(self, claim: Obj) -> None:
        wanted = class_of(claim)
        found = self.cluster.cache.get("StorageClass", "", wanted)
        if found is None:
            words = f'storageclass.storage.k8s.io "{wanted}" not found'
            self._say(claim, "ProvisioningFailed", words, warning=True)
            self._pending(claim)
            return
        name = str(_IN_TREE.get(found["provisioner"]) or found["provisioner"])
        if name.startswith("kubernetes.io/"):
            words = f"no volume plugin matched name: {name}"
            self._say(claim, "ProvisioningFailed", words, warning=True)
            self._pending(claim)
            return
        self._note_provisioner(claim, name)
        words = (
            f"Waiting for a volume to be created either by the external provisioner '{name}' or manually by "
            "the system administrator. If volume creation is delayed, please verify that the provisioner is "
            "running and correctly registered."
        )
        self._say(claim, "ExternalProvisioning", words)
        self.cluster.write_status(claim, {"phase": "Pending"})
        self._ask_driver(claim, found, name)

    def _note_provisioner(self, claim: Obj, name: str) -> None:
        notes = dict.fromkeys(_PROVISIONED_BY, name)
        if not notes.items() <= annotations_of(claim).items():
            self.cluster.edit(
                claim, lambda fresh: meta(fresh).update(annotations={**annotations_of(fresh), **notes}), BY
            )

    def _ask_driver(self, claim: Obj, storage_class: Obj, name: str) -> None:
        driver = self._drivers.get(name)
        if not driver.running:
            self.wake(key_of(claim), after_s=RESYNC_S)
            return
        full = f"{meta(claim)['namespace']}/{meta(claim)['name']}"
        words = f'External provisioner is provisioning volume for claim "{full}"'
        self._say(claim, "Provisioning", words, by=name)
        error = driver.create_error or (_ebs_refuses(claim) if name == EBS else "")
        if error:
            words = f'failed to provision volume with StorageClass "{meta(storage_class)["name"]}": {error}'
            self._say(claim, "ProvisioningFailed", words, warning=True, by=name)
            self.retry(key_of(claim))
            return
        self.worked(key_of(claim))
        volume = self.cluster.store.create(self._volume(claim, storage_class, name), manager=name)
        words = f"Successfully provisioned volume {meta(volume)['name']}"
        self._say(claim, "ProvisioningSucceeded", words, by=name)
        self._bind(claim, volume)

    def _volume(self, claim: Obj, storage_class: Obj, driver: str) -> Obj:
        rule = {"key": ZONE, "operator": "In", "values": [self._zone(claim)]}
        handle = f"vol-0{self.cluster.rng.getrandbits(64):016x}"
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": f"pvc-{meta(claim)['uid']}",
                "annotations": {"pv.kubernetes.io/provisioned-by": driver},
            },
            "spec": {
                "accessModes": claim["spec"].get("accessModes") or ["ReadWriteOnce"],
                "storageClassName": meta(storage_class)["name"],
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
                "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
                "csi": {"driver": driver, "volumeHandle": handle, "fsType": "ext4"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}},
            },
        }

    def _zone(self, claim: Obj) -> str:
        """The zone of the chosen node, else any."""
        cache, chosen = self.cluster.cache, annotations_of(claim).get(SELECTED_NODE, "")
        nodes = cache.all("Node")
        picked = cache.get("Node", "", chosen) or (self.cluster.rng.choice(nodes) if nodes else None)
        return labels_of(picked).get(ZONE, "") if picked else ""

    # bound

    def _follow_bound(self, claim: Obj) -> None:
        name = claim["spec"].get("volumeName") or ""
        volume = self.cluster.cache.get("PersistentVolume", "", name)
        old = claim.get("status") or {}
        if volume is None:
            if old.get("phase") != "Lost":
                words = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
                self._say(claim, "ClaimLost", words, warning=True)
            self.cluster.write_status(claim, {"phase": "Lost"})
        elif not reserved_for(volume, claim) and volume["spec"].get("claimRef"):
            if old.get("phase") != "Lost":
                words = "Two claims are bound to the same volume, this one is bound incorrectly"
                self._say(claim, "ClaimMisbound", words, warning=True)
            self.cluster.write_status(claim, {"phase": "Lost"})
        elif old.get("phase") != "Bound":
            self._bind(claim, volume)
        elif wants(claim) > quantity((old.get("capacity") or {}).get("storage", 0)):
            self._resize(claim, volume)

    def _resize(self, claim: Obj, volume: Obj) -> None:
        """Grow the volume, then wait for a pod to grow its file system (external-resizer)."""
        spec, name = volume["spec"], meta(volume)["name"]
        driver_name = (spec.get("csi") or {}).get("driver", "")
        by, driver = f"external-resizer {driver_name}", self._drivers.get(driver_name)
        if quantity(spec["capacity"]["storage"]) < wants(claim):
            if not driver.running:
                words = "waiting for an external controller to expand this PVC"
                self._say(claim, "ExternalExpanding", words, by="volume_expand")
                return
            self._say(claim, "Resizing", f"External resizer is resizing volume {name}", by=by)
            if driver.resize_error:
                words = f'resize volume "{name}" by resizer "{driver_name}" failed: {driver.resize_error}'
                self._say(claim, "VolumeResizeFailed", words, warning=True, by=by)
                self._condition(claim, "Resizing", "")
                self.retry(key_of(claim))
                return
            self.worked(key_of(claim))
            room = {"storage": claim["spec"]["resources"]["requests"]["storage"]}
            self.cluster.edit(volume, lambda fresh: fresh["spec"].update(capacity=room), by)
            words = "Require file system resize of volume on node"
            self._say(claim, "FileSystemResizeRequired", words, by=by)
        self._finish_resize(claim, name)

    def _finish_resize(self, claim: Obj, volume: str) -> None:
        home, name = key_of(claim)
        users = [each for each in users_of(self.cluster.cache, home, name) if _runs(each)]
        if not users:
            words = "Waiting for user to (re-)start a pod to finish file system resize of volume on node."
            self._condition(claim, "FileSystemResizePending", words)
            return
        done = f'MountVolume.NodeExpandVolume succeeded for volume "{volume}" {users[0]["spec"]["nodeName"]}'
        self._say(claim, "FileSystemResizeSuccessful", done, by="kubelet")
        room = {"storage": claim["spec"]["resources"]["requests"]["storage"]}
        kept = {name: each for name, each in claim["status"].items() if name != "conditions"}
        self.cluster.write_status(claim, {**kept, "capacity": room})

    def _condition(self, claim: Obj, kind: str, words: str) -> None:
        made: Obj = {"type": kind, "status": "True", "lastProbeTime": None}
        made |= {"lastTransitionTime": self.cluster.stamp()} | ({"message": words} if words else {})
        before = (claim.get("status") or {}).get("conditions") or []
        if [each["type"] for each in before] != [kind]:
            self.cluster.write_status(claim, {**claim["status"], "conditions": [made]})


def _runs(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") == "Running" and not being_deleted(pod)


def _mismatch(volume: Obj, claim: Obj) -> str:
    """Why a volume asked for by name does not do (checkVolumeSatisfyClaim)."""
    if wants(claim) > quantity((volume["spec"].get("capacity") or {}).get("storage", 0)):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if volume["spec"].get("volumeMode", "Filesystem") != claim["spec"].get("volumeMode", "Filesystem"):
        return "incompatible volumeMode"
    return "" if modes_of(claim) <= modes_of(volume) else "incompatible accessMode"


def _ebs_refuses(claim: Obj) -> str:
    """EBS volumes are for one node (aws-ebs-csi-driver, controller.go)."""
    if claim["spec"].get("volumeMode") == "Block":
        return ""
    wrong = [_MODES[each] for each in claim["spec"].get("accessModes") or () if each in _MODES]
    if not wrong:
        return ""
    words = (
        f"Volume capabilities {', '.join(wrong)} not supported. Only AccessModes[ReadWriteOnce] supported."
    )
    return f"rpc error: code = InvalidArgument desc = {words}"
