"""YAML patches of workloads, autoscalers, Services and classes, checked before anybody sees them.

A patch names its object whole, so that it can be applied as a strategic merge (`kubectl patch --patch-file`)
and planned by the eks server (`plan_manifest`). Called by the advisers of workloads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from aiops_cost.analysis.sizing import Container
from aiops_shared.kube.quantities import amount
from aiops_shared.kube.sizes import cores, mebibytes

Obj = dict[str, Any]
VERSIONS: Mapping[str, str] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Service": "v1",
    "StorageClass": "storage.k8s.io/v1",
}
CHECKED = "quantities parse, limits >= requests"


def manifest(kind: str, namespace: str, name: str, **rest: Any) -> Obj:
    """The head of an object and what of it changes."""
    where = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": VERSIONS[kind], "kind": kind, "metadata": where, **rest}


def written(*objects: Obj) -> str:
    """YAML, one document for each object."""
    return "---\n".join(yaml.safe_dump(one, sort_keys=False, width=100) for one in objects)


def resources_patch(kind: str, namespace: str, name: str, before: Container, after: Container) -> Obj:
    """What of a container's requests and limits changes; a strategic merge finds the container by name."""
    requests = _changed((before.cpu, after.cpu, cores), (before.memory, after.memory, mebibytes))
    limits = _changed(
        (before.cpu_limit, after.cpu_limit, cores), (before.memory_limit, after.memory_limit, mebibytes)
    )
    resources = {word: found for word, found in (("requests", requests), ("limits", limits)) if found}
    return templated(kind, namespace, name, containers=[{"name": before.name, "resources": resources}])


def templated(kind: str, namespace: str, name: str, **pod_spec: Any) -> Obj:
    """A change of a workload's pod template."""
    return manifest(kind, namespace, name, spec={"template": {"spec": pod_spec}})


def _changed(cpu: tuple[float, float, Any], memory: tuple[float, float, Any]) -> dict[str, str]:
    return {
        word: written_as(after)
        for word, (before, after, written_as) in (("cpu", cpu), ("memory", memory))
        if after and after != before
    }


def faults(patch: Mapping[str, Any], before: Sequence[Container]) -> tuple[str, ...]:
    """What a patch of resources would break: quantities that are none, limits below requests.

    `before` are the containers as they stand; what the patch does not name stays.
    """
    known = {one.name: one for one in before}
    template = patch.get("spec", {}).get("template", {}).get("spec", {})
    found: list[str] = []
    for one in template.get("containers", ()):
        held = known.get(one.get("name"))
        if held is None:
            found.append(f"no container {one.get('name')}")
            continue
        found += _broken(one.get("resources", {}), held)
    return tuple(found)


def _broken(resources: Mapping[str, Mapping[str, str]], held: Container) -> list[str]:
    standing = {
        "requests": {"cpu": held.cpu, "memory": held.memory},
        "limits": {"cpu": held.cpu_limit, "memory": held.memory_limit},
    }
    found: list[str] = []
    merged: dict[str, dict[str, float]] = {}
    for part, values in standing.items():
        merged[part] = dict(values)
        for word, quantity in resources.get(part, {}).items():
            number = amount(quantity)
            if number is None or number <= 0:
                found.append(f"{part}.{word} {quantity!r} is no quantity")
            else:
                merged[part][word] = float(number)
    for word in ("cpu", "memory"):
        limit, request = merged["limits"][word], merged["requests"][word]
        if limit and limit < request * (1 - 1e-9):
            found.append(f"{word}: limit {limit:g} below request {request:g}")
    return found
