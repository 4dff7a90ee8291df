"""A node low on disk: who used it, as far as the kubelet told, and whether cleaning can help (C10).

Called by `nodes.pressure`. Image collection that freed nothing means that images are not what fills the disk.
Source: `pkg/kubelet/eviction/helpers.go`, `pkg/kubelet/images/image_gc_manager.go`.
"""

from dataclasses import replace

from aiops_eks.diagnosis.case import event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Told
from aiops_eks.diagnosis.kubelet_words import disk_user, images_freed
from aiops_eks.diagnosis.objects import Node
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

MOST_USERS = 3
_CLEAN = (
    "plan_node_change(action=clean_disk): unused images and old temporary files; then look at who uses most"
)
_DRAIN = (
    "plan_node_change(action=drain): the kubelet found no image to delete, so cleaning will hardly help; "
    "find whose logs or volumes fill the disk"
)


def with_the_disk_users(facts: Facts, node: Node, told: Told) -> Told:
    """The finding with the pods that were evicted for disk, largest first, and what to do next."""
    users = []
    for pod in facts.pods_on(node.name):
        used = disk_user(pod.message) if pod.reason == "Evicted" else None
        if used:
            users.append(f"{pod.ref.namespace}/{pod.ref.name} ({plain_name(used[0])}, {plain_name(used[1])})")
    failed = next((e for e in facts.events_about(node.ref) if e.reason == "FreeDiskSpaceFailed"), None)
    hopeless = failed is not None and images_freed(failed.message) == 0
    evidence = list(told.evidence)
    if users:
        says = f"evicted for disk, with what they used: {', '.join(sorted(users)[:MOST_USERS])}"
        evidence.insert(1, Evidence(source="kubernetes", query=f"evicted pods of {node.ref}", says=says))
    if failed is not None:
        evidence.append(event_evidence(facts, failed))
    return replace(
        told,
        root_cause=told.root_cause
        + (" The kubelet freed 0 bytes of images: something else fills the disk." if hopeless else ""),
        evidence=tuple(evidence),
        agree=told.agree + bool(failed),
        next_step=_DRAIN if hopeless else _CLEAN,
    )
