"""Endpoints and EndpointSlices: which ready pods stand behind a Service.

A Service without a selector is left alone: its endpoints are somebody's own.
"""

from aiops_lab.world.cluster import Controller
from aiops_lab.world.objects import (
    Key,
    Obj,
    being_deleted,
    is_ready,
    key_of,
    labels_of,
    meta,
    owner_reference,
    selects,
)

BY = "endpoint-controller"


class Endpoints(Controller):
    """Writes both forms for every Service with a selector."""

    kind = "Service"
    watches = ("Pod",)

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """The Services of its namespace that select this pod."""
        del change
        services = self.cluster.cache.all("Service", meta(obj)["namespace"])
        return [key_of(each) for each in services if selects(_selector(each), labels_of(obj))]

    def reconcile(self, key: Key) -> None:
        """Compute and write, if it says something new."""
        service = self.cluster.cache.get("Service", *key)
        selector = _selector(service) if service else None
        if service is None or selector is None:
            if service is None and self.cluster.cache.get("Endpoints", *key) is not None:
                self.cluster.store.delete("Endpoints", key[0], key[1])
            return
        pods = [
            pod
            for pod in self.cluster.cache.selected("Pod", key[0], selector)
            if (pod.get("status") or {}).get("podIP") and pod["status"].get("phase") in ("Pending", "Running")
        ]
        pods.sort(key=lambda pod: str(meta(pod)["name"]))
        self._write_endpoints(service, pods)
        self._write_slice(service, pods)

    def _write_endpoints(self, service: Obj, pods: list[Obj]) -> None:
        there = [pod for pod in pods if not being_deleted(pod)]
        sides = {"addresses": [], "notReadyAddresses": []}  # type: dict[str, list[Obj]]
        for pod in there:
            sides["addresses" if is_ready(pod) else "notReadyAddresses"].append(_address(pod))
        subset = {name: found for name, found in sides.items() if found}
        ports = _ports(service, there)
        made = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {
                "name": meta(service)["name"],
                "namespace": meta(service)["namespace"],
                "labels": {**labels_of(service), "endpoints.kubernetes.io/managed-by": BY},
            },
            "subsets": [{**subset, "ports": ports}] if subset else [],
        }
        self._put(made)

    def _write_slice(self, service: Obj, pods: list[Obj]) -> None:
        owned = self.cluster.cache.owned(service, "EndpointSlice")
        name = meta(owned[0])["name"] if owned else f"{meta(service)['name']}-{self.cluster.letters(5)}"
        made = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": meta(service)["namespace"],
                "generateName": f"{meta(service)['name']}-",
                "labels": {
                    "kubernetes.io/service-name": meta(service)["name"],
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                },
                "ownerReferences": [owner_reference(service)],
            },
            "addressType": "IPv4",
            "endpoints": [self._endpoint(pod) for pod in pods],
            "ports": _ports(service, pods),
        }
        self._put(made)

    def _endpoint(self, pod: Obj) -> Obj:
        node = self.cluster.cache.get("Node", "", pod["spec"].get("nodeName", ""))
        serving, going = is_ready(pod), being_deleted(pod)
        return {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": serving and not going, "serving": serving, "terminating": going},
            "nodeName": pod["spec"].get("nodeName", ""),
            "zone": labels_of(node).get("topology.kubernetes.io/zone", "") if node else "",
            "targetRef": _target(pod),
        }

    def _put(self, made: Obj) -> None:
        current = self.cluster.cache.get(made["kind"], *key_of(made))
        if current is None:
            self.cluster.store.create(made, manager=BY)
        elif any(current.get(field) != made[field] for field in made if field not in ("metadata", "kind")):
            self.cluster.edit(current, lambda fresh: fresh.update(_content(made)), BY)


def _content(made: Obj) -> Obj:
    return {name: value for name, value in made.items() if name not in ("metadata", "kind", "apiVersion")}


def _selector(service: Obj) -> Obj | None:
    selector = service["spec"].get("selector")
    return {"matchLabels": selector} if selector and service["spec"].get("type") != "ExternalName" else None


def _target(pod: Obj) -> Obj:
    return {
        "kind": "Pod",
        "name": meta(pod)["name"],
        "namespace": meta(pod)["namespace"],
        "uid": meta(pod)["uid"],
    }


def _address(pod: Obj) -> Obj:
    node = pod["spec"].get("nodeName", "")
    return {"ip": pod["status"]["podIP"], "nodeName": node, "targetRef": _target(pod)}


def _ports(service: Obj, pods: list[Obj]) -> list[Obj]:
    found = []
    for port in service["spec"].get("ports") or ():
        number = _number(port.get("targetPort", port["port"]), pods)
        if number is not None:
            head = {"name": port["name"]} if port.get("name") else {}
            found.append({**head, "port": number, "protocol": port.get("protocol", "TCP")})
    return found


def _number(target: str | int, pods: list[Obj]) -> int | None:
    if isinstance(target, int) or target.isdigit():
        return int(target)
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("name") == target:
                    return int(port["containerPort"])
    return None
