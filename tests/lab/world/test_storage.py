"""Claims and volumes: bound, waiting, lost, left behind, growing; and the pods that wait for them."""

import pytest

from aiops_lab.kube.store import ApiError
from aiops_lab.kube.wire import Obj
from aiops_lab.world.objects import condition, labels_of, meta
from aiops_lab.world.storage import EBS, Driver
from aiops_lab.world.volumes import ZONE
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, load
from tests.lab.world.test_scheduling import NO_HELP, place, pod, put, said


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def claim(name: str = "data", size: str = "5Gi", mode: str = "ReadWriteOnce", **spec: object) -> Obj:
    room = {"requests": {"storage": size}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "production"},
        "spec": {"accessModes": [mode], "resources": room, **spec},
    }


def storage_class(name: str, *, default: bool = False, **more: object) -> Obj:
    notes = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": notes},
        "provisioner": EBS,
        **more,
    }


def volume(name: str, size: str = "5Gi", zone: str = "", **spec: object) -> Obj:
    rule = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}
    where = {"nodeAffinity": {"required": {"nodeSelectorTerms": [rule]}}} if zone else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "csi": {"driver": EBS, "volumeHandle": f"vol-{name}"},
            **where,
            **spec,
        },
    }


def user(name: str, *claims: str) -> Obj:
    volumes = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]
    return pod(name, volumes=volumes)


def phase(world: World, name: str = "data", kind: str = "PersistentVolumeClaim") -> str:
    home = "production" if kind == "PersistentVolumeClaim" else None
    found = world.store.get(kind, home, name)
    assert found is not None
    return str(found["status"]["phase"])


def why(world: World, name: str, reason: str) -> str:
    """The words of the latest event."""
    return str(events(world, name, reason)[-1]["message"])


def test_a_claim_waits_for_its_pod_then_gets_a_volume_in_that_zone(world: World) -> None:
    put(world, claim())
    assert phase(world) == "Pending"
    assert (
        why(world, "data", "WaitForFirstConsumer")
        == "waiting for first consumer to be created before binding"
    )
    put(world, user("db", "data"))
    world.clock.advance(5)
    assert phase(world) == "Bound"
    held = world.store.get("PersistentVolumeClaim", "production", "data")
    assert held is not None
    made = world.store.get("PersistentVolume", None, held["spec"]["volumeName"])
    assert made is not None
    (term,) = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    node = world.store.get("Node", None, place(world, "db"))
    assert node is not None
    assert term["matchExpressions"][0]["values"] == [labels_of(node)[ZONE]]
    assert "either by the external provisioner 'ebs.csi.aws.com' or manually" in why(
        world, "data", "ExternalProvisioning"
    )
    assert (
        why(world, "data", "ProvisioningSucceeded") == f"Successfully provisioned volume {meta(made)['name']}"
    )


def test_a_missing_class_is_said_and_the_pod_waits(world: World) -> None:
    put(world, claim(storageClassName="fast"), user("db", "data"))
    assert why(world, "data", "ProvisioningFailed") == 'storageclass.storage.k8s.io "fast" not found'
    assert said(world, "db") == (
        "0/6 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/6 nodes "
        f"are available: 6 {NO_HELP}."
    )


def test_no_class_at_all_waits_for_a_volume_by_hand(world: World) -> None:
    put(world, claim(storageClassName=""))
    words = "no persistent volumes available for this claim and no storage class is set"
    assert why(world, "data", "FailedBinding") == words
    put(world, volume("small", "1Gi"), volume("large", "50Gi"), volume("right", "6Gi"))
    world.clock.advance(20)
    assert phase(world) == "Bound"
    assert phase(world, "right", "PersistentVolume") == "Bound"
    assert phase(world, "large", "PersistentVolume") == "Available"


def test_a_pod_whose_claim_is_not_there_says_so(world: World) -> None:
    put(world, user("db", "data"))
    assert said(world, "db").startswith(
        '0/6 nodes are available: persistentvolumeclaim "data" not found. preemption: '
    )
    put(world, claim())
    world.clock.advance(5)
    assert place(world, "db")


def test_a_volume_of_another_zone_keeps_the_pod_off_the_nodes(world: World) -> None:
    put(
        world,
        volume("zoned", zone="us-east-1z"),
        claim(storageClassName="", volumeName="zoned"),
        user("db", "data"),
    )
    assert said(world, "db") == (
        "0/6 nodes are available: 6 node(s) didn't match PersistentVolume's node affinity. preemption: "
        f"0/6 nodes are available: 6 {NO_HELP}."
    )


def test_a_class_without_provisioner_finds_no_volume(world: World) -> None:
    local = storage_class(
        "local", provisioner="kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer"
    )
    put(world, local, claim(storageClassName="local"), user("db", "data"))
    assert "6 node(s) didn't find available persistent volumes to bind" in said(world, "db")
    assert why(world, "data", "WaitForPodScheduled") == "waiting for pod db to be scheduled"
    put(world, volume("disk", zone="us-east-1b", storageClassName="local"))
    world.clock.advance(5)
    assert phase(world) == "Bound"
    node = world.store.get("Node", None, place(world, "db"))
    assert node is not None
    assert labels_of(node)[ZONE] == "us-east-1b"


def test_the_youngest_of_several_defaults_is_taken(world: World) -> None:
    world.clock.advance(5)
    put(world, storage_class("newer", default=True), claim())
    held = world.store.get("PersistentVolumeClaim", "production", "data")
    assert held is not None
    assert held["spec"]["storageClassName"] == "newer"


def test_ebs_refuses_a_volume_for_many_nodes(world: World) -> None:
    put(world, claim(mode="ReadWriteMany"), user("db", "data"))
    world.clock.advance(5)
    assert why(world, "data", "ProvisioningFailed") == (
        'failed to provision volume with StorageClass "gp3": rpc error: code = InvalidArgument desc = Volume '
        "capabilities MULTI_NODE_MULTI_WRITER not supported. Only AccessModes[ReadWriteOnce] supported."
    )
    assert not place(world, "db")


def test_a_driver_that_does_not_run_leaves_the_claim_waiting(world: World) -> None:
    world.set_driver(EBS, Driver(running=False))
    put(world, claim(), user("db", "data"))
    world.clock.advance(700)
    assert phase(world) == "Pending"
    assert events(world, "data", "ProvisioningFailed") == []
    assert said(world, "db") == (
        'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
    )
    world.set_driver(EBS, Driver())
    world.clock.advance(60)
    assert place(world, "db")


def test_a_bound_claim_whose_volume_went_is_lost(world: World) -> None:
    put(world, volume("gone"), claim(storageClassName=""))
    world.clock.advance(1)
    assert phase(world) == "Bound"
    edit(world, "PersistentVolume", "", "gone", lambda obj: meta(obj).pop("finalizers"))
    world.store.delete("PersistentVolume", None, "gone")
    world.clock.advance(1)
    assert phase(world) == "Lost"
    words = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
    assert why(world, "data", "ClaimLost") == words
    put(world, user("db", "data"))
    assert 'persistentvolumeclaim "data" bound to non-existent persistentvolume "gone"' in said(world, "db")


@pytest.mark.parametrize(("driver", "ends"), [(Driver(), None), (Driver(delete_error="in use"), "Failed")])
def test_a_volume_follows_its_claim_unless_the_driver_fails(
    world: World, driver: Driver, ends: str | None
) -> None:
    put(world, claim(), user("db", "data"))
    world.clock.advance(5)
    (made,) = world.store.list("PersistentVolume")
    world.set_driver(EBS, driver)
    world.store.delete("PersistentVolumeClaim", "production", "data")
    world.clock.advance(2)
    held = world.store.get("PersistentVolumeClaim", "production", "data")
    assert held is not None, "a claim in use is not removed under its pod"
    world.store.delete("Pod", "production", "db", grace_s=0)
    world.clock.advance(2)
    assert world.store.get("PersistentVolumeClaim", "production", "data") is None
    left = world.store.get("PersistentVolume", None, meta(made)["name"])
    assert (left["status"]["phase"] if left else None) == ends
    if ends:
        assert why(world, meta(made)["name"], "VolumeFailedDelete") == "in use"


def test_a_retained_volume_is_released_and_nobody_gets_it(world: World) -> None:
    put(world, volume("kept"), claim(storageClassName=""))
    world.clock.advance(1)
    world.store.delete("PersistentVolumeClaim", "production", "data")
    world.clock.advance(1)
    assert phase(world, "kept", "PersistentVolume") == "Released"
    put(world, claim(storageClassName=""))
    world.clock.advance(20)
    assert phase(world) == "Pending"


def grow(obj: Obj) -> None:
    obj["spec"]["resources"]["requests"]["storage"] = "9Gi"


def test_a_claim_grows_only_where_its_class_allows_it(world: World) -> None:
    put(world, claim(), user("db", "data"))
    world.clock.advance(5)
    with pytest.raises(ApiError) as refused:
        edit(world, "PersistentVolumeClaim", "production", "data", grow)
    assert refused.value.message == (
        'persistentvolumeclaims "data" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize"
    )


def test_a_grown_volume_waits_for_a_pod_to_grow_its_file_system(world: World) -> None:
    elastic = storage_class("elastic", allowVolumeExpansion=True)
    put(world, elastic, claim(storageClassName="elastic"))
    world.clock.advance(5)
    edit(world, "PersistentVolumeClaim", "production", "data", grow)
    world.clock.advance(1)
    held = world.store.get("PersistentVolumeClaim", "production", "data")
    assert held is not None
    pending = condition(held, "FileSystemResizePending")
    assert pending is not None
    assert pending["message"].startswith("Waiting for user to (re-)start a pod to finish file system resize")
    assert held["status"]["capacity"] == {"storage": "5Gi"}
    world.publish("repo/app:1")
    put(world, user("db", "data"))
    world.clock.advance(60)
    held = world.store.get("PersistentVolumeClaim", "production", "data")
    assert held is not None
    assert held["status"]["capacity"] == {"storage": "9Gi"}
    assert condition(held, "FileSystemResizePending") is None


def test_a_resize_that_fails_says_why(world: World) -> None:
    put(world, storage_class("elastic", allowVolumeExpansion=True), claim(storageClassName="elastic"))
    world.clock.advance(5)
    world.set_driver(
        EBS, Driver(resize_error="rpc error: code = Internal desc = VolumeModificationRateExceeded")
    )
    edit(world, "PersistentVolumeClaim", "production", "data", grow)
    world.clock.advance(1)
    held = world.store.get("PersistentVolumeClaim", "production", "data")
    assert held is not None
    assert why(world, "data", "VolumeResizeFailed") == (
        f'resize volume "{held["spec"]["volumeName"]}" by resizer "ebs.csi.aws.com" failed: rpc error: '
        "code = Internal desc = VolumeModificationRateExceeded"
    )


def test_a_volume_for_one_node_is_not_attached_to_two(world: World) -> None:
    world.publish("repo/app:1")
    put(world, claim(), user("first", "data"))
    world.clock.advance(30)
    zone_mates = [
        meta(each)["name"] for each in world.store.list("Node") if meta(each)["name"] != place(world, "first")
    ]
    second = user("second", "data")
    second["spec"]["nodeName"] = zone_mates[0]
    put(world, second)
    words = why(world, "second", "FailedAttachVolume")
    assert words.startswith('Multi-Attach error for volume "pvc-')
    assert words.endswith("Volume is already used by pod(s) first")
    world.store.delete("Pod", "production", "first", grace_s=0)
    world.clock.advance(180)
    found = world.store.get("Pod", "production", "second")
    assert found is not None
    assert found["status"]["phase"] == "Running"
