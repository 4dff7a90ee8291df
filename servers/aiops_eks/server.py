"""Wires the eks server: settings -> clients -> guardrails -> tools -> run. No logic.

Everything that costs time to import or needs a network is opened by the first call that needs it, so that
the server starts and lists its tools without credentials, cluster or state (decision D31).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from fastmcp import FastMCP
from fastmcp.tools import Tool

from aiops_eks.ports import Changes, ClusterViews, Dossiers, Inventory, Journal, Logs
from aiops_eks.tools.addon_plans import AddonPlanTools
from aiops_eks.tools.changes import ChangeTools
from aiops_eks.tools.clusters import ClusterTools
from aiops_eks.tools.diagnose import DiagnoseTools
from aiops_eks.tools.events import EventTools
from aiops_eks.tools.logs import LogTools
from aiops_eks.tools.manifests import ManifestTools, Rules, Trials
from aiops_eks.tools.node_plans import NodePlanTools
from aiops_eks.tools.plans import PlanTools
from aiops_eks.tools.resources import ResourceTools
from aiops_shared.app import build
from aiops_shared.app.lazily import lazily
from aiops_shared.app.recording import Recorder
from aiops_shared.app.resources import serve_plans
from aiops_shared.app.serving import serve_stdio
from aiops_shared.auth.callers import caller_from
from aiops_shared.aws.clients import AwsClients
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.redacting import redact
from aiops_shared.guardrails.speaking import speaking
from aiops_shared.http.world_clock import make_clock
from aiops_shared.kube.changes.journal import WatchJournal
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from aiops_eks.clients.facts import FactsReader
    from aiops_eks.clients.hands import Hands
    from aiops_eks.clients.node_surroundings import NodeSurroundings
    from aiops_eks.clients.surroundings import KubeSurroundings
    from aiops_eks.tools.addon_desk import AddonDesk
    from aiops_eks.tools.autoscale_desk import AutoscaleDesk
    from aiops_eks.tools.desk import PlanDesk
    from aiops_eks.tools.disk_desk import DiskDesk
    from aiops_eks.tools.git_desk import GitDesk
    from aiops_eks.tools.node_desk import NodeDesk
    from aiops_eks.tools.profile_desk import ProfileDesk
    from aiops_shared.guardrails.ports import Effects

INSTRUCTIONS = (
    "EKS and Kubernetes: list and read any object, pod logs and events, find root causes (diagnose), scan"
    " manifests, plan, execute and undo changes behind policy and approval."
)


@dataclass
class Wiring:
    """The outside world of one server. Building it opens nothing."""

    settings: Settings

    def __post_init__(self) -> None:
        who = caller_from(self.settings)
        self.clock = make_clock(self.settings)
        self.clusters = ClusterDirectory(self.settings, AwsClients(self.settings.aws), self.clock, who)
        self.surroundings = lazily(self._surroundings)
        self.nodes = lazily(self._nodes)
        self.guard = Guardrails.open(self.settings, self.clock, self._effects, speaking(who))
        self.recorder = Recorder(self.guard, self.settings.sensitive_reads)
        self.store = StateStore(self.settings.state)  # of the watch journal; opened by who reads it
        self.journal = WatchJournal(self.store)
        self.ttl_s = self.settings.policy.plan_ttl_s

    @property
    def tools(self) -> Sequence[Tool]:
        """Every tool; what it needs is made by the first call."""
        inventory, facts = lazily(self._inventory), lazily(self._facts)
        return [
            *ClusterTools(inventory, lazily(self._views)).tools(),
            *ResourceTools(inventory, lazily(self._dossiers)).tools(),
            *LogTools(lazily(self._logs)).tools(),
            *ChangeTools(lazily(self._changes)).tools(),
            *EventTools(lazily(self._events)).tools(),
            *DiagnoseTools(facts).tools(),
            *ManifestTools(facts, lazily(self._trials), lazily(self._rules)).tools(),
            *PlanTools(
                lazily(self._desk),
                self.guard,
                lazily(self._profiles),
                lazily(self._autoscalers),
                lazily(self._git),
            ).tools(),
            *NodePlanTools(lazily(self._node_desk), lazily(self._disks)).tools(),
            *AddonPlanTools(lazily(self._addons)).tools(),
        ]

    def _surroundings(self) -> "KubeSurroundings":
        from aiops_eks.clients.surroundings import KubeSurroundings

        return KubeSurroundings(self.clusters, self.clock)

    def _nodes(self) -> "NodeSurroundings":
        from aiops_eks.clients.node_surroundings import NodeSurroundings

        return NodeSurroundings(self.clusters, self.clock)

    def _inventory(self) -> Inventory:
        from aiops_eks.clients.inventory import InventoryReader

        return InventoryReader(self.clusters, self.clock, self.recorder)

    def _views(self) -> ClusterViews:
        from aiops_eks.clients.cluster_reading import ClusterReader

        return ClusterReader(self.clusters, self.clock, redact)

    def _dossiers(self) -> Dossiers:
        from aiops_eks.clients.dossiers import DossierReader

        return DossierReader(self.clusters, self.clock, self.recorder)

    def _logs(self) -> Logs:
        from aiops_eks.clients.logs import LogReader

        return LogReader(self.clusters, self.clock, self.recorder, redact)

    def _events(self) -> Journal:
        from aiops_eks.clients.events import EventReader

        return EventReader(self.clusters, self.clock, self.recorder, self.journal)

    def _changes(self) -> Changes:
        from aiops_eks.clients.changes import ChangeReader

        own_eyes = self.settings.kube.impersonate != "off"
        return ChangeReader(self.clusters, self.clock, redact, self.journal, own_eyes)

    def _facts(self) -> "FactsReader":
        from aiops_eks.clients.facts import FactsReader

        return FactsReader(self.clusters, self.clock, self.recorder, redact, self.journal)

    def _trials(self) -> Trials:
        from aiops_eks.clients.trial_runs import TrialRuns

        return TrialRuns(self.clusters)

    def _rules(self) -> Rules:
        from aiops_eks.clients.scan_rules import RuleFiles

        return RuleFiles(self.settings.scan.rules_dir)

    def _desk(self) -> "PlanDesk":
        from aiops_eks.tools.desk import PlanDesk

        return PlanDesk(self.surroundings, self.guard, self.clock, self.ttl_s)

    def _profiles(self) -> "ProfileDesk":
        from aiops_eks.clients.profile_rights import KubeProfileRights
        from aiops_eks.tools.profile_desk import ProfileDesk

        rights = KubeProfileRights(self.clusters, self.recorder)
        return ProfileDesk(self.surroundings, rights, self.guard, self.clock, self.ttl_s)

    def _autoscalers(self) -> "AutoscaleDesk":
        from aiops_eks.clients.autoscale_rivals import KubeRivals
        from aiops_eks.tools.autoscale_desk import AutoscaleDesk

        rivals = KubeRivals(self.clusters)
        return AutoscaleDesk(self.surroundings, rivals, self.guard, self.clock, self.ttl_s)

    def _git(self) -> "GitDesk":
        from aiops_eks.clients.git_places import GitPlaces, rows_from
        from aiops_eks.tools.git_desk import GitDesk

        places = GitPlaces(rows_from(self.settings))
        return GitDesk(self.surroundings, places, self.guard, self.clock, self.ttl_s)

    def _node_desk(self) -> "NodeDesk":
        from aiops_eks.tools.node_desk import NodeDesk

        return NodeDesk(self.nodes, self.guard, self.clock, self.ttl_s)

    def _disks(self) -> "DiskDesk":
        from aiops_eks.clients.disk_surroundings import DiskSurroundings
        from aiops_eks.tools.disk_desk import DiskDesk

        image = self.settings.nodes.debug_image
        disks = DiskSurroundings(self.clusters, self.clusters, self.clock, self.recorder, image)
        return DiskDesk(self.nodes, disks, self.guard, self.clock, self.ttl_s)

    def _addons(self) -> "AddonDesk":
        from aiops_eks.clients.addon_surroundings import AddonSurroundings
        from aiops_eks.tools.addon_desk import AddonDesk

        return AddonDesk(AddonSurroundings(self.clusters, self.clock), self.guard, self.clock, self.ttl_s)

    async def _effects(self, cluster: str) -> "Hands":
        """Every hand of one cluster; those that few plans need are made when a target asks for them."""
        from aiops_eks.clients.effects import KubeEffects
        from aiops_eks.clients.hands import Hands

        kube = await self.clusters.open(cluster)
        plain = KubeEffects(kube, self.surroundings)

        def nodes() -> "Effects":
            from aiops_eks.clients.node_effects import NodeEffects

            return NodeEffects(kube, self.nodes, plain)

        def disks(group: str) -> "Effects":
            from aiops_eks.clients.disk_effects import DiskEffects, PodCommands, SsmCommands

            by_pod = PodCommands(kube, self.settings.nodes.debug_image)
            by_ssm = SsmCommands(self.clusters, cluster, self.clock)
            return DiskEffects(kube, by_ssm if group == "ssm.disk.aiops" else by_pod, self.nodes)

        def profiles() -> "Effects":
            from aiops_eks.clients.profile_effects import ProfileEffects
            from aiops_shared.guardrails.artefacts import Artefacts

            return ProfileEffects(kube, self.surroundings, Artefacts(self.settings.state), self.recorder)

        def addons() -> "Effects":
            from aiops_eks.clients.addon_effects import AddonEffects
            from aiops_eks.clients.addon_surroundings import AddonSurroundings

            return AddonEffects(self.clusters, cluster, kube, AddonSurroundings(self.clusters, self.clock))

        def commits() -> "Effects":
            from aiops_eks.clients.git_effects import GitEffects
            from aiops_eks.clients.git_places import GitPlaces, rows_from

            return GitEffects(GitPlaces(rows_from(self.settings)), plain)

        both = {group: partial(disks, group) for group in ("ssm.disk.aiops", "pod.disk.aiops")}
        return Hands(
            plain,
            others={
                "v1/Node": nodes,
                "profile.aiops": profiles,
                "eks.amazonaws.com": addons,
                "git.aiops": commits,
                **both,
            },
        )

    @asynccontextmanager
    async def running(self, _: FastMCP) -> AsyncIterator[dict[str, Any]]:
        """The server's lifespan: carries actions on, closes what was opened."""
        try:
            async with self.guard.running():
                yield {}
        finally:
            with anyio.move_on_after(5, shield=True):
                await self.clusters.aclose()
                await self.clock.aclose()
            self.guard.close()
            self.store.close()


def make(settings: Settings) -> FastMCP:
    """The server, not yet running."""
    parts = Wiring(settings)
    server = build(
        "eks",
        parts.tools,
        settings=settings,
        instructions=INSTRUCTIONS,
        calls=parts.recorder,
        lifespan=parts.running,
    )
    serve_plans(server, parts.guard.public_plan)
    return server


def serve() -> None:
    """Run over stdio until the client closes it, or a signal ends it."""
    serve_stdio("eks", make)
