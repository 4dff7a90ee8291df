"""What somebody would ask in each story of the lab, and which cause is the right answer.

A story is asked as its alarm, its user or its event would put it: with a service where users feel it. `code`
empty: nothing is wrong there, and any cause is a false one. `ask` False: no question of causes (forecasts,
manifests, reports), left out and counted as such.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiops_lab.scenarios import (
    SCENARIOS,
    alarm_stories,
    az_gray,
    db_pool,
    memory_spike,
    profiles,
    traced,
    zone_traffic,
)
from aiops_lab.scenarios import releases as canaries
from aiops_lab.scenarios.names import Names, cast

HOME: Final = "production"
Who = Callable[[Names], str]
Obj = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: words, whose service, and the right answer where it is not the story's own."""

    symptom: str = "something is wrong"
    service: Who | None = None
    code: str | None = None  # None: what the story expects first
    namespace: str = ""
    alarm: Who | None = None
    more: Obj = field(default_factory=dict)

    def arguments(self, seed: int) -> Obj:
        """What the tool is called with."""
        who = cast(seed)
        found: Obj = {"symptom": self.symptom, **self.more}
        if self.service:
            found |= {"service": self.service(who), "namespace": HOME}
        if self.namespace:
            found["namespace"] = self.namespace
        if self.alarm:
            found["alarm"] = self.alarm(who)
        return found


def _gateway(names: Names) -> str:
    return traced.shop(names).gateway


def _release(names: Names) -> str:
    return canaries.release(names).service


def _failed_pods(names: Names) -> str:
    return f"{alarm_stories.prefix(names)}-FailedPods"


_REQUESTS = "intermittent 504 errors"
_GROWS = "memory keeps growing"
_BILL = "the bill of last week is higher"
_ADDRESSES = Asked(_REQUESTS, _gateway)
QUESTIONS: Final[dict[str, Asked]] = {
    "subnet-ip-exhaustion": _ADDRESSES,
    "subnet-ip-exhaustion-node-limit": _ADDRESSES,
    "subnet-ip-exhaustion-expired": Asked(_REQUESTS, _gateway, more={"window": "-4h"}),
    "subnet-ip-exhaustion-fragmented": _ADDRESSES,
    "subnet-ip-exhaustion-slow-database": Asked(_REQUESTS, _gateway, "DB_LATENCY"),
    "memory-spike": Asked("memory spike", memory_spike.spiking, "MEMORY_LEAK_AFTER_DEPLOY"),
    "memory-spike-before-release": Asked("memory spike", memory_spike.spiking, "MEMORY_LEAK"),
    "memory-leak-slow": Asked(_GROWS, profiles.leaker, "MEMORY_LEAK"),
    "memory-growing": Asked("something may be wrong", namespace=HOME, code=""),
    "memory-daily": Asked(_GROWS, profiles.leaker, ""),
    "memory-warmup": Asked(_GROWS, profiles.leaker, ""),
    "memory-by-load": Asked(_GROWS, profiles.leaker, ""),
    "memory-sawtooth": Asked(_GROWS, profiles.leaker, ""),
    "memory-leak-restarts": Asked(_GROWS, profiles.leaker, "MEMORY_LEAK"),
    "db-pool": Asked("errors and timeouts", db_pool.pooled, "CONFIG_REGRESSION"),
    "az-gray-failure": Asked("slow responses", az_gray.frontend, "AZ_GRAY_FAILURE"),
    "az-gray-failure-one-workload": Asked("slow responses", az_gray.frontend, "WORKLOAD_DEGRADED_IN_ZONE"),
    "crypto-mining": Asked("CPU at 100 %", alarm_stories.mined, "CRYPTO_MINING"),
    "active-alarms": Asked("", alarm=_failed_pods),
    "release-worse": Asked("errors", _release, "DEPLOY_REGRESSION"),
    "release-slow": Asked("slow responses", _release, "DEPLOY_REGRESSION"),
    "release-noise": Asked("errors", _release, ""),
    "release-busy": Asked("slow responses", _release, "TRAFFIC_SURGE"),
    "cost-spike": Asked(_BILL, code="INSTANCE_FAMILY_MISMATCH"),
    "cost-spike-unsettled": Asked(_BILL, code="INSTANCE_FAMILY_MISMATCH"),
    "cost-cross-zone": Asked(_BILL, code="CROSS_AZ_TRAFFIC"),
    "cost-growth": Asked(_BILL, code=""),
    "zone-traffic": Asked(
        "traffic between zones is high", lambda names: zone_traffic.crowd(names).app, "WORKLOAD_IN_ONE_ZONE"
    ),
    "registry-expired": Asked("pods cannot start"),
}
# Their questions are others: what will come, what a manifest lacks, what a report says, whose money it is.
ELSEWHERE: Final = frozenset(
    name
    for name in SCENARIOS
    if name.startswith(
        (
            *("traffic-surge", "manifest-scan", "guardrail-drill", "maturity", "roi", "log-", "alert-storm"),
            *(
                "unlimited-workload",
                "oversized-workload",
                "idle-cores",
                "observability-cost",
                "disk-leftovers",
            ),
            *("cost-by-cluster", "addon-inventory"),
        )
    )
)


def question(story: str) -> Asked:
    """How a story is asked about; one without a row of its own: as somebody who only sees that it is ill."""
    return QUESTIONS.get(story, Asked())


def right(story: str, seed: int) -> str:
    """The right code, empty where nothing is wrong."""
    asked = question(story)
    if asked.code is not None:
        return asked.code
    expected = SCENARIOS[story].expect(cast(seed))
    return expected[0].code if expected else ""


__all__ = ["ELSEWHERE", "QUESTIONS", "Asked", "question", "right"]
