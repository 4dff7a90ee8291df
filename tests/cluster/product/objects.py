"""Objects that the product tests start from."""

from typing import Any

Obj = dict[str, Any]


def deployment(name: str = "web", replicas: int = 2, image: str = "shop/web:1.0") -> Obj:
    """A Deployment that kwok's nodes run."""
    container = {
        "name": "app",
        "image": image,
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "100m", "memory": "64Mi"},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def config_map(name: str = "settings", **data: str) -> Obj:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "one"}}


def budget(name: str = "web", at_least: int = 2) -> Obj:
    """A PodDisruptionBudget over `deployment(name)`."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": at_least, "selector": {"matchLabels": {"app": name}}},
    }


def pod(name: str = "lone") -> Obj:
    """A pod of its own."""
    spec = {"containers": [{"name": "app", "image": "shop/lone:1.0"}]}
    about = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}


def stateful_set(name: str = "store", replicas: int = 3) -> Obj:
    """A StatefulSet without volumes, and with the default rolling update."""
    made = deployment(name, replicas)
    made["kind"] = "StatefulSet"
    made["spec"]["serviceName"] = name
    return made


def daemon_set(name: str = "agent") -> Obj:
    """A DaemonSet on the plane's own three nodes; another test of the session may have brought more."""
    made = deployment(name)
    made["kind"] = "DaemonSet"
    del made["spec"]["replicas"]
    made["spec"]["template"]["spec"]["nodeSelector"] = {"type": "kwok"}
    return made
