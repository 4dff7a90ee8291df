"""Finds ConfigMaps and Secrets that nothing in the cluster refers to: candidates, never a verdict.

Called by the view `control_plane` when the database nears its quota, or when everything is asked for. Names
come as rows, so that no value leaves the API server; what refers to them is read from pods, workloads (also
those scaled to zero), service accounts and Ingresses. A program may still read one by the API, so nothing
here deletes: a plan does, one object at a time, with its own look.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.related import references
from aiops_eks.models.fields import Obj, items, namespace_of, part, text
from aiops_eks.ports import Kube
from aiops_shared.errors import AiopsError

MOST = 5_000  # objects of a kind that refer; more is a gap, and then nothing is called unused
PAGES = 40
SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
# Put by Kubernetes, or read by a controller through the API: nobody refers to them, and they are in use.
OWN_NAMES = ("kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt")
OWN_PREFIXES = ("sh.helm.release.v1.",)
READ_BY_TYPE = ("kubernetes.io/service-account-token", "helm.sh/release.v1", "bootstrap.kubernetes.io/token")
_TEMPLATES = {
    "pods": ("spec",),
    "deployments.apps": ("spec", "template", "spec"),
    "statefulsets.apps": ("spec", "template", "spec"),
    "daemonsets.apps": ("spec", "template", "spec"),
    "jobs.batch": ("spec", "template", "spec"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template", "spec"),
}
Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What nothing refers to. With a gap among the referrers `found` is empty: it would accuse the used."""

    found: tuple[Key, ...] = ()
    looked_at: int = 0
    gaps: tuple[str, ...] = ()

    def by_namespace(self) -> list[tuple[str, str, int, str]]:
        """Kind, namespace, how many, and a few names; most first."""
        counts = Counter((kind, namespace) for kind, namespace, _ in self.found)
        return [
            (kind, namespace, count, ", ".join(self._some(kind, namespace)))
            for (kind, namespace), count in counts.most_common()
        ]

    def _some(self, kind: str, namespace: str) -> list[str]:
        return [name for k, ns, name in self.found if (k, ns) == (kind, namespace)][:3]


async def leftovers(kube: Kube) -> Leftovers:
    """ConfigMaps and Secrets without a referrer, outside the system's namespaces."""
    used: set[Key] = set()
    there: list[Key] = []

    async def refer(kind: str) -> None:
        async for obj in kube.every(kind, at_most=MOST):
            used.update(_used_by(kind, obj))

    async def list_of(kind: str, word: str) -> None:
        there.extend([each async for each in _named(kube, kind, word)])

    asked = [*_TEMPLATES, "serviceaccounts", "ingresses.networking.k8s.io"]
    calls: list[Callable[[], Awaitable[None]]] = [partial(refer, kind) for kind in asked]
    calls += [partial(list_of, "ConfigMap", "configmaps"), partial(list_of, "Secret", "secrets")]
    outcomes = await gathered(calls)
    names = [*asked, "configmaps", "secrets"]
    gaps = tuple(
        f"unused objects: {name}: {outcome.wire()[:160]}"
        for name, outcome in zip(names, outcomes, strict=True)
        if isinstance(outcome, AiopsError)
    )
    found = () if gaps else tuple(sorted(set(there) - used))
    return Leftovers(found, len(there), gaps)


def _used_by(kind: str, obj: Obj) -> Iterator[Key]:
    namespace = namespace_of(obj)
    if kind == "serviceaccounts":
        for one in (*items(obj, "imagePullSecrets"), *items(obj, "secrets")):
            yield ("Secret", namespace, text(one, "name"))
    elif kind.startswith("ingresses"):
        for one in items(obj, "spec", "tls"):
            yield ("Secret", namespace, text(one, "secretName"))
    else:
        for ref in references(part(obj, *_TEMPLATES[kind])):
            yield (ref.kind, namespace, ref.name)


async def _named(kube: Kube, kind: str, word: str) -> AsyncIterator[Key]:
    cursor = ""
    for _ in range(PAGES):
        page = await kube.table(word, cursor=cursor)
        columns = [column.lower() for column in page.columns]
        for row in page.rows:
            cells = dict(zip(columns, row, strict=False))
            name, namespace = str(cells.get("name") or ""), str(cells.get("namespace") or "")
            if namespace not in SYSTEM and not _own(name, str(cells.get("type") or "")):
                yield (kind, namespace, name)
        cursor = page.cursor
        if not cursor:
            return


def _own(name: str, kind: str) -> bool:
    return name in OWN_NAMES or name.startswith(OWN_PREFIXES) or kind in READ_BY_TYPE
