"""Requests and limits from what was used (F12): the rules of `aiops_shared.kube.sizes`."""

from aiops_shared.kube.sizes import (
    CPU_FLOOR,
    LIMIT_OVER_MOST,
    LIMIT_OVER_REQUEST,
    MARGIN,
    MEMORY_FLOOR,
    cores,
    limit_over,
    mebibytes,
    up_bytes,
    up_cores,
)
from aiops_sop.analysis.configs.documents import Draft, manifest, written
from aiops_sop.analysis.configs.facts import Used, Workload
from aiops_sop.analysis.configs.reasons import Reasons, Source


def cpu_request(cpu: Used) -> float:
    """Cores: p95 with the margin, rounded up to 10 m."""
    return max(CPU_FLOOR, up_cores(cpu.p95 * MARGIN))


def memory_request(memory: Used) -> float:
    """Bytes: p99 with the margin, rounded up."""
    return max(float(MEMORY_FLOOR), up_bytes(memory.p99 * MARGIN))


def resources(workload: Workload, cpu: Used, memory: Used, reasons: Reasons) -> Draft:
    """The part of the workload that sets its container's requests and its memory limit.

    CPU gets no limit: a limit throttles a pod while its node idles; the request guards the others.
    """
    path = reasons.file = f"{workload.name}/resources.yaml"
    asked_cpu, asked_memory = cpu_request(cpu), memory_request(memory)
    limit = limit_over(asked_memory, memory.most)
    of = reasons.of
    sizes = {
        "requests": {
            "cpu": of(
                cores(asked_cpu),
                cpu.source("p95"),
                f"requests.cpu: {cores(cpu.p95)} x {MARGIN}, up to 10m",
            ),
            "memory": of(
                mebibytes(asked_memory),
                memory.source("p99"),
                f"requests.memory: {mebibytes(memory.p99)} x {MARGIN}, up to 32Mi",
            ),
        },
        "limits": {
            "memory": of(
                mebibytes(limit),
                Source(memory.metric, memory.window, "p99 and max"),
                f"limits.memory: request x {LIMIT_OVER_REQUEST}, at least max {mebibytes(memory.most)}"
                f" x {LIMIT_OVER_MOST}",
            )
        },
    }
    container = {"name": workload.container.name, "resources": sizes}
    pod = {"template": {"spec": {"containers": [container]}}}
    made = manifest(workload.kind, workload.namespace, workload.name, spec=pod)
    return Draft(path, "resources", written(made), whole=False)
