"""Short ways to write the objects that furniture and scenarios are made of.

Every function returns a plain manifest, as a team would apply it; extra keywords go into the main part of
the object (a Deployment's spec, a container, a Service's spec).
"""

from base64 import b64encode
from typing import Any

from aiops_lab.kube.wire import Obj


def container(name: str, image: str, *, memory: str = "128Mi", limit: str = "256Mi", **more: Any) -> Obj:
    """A container with usual requests and limits and one port, 8080."""
    return {
        "name": name,
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": limit}},
        **more,
    }


def http_probe(path: str = "/healthz", *, delay_s: int = 5, period_s: int = 10, failures: int = 3) -> Obj:
    """A probe of the container's port by name."""
    return {
        "httpGet": {"path": path, "port": "http", "scheme": "HTTP"},
        "initialDelaySeconds": delay_s,
        "periodSeconds": period_s,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": failures,
    }


def template(labels: dict[str, str], containers: list[Obj], **more: Any) -> Obj:
    """A pod template; `annotations` goes into its metadata, the rest into its spec."""
    head: Obj = {"labels": labels}
    if notes := more.pop("annotations", None):
        head["annotations"] = notes
    return {"metadata": head, "spec": {"containers": containers, **more}}


def deployment(namespace: str, name: str, replicas: int, pod: Obj, **more: Any) -> Obj:
    """A Deployment that selects by the label `app`; `annotations` and `labels` go into its metadata."""
    labels = {**pod["metadata"]["labels"], **more.pop("labels", {})}
    head: Obj = {"name": name, "namespace": namespace, "labels": labels}
    if notes := more.pop("annotations", None):
        head["annotations"] = notes
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": pod["metadata"]["labels"]["app"]}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "template": pod,
        **more,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": head, "spec": spec}


def service(namespace: str, name: str, app: str | None, **more: Any) -> Obj:
    """A ClusterIP Service on port 80 in front of the pods labelled `app`."""
    spec: Obj = {"type": "ClusterIP", "ports": [{"name": "http", "port": 80, "targetPort": "http"}], **more}
    if app is not None:
        spec["selector"] = {"app": app}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app or name}},
        "spec": spec,
    }


def config_map(namespace: str, name: str, data: dict[str, str], **head: Any) -> Obj:
    """A ConfigMap; keywords go into its metadata."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **head},
        "data": data,
    }


def secret(namespace: str, name: str, data: dict[str, str], kind: str = "Opaque", **head: Any) -> Obj:
    """A Secret of plain texts; keywords go into its metadata."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": name, "namespace": namespace, **head},
        "data": {key: b64encode(text.encode()).decode() for key, text in data.items()},
    }


def disruption_budget(namespace: str, name: str, app: str, **rule: Any) -> Obj:
    """A PodDisruptionBudget over the pods labelled `app`; `rule` is minAvailable or maxUnavailable."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": app}}, **rule},
    }


def namespace(name: str, **labels: str) -> Obj:
    """A Namespace with its labels."""
    labels = {"kubernetes.io/metadata.name": name, **labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def env(**values: str) -> list[Obj]:
    """Literal environment variables."""
    return [{"name": name, "value": value} for name, value in values.items()]


def job(home: str, name: str, image: str) -> Obj:
    """A Job of one pod that is not tried again."""
    main = container("job", image)
    del main["ports"]
    pod = template({"app": name}, [main], restartPolicy="Never")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": home, "labels": {"app": name}},
        "spec": {"backoffLimit": 0, "completions": 1, "parallelism": 1, "template": pod},
    }


def cron_job(home: str, name: str, schedule: str, job_spec: Obj) -> Obj:
    """A CronJob that makes such Jobs by a five-field schedule (UTC)."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": home},
        "spec": {
            "schedule": schedule,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"labels": {"app": name}}, "spec": job_spec},
        },
    }


def autoscaler(home: str, name: str, least: int, most: int, **more: Any) -> Obj:
    """An HPA of the Deployment of the same name, at 70 % cpu."""
    aim = {"type": "Utilization", "averageUtilization": 70}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": home},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": aim}}],
            **more,
        },
    }
