"""Which kinds of evidence the page of scenarios expects of an answer, and which an answer shows."""

from collections.abc import Mapping
from typing import Any, Final

Obj = Mapping[str, Any]
# A word of it in the source of a piece of evidence, of a link of the chain or of a line of the timeline.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "objects": ("kubernetes", "diagnose", "eks", "deployment", "status"),
    "logs or events": ("log", "event"),
    "changes": ("change", "rollout", "journal", "audit", "revision"),
    "traces": ("trace", "xray", "x-ray"),
    "metrics": ("metric", "prometheus", "anomal", "cloudwatch"),
    "AWS": ("aws", "ec2", "subnet", "eks"),
    "network": ("network", "flow", "retrans", "metric"),
    "security": ("guardduty", "finding", "alarm"),
    "cost": ("cost", "bill", "explain", "saving"),
}
# F1: pod status, previous logs or event, change record; F2: status; F3: metrics and change; F4: traces,
# metrics by version, change; F5: traces by zone, addresses, logs or events; F8: cost; F-b1: change.
EXPECTED: Final[dict[str, tuple[str, ...]]] = {
    "pod-crashloop": ("objects", "logs or events", "changes"),
    "pod-crashloop-config-error": ("objects", "logs or events"),
    "pod-crashloop-mount": ("objects", "logs or events"),
    "pod-crashloop-app-error": ("objects", "logs or events"),
    "pod-crashloop-liveness": ("objects", "logs or events"),
    "oom-raise-limits": ("objects", "logs or events"),
    "oom-raise-limits-staging": ("objects", "logs or events"),
    "memory-leak-slow": ("metrics", "changes"),
    "memory-leak-restarts": ("metrics",),
    "memory-spike": ("metrics", "changes", "traces"),
    "subnet-ip-exhaustion": ("traces", "AWS", "logs or events"),
    "subnet-ip-exhaustion-fragmented": ("AWS", "logs or events"),
    "subnet-ip-exhaustion-expired": ("AWS",),
    "subnet-ip-exhaustion-slow-database": ("traces",),
    "disk-pressure": ("objects", "logs or events"),
    "az-gray-failure": ("traces",),
    "az-gray-failure-one-workload": ("traces",),
    "db-pool": ("changes",),
    "cost-spike": ("cost",),
    "cost-spike-unsettled": ("cost",),
    "cost-cross-zone": ("cost",),
    "crypto-mining": ("security",),
    "image-pull": ("objects",),
    "image-pull-denied": ("objects",),
    "registry-expired": ("objects",),
}


def lacking(scenario: str, answer: Obj) -> tuple[str, ...]:
    """Kinds that are expected and not there."""
    shown = " ".join(_sources(answer)).lower()
    return tuple(
        kind for kind in EXPECTED.get(scenario, ()) if not any(word in shown for word in KINDS[kind])
    )


def _sources(answer: Obj) -> list[str]:
    """The sources that an answer names for what it says."""
    named = [str(one.get("source", "")) for one in answer.get("evidence", ())]
    for table in ("chain", "timeline"):
        found = answer.get(table) or {}
        columns = list(found.get("columns", ()))
        if "source" in columns:
            named.extend(str(row[columns.index("source")]) for row in found.get("rows", ()))
    return named
