"""The causes that only several servers together can name; docs/causes.md is made of them.

What diagnosis (eks) and `explain_cost_change` (cost) find keeps their codes.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SopCause:
    """One row of docs/causes.md."""

    code: str
    says: str
    told_by: str


SOP_CAUSES: Final[tuple[SopCause, ...]] = (
    SopCause(
        "AZ_GRAY_FAILURE",
        "A zone is a little slower or loses a few requests in every part; its nodes say that they are well.",
        "traces by zone with many parts, requests that fail, nothing in the cluster that explains the zone",
    ),
    SopCause(
        "CONFIG_REGRESSION",
        "A change of settings without a new image left too little of something.",
        "a change of settings in the hour before, a dry pool, a limit that fell, a calm database",
    ),
    SopCause(
        "CRYPTO_MINING",
        "Somebody mines in a workload: security, not load.",
        "GuardDuty, CPU alarms, a new image, requests as usual",
    ),
    SopCause(
        "DB_LATENCY",
        "A database answers slowly or not at all, for callers in all zones.",
        "traces: the time is spent in calls of it, all zones alike; its CPU",
    ),
    SopCause(
        "DB_POOL_EXHAUSTION",
        "A service waits for connections of its own pool.",
        "traces (wait before the call), pool gauges, log lines; no change of settings before",
    ),
    SopCause(
        "DEPENDENCY_LATENCY",
        "Something that is called, and is no database, answers slowly for everybody.",
        "traces: the time is spent in calls of it, all zones alike",
    ),
    SopCause(
        "DEPLOY_REGRESSION",
        "A newer version fails more or takes longer than the one before it, at the same time.",
        "errors and latency by version, the rollout",
    ),
    SopCause(
        "MEMORY_LEAK_AFTER_DEPLOY",
        "A release keeps memory that the one before gave back, and is worse for its users.",
        "memory by version, the rollout before it, errors or latency by version and route",
    ),
    SopCause(
        "NETWORK_LOSS",
        "Packets are lost between services.",
        "retransmissions of a flow monitor; not when calls are as fast as ever",
    ),
    SopCause(
        "SECURITY_THREAT",
        "A security finding about a workload that is no mining.",
        "GuardDuty",
    ),
    SopCause(
        "TRAFFIC_SURGE",
        "More requests than it was made for; every version is hit alike.",
        "requests beside failures and waiting, versions compared",
    ),
    SopCause(
        "WORKLOAD_DEGRADED_IN_ZONE",
        "One service is worse in one zone; the zone is well.",
        "traces by zone, one part that explains it, nothing in the cluster",
    ),
)
