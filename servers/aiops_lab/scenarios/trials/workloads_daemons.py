"""Trials of DaemonSets: a node agent that a taint keeps away from a node."""

from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, template
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial

HOUR_S, DAY_S = 3600.0, 86_400.0
NODES = ("ip-10-0-0-41.ec2.internal", "ip-10-0-1-42.ec2.internal", "ip-10-0-2-43.ec2.internal")
# pkg/volume/csi/csi_client.go
_UNREGISTERED = (
    'MountVolume.MountDevice failed for volume "{volume}" : kubernetes.io/csi: attacher.MountDevice failed '
    "to create newCsiDriverClient: "
    "driver name ebs.csi.aws.com not found in the list of registered CSI drivers"
)


def _node(names: Names) -> str:
    return NODES[names.seed % len(NODES)]


def _taint(obj: Obj) -> None:
    obj["spec"]["taints"] = [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]


def _driver(stage: Stage, names: Names) -> Obj:
    image = stage.publish(names.image("ebs-csi-driver", "1.40.0"), Image(serving("ebs-csi-node", cpu_m=5)))
    labels = {"app": "ebs-csi-node"}
    main = {"name": "ebs-plugin", "image": image, "resources": {"requests": {"cpu": "10m"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "ebs-csi-node", "namespace": "kube-system", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": template(labels, [main]),
        },
    }


def _claim(names: Names) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{names.api}-data", "namespace": HOME},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "gp3",
            "resources": {"requests": {"storage": "10Gi"}},
        },
    }


def _pinned(stage: Stage, names: Names, since_s: float, *, volume: bool) -> None:
    """A workload that tolerates the taint and runs on that node only."""
    image = stage.publish(names.image(names.api, "2.0.1"), Image(serving(names.api)))
    more: dict[str, Any] = {
        "nodeSelector": {"kubernetes.io/hostname": _node(names)},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "batch", "effect": "NoSchedule"}],
    }
    if volume:
        data = {"name": "data", "persistentVolumeClaim": {"claimName": f"{names.api}-data"}}
        more["volumes"] = [data]
        stage.put_at(since_s + 20, _claim(names))
    pod = template({"app": names.api}, [container("app", image, readinessProbe=http_probe())], **more)
    stage.put_at(since_s, deployment(HOME, names.api, 1, pod, strategy={"type": "Recreate"}))


def _ground(stage: Stage, names: Names) -> None:
    stage.change_at(9 * DAY_S, "Node", "", _node(names), _taint)
    stage.put_at(8 * DAY_S, _driver(stage, names))


def _kept_away(stage: Stage, names: Names, rng: Random) -> None:
    _ground(stage, names)
    since_s = rng.uniform(10, 28) * 60
    stage.at(since_s + 60, lambda: stage.refuse_volume(HOME, f"{names.api}-data", _UNREGISTERED))
    _pinned(stage, names, since_s, volume=True)


def _not_missed(stage: Stage, names: Names, rng: Random) -> None:
    _ground(stage, names)
    _pinned(stage, names, rng.uniform(10, 28) * 60, volume=False)


def _tolerates_now(stage: Stage, names: Names, rng: Random) -> None:
    _ground(stage, names)
    since_s = rng.uniform(40, 55) * 60
    stage.at(since_s + 60, lambda: stage.refuse_volume(HOME, f"{names.api}-data", _UNREGISTERED))
    _pinned(stage, names, since_s, volume=True)

    def tolerate(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["tolerations"] = [{"operator": "Exists"}]

    end_s = rng.uniform(20, 32) * 60
    stage.change_at(end_s, "DaemonSet", "kube-system", "ebs-csi-node", tolerate)
    stage.at(end_s - 30, lambda: stage.allow_volume(HOME, f"{names.api}-data"))


TRIALS: tuple[Trial, ...] = (
    trial(
        "DAEMONSET_NOT_TOLERATING",
        "positive",
        _kept_away,
        at("DAEMONSET_NOT_TOLERATING", "DaemonSet", "ebs-csi-node", "kube-system"),
        says="The volume driver does not tolerate the node's taint.",
    ),
    trial("DAEMONSET_NOT_TOLERATING", "look_alike", _not_missed, says="Nobody there needs it."),
    trial("DAEMONSET_NOT_TOLERATING", "recovered", _tolerates_now, says="It tolerates the taint now."),
)
