"""Claims, mounts and volumes: the edges that no story plays, and what must not be found."""

from dataclasses import replace
from typing import Any

import pytest

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import storage
from tests.eks.diagnosis.worlds import (
    NS,
    Obj,
    ago,
    codes,
    crashing,
    deployment,
    happened,
    node,
    only,
    pod,
    service,
    waiting,
    world,
)

READERS: dict[str, tuple[type[Any], Any]] = {
    "StorageClass": (storage.StorageClass, storage.storage_class),
    "PersistentVolume": (storage.Volume, storage.volume),
    "CSIDriver": (storage.Driver, storage.driver),
    "VolumeAttachment": (storage.Attachment, storage.attachment),
}
ALL = tuple(READERS)
VOLUME = "pvc-1"
UNREGISTERED = "driver name y not found in the list of registered CSI drivers"


def further(facts: Facts, *objects: Obj, kinds: tuple[str, ...] = ALL) -> Facts:
    others: dict[type[Any], list[Any]] = {READERS[kind][0]: [] for kind in kinds}
    for obj in objects:
        kind, read = READERS[obj["kind"]]
        others.setdefault(kind, []).append(read(obj))
    return replace(facts, others={kind: tuple(found) for kind, found in others.items()})


def claim(of: str | None = "fast", phase: str = "Pending", *, age_s: float = 3600, **spec: Any) -> Obj:
    wanted = {} if of is None else {"storageClassName": of}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NS, "creationTimestamp": ago(age_s)},
        "spec": {"accessModes": ["ReadWriteOnce"], **wanted, **spec},
        "status": {"phase": phase},
    }


def storage_class(name: str = "fast", provisioner: str = "x.csi.example", **more: Any) -> Obj:
    notes = {"storageclass.kubernetes.io/is-default-class": "true"} if more.pop("default", False) else {}
    meta = {"name": name, "annotations": notes, "creationTimestamp": more.pop("made", ago(9000))}
    return {"kind": "StorageClass", "metadata": meta, "provisioner": provisioner, **more}


def volume(phase: str, name: str = VOLUME, **spec: Any) -> Obj:
    return {"kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec, "status": {"phase": phase}}


MOUNTS = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
WAITS = ("ExternalProvisioning", "Waiting for a volume to be created")


# claims


def test_a_missing_class_explains_the_claim_its_pods_their_workload_and_its_service() -> None:
    words = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    stuck = pod(phase="Pending", spec={**MOUNTS, "nodeName": ""}, containerStatuses=[])
    said = happened("FailedScheduling", words, about=stuck)
    facts = world(stuck, said, claim(), deployment(), service(), endpoints={"cart": 0})
    found = only(further(facts, storage_class("slow")))
    assert (found.code, found.kind, found.name) == ("STORAGE_CLASS_MISSING", "StorageClass", "fast")
    assert found.severity == "critical"
    named = " ".join(found.symptoms)
    assert all(word in named for word in ("PersistentVolumeClaim", "Deployment", "Service", "Pod"))


def test_classes_that_were_not_read_are_not_missing() -> None:
    assert codes(world(claim())) == ["PVC_PENDING"]
    assert codes(world(claim(None))) == ["PVC_PENDING"]
    assert codes(further(world(claim(None)))) == ["DEFAULT_STORAGE_CLASS_MISSING"]


def test_a_volume_made_by_hand_may_still_serve_a_class_that_is_only_a_name() -> None:
    free = volume("Available", accessModes=["ReadWriteOnce"], storageClassName="fast")
    assert "STORAGE_CLASS_MISSING" not in codes(further(world(claim()), free))


def test_a_provisioner_that_made_volumes_before_is_not_missing() -> None:
    said = {**happened(*WAITS, about=claim(), kind="Normal"), "firstTimestamp": ago(900)}
    made = volume("Bound", "pvc-0", csi={"driver": "x.csi.example"})
    assert codes(further(world(claim(), said), storage_class())) == ["PROVISIONER_MISSING"]
    assert codes(further(world(claim(), said), storage_class(), made)) == ["PVC_PENDING"]
    assert codes(further(world(claim(), said), storage_class(), kinds=("StorageClass",))) == ["PVC_PENDING"]


def test_a_name_of_the_old_driver_in_the_tree_means_its_new_one() -> None:
    said = {**happened(*WAITS, about=claim(), kind="Normal"), "firstTimestamp": ago(900)}
    old, new = storage_class(provisioner="kubernetes.io/aws-ebs"), "ebs.csi.aws.com"
    facts = further(world(claim(), said), old, {"kind": "CSIDriver", "metadata": {"name": new}})
    assert codes(facts) == ["PVC_PENDING"]


@pytest.mark.parametrize("age_s", [10, 60, 110])
def test_a_young_claim_is_left_alone(age_s: float) -> None:
    assert codes(further(world(claim(age_s=age_s)), storage_class())) == []


def test_a_refusal_of_an_hour_ago_is_not_why_it_waits_now() -> None:
    said = happened("ProvisioningFailed", "rpc error: UnauthorizedOperation", about=claim(), ago_s=3000)
    found = only(further(world(claim(), said), storage_class(), kinds=("StorageClass",)))
    assert found.code == "PVC_PENDING"


def test_a_released_volume_of_another_class_is_not_what_the_claim_waits_for() -> None:
    held = {"namespace": NS, "name": "data"}
    mine = volume("Released", claimRef=held, storageClassName="fast")
    other = volume("Released", claimRef=held, storageClassName="old")
    assert codes(further(world(claim()), storage_class(), mine)) == ["PV_RELEASED"]
    assert codes(further(world(claim()), storage_class(), other)) == ["PVC_PENDING"]


def test_the_newest_default_class_is_the_one_that_is_taken() -> None:
    old, new = storage_class("old", default=True), storage_class("new", default=True, made=ago(60))
    found = only(further(world(claim("new", "Bound")), old, new))
    assert (found.code, found.name, found.severity) == ("SEVERAL_DEFAULT_STORAGE_CLASSES", "new", "info")


# mounts


def stuck(*events: Obj, **more: Any) -> Facts:
    creating = pod(state=waiting("ContainerCreating"), phase="Pending", spec=MOUNTS)
    return further(world(creating, claim(phase="Bound", volumeName=VOLUME), *events, **more))


def test_what_the_kubelet_sums_up_last_does_not_hide_what_it_said_before() -> None:
    telling = f'MountVolume.SetUp failed for volume "{VOLUME}" : mount.nfs: access denied by server'
    summary = (
        "Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting for the condition"
    )
    facts = stuck(happened("FailedMount", telling, ago_s=100), happened("FailedMount", summary, ago_s=5))
    found = only(facts)
    assert (found.code, found.kind, found.name) == ("VOLUME_MOUNT_DENIED", "PersistentVolumeClaim", "data")


@pytest.mark.threat("T7")
@pytest.mark.parametrize("name", ["../../x", "a b", "X", "$(rm)"])
def test_a_secret_that_no_secret_can_be_called_is_not_named(name: str) -> None:
    words = f"failed to find the secret {name} in the namespace {NS} with error: y"
    assert codes(stuck(happened("FailedMount", words))) == ["VOLUME_MOUNT_FAILED"]


def test_a_plugin_that_crashes_on_the_node_explains_the_mount() -> None:
    words = f'MountVolume.MountDevice failed for volume "{VOLUME}" : {UNREGISTERED}'
    owner = {"kind": "DaemonSet", "name": "y-csi-node", "controller": True, "apiVersion": "apps/v1"}
    plugin = crashing(
        code=139, metadata={"name": "y-csi-node-abcde", "ownerReferences": [owner], "labels": {}}
    )
    creating = pod("cart-1", waiting("ContainerCreating"), phase="Pending", spec=MOUNTS)
    said = happened("FailedMount", words, about=creating)
    facts = further(world(creating, plugin, said, claim(phase="Bound", volumeName=VOLUME)))
    found = only(facts)
    assert (found.code, found.name) == ("KILLED_BY_SIGNAL", "y-csi-node")
    assert f"Pod {NS}/cart-1" in found.symptoms
    alone = only(stuck(happened("FailedMount", words)))
    assert (alone.code, alone.kind) == ("CSI_DRIVER_NOT_REGISTERED", "Node")


def test_a_volume_on_a_dead_node_is_a_symptom_of_that_node() -> None:
    words = f'Multi-Attach error for volume "{VOLUME}" Volume is already used by pod(s) cart-old'
    old = pod("cart-old", spec={**MOUNTS, "nodeName": "node-b"})
    facts = stuck(happened("FailedAttachVolume", words), old, node("node-a"), node("node-b", Ready="Unknown"))
    dead = only(facts)
    assert (dead.kind, dead.name) == ("Node", "node-b")
    assert any(symptom.startswith("Deployment") for symptom in dead.symptoms)
    alive = stuck(happened("FailedAttachVolume", words), old, node("node-a"), node("node-b"))
    found = next(f for f in [only(alive)] if f.code == "VOLUME_MULTI_ATTACH")
    assert "cart-old" in found.title
    assert "node-b" in found.title


def test_an_attachment_says_what_the_event_cuts() -> None:
    words = f'AttachVolume.Attach failed for volume "{VOLUME}" : rpc error'
    error = {"attachError": {"message": "rpc error: attachment limit of node-a exceeded"}, "attached": False}
    held = {
        "kind": "VolumeAttachment",
        "metadata": {"name": "csi-1"},
        "spec": {"nodeName": "node-a", "source": {"persistentVolumeName": VOLUME}},
        "status": error,
    }
    facts = stuck(happened("FailedAttachVolume", words))
    facts = replace(facts, others={**facts.others, storage.Attachment: (storage.attachment(held),)})
    assert any("attachment limit" in each.says for each in only(facts).evidence)


# volumes


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("write /data/wal/1: no space left on device", "VOLUME_FULL"),
        ("write /database/wal/1: no space left on device", "OUT_OF_DISK"),
        ("write /tmp/x: no space left on device", "OUT_OF_DISK"),
        ("no space left on device", "OUT_OF_DISK"),
    ],
)
def test_a_full_disk_is_the_claims_only_where_the_path_is_on_it(line: str, code: str) -> None:
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    sick = crashing(container=mounted, spec=MOUNTS)
    facts = further(world(sick, claim(phase="Bound"), log=[f"level=fatal msg={line}"]))
    assert codes(facts) == [code]


def growing(*events: Obj, conditions: list[Obj] | None = None, ready: bool = True) -> Facts:
    one = claim(phase="Bound", resources={"requests": {"storage": "40Gi"}})
    one["status"] |= {"capacity": {"storage": "20Gi"}, "conditions": conditions or []}
    return further(world(one, pod(ready=ready, spec=MOUNTS), *events))


def test_a_resize_that_succeeded_after_its_refusal_is_over() -> None:
    one = claim(phase="Bound")
    failed = happened("VolumeResizeFailed", "rpc error", about=one, ago_s=300)
    done = happened("FileSystemResizeSuccessful", "done", about=one, ago_s=200, kind="Normal")
    assert codes(growing(failed)) == ["VOLUME_RESIZE_STUCK"]
    assert codes(growing(failed, done)) == []


@pytest.mark.parametrize(("age_s", "ready", "found"), [(900, True, 1), (60, True, 0), (900, False, 0)])
def test_a_file_system_waits_for_its_next_pod_without_fault(age_s: float, ready: bool, found: int) -> None:
    pending = {"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": ago(age_s)}
    assert len(codes(growing(conditions=[pending], ready=ready))) == found


def test_a_released_volume_that_fails_once_is_not_yet_stuck() -> None:
    gone = volume("Released", claimRef={"namespace": NS, "name": "old"})
    said = {**happened("VolumeFailedDelete", "rpc error", about=gone, count=1)}
    assert codes(further(world(said), gone)) == []
    again = {**happened("VolumeFailedDelete", "rpc error", about=gone, count=9)}
    assert codes(further(world(again), gone)) == ["PV_RECLAIM_FAILED"]
