"""How far a cluster's operation has come, level 0 to 4, from evidence and never from what is merely
installed (S78).

    1 Reactive      an observability add-on works, metrics arrive, there are alarms
    2 Declarative   Argo CD works, ACK or KRO works, most Deployments belong to Argo CD
    3 Predictive    anomaly detectors (or DevOps Guru) watch, forecasts are made
    4 Autonomous    autonomy auto-safe under enforced policy, supervised runs that succeeded, a fresh
                    guardrail drill under the policy in force, a forwarder or agent connected

Levels are cumulative: an agent on a bare cluster is level 0. An add-on that is DEGRADED, or whose data nobody
sees, does not count. What could not be asked counts as absent and is said as a gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiops_sop.analysis.reports.figures import Figure, Ledger
from aiops_sop.models.reports import NextStep

NAMES: Final = ("Manual", "Reactive", "Declarative", "Predictive", "Autonomous")
OBSERVING: Final = (
    *("adot", "amazon-cloudwatch-observability", "eks-node-monitoring-agent", "prometheus-node-exporter"),
    *("kube-state-metrics", "aws-network-flow-monitoring-agent"),
)
DECLARED_PCT: Final = 50  # of Deployments that belong to Argo CD


@dataclass(frozen=True, slots=True)
class Drilled:
    """The newest guardrail drill that counts for a cluster's policy."""

    passed: bool
    age_days: float
    policy_in_force: bool


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What is known of one cluster; None: it could not be asked (`gaps` say why)."""

    name: str
    addons_working: tuple[str, ...] | None = None
    addons_ill: tuple[str, ...] = ()
    series: int | None = None  # of metrics that arrived within the last minutes
    alarms: int | None = None
    capabilities: tuple[tuple[str, str], ...] | None = None  # name, status
    owned: int | None = None
    deployments: int | None = None
    detectors: int | None = None
    guru: bool | None = None
    forecasts: int = 0
    autonomy: str = "observe"
    enforced: bool = True
    supervised: int = 0
    supervised_needed: int = 10
    drill: Drilled | None = None
    drill_days: int = 30
    connected: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    def works(self, *names: str) -> bool:
        """Whether one of these capabilities is usable."""
        usable = {"ACTIVE", "installed"}
        return any(name in names and status in usable for name, status in self.capabilities or ())


@dataclass(frozen=True, slots=True)
class Seen:
    """One criterion of a level: met or not, on what evidence, and what gets there."""

    level: int
    met: bool
    says: str
    missing: str
    do: str


@dataclass(frozen=True, slots=True)
class MaturityText:
    """One cluster's section."""

    level: int
    lines: list[str]
    steps: tuple[NextStep, ...]


def maturity(ledger: Ledger, facts: ClusterFacts, *, whole: bool = True) -> MaturityText:
    """The level, on which evidence, and the steps to the next one: no level is leapt over.

    Not `whole`, for many clusters at once: the level and what is missing, without the evidence.
    """
    kept = ledger if whole else Ledger()
    seen = [one for make in (_one, _two, _three, _four) for one in make(kept, facts)]
    level = level_of(seen)
    rule = ledger.source("rule", "docs/reports.md", "maturity")
    figure = ledger.given(f"level of {facts.name}", level, "", rule)
    head = f"{facts.name}: level {figure.said}, {NAMES[level]}"
    lines = [f"- {head}"]
    if whole:
        lines = [f"### {head}", "", "| Level | Met | Evidence |", "|---|---|---|"]
        lines += [f"| {NAMES[one.level]} | {'yes' if one.met else 'no'} | {one.says} |" for one in seen]
        lines.append("")
    # Of the next level only: who wants to be autonomous becomes observed first.
    steps = tuple(
        NextStep(missing=f"{facts.name}: {one.missing}", do=one.do)
        for one in seen
        if one.level == level + 1 and not one.met
    )
    return MaturityText(level, lines, steps)


def level_of(seen: Sequence[Seen]) -> int:
    """The highest level whose criteria, and those of all below, are met."""
    level = 0
    while level < 4 and all(one.met for one in seen if one.level == level + 1):
        level += 1
    return level


def _count(ledger: Ledger, facts: ClusterFacts, name: str, value: int, source: str, query: str) -> Figure:
    return ledger.given(f"{name}, {facts.name}", value, "", ledger.source(source, query))


def _one(ledger: Ledger, facts: ClusterFacts) -> list[Seen]:
    where = f"cluster={facts.name}"
    working = [name for name in facts.addons_working or () if name in OBSERVING]
    ill = [name for name in facts.addons_ill if name.partition(" ")[0] in OBSERVING]
    told = ", ".join(working) or "none works"
    if ill:
        told += f"; not counted: {', '.join(ill)}"
    addons = Seen(
        1,
        bool(working) and not ill,
        f"add-ons: {told}",
        "an observability add-on that works" if not ill else f"{', '.join(ill)} does not work",
        f"plan_addon_change(action=install, name=amazon-cloudwatch-observability, {where})"
        if not ill
        else f"diagnose({where}); SOP addon-degraded",
    )
    series = _count(
        ledger,
        facts,
        "series",
        facts.series or 0,
        "observability.query_metrics",
        f"{where}, what=node_cpu, kind=Cluster, since=-15m",
    )
    metrics = Seen(
        1,
        bool(facts.series),
        f"metrics: {series.said} series in the last minutes",
        "metrics that arrive",
        "install adot, set AIOPS_METRICS_AMP_WORKSPACE; then query_metrics(what=node_cpu, kind=Cluster)",
    )
    count = _count(
        ledger, facts, "alarms", facts.alarms or 0, "observability.list_alarms", f"{where}, state=all"
    )
    alarms = Seen(
        1, bool(facts.alarms), f"alarms: {count.said}", "alarms", f"generate_config(kind=alarms, {where})"
    )
    return [addons, metrics, alarms]


def _two(ledger: Ledger, facts: ClusterFacts) -> list[Seen]:
    where = f"cluster={facts.name}"
    told = ", ".join(f"{name} {status}" for name, status in facts.capabilities or ()) or "unknown"
    argo = Seen(
        2,
        facts.works("Argo CD"),
        told,
        "Argo CD that works",
        "aws eks create-capability --type ARGOCD (docs/gitops.md)",
    )
    controllers = Seen(
        2,
        facts.works("ACK", "KRO"),
        "ACK or KRO: as above",
        "ACK or KRO that works",
        "aws eks create-capability --type ACK",
    )
    return [argo, controllers, _declared(ledger, facts, where)]


def _declared(ledger: Ledger, facts: ClusterFacts, where: str) -> Seen:
    missing, do = (
        "most Deployments in git",
        f"generate_config(kind=gitops, {where}): one Application a workload",
    )
    if not facts.deployments:
        return Seen(2, False, "Deployments in git: not known", missing, do)
    query = f"{where}, include=capabilities"
    owned = _count(ledger, facts, "Deployments of Argo CD", facts.owned or 0, "eks.describe_cluster", query)
    every = _count(ledger, facts, "Deployments", facts.deployments, "eks.describe_cluster", query)
    share = ledger.made(f"declared, {facts.name}", "%", "{} / {} * 100", owned, every)
    return Seen(
        2,
        share.value >= DECLARED_PCT,
        f"{owned.said} of {every.said} Deployments in git: {share.said}",
        missing,
        do,
    )


def _three(ledger: Ledger, facts: ClusterFacts) -> list[Seen]:
    where = f"cluster={facts.name}"
    number = _count(
        ledger,
        facts,
        "anomaly detectors",
        facts.detectors or 0,
        "observability.list_alarms",
        f"{where}, state=all",
    )
    guru = {True: "on", False: "off", None: "unknown"}[facts.guru]
    watching = Seen(
        3,
        bool(facts.detectors or facts.guru),
        f"anomaly detectors: {number.said}; DevOps Guru {guru}",
        "anomaly detectors",
        f"generate_config(kind=alarms, {where}), which brings anomaly bands",
    )
    made = _count(
        ledger, facts, "forecasts", facts.forecasts, "store: call journal", f"forecast_metric, {where}, -7d"
    )
    forecasts = Seen(
        3,
        bool(facts.forecasts),
        f"forecasts in seven days: {made.said}",
        "forecasts that somebody uses",
        f"start_run(sop=traffic-surge-preprovision, params={{{where}}}, mode=plan), weekly",
    )
    return [watching, forecasts]


def _four(ledger: Ledger, facts: ClusterFacts) -> list[Seen]:
    where = f"cluster={facts.name}"
    runs = _count(
        ledger,
        facts,
        "supervised runs that succeeded",
        facts.supervised,
        "store: runs",
        f"{where}, mode=supervised",
    )
    needed = ledger.given(
        "supervised runs needed",
        facts.supervised_needed,
        "",
        ledger.source("asked", "AIOPS_SOP_SUPERVISED_RUNS"),
    )
    return [
        Seen(
            4,
            facts.autonomy == "auto-safe" and facts.enforced,
            f"autonomy {facts.autonomy}, policy {'enforced' if facts.enforced else 'in shadow'}",
            "autonomy auto-safe under enforced policy",
            "after the rows below: AIOPS_POLICY_AUTONOMY_PROD=auto-safe, AIOPS_POLICY_MODE=enforce",
        ),
        Seen(
            4,
            facts.supervised >= facts.supervised_needed,
            f"supervised runs that succeeded: {runs.said} of {needed.said}",
            "supervised runs",
            f"start_run(sop=pod-crashloop, params={{{where}, …}}, mode=supervised)",
        ),
        _drilled(ledger, facts),
        Seen(
            4,
            bool(facts.connected),
            f"connected: {', '.join(facts.connected) or 'nobody'}",
            "a forwarder or an agent",
            f"eks-aiops forward {facts.name}",
        ),
    ]


def _drilled(ledger: Ledger, facts: ClusterFacts) -> Seen:
    missing = "a passed guardrail drill that is fresh"
    if facts.drill is None:
        return Seen(4, False, "no guardrail drill", missing, "eks-aiops drill")
    age = ledger.given(
        "days since the drill", round(facts.drill.age_days, 1), "", ledger.source("store: drills", "newest")
    )
    most = ledger.given(
        "days that a drill counts", facts.drill_days, "", ledger.source("asked", "AIOPS_SOP_DRILL_DAYS")
    )
    fresh = facts.drill.age_days <= facts.drill_days
    told = "passed" if facts.drill.passed else "FAILED"
    if not facts.drill.policy_in_force:
        told += ", under another policy than the one in force"
    met = facts.drill.passed and fresh and facts.drill.policy_in_force
    return Seen(
        4,
        met,
        f"guardrail drill {told}, {age.said} days ago (counts {most.said} days)",
        missing,
        "eks-aiops drill",
    )
