"""What is asked on the pages of docs/servers: in a person's words, and as the call that a model makes of it.

Arguments may name what the answer before gave: `{plan_id}`. Every story stands at the same moment of its
scenario, with seed 0, so that the same questions get the same answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Exchange:
    """One question and its call; `left_out` names parts of the answer that the page does not show."""

    words: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """Questions one after the other, on one scenario of the lab; `write` is AIOPS_WRITE."""

    name: str
    scenario: str
    exchanges: tuple[Exchange, ...]
    write: bool = False


_OOM = {"namespace": "production", "name": "payment-worker"}
STORIES: Final[Mapping[str, tuple[Story, ...]]] = {
    "observability": (
        Story(
            "what-fires",
            "active-alarms",
            (Exchange("What fires, and what belongs together?", "list_alarms", {"group": True}),),
        ),
        Story(
            "a-leak",
            "memory-leak-slow",
            (
                Exchange(
                    "Is there anything unusual about the memory of user-api?",
                    "detect_anomalies",
                    {"what": "memory", "namespace": "production", "kind": "Deployment", "name": "user-api"},
                ),
            ),
        ),
        Story(
            "what-the-logs-know",
            "log-insights",
            (
                Exchange(
                    "When were the errors worst, and of what?",
                    "analyze_logs",
                    {"mode": "error_rate", "since": "-24h"},
                ),
            ),
        ),
        Story(
            "the-next-surge",
            "traffic-surge",
            (
                Exchange(
                    "How much traffic will shop get, and how many pods are that?",
                    "forecast_metric",
                    {
                        "what": "requests_total",
                        "kind": "Service",
                        "namespace": "production",
                        "name": "shop",
                        "capacity_per_pod": 50,
                    },
                ),
            ),
        ),
    ),
    "cost": (
        Story(
            "the-bill-rose",
            "cost-spike",
            (
                Exchange(
                    "What did the last seven days cost, by service?",
                    "get_costs",
                    {"group_by": "service", "period": "-7d"},
                ),
                Exchange(
                    "Why is it more than the week before?", "explain_cost_change", {"cluster": "my-cluster"}
                ),
            ),
        ),
        Story(
            "asks-for-too-much",
            "oversized-workload",
            (
                Exchange(
                    "What do our workloads ask for and not use?", "recommend_savings", {"scope": "requests"}
                ),
            ),
        ),
        Story(
            "before-it-is-bought",
            "healthy",
            (
                Exchange(
                    "What would three m7g.xlarge instead of m5.xlarge cost?",
                    "estimate_cost",
                    {"instances": "-3 m5.xlarge, 3 m7g.xlarge"},
                ),
            ),
        ),
    ),
    "sop": (
        Story(
            "which-procedure",
            "pod-crashloop",
            (
                Exchange(
                    "Pods are in a crash loop. Is there a procedure?",
                    "find_sops",
                    {"query": "pods in a crash loop"},
                ),
                Exchange(
                    "Play it without changing anything.",
                    "start_run",
                    {
                        "sop": "pod-crashloop",
                        "params": {"namespace": "production", "name": "api-server"},
                        "mode": "plan",
                    },
                    ("steps", "forbidden", "untrusted"),
                ),
                Exchange("What came of it?", "get_run", {"run_id": "{run_id}"}, ("forbidden", "untrusted")),
            ),
            write=True,
        ),
        Story(
            "why-it-crashes",
            "pod-crashloop",
            (
                Exchange(
                    "Orders are not taken since a few minutes, pods restart. Why?",
                    "investigate",
                    {"symptom": "pods restart again and again", "namespace": "production"},
                    ("untrusted",),
                ),
            ),
        ),
        Story(
            "how-mature",
            "maturity-2",
            (
                Exchange(
                    "How far is this platform, and what is the next step?",
                    "get_report",
                    {"kind": "maturity"},
                ),
            ),
        ),
    ),
    "eks": (
        Story(
            "a-limit-that-is-too-low",
            "oom-raise-limits",
            (
                Exchange(
                    "Which pods in production are not healthy?",
                    "list_resources",
                    {"kind": "Pod", "namespace": "production", "unhealthy_only": True},
                ),
                Exchange("Why do they die?", "diagnose", {"namespace": "production"}),
                Exchange(
                    "What would a limit be that lets payment-worker live?",
                    "plan_workload_change",
                    {"action": "resources", **_OOM},
                ),
                Exchange("Do it.", "execute_plan", {"plan_id": "{plan_id}", "confirm": "{confirm}"}),
                Exchange("How did it go?", "get_action", {"action_id": "{action_id}"}),
            ),
            write=True,
        ),
        Story(
            "read-only",
            "oom-raise-limits",
            (
                Exchange("Restart payment-worker.", "plan_workload_change", {"action": "restart", **_OOM}),
                Exchange("Go ahead.", "execute_plan", {"plan_id": "{plan_id}", "confirm": "{confirm}"}),
            ),
        ),
        Story(
            "no-addresses",
            "subnet-ip-exhaustion",
            (Exchange("Something is wrong with the cluster: what?", "diagnose"),),
        ),
    ),
}
