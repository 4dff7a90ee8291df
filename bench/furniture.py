"""What stands around a crowd's pods in a real cluster: nodes, Deployments with their sets, ConfigMaps.

Made from the pods, so that every pod has its node, its controllers and the certificate that each namespace
has; and every node has its pods of kube-proxy and of the network plugin. A list of pods does not need them; a
diagnosis reads them.
"""

from collections.abc import Iterable, Iterator

from bench.crowd import NODES, Maker, Obj, uid

AGENTS = ("kube-proxy", "aws-node")
_CONDITIONS = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID"),
    "Ready": ("True", "KubeletReady"),
}


def nodes(maker: Maker) -> Iterator[Obj]:
    """The nodes that pods name."""
    for number in range(NODES):
        name = f"ip-10-0-{number}-17.ec2.internal"
        room = {"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "80Gi"}
        labels = {
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/zone": f"us-east-1{'abc'[number % 3]}",
            "node.kubernetes.io/instance-type": "m5.4xlarge",
            "eks.amazonaws.com/nodegroup": "general",
        }
        conditions = [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": reason,
                "lastHeartbeatTime": maker.stamp(seconds=20),
                "lastTransitionTime": maker.stamp(days=20),
            }
            for kind, (status, reason) in _CONDITIONS.items()
        ]
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {**_about(maker, "", name), "labels": labels},
            "spec": {"providerID": f"aws:///us-east-1a/i-{number:017x}"},
            "status": {
                "capacity": room,
                "allocatable": room,
                "conditions": conditions,
                "nodeInfo": {"kubeletVersion": "v1.33.5-eks-1", "osImage": "Amazon Linux 2023"},
            },
        }


def agents(maker: Maker) -> Iterator[Obj]:
    """What runs on every node: kube-proxy and the network plugin."""
    for name in AGENTS:
        workload = maker.workload("kube-system", name)
        for number in range(NODES):
            pod = maker.pod(workload)
            about = pod["metadata"]
            about["name"] = f"{name}-{maker.letters(5)}"
            about["labels"] = {"k8s-app": name, "controller-revision-hash": workload.hash}
            about["ownerReferences"][0] |= {"kind": "DaemonSet", "name": name}
            pod["spec"]["nodeName"] = f"ip-10-0-{number}-17.ec2.internal"
            yield pod


def controllers(maker: Maker, pods: Iterable[Obj]) -> Iterator[Obj]:
    """A Deployment and its ReplicaSet for each hash among the pods."""
    groups: dict[tuple[str, str, str], list[Obj]] = {}
    for pod in pods:
        about = pod["metadata"]
        labels = about["labels"]
        if "pod-template-hash" not in labels:
            continue
        groups.setdefault((about["namespace"], labels["app"], labels["pod-template-hash"]), []).append(pod)
    for (namespace, app, mark), found in groups.items():
        yield from _controller(maker, namespace, app, mark, found)


def _controller(maker: Maker, namespace: str, app: str, mark: str, pods: list[Obj]) -> Iterator[Obj]:
    ready = sum(
        any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])
        for pod in pods
    )
    labels = {"app": app}
    spec = {key: value for key, value in pods[0]["spec"].items() if key != "nodeName"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    counts = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    shared = {"replicas": len(pods), "selector": {"matchLabels": labels}, "template": template}
    deployment: Obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            **_about(maker, namespace, app),
            "generation": 1,
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": shared,
        "status": {**counts, "observedGeneration": 1, "updatedReplicas": len(pods)},
    }
    name = f"{app}-{mark}"
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": app,
        "uid": deployment["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    yield deployment
    yield {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            **_about(maker, namespace, name),
            "generation": 1,
            "labels": {**labels, "pod-template-hash": mark},
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [owner],
        },
        "spec": shared,
        "status": {**counts, "observedGeneration": 1},
    }


def config_maps(maker: Maker, namespaces: Iterable[str], pods: Iterable[Obj]) -> Iterator[Obj]:
    """The certificate that every namespace has, and each app's own settings."""
    wanted = {(namespace, "kube-root-ca.crt") for namespace in namespaces}
    wanted |= {
        (pod["metadata"]["namespace"], f"{pod['metadata']['labels']['app']}-config")
        for pod in pods
        if "app" in pod["metadata"]["labels"]
    }
    for namespace, name in sorted(wanted):
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _about(maker, namespace, name),
            "data": {"ca.crt": "not a certificate", "LOG_LEVEL": "info"},
        }


def _about(maker: Maker, namespace: str, name: str) -> Obj:
    place = {"namespace": namespace} if namespace else {}
    return {
        "name": name,
        **place,
        "uid": uid(namespace, name),
        "resourceVersion": "1",
        "creationTimestamp": maker.stamp(days=25),
    }
