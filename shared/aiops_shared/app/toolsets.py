"""Named sets of tools, for clients with few tool slots: `--toolsets diagnose,logs` or AIOPS_TOOLSETS.

Read by `build`, by the gateway, by the sop server (which of its peers it need not start), and by the docs.
A tool may be in several sets and is in one at least; a contract test holds this table to the servers' own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import Settings

SERVERS: Final = ("eks", "observability", "cost", "sop")


@dataclass(frozen=True, slots=True)
class Toolset:
    """What a set is for, and its tools by server."""

    says: str
    tools: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> frozenset[str]:
        """Its tools, whatever their server."""
        return frozenset(tool for tools in self.tools.values() for tool in tools)


def _set(says: str, **tools: Sequence[str]) -> Toolset:
    return Toolset(says, MappingProxyType({server: tuple(names) for server, names in tools.items()}))


TOOLSETS: Final[Mapping[str, Toolset]] = MappingProxyType(
    {
        "clusters": _set(
            "Which clusters there are, their version, nodes, add-ons and access.",
            eks=("list_clusters", "describe_cluster"),
        ),
        "diagnose": _set(
            "What is wrong and why: objects, findings, changes, one investigation over every source.",
            eks=("list_clusters", "list_resources", "get_resource", "diagnose", "list_changes"),
            sop=("investigate", "search_incidents"),
        ),
        "logs": _set(
            "Lines of pods and of log stores, and events.",
            eks=("get_pod_logs", "list_events"),
            observability=("query_logs", "analyze_logs"),
        ),
        "metrics": _set(
            "Values, alarms, what is abnormal, what comes.",
            observability=(
                "query_metrics",
                "list_alarms",
                "detect_anomalies",
                "forecast_metric",
                "compare_windows",
            ),
        ),
        "traces": _set(
            "Slow and failing requests, services and their promises.",
            observability=("analyze_traces", "get_service_health"),
        ),
        "cost": _set(
            "The bill, why it moved, what to save, prices.",
            cost=("get_costs", "explain_cost_change", "recommend_savings", "list_prices", "estimate_cost"),
        ),
        "config": _set(
            "Files from measured use, and what is wrong with files.",
            eks=("scan_manifest",),
            observability=("generate_telemetry_config",),
            sop=("generate_config", "verify_deployment"),
        ),
        "plan": _set(
            "What a change would do; changes nothing.",
            eks=(
                "plan_workload_change",
                "plan_node_change",
                "plan_addon_change",
                "plan_manifest",
                "scan_manifest",
            ),
            cost=("estimate_cost",),
        ),
        "execute": _set(
            "Carries plans out and takes them back; with AIOPS_WRITE.",
            eks=("execute_plan", "get_action", "undo_action"),
        ),
        "sop": _set(
            "Procedures: find, run, follow, steer.",
            sop=("find_sops", "start_run", "get_run", "control_run", "record_outcome"),
        ),
        "incidents": _set(
            "Events taken in, incidents that were, reports.",
            sop=("submit_event", "search_incidents", "record_outcome", "get_report"),
        ),
    }
)


def suite_tools() -> Mapping[str, frozenset[str]]:
    """Every tool by server."""
    return {
        server: frozenset(name for one in TOOLSETS.values() for name in one.tools.get(server, ()))
        for server in SERVERS
    }


def sets_of(server: str) -> tuple[str, ...]:
    """The sets that hold a tool of that server."""
    return tuple(name for name, one in TOOLSETS.items() if server in one.tools)


def sets_with(tool: str) -> tuple[str, ...]:
    """The sets that a tool is in."""
    return tuple(name for name, one in TOOLSETS.items() if tool in one.names)


def left_out(settings: Settings, tool: str) -> tuple[str, str] | None:
    """Why the operator's choice has not this tool, and what would; None for one that it has."""
    if settings.tools and tool not in settings.tools:
        return "the operator's AIOPS_TOOLS leaves it out", "use another tool"
    if settings.toolsets and tool not in tools_in(settings.toolsets):
        where = ", ".join(sets_with(tool)) or "none"
        return "the operator's AIOPS_TOOLSETS leaves it out", f"sets with it: {where}"
    return None


def require_known(chosen: Iterable[str], server: str = "") -> None:
    """Raises NotConfiguredError for a set that does not exist, or that holds no tool of `server`."""
    known = sets_of(server) if server in SERVERS else tuple(TOOLSETS)
    if wrong := [name for name in chosen if name not in known]:
        whose = f" of the {server} server" if server in SERVERS else ""
        reason = f"no such set{whose}: {', '.join(name[:40] for name in wrong[:5])}"
        raise NotConfiguredError("AIOPS_TOOLSETS", reason, f"known: {', '.join(known)}")


def tools_in(chosen: Iterable[str]) -> frozenset[str]:
    """The tools of these sets. Raises NotConfiguredError for a set that does not exist."""
    names = tuple(chosen)
    require_known(names)
    return frozenset(tool for name in names for tool in TOOLSETS[name].names)
