"""Workloads that stand in one zone of several: no fault yet, and one lost zone away from an outage.

Never urgent: severity info. Small workloads, pinned ones and those with zonal volumes are as they are meant
to be.
Source: https://docs.aws.amazon.com/eks/latest/best-practices/data-plane.html (spread across zones)
"""

from collections.abc import Iterator, Sequence

from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.aws import ZONE
from aiops_eks.diagnosis.objects import Pod, Workload
from aiops_eks.diagnosis.quoting import plain_name

# Fewer stand together by chance: the scheduler's own default spread lets zones differ by up to five pods.
# https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints
FEWEST = 5
FEWEST_ASKED = 3  # of a workload that was asked about by name: somebody has a reason to
SETTLED_S = 3600.0  # after a zone was away pods stand together for a while
HOST = "kubernetes.io/hostname"
ONE_ZONE = Cause(
    code="WORKLOAD_IN_ONE_ZONE",
    severity="info",
    means="All pods of a workload stand in one zone while the cluster has ready nodes in others.",
    told_by=f"At least {FEWEST} ready pods ({FEWEST_ASKED} of a workload that was asked about by name), all "
    "older than an hour, in one zone; ready nodes without a cordon in two others. Not when the pods are "
    "pinned to nodes or a zone, or have volumes; not while pods wait.",
    source="https://docs.aws.amazon.com/eks/latest/best-practices/data-plane.html",
    next_step="add topologySpreadConstraints over topology.kubernetes.io/zone through "
    "plan_manifest(action=apply); "
    "traffic between zones costs, so compare list_resources of the callers first",
)


def in_one_zone(facts: Facts) -> Iterator[Told]:
    """WORKLOAD_IN_ONE_ZONE."""
    zones = {node.name: node.labels.get(ZONE, "") for node in facts.nodes}
    for workload in facts.workloads:
        fewest = FEWEST_ASKED if workload.ref == facts.target else FEWEST
        if workload.ref.kind not in {"Deployment", "StatefulSet"} or workload.desired < fewest:
            continue
        pods = facts.pods_of(workload.ref)
        told = _told(facts, workload, pods, zones) if len(pods) >= fewest else None
        if told is not None:
            yield told


def _told(facts: Facts, workload: Workload, pods: Sequence[Pod], zones: dict[str, str]) -> Told | None:
    if not all(_is_settled(facts, pod) for pod in pods):
        return None
    stands = {zones.get(pod.node, "") for pod in pods}
    if len(stands) != 1 or "" in stands:
        return None
    zone = next(iter(stands))
    others = _other_zones(facts, zone)
    if len(others) < 2:
        return None
    return Told(
        cause=ONE_ZONE,
        at=workload.ref,
        subject=workload.ref,
        predicate=f"has all {len(pods)} pods in {plain_name(zone)}",
        root_cause=f"All {len(pods)} pods of {workload.ref} stand in {plain_name(zone)}, while "
        f"{', '.join(others)} "
        "have ready nodes: the loss of one zone takes all of it, and its traffic crosses zones.",
        hurts=(workload.ref,),
        evidence=(
            stated(workload.ref, "pods by zone", f"{plain_name(zone)} {len(pods)}, {' 0, '.join(others)} 0"),
        ),
        agree=3,
        ruled_out=("pinning: no node selector, required affinity or volume keeps them there",),
    )


def _is_settled(facts: Facts, pod: Pod) -> bool:
    """Ready for long, and free to stand elsewhere; of a pod known by its row alone that is not known."""
    named = pod.node_selector.get(ZONE) or pod.node_selector.get(HOST)
    free = pod.whole and not (named or pod.node_affinity or pod.claims)
    return pod.ready and free and pod.deleted_at is None and facts.age_s(pod.created_at) > SETTLED_S


def _other_zones(facts: Facts, zone: str) -> list[str]:
    found = set()
    for node in facts.nodes:
        ready = node.condition("Ready")
        takes = ready is not None and ready.status == "True" and not node.cordoned and not node.taints
        if takes and node.labels.get(ZONE, zone) != zone:
            found.add(plain_name(node.labels[ZONE]))
    return sorted(found)


RULES = (WorldRule((ONE_ZONE,), in_one_zone),)
