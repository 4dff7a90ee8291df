"""Manifests that contract tests start from, by the short name a case gives them."""

from tests.cluster.contract.server import Obj, Server

CORE, APPS = "/api/v1/namespaces/{ns}", "/apis/apps/v1/namespaces/{ns}"
BATCH, POLICY = "/apis/batch/v1/namespaces/{ns}", "/apis/policy/v1/namespaces/{ns}"
SCALING, NETWORK = "/apis/autoscaling/v2/namespaces/{ns}", "/apis/networking.k8s.io/v1/namespaces/{ns}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MAPS, PODS, SERVICES = f"{CORE}/configmaps", f"{CORE}/pods", f"{CORE}/services"
DEPLOYMENTS, BUDGETS = f"{APPS}/deployments", f"{POLICY}/poddisruptionbudgets"
CONTAINER: Obj = {"name": "app", "image": "registry.example/app:1"}


def config_map(name: str = "cm", **data: str) -> Obj:
    """A ConfigMap."""
    return {"metadata": {"name": name}, "data": data or {"a": "1"}}


def pod(name: str = "p", **spec: object) -> Obj:
    """A pod that names its account, so that no admission plugin has to."""
    meta = {"name": name, "labels": {"app": name}}
    return {"metadata": meta, "spec": {"serviceAccountName": "default", "containers": [CONTAINER], **spec}}


def deployment(name: str = "web", **spec: object) -> Obj:
    """A Deployment of one container."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def job(name: str = "once", **spec: object) -> Obj:
    """A Job."""
    template = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
    return {"metadata": {"name": name}, "spec": {"template": template, **spec}}


def service(name: str = "svc", **spec: object) -> Obj:
    """A Service with one port."""
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}}


def budget(name: str = "pdb", **spec: object) -> Obj:
    """A PodDisruptionBudget over the pod `p`."""
    asked = spec or {"minAvailable": 1}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": "p"}}, **asked}}


_SCALED = deployment(replicas=2, paused=True)
_TWO = pod("two", containers=[CONTAINER, {**CONTAINER, "name": "side"}])
GIVEN: dict[str, tuple[str, Obj]] = {
    "map": (MAPS, config_map()),
    "other map": (MAPS, config_map("other")),
    "fixed map": (MAPS, {**config_map("fixed"), "immutable": True}),
    "pod": (PODS, pod()),
    "placed pod": (PODS, pod(nodeName="n1")),
    "deployment": (DEPLOYMENTS, deployment()),
    "scaled": (DEPLOYMENTS, {**_SCALED, "metadata": {"name": "web", "labels": {"x": "1"}}}),
    "two containers": (PODS, _TWO),
    "init container": (PODS, pod("init", **_TWO["spec"], initContainers=[{**CONTAINER, "name": "first"}])),
    "service": (SERVICES, service()),
    "secret": (
        f"{CORE}/secrets",
        {"metadata": {"name": "s"}, "type": "example.com/x", "data": {"a": "Yg=="}},
    ),
    "job": (f"{BATCH}/jobs", job()),
    "account": (f"{CORE}/serviceaccounts", {"metadata": {"name": "robot"}}),
    "budget": (BUDGETS, budget()),
}


async def given(server: Server, *names: str) -> None:
    """Create objects by their short names."""
    for name in names:
        path, body = GIVEN[name]
        await server.made(path, body)
