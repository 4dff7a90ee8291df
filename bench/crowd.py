"""A crowd of pods as a cluster of some size has them, most of them well.

The bench and its tests load it into the lab's store or into a real control plane's etcd. Nothing here plays:
every pod is written as it would stand at one moment. Sizes follow pods of an ordinary cluster (about 4 kB of
JSON: labels, probes, a projected token volume, conditions, one or two containers).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

Obj = dict[str, Any]
NAMESPACES = (
    *("accounts", "analytics", "billing", "cart", "catalog", "checkout", "content", "fraud", "identity"),
    *("inventory", "loyalty", "media", "orders", "payments", "pricing", "recommendations", "search"),
    *("shipping", "support", "warehouse"),
)
_PARTS = ("api", "web", "worker", "consumer", "sync", "cache", "gateway", "scheduler", "indexer", "relay")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand
NODES = 200
REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment's ReplicaSet whose pods stand in the crowd."""

    namespace: str
    app: str
    hash: str
    tag: str

    @property
    def image(self) -> str:
        """What its pods run."""
        return f"{REGISTRY}/{self.namespace}/{self.app}:{self.tag}"

    @property
    def replica_set(self) -> str:
        """The owner's name, which the pods' names begin with."""
        return f"{self.app}-{self.hash}"


@dataclass(frozen=True)
class Maker:
    """Writes objects as they stand at `now`; the same seed writes the same names."""

    now: datetime
    rng: Random

    def stamp(self, **ago: float) -> str:
        """A time before now, as Kubernetes writes it."""
        return (self.now - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def letters(self, count: int) -> str:
        """The random end of a name."""
        return "".join(self.rng.choice(_LETTERS) for _ in range(count))

    def workload(self, namespace: str, app: str) -> Workload:
        """A workload with a hash of its own."""
        return Workload(namespace, app, self.letters(10), f"1.{self.rng.randint(0, 40)}.0")

    def pod(self, workload: Workload) -> Obj:
        """One healthy pod of a workload."""
        name = f"{workload.replica_set}-{self.letters(5)}"
        born = self.stamp(days=self.rng.randint(2, 20), seconds=self.rng.randint(0, 86_000))
        image = workload.image
        node = f"ip-10-0-{self.rng.randint(0, NODES - 1)}-17.ec2.internal"
        labels = {
            "app": workload.app,
            "app.kubernetes.io/name": workload.app,
            "app.kubernetes.io/part-of": workload.namespace,
            "app.kubernetes.io/managed-by": "Helm",
            "pod-template-hash": workload.hash,
        }
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": workload.replica_set,
            "uid": uid(workload.namespace, workload.replica_set),
            "controller": True,
            "blockOwnerDeletion": True,
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "generateName": f"{workload.replica_set}-",
                "namespace": workload.namespace,
                "uid": uid(workload.namespace, name),
                "resourceVersion": "1",
                "creationTimestamp": born,
                "labels": labels,
                "annotations": {
                    "checksum/config": sha256(name.encode()).hexdigest(),
                    "prometheus.io/port": "9090",
                },
                "ownerReferences": [owner],
            },
            "spec": _spec(image, node, workload),
            "status": _status(image, node, born),
        }

    def event(self, pod: Obj, reason: str, message: str, count: int = 12) -> Obj:
        """An event about a pod, last seen a minute ago; a Killing is no warning to the kubelet."""
        about = pod["metadata"]
        mark = sha256(f"{about['name']}{reason}{message}".encode()).hexdigest()[:16]
        name = f"{about['name']}.{mark}"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": name,
                "namespace": about["namespace"],
                "uid": uid(about["namespace"], name),
                "resourceVersion": "1",
                "creationTimestamp": self.stamp(minutes=45),
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": about["name"],
                "namespace": about["namespace"],
                "uid": about["uid"],
            },
            "type": "Normal" if reason == "Killing" else "Warning",
            "reason": reason,
            "message": message,
            "count": count,
            "firstTimestamp": self.stamp(minutes=45),
            "lastTimestamp": self.stamp(minutes=1),
            "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
            "reportingComponent": "kubelet",
            "reportingInstance": pod["spec"].get("nodeName", ""),
        }


def uid(*names: str) -> str:
    """A stable uid."""
    found = sha256("/".join(names).encode()).hexdigest()
    return f"{found[:8]}-{found[8:12]}-4{found[13:16]}-8{found[17:20]}-{found[20:32]}"


def healthy(maker: Maker, count: int) -> Iterator[Obj]:
    """`count` pods of about ten to a workload, and among them those that only look unwell."""
    made = 0
    while made < count:
        namespace = NAMESPACES[(made // 10) % len(NAMESPACES)]
        app = f"{maker.rng.choice(NAMESPACES)}-{maker.rng.choice(_PARTS)}"
        workload = maker.workload(namespace, app)
        for _ in range(min(10, count - made)):
            pod = maker.pod(workload)
            look_alike = _LOOK_ALIKES.get(made % 500)
            if look_alike:
                look_alike(maker, pod)
            made += 1
            yield pod


def _restarted_long_ago(maker: Maker, pod: Obj) -> None:
    status = pod["status"]["containerStatuses"][0]
    end = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": maker.stamp(days=1, hours=4),
        "finishedAt": maker.stamp(days=1),
    }
    status |= {"restartCount": 7, "lastState": {"terminated": end}}
    status["state"] = {"running": {"startedAt": maker.stamp(days=1)}}


def _completed(maker: Maker, pod: Obj) -> None:
    end = {
        "exitCode": 0,
        "reason": "Completed",
        "startedAt": maker.stamp(hours=3),
        "finishedAt": maker.stamp(hours=2),
    }
    pod["status"] |= {"phase": "Succeeded"}
    pod["status"]["containerStatuses"][0] |= {"ready": False, "started": False, "state": {"terminated": end}}


def _starting(maker: Maker, pod: Obj) -> None:
    pod["metadata"]["creationTimestamp"] = maker.stamp(seconds=20)
    pod["status"] |= {"phase": "Pending", "startTime": maker.stamp(seconds=20)}
    status = pod["status"]["containerStatuses"][0]
    status |= {"ready": False, "started": False, "state": {"waiting": {"reason": "ContainerCreating"}}}


def _on_its_way_out(maker: Maker, pod: Obj) -> None:
    pod["metadata"] |= {"deletionTimestamp": maker.stamp(seconds=-20), "deletionGracePeriodSeconds": 30}


_LOOK_ALIKES = {130: _restarted_long_ago, 290: _completed, 330: _starting, 410: _on_its_way_out}


def _spec(image: str, node: str, workload: Workload) -> Obj:
    probe = {
        "httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    container = {
        "name": "app",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "envFrom": [{"configMapRef": {"name": f"{workload.app}-config"}}],
        "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "REGION", "value": "us-east-1"}],
        "resources": {
            "limits": {"memory": "512Mi"},
            "requests": {"cpu": "100m", "memory": "512Mi"},
        },
        "volumeMounts": [
            {
                "name": "kube-api-access",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            }
        ],
        "livenessProbe": {**probe, "httpGet": {"path": "/live", "port": 8080, "scheme": "HTTP"}},
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "imagePullPolicy": "IfNotPresent",
    }
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
    ]
    return {
        "volumes": [{"name": "kube-api-access", "projected": {"sources": sources, "defaultMode": 420}}],
        "containers": [container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "nodeName": node,
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _status(image: str, node: str, born: str) -> Obj:
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": born}
        for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    digest = sha256(image.encode()).hexdigest()
    return {
        "phase": "Running",
        "conditions": conditions,
        "hostIP": node.removeprefix("ip-").split(".")[0].replace("-", "."),
        "podIP": "10.0.7.9",
        "podIPs": [{"ip": "10.0.7.9"}],
        "startTime": born,
        "containerStatuses": [
            {
                "name": "app",
                "state": {"running": {"startedAt": born}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": image,
                "imageID": f"{image.split(':')[0]}@sha256:{digest}",
                "containerID": f"containerd://{digest}",
                "started": True,
            }
        ],
        "qosClass": "Burstable",
    }
