"""Finds what runs in the cluster itself: add-ons and controllers that somebody installed without EKS.

Called by the views of `describe_cluster` and by plans about add-ons (a self-managed install conflicts with
the EKS add-on). Costs two lists for Deployments and two for DaemonSets: kube-system whole, the rest by the
label that charts set.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_eks.clients.gathering import gathered
from aiops_eks.ports import Kube
from aiops_shared.errors import AiopsError

HOME = "kube-system"
LABELS = ("app.kubernetes.io/name", "k8s-app", "app")
KINDS = {"deployments.apps": "Deployment", "daemonsets.apps": "DaemonSet"}
MOST = 2_000


@dataclass(frozen=True, slots=True)
class Install:
    """A workload that was found; `words` are what it may be recognised by."""

    kind: str
    namespace: str
    name: str
    words: frozenset[str]
    version: str = ""  # the image's tag
    ready: int = 0
    wanted: int = 0

    @property
    def where(self) -> str:
        """`DaemonSet kube-system/aws-node`."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Installs:
    """What was found, and what could not be looked at."""

    found: tuple[Install, ...] = ()
    gaps: tuple[str, ...] = ()

    def named(self, *words: str) -> Install | None:
        """The first that goes by one of these names."""
        return next((one for one in self.found if one.words & set(words)), None)


async def installs(kube: Kube, names: Iterable[str]) -> Installs:
    """Workloads of kube-system, and those elsewhere whose chart's name is one of `names`."""
    selector = f"{LABELS[0]} in ({','.join(sorted(names))})"
    asked = [(kind, HOME, "") for kind in KINDS] + [(kind, "", selector) for kind in KINDS]
    outcomes = await gathered([partial(_read, kube, *each) for each in asked])
    found: dict[tuple[str, str, str], Install] = {}
    gaps: dict[str, str] = {}
    for (kind, namespace, _), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, AiopsError):
            where = f"in {namespace}" if namespace else "by label in all namespaces"
            gaps.setdefault(kind, f"list {kind} {where}: {outcome.wire()[:160]}")
            continue
        found |= {(one.kind, one.namespace, one.name): one for one in outcome}
    return Installs(tuple(found.values()), tuple(gaps.values()))


async def installs_in(kube: Kube, namespace: str) -> tuple[Install, ...]:
    """All workloads of one namespace. Raises `AiopsError`."""
    return tuple([one for kind in KINDS for one in await _read(kube, kind, namespace, "")])


async def _read(kube: Kube, kind: str, namespace: str, selector: str) -> list[Install]:
    return [
        _install(KINDS[kind], obj)
        async for obj in kube.every(kind, namespace, selector=selector, at_most=MOST)
    ]


def _install(kind: str, obj: Mapping[str, Any]) -> Install:
    meta = _map(obj, "metadata")
    images = [
        str(one.get("image") or "")
        for one in _map(_map(_map(obj, "spec"), "template"), "spec").get("containers") or []
        if isinstance(one, Mapping)
    ]
    labels = _map(meta, "labels")
    name = str(meta.get("name") or "")
    words = {name, *(str(labels[key]) for key in LABELS if key in labels), *(map(_repository, images))}
    ready, wanted = _counts(kind, obj)
    return Install(
        kind, str(meta.get("namespace") or ""), name, frozenset(words), _version(images), ready, wanted
    )


def _counts(kind: str, obj: Mapping[str, Any]) -> tuple[int, int]:
    status, spec = _map(obj, "status"), _map(obj, "spec")
    if kind == "DaemonSet":
        return _int(status.get("numberReady")), _int(status.get("desiredNumberScheduled"))
    wanted = spec.get("replicas")
    return _int(status.get("readyReplicas")), _int(wanted) if wanted is not None else 1


def _repository(image: str) -> str:
    """`…/eks/coredns:v1.2` -> `coredns`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _version(images: list[str]) -> str:
    return images[0].partition("@")[0].rpartition("/")[2].partition(":")[2] if images else ""


def _map(obj: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = obj.get(key)
    return value if isinstance(value, Mapping) else {}


def _int(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
