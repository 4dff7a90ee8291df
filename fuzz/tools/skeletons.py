"""Calls that the tools answer, made of the lab's real names: what attacks are grafted on.

A parameter that nobody listed here gets a value by its schema, so a new tool or parameter is attacked without
a line; these only reach further. `@plan_id` and its like stand for what earlier answers gave.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Final

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from tests.cost.planting import manifests
from tests.observability.every_call import calls

Obj = dict[str, Any]
HOME: Final = "production"
CLUSTER: Final = "my-cluster"
NOBODY: Final = "no-such-cluster"
# Seconds of work behind one good call: so often the real cluster is meant, otherwise one that is not there.
DEAR: Final[Mapping[str, float]] = {
    "investigate": 0.02,
    "get_report": 0.05,
    "generate_config": 0.05,
    "verify_deployment": 0.1,
    "recommend_savings": 0.05,
    "explain_cost_change": 0.2,
    "diagnose": 0.3,
    "get_service_health": 0.3,
    "compare_windows": 0.3,
    "analyze_logs": 0.4,
    "start_run": 0.05,
}
COMMON: Final[Mapping[str, tuple[Any, ...]]] = {
    "cluster": (CLUSTER, "111122223333/us-east-1/my-cluster", NOBODY),
    "namespace": (HOME, "staging", "kube-system", "all"),
    "since": ("-1h", "-2h", "-30m"),
    "until": ("-5m", "-1m"),
    "period": ("7d", "2026-10", "30d"),
    "limit": (1, 5, 100),
    "cursor": ("@next_cursor",),
    "plan_id": ("@plan_id",),
    "confirm": ("@confirm",),
    "action_id": ("@action_id",),
    "run_id": ("@run_id", "@incident_id"),
    "idempotency_key": ("fuzz-key-1", "fuzz-key-2"),
    "reason": ("BackOff", "because of a drill"),
    "kind": ("Deployment", "Pod", "Node", "Service", "Secret", "ConfigMap"),
    "sop": ("oom-raise-limits", "pod-crashloop", "node-recycle"),
}


def every(lab: Lab) -> dict[str, list[Obj]]:
    """Good arguments of each tool, by its own name (the gateway puts the server's before it)."""
    found: dict[str, list[Obj]] = {}
    for tool, arguments in (*_eks(lab), *calls(cast(lab.seed).api, cast(lab.seed).api), *_cost(), *_sop(lab)):
        found.setdefault(tool, []).append(arguments)
    return found


def _eks(lab: Lab) -> Iterator[tuple[str, Obj]]:
    who = cast(lab.seed)
    one = {"kind": "Deployment", "namespace": HOME, "name": who.api}
    yield "list_clusters", {}
    for part in ("nodes", "addons", "nodepools", "subnets", "access"):
        yield "describe_cluster", {"include": [part]}
    for kind in ("Pod", "Node", "Secret", "deployments.apps", "Event"):
        yield "list_resources", {"kind": kind, "limit": 3}
    yield "get_resource", one
    yield (
        "get_resource",
        {"kind": "Secret", "namespace": HOME, "name": f"{who.api}-canary-db", "view": "yaml"},
    )
    yield "get_resource", {"kind": "ConfigMap", "namespace": HOME, "name": f"{who.api}-canary-settings"}
    yield "get_pod_logs", {"namespace": HOME, "workload": f"deployment/{who.api}-canary", "tail": 50}
    yield "list_changes", {"namespace": HOME, "since": "-6h", "limit": 5}
    yield "list_events", {"namespace": HOME, "limit": 5}
    yield "diagnose", one
    yield "scan_manifest", {**one, "policy": "restricted"}
    yield "scan_manifest", {"manifest": manifests(("planted",))[0], "fix": True}
    yield from _plans(lab)
    yield "get_action", {"action_id": "@action_id"}
    yield "execute_plan", {"plan_id": "@plan_id", "confirm": "@confirm"}
    yield "undo_action", {"action_id": "@action_id"}


def _plans(lab: Lab) -> Iterator[tuple[str, Obj]]:
    who = cast(lab.seed)
    node = sorted(one["metadata"]["name"] for one in lab.store.list("Node"))[0]
    for home in (HOME, "staging"):
        one = {"namespace": home, "name": who.api}
        yield "plan_workload_change", {"action": "scale", **one, "replicas": 5}
        yield "plan_workload_change", {"action": "restart", **one}
        yield "plan_workload_change", {"action": "rollback", **one}
        yield "plan_workload_change", {"action": "resources", **one, "memory_limit": "512Mi"}
        yield "plan_workload_change", {"action": "image", **one, "image": "nginx:1.27"}
        yield "plan_manifest", {"action": "delete", "kind": "Deployment", **one}
    yield "plan_manifest", {"action": "apply", "manifest": manifests(("planted",))[0]}
    for action in ("cordon", "drain", "uncordon"):
        yield "plan_node_change", {"action": action, "names": [node]}
    yield "plan_node_change", {"action": "taint", "names": [node], "taint": "a=b:NoSchedule"}
    yield "plan_addon_change", {"action": "update", "name": "coredns"}


def _cost() -> Iterator[tuple[str, Obj]]:
    for group in ("service", "cluster", "namespace", "tag:team", "usage_type"):
        yield "get_costs", {"group_by": group, "period": "7d"}
    yield "get_costs", {"filters": ["region=us-east-1"], "granularity": "day", "period": "7d"}
    yield "explain_cost_change", {"period": "7d", "changes": ["-6h deploy of api"]}
    yield "recommend_savings", {"scope": "spot", "namespace": HOME}
    yield "list_prices", {"what": "m5.*", "limit": 5}
    yield "list_prices", {"min_vcpus": 8, "min_memory_gib": 32, "architecture": "arm64", "limit": 3}
    yield "estimate_cost", {"instances": "2 m5.large, -1 m5.xlarge spot"}
    yield "estimate_cost", {"manifest": manifests(("planted",))[0]}
    yield "estimate_cost", {"plan_id": "@plan_id"}


def _sop(lab: Lab) -> Iterator[tuple[str, Obj]]:
    who = cast(lab.seed)
    event = {"reason": "OOMKilled", "cluster": CLUSTER, "namespace": HOME, "name": f"{who.api}-1"}
    labels = {"alertname": "High", "namespace": HOME, "pod": f"{who.api}-1"}
    alerts = {"alerts": [{"status": "firing", "labels": labels, "annotations": {"summary": "x"}}]}
    pod = {"source": "aws.eks", "detail-type": "EKS Pod State Change", "detail": {"status": "OOMKilled"}}
    yield "find_sops", {"query": "pod crashes", "limit": 2}
    yield "find_sops", {"name": "oom-raise-limits"}
    for one in (event, alerts, pod):
        yield "find_sops", {"event": one}
        yield "submit_event", {"event": one}
        yield "investigate", {"event": one, "namespace": HOME}
    yield "investigate", {"service": who.api, "symptom": "504", "namespace": HOME}
    for kind in ("maturity", "roi", "noise", "ops"):
        yield "get_report", {"kind": kind, "period": "7d"}
    yield "generate_config", {"workload": f"deployment/{who.api}", "namespace": HOME, "kinds": ["resources"]}
    yield "verify_deployment", {"workload": f"deployment/{who.api}", "namespace": HOME}
    params = {"namespace": HOME, "name": who.api}
    yield "start_run", {"sop": "oom-raise-limits", "mode": "plan", "params": params}
    yield "get_run", {"run_id": "@run_id"}
    yield "control_run", {"run_id": "@run_id", "action": "cancel"}
    yield "search_incidents", {"text": "oom", "limit": 5}
    yield "record_outcome", {"run_id": "@incident_id", "note": "fine", "confirmed_cause": "OOM_LIMIT_TOO_LOW"}


def by_schema(schema: Obj, word: str, rng: Random) -> Any:
    """A value that this parameter takes, by its name or else by its schema."""
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if word in COMMON and schema.get("type") in {"string", "integer"}:
        return rng.choice(COMMON[word])
    kind = schema.get("type", "string")
    if kind == "array":
        return [by_schema(schema.get("items", {}), word.removesuffix("s"), rng)]
    if kind in {"integer", "number"}:
        low = float(schema.get("minimum") or schema.get("exclusiveMinimum") or 0)
        found = min(low + 1, schema.get("maximum", low + 1))
        return int(found) if kind == "integer" else found
    plain: Obj = {"boolean": rng.random() < 0.5, "object": {"reason": "OOMKilled"}, "string": "api"}
    return plain.get(kind, "api")
