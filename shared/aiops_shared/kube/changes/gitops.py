"""Syncs of Argo CD and Flux: what was brought to the cluster from which revision, and by whom.

Argo CD keeps `status.history` and `status.operationState` on an Application
(https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml). Flux keeps a HelmRelease's
`status.history`, and of a Kustomization only the last applied revision with the time of its condition.
"""

from collections.abc import Iterator

from aiops_shared.kube.changes.reading import Obj, moment, part, place, short
from aiops_shared.kube.changes.records import Change
from aiops_shared.kube.shapes import mapping, rows, text

_BAD_PHASES = frozenset({"Failed", "Error", "Running", "Terminating"})


def argo_changes(obj: Obj) -> Iterator[Change]:
    """An Application's syncs, the failed or running one last."""
    namespace, name = place(obj)
    before = ""
    for entry in rows(part(obj, "status"), "history"):
        revision, at = _revision(entry), moment(entry.get("deployedAt"))
        if at is not None:
            since = f"{_short(before)} → " if before else ""
            what = (f"revision {since}{_short(revision)}",)
            yield Change(at, "sync", "Application", name, namespace, what, _who(entry), "argocd", ("gitops",))
        before = revision
    state = part(obj, "status", "operationState")
    at = moment(state.get("startedAt"))
    if at is not None and text(state.get("phase")) in _BAD_PHASES:
        revision = _revision(part(state, "operation", "sync")) or _revision(mapping(state.get("syncResult")))
        says = f"{text(state.get('phase'))}: {short(state.get('message') or '')}"
        who = _who(mapping(state.get("operation")))
        told = (f"revision {_short(revision)}", says)
        yield Change(at, "sync", "Application", name, namespace, told, who, "argocd", ("gitops",))


def helm_changes(obj: Obj) -> Iterator[Change]:
    """A HelmRelease's deployments as Flux remembers them."""
    namespace, name = place(obj)
    for entry in rows(part(obj, "status"), "history"):
        at = moment(entry.get("lastDeployed"))
        if at is not None:
            said = [short(entry.get(key) or "") for key in ("chartName", "chartVersion", "status")]
            what = " ".join(("chart", *said))
            yield Change(at, "sync", "HelmRelease", name, namespace, (what,), "", "flux", ("gitops",))


def kustomization_changes(obj: Obj) -> Iterator[Change]:
    """The last revision that Flux applied, at the time its Ready condition turned."""
    namespace, name = place(obj)
    revision = text(part(obj, "status").get("lastAppliedRevision"))
    for condition in rows(part(obj, "status"), "conditions"):
        at = moment(condition.get("lastTransitionTime"))
        if condition.get("type") == "Ready" and at is not None and revision:
            what = (f"revision {short(revision)}", text(condition.get("reason")))
            yield Change(at, "sync", "Kustomization", name, namespace, what, "", "flux", ("gitops",))


def _revision(entry: Obj) -> str:
    several = entry.get("revisions")
    return text(entry.get("revision")) or (text(several[0]) if isinstance(several, list) and several else "")


def _short(revision: str) -> str:
    return revision[:10] if len(revision) == 40 else short(revision or "unknown")


def _who(entry: Obj) -> str:
    by = mapping(entry.get("initiatedBy"))
    return "automated sync" if by.get("automated") else short(by.get("username") or "")
