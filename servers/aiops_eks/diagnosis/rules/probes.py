"""Probes: a container killed because its liveness probe fails, one that never becomes ready.

The `Killing` event decides: an exit code alone cannot tell a probe's kill from a program that ends itself,
and `Unhealthy` alone is often only the echo of a crash. A warning that stopped is not a finding.
Source: `pkg/kubelet/prober`, `pkg/kubelet/kuberuntime` (event texts), exit 143 = SIGTERM, 137 = SIGKILL.
"""

from aiops_eks.diagnosis.blame import telling_line
from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Container, Event, Probe
from aiops_eks.diagnosis.quantities import duration_text

KILLED_BY_SIGNAL = frozenset({137, 143})
LIVENESS_PROBE_FAILED = Cause(
    code="LIVENESS_PROBE_FAILED",
    severity="high",
    means="The kubelet kills the container again and again because its liveness (or startup) probe fails.",
    told_by="Recent `Killing … failed liveness probe`, or `Unhealthy Liveness probe failed` together "
    "with exit "
    "137/143 that is not OOMKilled. A program that exits by itself is APP_ERROR although its probe "
    "fails too.",
    source="pkg/kubelet/prober/worker.go; pkg/kubelet/kuberuntime/kuberuntime_manager.go",
    next_step="compare the probe's port, path and patience with what the program does; a slow start needs a "
    "startupProbe (plan_manifest)",
    sop="pod-crashloop",
)
READINESS_PROBE_FAILED = Cause(
    code="READINESS_PROBE_FAILED",
    severity="high",
    means="The container runs but never becomes ready, so it gets no traffic.",
    told_by="Running without restarts, not ready longer than the probe's patience, `Unhealthy Readiness "
    "probe "
    "failed` still coming. With restarts the crash or the liveness probe explains it.",
    source="pkg/kubelet/prober/prober.go",
    next_step="get_pod_logs of the pod; check the readiness probe's port and path, and what the program "
    "waits for",
)


def liveness(case: Case) -> Told | None:
    """LIVENESS_PROBE_FAILED: killed by the kubelet for a liveness or startup probe."""
    container, failed = case.container, _failures(case, "Liveness", "Startup")
    if container is None or container.death is None or container.death.reason == "OOMKilled":
        return None
    kills = [e for e in case.recent("Killing", within_s=3600.0) if "probe" in e.message]
    signalled = container.death.exit_code in KILLED_BY_SIGNAL
    if not kills and not (failed and signalled):
        return None
    probe = (container.startup if _is_startup(kills, failed) else None) or container.liveness
    return Told(
        cause=LIVENESS_PROBE_FAILED,
        at=case.subject,
        subject=case.subject,
        predicate=f"is restarted by the kubelet: {_which(kills, failed)} probe fails",
        root_cause=f"The kubelet kills container {container.name} (exit code "
        f"{container.death.exit_code}) because "
        f"its {_which(kills, failed)} probe fails{_said(probe)}.{_detail(container, probe, failed)}",
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), *(case.event_evidence(e) for e in (*failed[:1], *kills[:1]))),
        agree=1 + bool(kills) + bool(failed) + signalled,
        ruled_out=_ruled_out(case),
        next_step=_step(container, probe, failed),
    )


def _failures(case: Case, *which: str) -> list[Event]:
    return [e for e in case.recent("Unhealthy", within_s=3600.0) if e.message.startswith(which)]


def _is_startup(kills: list[Event], failed: list[Event]) -> bool:
    return any("startup" in e.message for e in kills) or any(e.message.startswith("Startup") for e in failed)


def _which(kills: list[Event], failed: list[Event]) -> str:
    return "startup" if _is_startup(kills, failed) else "liveness"


def _said(probe: Probe | None) -> str:
    return f" ({probe.how}, {probe.failures} failures every {probe.period_s} s)" if probe else ""


def _port_unknown(container: Container, probe: Probe | None) -> bool:
    known = {name for name, _ in container.ports} | {str(number) for _, number in container.ports}
    return bool(probe and probe.port and container.ports and probe.port not in known)


def _slow_start(container: Container, probe: Probe | None) -> bool:
    lived = container.death.lived_s if container.death else None
    return bool(probe and lived is not None and lived <= probe.patience_s * 1.5 + 30)


def _detail(container: Container, probe: Probe | None, failed: list[Event]) -> str:
    if _port_unknown(container, probe) and probe:
        return f" The probed port {probe.port} is none of the container's ports."
    if any("statuscode: 404" in e.message for e in failed):
        return " The probed path does not exist (404)."
    if _slow_start(container, probe) and container.death and container.startup is None:
        lived = duration_text(container.death.lived_s or 0)
        return (
            f" It is killed {lived} after its start, before it ever answered: a slow start or a wrong probe."
        )
    return " It answered at first and then stopped."


def _step(container: Container, probe: Probe | None, failed: list[Event]) -> str:
    if _port_unknown(container, probe) or any("statuscode: 404" in e.message for e in failed):
        return "correct the probe's port or path (plan_manifest(action=apply))"
    if _slow_start(container, probe) and container.startup is None:
        return "add a startupProbe or a longer initialDelaySeconds (plan_manifest); see get_pod_logs"
    return ""


def _ruled_out(case: Case) -> tuple[str, ...]:
    found = ["out of memory: the last run was not OOMKilled"]
    if case.lines and not telling_line(case.lines):
        found.append("application error: the log ends without one")
    return tuple(found)


def readiness(case: Case) -> Told | None:
    """READINESS_PROBE_FAILED: runs, is not restarted, and never serves."""
    container = case.container
    failed = [e for e in case.recent("Unhealthy") if e.message.startswith(("Readiness", "Startup"))]
    if container is None or container.running_since is None or container.ready or not failed:
        return None
    if container.restarts and case.facts.age_s(container.running_since) < 600:
        return None
    age = duration_text(case.facts.age_s(container.running_since))
    return Told(
        cause=READINESS_PROBE_FAILED,
        at=case.subject,
        subject=case.subject,
        predicate="is not ready: its readiness probe fails",
        root_cause=f"Container {container.name} has run for {age} and its readiness probe"
        f"{_said(container.readiness)} still fails, so it gets no traffic."
        + (
            f" The probed port {container.readiness.port} is none of the container's ports."
            if container.readiness and _port_unknown(container, container.readiness)
            else ""
        ),
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), case.event_evidence(failed[0])),
        agree=2,
        ruled_out=("crash: the container has not ended since",),
    )


LIVENESS = (CaseRule((LIVENESS_PROBE_FAILED,), liveness),)
READINESS = (CaseRule((READINESS_PROBE_FAILED,), readiness),)
