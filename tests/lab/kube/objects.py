"""Manifests that the tests of the API put into the store."""

from typing import Any

Obj = dict[str, Any]


def deployment(name: str = "web", namespace: str = "shop", replicas: int = 2) -> Obj:
    labels = {"app": name}
    containers = [
        {
            "name": "app",
            "image": f"registry.example/{name}:1",
            "resources": {
                "requests": {"cpu": "100m", "memory": "64Mi"},
                "limits": {"cpu": "500m", "memory": "128Mi"},
            },
        },
        {"name": "sidecar", "image": "registry.example/proxy:3"},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def pod(name: str, namespace: str = "shop", node: str = "", **labels: str) -> Obj:
    spec: Obj = {"containers": [{"name": "app", "image": "registry.example/app:1"}]}
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec,
    }


def namespace(name: str = "shop") -> Obj:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def node(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}}


def config_map(name: str = "settings", namespace: str = "shop", **data: str) -> Obj:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


RUNNING: Obj = {
    "phase": "Running",
    "podIP": "10.0.0.9",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [
        {
            "name": "app",
            "ready": True,
            "restartCount": 0,
            "image": "registry.example/app:1",
            "imageID": "",
            "state": {"running": {"startedAt": "2026-11-22T11:00:00Z"}},
        }
    ],
}
