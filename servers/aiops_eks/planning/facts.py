"""What policy judges a change by, from what stands around its target.

Used twice: when the plan is made and again when it is carried out (decision D3). Where a fact cannot be
measured, the cautious value stays.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from aiops_eks.models import fields
from aiops_eks.planning.drafts import Around, Draft, Obj, at, containers_of, name_of, replicas_of
from aiops_shared.guardrails.environments import environment_of_labels
from aiops_shared.guardrails.models import Environment, Facts, Reversible

_HEALTHY_AFTER_S = 600
_ARGO = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_ANY_POD = 1_000_000
_WITH_PODS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
# What Pod Security Standards' baseline lets a container add.
_BASELINE_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def environment_of(namespace: Obj | None) -> Environment:
    """The environment that a namespace's labels name; prod when they do not (rule default-prod).

    When several labels say different things, the strictest holds.
    """
    return environment_of_labels(at(namespace, "metadata", "labels") or {})


def gitops_owner_of(obj: Obj | None) -> str:
    """The Argo CD application or Flux object that owns it, or nothing.

    Argo CD: annotation `argocd.argoproj.io/tracking-id` is `app:group/kind:namespace/name`. Its older mark,
    the label app.kubernetes.io/instance alone, counts for nothing: every Helm chart sets it.
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
    """Whether a LabelSelector matches; an empty one matches everything, a missing one nothing.

    That is how a PodDisruptionBudget reads it (policy/v1).
    """
    if selector is None:
        return False
    empty = not selector.get("matchLabels") and not selector.get("matchExpressions")
    return empty or fields.selects(selector, labels)


def pod_labels_of(obj: Obj | None) -> dict[str, str]:
    """The labels of the pods of a workload, or of the pod itself."""
    found = at(obj, "spec", "template", "metadata", "labels") or at(obj, "metadata", "labels")
    return found if isinstance(found, dict) else {}


def budgets_for(around: Around) -> list[Obj]:
    """The PodDisruptionBudgets that select the target's pods; none for what has no pods."""
    if around.ref.kind not in _WITH_PODS or around.obj is None:
        return []
    labels = pod_labels_of(around.obj)
    return [pdb for pdb in around.pdbs or () if selects(at(pdb, "spec", "selector"), labels)]


def headroom_of(pdbs: Iterable[Obj]) -> bool:
    """Whether every budget allows a disruption now, by a status that belongs to its latest spec."""
    return all(int(at(pdb, "status", "disruptionsAllowed") or 0) > 0 and _current(pdb) for pdb in pdbs)


def _current(pdb: Obj) -> bool:
    seen, written = at(pdb, "status", "observedGeneration"), at(pdb, "metadata", "generation")
    return int(seen or 0) >= int(written or 0)


def crashloop_restarts_of(pods: Iterable[Obj]) -> int:
    """The most restarts of a container that is waiting in CrashLoopBackOff."""
    return max(
        (
            int(status.get("restartCount") or 0)
            for pod in pods
            for group in ("containerStatuses", "initContainerStatuses")
            for status in at(pod, "status", group) or []
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


def _mappings(value: object) -> Iterator[Obj]:
    """Every mapping inside a manifest, however deep (CronJob, Argo Rollout, a part of a pod spec, …)."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _bad_pod_security(manifest: Obj) -> bool:
    """Whether it asks for what Pod Security Standards' baseline forbids.

    A server-side apply may bring a single field of a pod spec, so nothing is taken for granted about what
    stands beside it. Source: kubernetes.io, "Pod Security Standards".
    """
    return any(_bad_mapping(item) for item in _mappings(manifest))


def _bad_mapping(found: Obj) -> bool:
    if any(found.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        return True
    volumes = found.get("volumes")
    if any(isinstance(each, dict) and each.get("hostPath") for each in _list(volumes)):
        return True
    context = found.get("securityContext")
    if isinstance(context, dict) and _bad_context(context):
        return True
    containers = [each for key in _CONTAINERS for each in _list(found.get(key)) if isinstance(each, dict)]
    ports = [port for each in containers for port in _list(each.get("ports")) if isinstance(port, dict)]
    return any(port.get("hostPort") for port in ports)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _bad_context(context: Obj) -> bool:
    added = {str(each).upper() for each in _list(at(context, "capabilities", "add"))}
    return bool(
        context.get("privileged")
        or added - _BASELINE_CAPABILITIES
        or at(context, "windowsOptions", "hostProcess")
        or context.get("procMount") not in {None, "Default"}
        or at(context, "seccompProfile", "type") == "Unconfined"
        or at(context, "appArmorProfile", "type") == "Unconfined"
    )


def _isolates_one_pod(obj: Obj | None, neighbours: tuple[Obj, ...] | None) -> bool:
    """A deny-all NetworkPolicy whose selector takes exactly one of the namespace's pods, by a label."""
    spec = at(obj, "spec") or {}
    selector = at(spec, "podSelector") or {}
    closed = not spec.get("ingress") and not spec.get("egress")
    both = set(spec.get("policyTypes") or []) == {"Ingress", "Egress"}
    if not (closed and both and selector.get("matchLabels")) or neighbours is None:
        return False
    return sum(selects(selector, at(pod, "metadata", "labels") or {}) for pod in neighbours) == 1


def _iam_identity(kind: str, *objects: Obj | None) -> bool:
    """A ServiceAccount that is, or would be, tied to an IAM role (EKS: IRSA's annotation)."""
    return kind == "ServiceAccount" and any(
        "eks.amazonaws.com/role-arn" in (at(obj, "metadata", "annotations") or {}) for obj in objects
    )


def _hpa_change_pct(kind: str, obj: Obj | None, wanted: Obj | None) -> int:
    """The larger relative change of an autoscaler's bounds, in percent; 0 for a new one."""
    if kind != "HorizontalPodAutoscaler" or obj is None or wanted is None:
        return 0
    changes = [0]
    for field in ("minReplicas", "maxReplicas"):
        before, after = at(obj, "spec", field) or 1, at(wanted, "spec", field)
        if isinstance(before, int) and isinstance(after, int):
            changes.append(-(-abs(after - before) * 100 // before))
    return min(max(changes), _ANY_POD)


def _new_image(obj: Obj | None, wanted: Obj | None) -> bool:
    """Whether a manifest would have an existing object run an image that it does not run now."""
    if obj is None or wanted is None:
        return False
    known = {text for item in _mappings(obj) if isinstance(text := item.get("image"), str)}
    asked = {text for item in _mappings(wanted) if isinstance(text := item.get("image"), str)}
    return bool(asked - known)


def _reversible_to_policy(draft: Draft, obj: Obj | None, *, controlled: bool, finished: bool) -> Reversible:
    """What policy is told: a controller makes its pod again, and a finished Job is only a record.

    undo_action can give back neither.
    """
    made_again = (draft.ref.kind == "Pod" and controlled) or (draft.ref.kind == "Job" and finished)
    return "partial" if obj is not None and made_again else draft.reversible


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
        hpa_change_pct=_hpa_change_pct(kind, obj, wanted),
        new_image=_new_image(obj, wanted),
        pod_security=wanted is not None and _bad_pod_security(wanted),
        iam_identity=_iam_identity(kind, obj, wanted),
        isolates_one_pod=kind == "NetworkPolicy" and _isolates_one_pod(wanted, around.neighbours),
        reversible=_reversible_to_policy(draft, obj, controlled=controlled, finished=bool(finished)),
    )


def images_of(obj: Obj | None) -> str:
    """The images of a template, for a person."""
    return ", ".join(str(item.get("image", "?")) for item in containers_of(obj))
