"""Probes: a container killed because its liveness probe fails, one that never becomes ready.

The `Killing` event decides: an exit code alone cannot tell a probe's kill from a program that ends itself,
and `Unhealthy` alone is often only the echo of a crash. A warning that stopped is not a finding. What the
kubelet got for an answer tells a probe of the wrong port, path or scheme from a program that is not well.
Source: `pkg/kubelet/prober`, `pkg/kubelet/kuberuntime` (event texts), exit 143 = SIGTERM, 137 = SIGKILL.
"""

import re
from collections.abc import Sequence

from aiops_eks.diagnosis.blame import telling_line
from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Container, Event, Probe
from aiops_eks.diagnosis.quantities import duration_text

KILLED_BY_SIGNAL = frozenset({137, 143})
GRACE_S = 30.0  # default terminationGracePeriodSeconds: SIGKILL comes this long after SIGTERM
SLACK_S = 2.0
_HTTPS_TO_HTTP = "server gave HTTP response to HTTPS client"
_HTTP_TO_HTTPS = re.compile(r"malformed HTTP response|statuscode: 400\b")
_NO_PORT = re.compile(r"connection refused|couldn't find port|unknown port", re.IGNORECASE)
_NO_PATH = re.compile(r"statuscode: 40[45]\b")

LIVENESS_PROBE_FAILED = Cause(
    code="LIVENESS_PROBE_FAILED",
    severity="high",
    means="The kubelet kills the container again and again because its liveness (or startup) probe fails.",
    told_by="Recent `Killing … failed liveness probe`, or `Unhealthy Liveness probe failed` together with "
    "exit "
    "137/143 that is not OOMKilled. A program that exits by itself is APP_ERROR although its probe fails "
    "too; "
    "one that is killed at the end of the probe's patience of every run is STARTUP_TOO_SLOW; a probe that "
    "asks "
    "at the wrong place is PROBE_TARGET_WRONG.",
    source="pkg/kubelet/prober/worker.go; pkg/kubelet/kuberuntime/kuberuntime_manager.go",
    next_step="get_pod_logs(previous=auto): what does the program do when it stops to answer?",
    sop="pod-crashloop",
)
STARTUP_TOO_SLOW = Cause(
    code="STARTUP_TOO_SLOW",
    severity="high",
    means="The program needs longer to start than its liveness or startup probe waits, and is killed for it.",
    told_by="As LIVENESS_PROBE_FAILED, and each run ends just when the probe's patience after the start is "
    "over "
    "(initialDelaySeconds plus periodSeconds times failureThreshold), without an error in its log: it never "
    "answered. A program that answered for a while is LIVENESS_PROBE_FAILED.",
    source="pkg/kubelet/prober/worker.go; https://kubernetes.io/docs/tasks/configure-pod-container/"
    "configure-liveness-readiness-startup-probes/",
    next_step="add a startupProbe whose failureThreshold times periodSeconds covers the slowest start "
    "(plan_manifest(action=apply)); the liveness probe then waits for it",
    sop="pod-crashloop",
)
PROBE_TARGET_WRONG = Cause(
    code="PROBE_TARGET_WRONG",
    severity="high",
    means="A probe asks at a port, path or scheme at which the program does not answer.",
    told_by="The answers to the probe: connection refused at a port that the container does not declare, "
    "404 for "
    "the path, an HTTP answer to an HTTPS probe or the other way round. 5xx and timeouts come from the "
    "program "
    "itself: LIVENESS_PROBE_FAILED or READINESS_PROBE_FAILED.",
    source="pkg/probe/http/http.go; pkg/kubelet/prober/prober.go",
    next_step="correct the probe's port, path or scheme with plan_manifest(action=apply)",
    sop="pod-crashloop",
)
READINESS_PROBE_FAILED = Cause(
    code="READINESS_PROBE_FAILED",
    severity="high",
    means="The container runs but never becomes ready, so it gets no traffic.",
    told_by="Running without restarts, not ready longer than the probe's patience, `Unhealthy Readiness "
    "probe "
    "failed` still coming with 5xx, a timeout or a refused connection. With restarts the crash or the "
    "liveness "
    "probe explains it; 404 or a port that is none of the container's is PROBE_TARGET_WRONG.",
    source="pkg/kubelet/prober/prober.go",
    next_step="get_pod_logs of the pod: what does the program wait for?",
)


def liveness(case: Case) -> Told | None:
    """Killed by the kubelet for a liveness or startup probe, and why that fails."""
    container, failed = case.container, _failures(case, "Liveness", "Startup")
    if container is None or container.death is None or container.death.reason == "OOMKilled":
        return None
    kills = [e for e in case.recent("Killing", within_s=3600.0) if "probe" in e.message]
    signalled = container.death.exit_code in KILLED_BY_SIGNAL
    if not kills and not (failed and signalled):
        return None
    startup = _is_startup(kills, failed)
    probe = (container.startup if startup else None) or container.liveness
    which = "startup" if startup else "liveness"
    cause, why = _reason(case, probe, failed)
    return Told(
        cause=cause,
        at=case.subject,
        subject=case.subject,
        predicate=_PREDICATES[cause.code].format(which=which),
        root_cause=f"The kubelet kills container {container.name} (exit code {container.death.exit_code}) "
        "because "
        f"its {which} probe fails{_said(probe)}. {why}",
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), *(case.event_evidence(e) for e in (*failed[:1], *kills[:1]))),
        agree=1 + bool(kills) + bool(failed) + signalled,
        ruled_out=_ruled_out(case),
    )


_PREDICATES = {
    "LIVENESS_PROBE_FAILED": "is restarted by the kubelet: its {which} probe fails",
    "STARTUP_TOO_SLOW": "is restarted by the kubelet before it has started: its {which} probe does not wait "
    "long enough",
    "PROBE_TARGET_WRONG": "is restarted by the kubelet: its {which} probe asks at the wrong place",
}


def _reason(case: Case, probe: Probe | None, failed: Sequence[Event]) -> tuple[Cause, str]:
    container = case.container
    if container is None:
        return LIVENESS_PROBE_FAILED, ""
    if wrong := _wrong_target(container, probe, failed):
        return PROBE_TARGET_WRONG, wrong
    line = telling_line(case.lines)
    if _never_answered(container, probe) and not line:
        lived = duration_text(container.death.lived_s or 0) if container.death else "?"
        return STARTUP_TOO_SLOW, f"Each run ends {lived} after its start, before the program ever answered."
    if line:
        return LIVENESS_PROBE_FAILED, "Its log tells of an error before that."
    return LIVENESS_PROBE_FAILED, "It answered at first and then stopped."


def _failures(case: Case, *which: str) -> list[Event]:
    return [e for e in case.recent("Unhealthy", within_s=3600.0) if e.message.startswith(which)]


def _is_startup(kills: Sequence[Event], failed: Sequence[Event]) -> bool:
    return any("startup" in e.message for e in kills) or any(e.message.startswith("Startup") for e in failed)


def _said(probe: Probe | None) -> str:
    return f" ({probe.how}, {probe.failures} failures every {probe.period_s} s)" if probe else ""


def _wrong_target(container: Container, probe: Probe | None, failed: Sequence[Event]) -> str:
    """How the probe misses the program, in words; empty when it does not."""
    if probe is None:
        return ""
    answers = [e.message for e in failed]
    refused = not answers or any(_NO_PORT.search(answer) for answer in answers)
    if _port_unknown(container, probe) and refused:
        known = ", ".join(sorted({str(number) for _, number in container.ports}))
        return f"The probed port {probe.port} is none of the container's ports ({known})."
    if any(_HTTPS_TO_HTTP in answer for answer in answers):
        return "The probe speaks HTTPS and the program answers with HTTP."
    if probe.how.startswith("HTTP ") and any(_HTTP_TO_HTTPS.search(answer) for answer in answers):
        return "The probe speaks HTTP to a port that expects TLS."
    if answers and all(_NO_PATH.search(answer) for answer in answers):
        return f"The program answers and does not know the probed path ({probe.how}: 404)."
    return ""


def _port_unknown(container: Container, probe: Probe) -> bool:
    known = {name for name, _ in container.ports} | {str(number) for _, number in container.ports}
    return bool(probe.port and container.ports and probe.port not in known)


def _never_answered(container: Container, probe: Probe | None) -> bool:
    """Whether the last run was killed at the first moment at which its probe could have it killed."""
    death = container.death
    if probe is None or death is None or death.lived_s is None:
        return False
    killed_s = death.lived_s - (GRACE_S if death.exit_code == 137 else 0.0)
    earliest_s = probe.initial_delay_s + (probe.failures - 1) * probe.period_s
    return earliest_s - SLACK_S <= killed_s < probe.patience_s


def _ruled_out(case: Case) -> tuple[str, ...]:
    found = ["out of memory: the last run was not OOMKilled"]
    if case.lines and not telling_line(case.lines):
        found.append("application error: the log ends without one")
    return tuple(found)


def readiness(case: Case) -> Told | None:
    """Runs, is not restarted, and never serves."""
    container = case.container
    failed = [e for e in case.recent("Unhealthy") if e.message.startswith(("Readiness", "Startup"))]
    if container is None or container.running_since is None or container.ready or not failed:
        return None
    if container.restarts and case.facts.age_s(container.running_since) < 600:
        return None
    age = duration_text(case.facts.age_s(container.running_since))
    wrong = _wrong_target(container, container.readiness, failed)
    where = "asks at the wrong place" if wrong else "fails"
    return Told(
        cause=PROBE_TARGET_WRONG if wrong else READINESS_PROBE_FAILED,
        at=case.subject,
        subject=case.subject,
        predicate=f"is not ready: its readiness probe {where}",
        root_cause=f"Container {container.name} has run for {age} and its readiness probe"
        f"{_said(container.readiness)} still fails, so it gets no traffic. {wrong}".rstrip(),
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), case.event_evidence(failed[0])),
        agree=2 + bool(wrong),
        ruled_out=("crash: the container has not ended since",),
    )


LIVENESS = (CaseRule((LIVENESS_PROBE_FAILED, STARTUP_TOO_SLOW, PROBE_TARGET_WRONG), liveness),)
READINESS = (CaseRule((READINESS_PROBE_FAILED, PROBE_TARGET_WRONG), readiness),)
