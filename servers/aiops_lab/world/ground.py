"""The ground every world stands on: namespaces, nodes, and what EKS itself puts into kube-system.

Called once per load, a month before T0. Rights (ClusterRoles and bindings) are not laid here but by the lab's
start-up, before any world.
"""

from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import logfmt, serving
from aiops_lab.scenarios.shapes import (
    container,
    deployment,
    disruption_budget,
    http_probe,
    namespace,
    service,
    template,
)
from aiops_lab.world.nodes import node
from aiops_lab.world.site import Site

ENVIRONMENTS = {"production": "prod", "staging": "staging", "dev": "dev"}
SYSTEM = "kube-system"
_ECR = "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks"
# The add-on's own defaults, with its log on stdout, where a cluster's log agent finds it.
_CNI_ENV = {
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "false",
    "AWS_VPC_K8S_CNI_LOG_FILE": "stdout",
    "ENABLE_PREFIX_DELEGATION": "false",
    "WARM_ENI_TARGET": "1",
    "WARM_PREFIX_TARGET": "1",
}
_EVERYWHERE = [{"operator": "Exists"}]


def lay_ground(world: Site) -> None:
    """Create it."""
    for name in ("default", SYSTEM, "kube-public", "kube-node-lease"):
        world.put(namespace(name))
    for name, label in ENVIRONMENTS.items():
        world.put(namespace(name, env=label))
    rng, now = world.cluster.rng, world.clock.now()
    for place in range(6):
        instance = f"i-0{rng.getrandbits(64):016x}"
        world.put(node(place, 41 + place, instance, now), by="kubelet")
    world.put(*_classes(), by="eks")
    _add_ons(world)
    world.put(*_front_door(), by="eks")


def _classes() -> list[Obj]:
    priorities = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
    return [
        *(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": value,
            }
            for name, value in priorities.items()
        ),
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "gp3",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "ebs.csi.aws.com",
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        },
    ]


def _front_door() -> list[Obj]:
    """The Service `kubernetes`, whose endpoints the API server writes itself."""
    door = service("default", "kubernetes", None)
    door["spec"] = {"type": "ClusterIP", "ports": [{"name": "https", "port": 443, "targetPort": 443}]}
    addresses = [{"ip": "10.0.0.10"}, {"ip": "10.0.1.10"}]
    behind = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "subsets": [{"addresses": addresses, "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}],
    }
    return [door, behind]


def _add_ons(world: Site) -> None:
    vpc = world.publish(f"{_ECR}/amazon-k8s-cni:v1.20.4", Image(_talking("aws-node", "IPAM ok", 80)))
    proxy = world.publish(
        f"{_ECR}/kube-proxy:v1.35.0-eksbuild.2", Image(_talking("kube-proxy", "synced", 30))
    )
    dns = world.publish(f"{_ECR}/coredns:v1.12.4-eksbuild.1", Image(_talking("coredns", "reloaded", 25)))
    meter = world.publish(
        f"{_ECR}/metrics-server:v0.8.0-eksbuild.5", Image(_talking("metrics-server", "ok", 40))
    )
    world.put(*(_account(name) for name in ("aws-node", "kube-proxy", "coredns", "metrics-server")), by="eks")
    world.put(
        _daemon("aws-node", vpc, "25m"),
        _daemon("kube-proxy", proxy, "100m"),
        _system_deployment("coredns", dns, "100m", "70Mi", "170Mi"),
        disruption_budget(SYSTEM, "coredns", "coredns", maxUnavailable=1),
        service(SYSTEM, "kube-dns", "coredns", clusterIP="172.20.0.10"),
        _system_deployment("metrics-server", meter, "100m", "200Mi", "400Mi"),
        disruption_budget(SYSTEM, "metrics-server", "metrics-server", maxUnavailable=1),
        service(SYSTEM, "metrics-server", "metrics-server"),
        by="eks",
    )


def _account(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": SYSTEM}}


def _talking(name: str, word: str, memory_mi: float) -> Any:
    return serving(name, memory_mi=memory_mi, cpu_m=6, lines=(logfmt("info", word, component=name),))


def _daemon(name: str, image: str, cpu: str) -> Obj:
    labels = {"app": name, "k8s-app": name}
    main: Obj = {"name": name, "image": image, "resources": {"requests": {"cpu": cpu}}}
    if name == "aws-node":
        main["readinessProbe"] = {"exec": {"command": ["/app/grpc-health-probe"]}, "periodSeconds": 10}
        main["env"] = [{"name": key, "value": value} for key, value in _CNI_ENV.items()]
    pod = template(
        labels,
        [main],
        hostNetwork=True,
        priorityClassName="system-node-critical",
        tolerations=_EVERYWHERE,
        serviceAccountName=name,
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": SYSTEM, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": pod,
        },
    }


def _system_deployment(name: str, image: str, cpu: str, memory: str, limit: str) -> Obj:
    main = container(name, image, memory=memory, limit=limit, readinessProbe=http_probe("/ready"))
    main["resources"]["requests"]["cpu"] = cpu
    labels = {"app": name, "k8s-app": "kube-dns" if name == "coredns" else name}
    pod = template(labels, [main], priorityClassName="system-cluster-critical", serviceAccountName=name)
    rolling = {"maxSurge": "25%", "maxUnavailable": 1}
    return deployment(SYSTEM, name, 2, pod, strategy={"type": "RollingUpdate", "rollingUpdate": rolling})
