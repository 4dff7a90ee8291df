"""What policy judges a change by, from what stands around its target.

Used twice: when the plan is made and again when it is carried out (decision D3). Where a fact cannot be
measured, the cautious value stays.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from aiops_eks.planning.drafts import Around, Draft, Obj, at, containers_of, name_of, replicas_of
from aiops_shared.guardrails.models import Environment, Facts

_ENVIRONMENT_LABELS = ("env", "environment", "stage", "app.kubernetes.io/environment")
_ENVIRONMENTS: dict[str, Environment] = {
    "dev": "dev",
    "development": "dev",
    "test": "dev",
    "sandbox": "dev",
    "staging": "staging",
    "stage": "staging",
    "preprod": "staging",
    "uat": "staging",
}
_PRESSURE = ("MemoryPressure", "DiskPressure")
_HEALTHY_AFTER_S = 600
_ARGO = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_ANY_POD = 1_000_000


def environment_of(namespace: Obj | None) -> Environment:
    """The environment that a namespace's labels name; prod when they do not (rule default-prod)."""
    labels = at(namespace, "metadata", "labels") or {}
    for key in _ENVIRONMENT_LABELS:
        if key in labels:
            return _ENVIRONMENTS.get(str(labels[key]).lower(), "prod")
    return "prod"


def gitops_owner_of(obj: Obj | None) -> str:
    """The Argo CD application or Flux object that owns it, or nothing.

    Argo CD: annotation `argocd.argoproj.io/tracking-id` is `app:group/kind:namespace/name`.
    """
    marks = {**(at(obj, "metadata", "labels") or {}), **(at(obj, "metadata", "annotations") or {})}
    for key in _ARGO:
        if marks.get(key):
            return f"Argo CD application {str(marks[key]).split(':', 1)[0]}"
    for key in _FLUX:
        if marks.get(key):
            return f"Flux {marks[key]}"
    return ""


def selects(selector: Obj | None, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector matches; an empty one matches everything, a missing one nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression(item, labels) for item in selector.get("matchExpressions") or [])


def _expression(item: Obj, labels: dict[str, str]) -> bool:
    key, operator, values = item.get("key", ""), item.get("operator"), item.get("values") or []
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    return (key in labels) is (operator == "Exists")


def pod_labels_of(obj: Obj | None) -> dict[str, str]:
    """The labels of the pods of a workload, or of the pod itself."""
    found = at(obj, "spec", "template", "metadata", "labels") or at(obj, "metadata", "labels")
    return found if isinstance(found, dict) else {}


def budgets_for(around: Around) -> list[Obj]:
    """The PodDisruptionBudgets that select the target's pods."""
    labels = pod_labels_of(around.obj)
    return [pdb for pdb in around.pdbs or () if selects(at(pdb, "spec", "selector"), labels)]


def headroom_of(pdbs: Iterable[Obj]) -> bool:
    """Whether every budget allows a disruption now."""
    return all(int(at(pdb, "status", "disruptionsAllowed") or 0) > 0 for pdb in pdbs)


def crashloop_restarts_of(pods: Iterable[Obj]) -> int:
    """The most restarts of a container that is waiting in CrashLoopBackOff."""
    return max(
        (
            int(status.get("restartCount") or 0)
            for pod in pods
            for status in at(pod, "status", "containerStatuses") or []
            if at(status, "state", "waiting", "reason") == "CrashLoopBackOff"
        ),
        default=0,
    )


def age_s(created: str | None, now: datetime) -> int:
    """Seconds since a Kubernetes timestamp; the cautious "very old" when there is none."""
    if not created:
        return 1_000_000_000
    return max(0, int((now - datetime.fromisoformat(created)).total_seconds()))


def revision_of(replica_set: Obj) -> int:
    """The Deployment revision that a ReplicaSet is."""
    text = (at(replica_set, "metadata", "annotations") or {}).get("deployment.kubernetes.io/revision", "0")
    return int(text) if str(text).isdigit() else 0


def revisions_of(around: Around) -> list[Obj]:
    """The ReplicaSets of a Deployment, newest revision first."""
    return sorted(around.replica_sets, key=revision_of, reverse=True)


def _previous_healthy(around: Around) -> bool:
    """Whether the revision before served for at least ten minutes before it was replaced."""
    found = revisions_of(around)
    if len(found) < 2:
        return False
    newest, before = (at(item, "metadata", "creationTimestamp") for item in found[:2])
    if not newest or not before:
        return False
    served = datetime.fromisoformat(newest) - datetime.fromisoformat(before)
    return served.total_seconds() >= _HEALTHY_AFTER_S


def owner_key(around: Around) -> str:
    """The key of the repeat limit: the top controller of the target, or itself."""
    top = around.owners[-1] if around.owners else None
    if top is None:
        return str(around.ref)
    return f"{str(top.get('kind', '')).lower()} {around.ref.namespace}/{name_of(top)}"


def _fits(draft: Draft, around: Around) -> bool:
    memory, cpu = around.free_memory_bytes, around.free_cpu_millicores
    if memory is None or cpu is None:
        return False
    return draft.needs_bytes <= memory and draft.needs_millicores <= cpu


def _pod_specs(value: object, depth: int = 8) -> Iterator[Obj]:
    """Every pod spec inside a manifest, however deep (CronJob, Argo Rollout, …)."""
    if isinstance(value, list) and depth:
        for item in value:
            yield from _pod_specs(item, depth - 1)
    if not isinstance(value, dict) or not depth:
        return
    if isinstance(value.get("containers"), list):
        yield value
    for item in value.values():
        yield from _pod_specs(item, depth - 1)


def _bad_pod_security(manifest: Obj) -> bool:
    """Whether it asks for what Pod Security Standards' baseline forbids.

    Source: kubernetes.io, "Pod Security Standards".
    """
    return any(_bad_pod_spec(spec) for spec in _pod_specs(manifest))


def _bad_pod_spec(spec: Obj) -> bool:
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        return True
    if any(isinstance(volume, dict) and volume.get("hostPath") for volume in spec.get("volumes") or []):
        return True
    containers = [item for key in ("containers", "initContainers") for item in spec.get(key) or []]
    return any(_bad_container(item) for item in containers if isinstance(item, dict))


def _bad_container(container: Obj) -> bool:
    context = container.get("securityContext") or {}
    added = at(context, "capabilities", "add") or []
    return bool(
        context.get("privileged")
        or set(added) - {"NET_BIND_SERVICE"}
        or any(port.get("hostPort") for port in container.get("ports") or [])
    )


def _isolates_one_pod(obj: Obj | None) -> bool:
    """A deny-all NetworkPolicy for pods with the isolation label only."""
    spec = at(obj, "spec") or {}
    selector = at(spec, "podSelector", "matchLabels") or {}
    closed = not spec.get("ingress") and not spec.get("egress")
    return closed and set(spec.get("policyTypes") or []) == {"Ingress", "Egress"} and bool(selector)


def measure(draft: Draft, around: Around, *, wanted: Obj | None = None) -> Facts:
    """The facts of one change. `wanted` is the object that an apply asks for."""
    obj, kind = around.obj, around.ref.kind
    before = replicas_of(obj) if kind in {"Deployment", "StatefulSet", "ReplicaSet"} and obj else 0
    total = len(around.pods) or before
    current = revisions_of(around)
    finished = {"Complete", "Failed"} & {
        str(item.get("type"))
        for item in at(obj, "status", "conditions") or []
        if item.get("status") == "True"
    }
    subject = wanted or obj or {}
    annotations = at(subject, "metadata", "annotations") or {}
    controlled = any(item.get("controller") for item in at(obj, "metadata", "ownerReferences") or [])
    return Facts(
        env=environment_of(around.namespace),
        controlled=controlled,
        gitops_owner=next(filter(None, map(gitops_owner_of, (obj, *around.owners, wanted))), ""),
        pdb_headroom=around.pdbs is not None and headroom_of(budgets_for(around)),
        crashloop_restarts=min(crashloop_restarts_of(around.pods), _ANY_POD),
        replicas_before=before,
        replicas_after=before if draft.replicas_after is None else draft.replicas_after,
        affected_pods=draft.at_once,
        total_pods=total,
        revisions_back=draft.revisions_back,
        previous_healthy=_previous_healthy(around),
        deploy_age_s=age_s(at(current[0], "metadata", "creationTimestamp"), around.now) if current else 10**9,
        raise_pct=draft.raise_pct,
        node_fits=_fits(draft, around),
        job_finished=kind == "Job" and bool(finished),
        pod_security=wanted is not None and _bad_pod_security(wanted),
        iam_identity=kind == "ServiceAccount" and "eks.amazonaws.com/role-arn" in annotations,
        isolates_one_pod=kind == "NetworkPolicy" and _isolates_one_pod(wanted),
        # A controller makes its pod again, so to policy that is partly reversible; undo_action cannot do it.
        reversible="partial" if kind == "Pod" and controlled and obj is not None else draft.reversible,
    )


def images_of(obj: Obj | None) -> str:
    """The images of a template, for a person."""
    return ", ".join(str(item.get("image", "?")) for item in containers_of(obj))
