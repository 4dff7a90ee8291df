"""Jobs that are done and do not end: a helper container of their pod runs on.

A pod of a Job is finished when all its containers are; a sidecar that was written as an ordinary container
keeps it for ever. Native sidecars (init containers with restartPolicy Always) end with the pod.
Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/ (Jobs with sidecars).
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Container, Pod, Ref
from aiops_eks.diagnosis.quantities import duration_text
from aiops_shared.results import Evidence

DONE_S = 600.0  # a known helper has this long to follow the program that it serves
LONG_S = 7200.0  # an unknown second container may simply have more to do
_HELPERS = re.compile(
    r"proxy|envoy|istio|linkerd|sidecar|agent|fluent|filebeat|vector|promtail|otel|collector|exporter|tunnel|shipper",
    re.IGNORECASE,
)
SIDECAR_BLOCKS_JOB = Cause(
    code="SIDECAR_BLOCKS_JOB",
    severity="medium",
    means="A Job's work is done, and a helper container keeps its pod from finishing.",
    told_by="In a pod of a Job one container ended with 0 and another still runs: ten minutes later when "
    "its name or "
    "image is that of a proxy, agent or log shipper, two hours later otherwise. A native sidecar does not "
    "count.",
    source="https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/",
    next_step="make the helper a native sidecar (an init container with restartPolicy Always), or let the "
    "program "
    "end it; plan_manifest(action=apply)",
)


def sidecars(facts: Facts) -> Iterator[Told]:
    """SIDECAR_BLOCKS_JOB."""
    for pod in facts.pods:
        if pod.parent is None or pod.parent.kind != "Job" or pod.phase != "Running" or pod.deleted_at:
            continue
        done, running = _done(pod), [c for c in pod.containers if c.role == "app" and c.running_since]
        if done is None or not running or any(_fails(c) for c in pod.containers):
            continue
        helper = next((c for c in running if _is_helper(c)), None)
        known = helper is not None and len([c for c in running if _is_helper(c)]) == len(running)
        age_s = facts.age_s(done.ended.finished_at) if done.ended else 0.0
        if age_s >= (DONE_S if known else LONG_S):
            yield _told(pod, pod.parent, done, running[0] if helper is None else helper, age_s, known=known)


def _done(pod: Pod) -> Container | None:
    """The container that ended well last."""
    ended = [c for c in pod.containers if c.role == "app" and c.ended is not None and c.ended.exit_code == 0]
    dated = [c for c in ended if c.ended and c.ended.finished_at]
    return max(dated, key=lambda c: str(c.ended.finished_at if c.ended else ""), default=None)


def _fails(container: Container) -> bool:
    return container.ended is not None and container.ended.exit_code != 0


def _is_helper(container: Container) -> bool:
    return bool(_HELPERS.search(container.name) or _HELPERS.search(container.image.rpartition("/")[2]))


def _told(pod: Pod, job: Ref, done: Container, helper: Container, age_s: float, *, known: bool) -> Told:
    ago = duration_text(age_s)
    return Told(
        cause=SIDECAR_BLOCKS_JOB,
        at=job,
        subject=job,
        predicate=f"does not finish: container {helper.name} runs on",
        root_cause=f"Container {done.name} of {pod.ref} ended with exit code 0 {ago} ago; container "
        f"{helper.name} still "
        "runs, so neither the pod nor the Job finishes.",
        hurts=(pod.ref,),
        evidence=(
            Evidence(
                source="kubernetes",
                query=f"{pod.ref} status",
                says=f"container {done.name} Completed {ago} ago, container {helper.name} running",
            ),
        ),
        agree=3 if known else 2,
        ruled_out=("the work itself: its container ended with 0",),
    )


RULES = (WorldRule((SIDECAR_BLOCKS_JOB,), sidecars),)
