"""A service mesh that wants mutual TLS from a client that has no sidecar.

Source: istio.io PeerAuthentication: a policy with a selector beats the namespace's, and that beats the root
namespace's. The server's sidecar closes a plain connection, so the client sees it cut off, not refused.
"""

from aiops_eks.diagnosis.blame import telling_line
from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.further.network import CUT_OFF, PeerAuthentication
from aiops_eks.diagnosis.objects import Pod, selects
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.rules import calls
from aiops_shared.results import Evidence

SIDECAR, ROOT = "istio-proxy", "istio-system"
MESH_MTLS_REFUSED = Cause(
    code="MESH_MTLS_REFUSED",
    severity="high",
    means="A workload of the mesh takes mutual TLS only, and its client has no sidecar that could speak it.",
    told_by="The client is cut off (connection reset, EOF) at a Service whose pods have a sidecar and a "
    "PeerAuthentication in mode STRICT, and the client's pod has none. A client with a sidecar is another "
    "case.",
    source="istio.io PeerAuthentication",
    next_step="bring the client into the mesh (inject its namespace, restart it), or make the port "
    "PERMISSIVE",
)


def plain_client(case: Case) -> Told | None:
    """MESH_MTLS_REFUSED."""
    if case.container is None or not case.facts.all(PeerAuthentication) or _in_mesh(case.pod):
        return None
    line = telling_line(case.lines)
    if not line or not CUT_OFF.search(line):
        return None
    found = calls.through(case.facts, case.pod.namespace, line)
    pods = case.facts.selected(found[0].ref.namespace, found[0].selector) if found else ()
    ready = [pod for pod in pods if pod.ready]
    if found is None or not ready or not _in_mesh(ready[0]):
        return None
    policy = _policy_for(case.facts, ready[0])
    if policy is None or policy.mode != "STRICT":
        return None
    service = found[0].ref
    says = f"mode STRICT, changed {duration_text(case.facts.age_s(policy.changed_at))} ago"
    return Told(
        cause=MESH_MTLS_REFUSED,
        at=policy.ref,
        subject=case.subject,
        predicate=f"is cut off by {service}: it takes mutual TLS only",
        root_cause=f"{policy.ref} makes {service} take mutual TLS only, and {case.pod.ref} has no sidecar.",
        hurts=(case.pod.ref,),
        evidence=(
            case.log_evidence(line),
            Evidence(source="kubernetes", query=f"{policy.ref} spec", says=says),
            Evidence(source="kubernetes", query=f"{case.pod.ref} containers", says=f"no {SIDECAR}"),
        ),
        agree=4,
        ruled_out=("the server's pods: they are ready", "a NetworkPolicy: it would time out"),
        since=policy.changed_at,
    )


def _in_mesh(pod: Pod) -> bool:
    return any(c.name == SIDECAR for c in pod.containers)


def _policy_for(facts: Facts, pod: Pod) -> PeerAuthentication | None:
    """The one that counts for a pod: the closest."""
    found = [p for p in facts.all(PeerAuthentication) if p.mode and p.mode != "UNSET"]
    own = [p for p in found if p.ref.namespace == pod.namespace]
    for group in (
        [p for p in own if p.selector and selects(p.selector, pod.labels)],
        [p for p in own if not p.selector],
        [p for p in found if p.ref.namespace == ROOT and not p.selector],
    ):
        if group:
            return group[0]
    return None


RULES = (CaseRule((MESH_MTLS_REFUSED,), plain_client),)
