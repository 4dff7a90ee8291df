"""What the trials of storage have in common: claims, classes, volumes, and a workload that keeps its data.

Called by the other `storage_*` modules of this folder. The lab's own controllers and drivers say the words
of the real ones; `let_driver` and `refuse_volume` make a driver fail.
"""

from collections.abc import Callable
from random import Random
from typing import Any
from zlib import crc32

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Program, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template

HOME, DAY_S, HOUR_S, MIN_S = "production", 86_400.0, 3600.0, 60.0
EBS, EFS, FSX = "ebs.csi.aws.com", "efs.csi.aws.com", "fsx.csi.aws.com"
STATIC = "kubernetes.io/no-provisioner"
CLAIM, VOLUME, CLASS = "PersistentVolumeClaim", "PersistentVolume", "StorageClass"
DEFAULT = "storageclass.kubernetes.io/is-default-class"


def claim(
    name: str, of: str | None = "gp3", *, size: str = "20Gi", mode: str = "ReadWriteOnce", **spec: Any
) -> Obj:
    """A claim; `of` is its class, None for none given."""
    wanted: Obj = {} if of is None else {"storageClassName": of}
    return {
        "apiVersion": "v1",
        "kind": CLAIM,
        "metadata": {"name": name, "namespace": HOME},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": size}}, **wanted, **spec},
    }


def storage_class(name: str, provisioner: str, *, at_once: bool = True, **more: Any) -> Obj:
    """A class; `at_once` binds without waiting for a pod, `notes` are its annotations."""
    notes = more.pop("notes", {})
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": CLASS,
        "metadata": {"name": name, "annotations": notes},
        "provisioner": provisioner,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate" if at_once else "WaitForFirstConsumer",
        **more,
    }


def volume(
    name: str, of: str = "", *, size: str = "20Gi", mode: str = "ReadWriteOnce", zone: str = "", **spec: Any
) -> Obj:
    """A volume that somebody made by hand."""
    rule = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}
    where = {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}}
    return {
        "apiVersion": "v1",
        "kind": VOLUME,
        "metadata": {"name": name},
        "spec": {
            "accessModes": [mode],
            "capacity": {"storage": size},
            "csi": {"driver": EBS, "volumeHandle": f"vol-0{crc32(name.encode()):08x}", "fsType": "ext4"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": of,
            "volumeMode": "Filesystem",
            **({"nodeAffinity": where} if zone else {}),
            **spec,
        },
    }


def csi_driver(name: str) -> Obj:
    """The object with which a driver says that it is installed."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": name},
        "spec": {"attachRequired": True, "podInfoOnMount": False, "volumeLifecycleModes": ["Persistent"]},
    }


def put_keeper(
    stage: Stage,
    names: Names,
    before_s: float,
    of: str,
    program: Program | None = None,
    *,
    replicas: int = 1,
    strategy: Obj | None = None,
    **pod: Any,
) -> None:
    """A workload with its Service that keeps its data on claim `of`; further keywords go into the pod."""
    image = stage.publish(names.api_image, Image(program or serving(names.api)))
    main = container("app", image, readinessProbe=http_probe())
    main["volumeMounts"] = [{"name": "data", "mountPath": "/var/lib/data"}]
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": of}}]
    made = template({"app": names.api}, [main], volumes=volumes, **pod)
    how = strategy or {"type": "Recreate"}
    kept = deployment(HOME, names.api, replicas, made, strategy=how)
    stage.put_at(before_s, kept, service(HOME, names.api, names.api))


def data(names: Names) -> str:
    """The claim of the story."""
    return f"{names.api}-data"


def annotate(key: str, value: str | None) -> Callable[[Obj], None]:
    """Sets an annotation, or takes it away."""

    def change(found: Obj) -> None:
        notes = found["metadata"].setdefault("annotations", {})
        if value is None:
            notes.pop(key, None)
        else:
            notes[key] = value

    return change


def expects(code: str, kind: str, name: Callable[[Names], str], *, hurts: str = "") -> Expect:
    """One finding at an object whose name the cast decides; it hurts the api unless said otherwise."""

    def expect(names: Names) -> tuple[Expected, ...]:
        home = "" if kind in {VOLUME, CLASS, "Node", "IngressClass", "GatewayClass"} else HOME
        who = hurts or names.api
        return (Expected(code, kind, home, name(names), hurts_name=who),)

    return expect


def at_claim(code: str) -> Expect:
    """One finding at the story's claim."""
    return expects(code, CLAIM, data)


def at_api(code: str) -> Expect:
    """One finding at the workload."""
    return expects(code, "Deployment", lambda names: names.api)


def since(rng: Random) -> float:
    """A quarter of an hour ago, more or less."""
    return rng.uniform(14, 25) * MIN_S


Tell = Callable[[Stage, Names, Random], None]


def told(*parts: Tell) -> Build:
    """One story of several parts."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        for each in parts:
            each(stage, names, rng)

    return build
