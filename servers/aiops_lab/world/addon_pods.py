"""What an EKS add-on brings into the cluster: EKS applies its manifests with the field manager `eks`.

Called by the lab's EKS (`aws.addon_changes`) inside `Account.in_world`. Workloads are named as the real
add-ons name them; one program stands in for all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_lab.aws.addon_schemas import values_of
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import failing, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, namespace, template
from aiops_lab.world.cluster import Cluster
from aiops_lab.world.objects import meta

ECR = "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks"
BY = "eks"
_OTHERS = frozenset({"", BY, "kube-controller-manager", "kubelet"})


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload of an add-on; no replicas: a DaemonSet."""

    name: str
    replicas: int | None = None


_D = Workload
WORKLOADS: Mapping[str, tuple[Workload, ...]] = {
    "vpc-cni": (_D("aws-node"),),
    "kube-proxy": (_D("kube-proxy"),),
    "coredns": (_D("coredns", 2),),
    "metrics-server": (_D("metrics-server", 2),),
    "aws-ebs-csi-driver": (_D("ebs-csi-node"), _D("ebs-csi-controller", 2)),
    "adot": (_D("opentelemetry-operator", 1),),
    "amazon-cloudwatch-observability": (
        _D("cloudwatch-agent"),
        _D("fluent-bit"),
        _D("amazon-cloudwatch-observability-controller-manager", 1),
    ),
    "eks-node-monitoring-agent": (_D("eks-node-monitoring-agent"),),
    "eks-pod-identity-agent": (_D("eks-pod-identity-agent"),),
    "aws-network-flow-monitoring-agent": (_D("aws-network-flow-monitor-agent"),),
    "prometheus-node-exporter": (_D("prometheus-node-exporter"),),
    "cert-manager": (_D("cert-manager", 1), _D("cert-manager-cainjector", 1), _D("cert-manager-webhook", 1)),
}


def workloads_of(name: str) -> tuple[Workload, ...]:
    """The workloads of an add-on; one Deployment of its name where none are listed."""
    return WORKLOADS.get(name, (Workload(name, 1),))


class AddonPods:
    """Fulfils `account.Installer`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def install(self, name: str, space: str, version: str, *, configuration: str, ill: bool) -> None:
        """Create what is missing and bring the rest to the version."""
        if self.cluster.store.get("Namespace", None, space) is None:
            self.cluster.store.create(namespace(space), manager=BY)
        values = values_of(configuration) if configuration else {}
        for one in workloads_of(name):
            image = self._image(one.name, version, ill=ill)
            found = self._found(one)
            if found is None:
                made = _made(one, space, image)
                _tune(made, values)
                self.cluster.store.create(made, manager=BY)
            else:
                self.cluster.edit(found, partial(_brought, image=image, values=values), BY)

    def remove(self, name: str) -> None:
        """Delete its workloads."""
        for one in workloads_of(name):
            found = self._found(one)
            if found is not None:
                self.cluster.remove(found)

    def ready(self, name: str) -> bool:
        """Whether every pod it wants runs the current template and is Ready."""
        return all(_is_ready(self._found(one)) for one in workloads_of(name))

    def conflicts(self, name: str) -> tuple[str, ...]:
        """Fields of its workloads that somebody else manages, in EKS's form."""
        said = []
        for one in workloads_of(name):
            found = self._found(one)
            if found is not None and _foreign(found):
                field = f'.spec.template.spec.containers[name="{one.name}"].image'
                said.append(f"{found['kind']}.apps {one.name} - {field}")
        return tuple(said)

    def _found(self, one: Workload) -> Obj | None:
        kind = "DaemonSet" if one.replicas is None else "Deployment"
        found = (each for each in self.cluster.cache.all(kind) if meta(each)["name"] == one.name)
        return next(found, None)

    def _image(self, name: str, version: str, *, ill: bool) -> str:
        denied = logfmt("error", "AccessDenied: not authorized to perform sts:AssumeRoleWithWebIdentity")
        program = failing(denied, after_s=3.0) if ill else serving(name, memory_mi=45, cpu_m=5)
        suffix = "-denied" if ill else ""
        return self.cluster.registry.publish(f"{ECR}/{name}:{version}{suffix}", Image(program))


def _made(one: Workload, space: str, image: str) -> Obj:
    labels = {"app": one.name, "app.kubernetes.io/name": one.name}
    main = container(one.name, image, memory="64Mi", limit="256Mi", readinessProbe=http_probe())
    main["resources"]["requests"]["cpu"] = "10m"
    if one.replicas is not None:
        return deployment(space, one.name, one.replicas, template(labels, [main]))
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": one.name, "namespace": space, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app": one.name}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": template(labels, [main], tolerations=[{"operator": "Exists"}]),
        },
    }


def _brought(obj: Obj, image: str, values: Any) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = image
    _tune(obj, values)


def _tune(obj: Obj, values: Any) -> None:
    """What configuration does to a workload: environment variables and the number of replicas."""
    if not isinstance(values, dict):
        return
    main = obj["spec"]["template"]["spec"]["containers"][0]
    wanted = values.get("env") or {}
    kept: Iterable[Obj] = (each for each in main.get("env") or () if each["name"] not in wanted)
    if wanted:
        main["env"] = [*kept, *({"name": key, "value": value} for key, value in wanted.items())]
    if isinstance(values.get("replicaCount"), int) and "replicas" in obj["spec"]:
        obj["spec"]["replicas"] = values["replicaCount"]


def _foreign(obj: Obj) -> bool:
    managers = {
        str(each.get("manager") or "")
        for each in meta(obj).get("managedFields") or ()
        if each.get("subresource") != "status"
    }
    return bool(managers - _OTHERS)


def _is_ready(obj: Obj | None) -> bool:
    if obj is None:
        return False
    status, spec = obj.get("status") or {}, obj["spec"]
    if status.get("observedGeneration", 0) < meta(obj).get("generation", 1):
        return False
    if obj["kind"] == "DaemonSet":
        wanted, keys = status.get("desiredNumberScheduled", 0), ("updatedNumberScheduled", "numberReady")
    else:
        wanted, keys = spec.get("replicas", 1), ("updatedReplicas", "readyReplicas")
    return all(status.get(key, 0) >= wanted for key in keys)
