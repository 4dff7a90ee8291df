"""A NodePool from measured use (F14): the family by memory per core, the zones that are in use, a limit."""

from math import ceil
from typing import Final

from aiops_sop.analysis.configs.documents import Draft, Obj, manifest, written
from aiops_sop.analysis.configs.facts import Used, Workload
from aiops_sop.analysis.configs.reasons import Reasons, Source
from aiops_sop.analysis.configs.requests import cpu_request, memory_request

GIB: Final = 2**30
# GiB for each core, where the next family becomes the nearer one: c has 2, m 4, r 8 (AWS instance families).
FAMILIES: Final = ((3.0, "c", 2), (6.0, "m", 4), (float("inf"), "r", 8))
SPARE: Final = 1.5  # over what all replicas ask for: a rollout's surge, system pods
EXPIRES_H: Final = 720
SETTLES_M: Final = 5


def family_of(ratio: float) -> tuple[str, int]:
    """The instance category whose memory per core is nearest, and that memory."""
    return next((name, gib) for most, name, gib in FAMILIES if ratio <= most)


def new_pool(
    workload: Workload,
    use: tuple[Used, Used],
    zones: tuple[str, ...],
    node_class: dict[str, str],
    replicas: int,
    reasons: Reasons,
) -> Draft:
    """A pool for this workload. `use`: CPU and memory of its pods; `replicas`: the most there may be."""
    path = reasons.file = f"{workload.name}/nodepool.yaml"
    cpu, memory = use
    ratio = memory.p95 / GIB / cpu.p95 if cpu.p95 else 0.0
    category, gib = family_of(ratio)
    source = Source("memory over cpu of its pods", cpu.window, "p95 over p95")
    reasons.of(f"{ratio:.3g}", source, f"GiB a core: nearest is category {category} with {gib}")
    each = workload.container.cpu or cpu_request(cpu)
    limit = ceil(each * replicas * SPARE)
    whole = Source("requests of its pods at the most replicas", cpu.window, "p95")
    cores = reasons.of(str(limit), whole, f"limits.cpu: {each:g} x {replicas} replicas x {SPARE}")
    room = (workload.container.memory or memory_request(memory)) / GIB
    size = ceil(room * replicas * SPARE)
    gibs = reasons.of(f"{size}Gi", whole, f"limits.memory: {room:.3g}Gi x {replicas} replicas x {SPARE}")
    least = reasons.rule(2, "instance generation: newer than 2, as Karpenter's own examples")
    wants: list[Obj] = [
        _in("karpenter.k8s.aws/instance-category", [category]),
        {"key": "karpenter.k8s.aws/instance-generation", "operator": "Gt", "values": [least]},
        _in("karpenter.sh/capacity-type", ["on-demand"]),
        _in("kubernetes.io/arch", ["amd64"]),
    ]
    if zones:
        wants.append(_in("topology.kubernetes.io/zone", list(zones)))
    reference = node_class or {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    expires = reasons.rule(f"{EXPIRES_H}h", "expireAfter: nodes are renewed within a month")
    settles = reasons.rule(f"{SETTLES_M}m", "consolidateAfter: not while a rollout moves")
    made = manifest(
        "NodePool",
        "",
        workload.name,
        spec={
            "limits": {"cpu": cores, "memory": gibs},
            "template": {"spec": {"nodeClassRef": reference, "requirements": wants, "expireAfter": expires}},
            "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": settles},
        },
    )
    return Draft(path, "nodepool", written(made))


def _in(key: str, values: list[str]) -> Obj:
    return {"key": key, "operator": "In", "values": values}
