"""Wires the eks server: settings -> clients -> guardrails -> tools -> run. No logic.

Everything that costs time to import or needs a network is opened by the first call that needs it, so that
the server starts and lists its tools without credentials, cluster or state (decision D31).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import anyio
from fastmcp import FastMCP

from aiops_eks.clients.addon_surroundings import AddonSurroundings
from aiops_eks.clients.autoscale_rivals import KubeRivals
from aiops_eks.clients.disk_surroundings import DiskSurroundings
from aiops_eks.clients.dossiers import DossierReader
from aiops_eks.clients.effects import KubeEffects
from aiops_eks.clients.events import EventReader
from aiops_eks.clients.hands import Hands
from aiops_eks.clients.inventory import InventoryReader
from aiops_eks.clients.logs import LogReader
from aiops_eks.clients.node_surroundings import NodeSurroundings
from aiops_eks.clients.profile_rights import KubeProfileRights
from aiops_eks.clients.scan_rules import RuleFiles
from aiops_eks.clients.surroundings import KubeSurroundings
from aiops_eks.diagnosis.result import Ask, Diagnosis
from aiops_eks.models.answers import ClusterAsk, ClusterView
from aiops_eks.models.change_rows import ChangeAsk, ChangeList
from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning.git_asking import GitWish
from aiops_eks.tools.addon_plans import AddonPlanTools
from aiops_eks.tools.autoscale_desk import AutoscaleDesk
from aiops_eks.tools.changes import ChangeTools
from aiops_eks.tools.clusters import ClusterTools
from aiops_eks.tools.desk import PlanDesk
from aiops_eks.tools.diagnose import DiagnoseTools
from aiops_eks.tools.disk_desk import DiskDesk
from aiops_eks.tools.events import EventTools
from aiops_eks.tools.logs import LogTools
from aiops_eks.tools.manifests import ManifestTools
from aiops_eks.tools.node_plans import NodeDesk, NodePlanTools
from aiops_eks.tools.plans import PlanTools
from aiops_eks.tools.profile_desk import ProfileDesk
from aiops_eks.tools.resources import ResourceTools
from aiops_shared.app import build
from aiops_shared.app.recording import Recorder
from aiops_shared.app.resources import serve_plans
from aiops_shared.app.serving import serve_stdio
from aiops_shared.auth.callers import caller_from
from aiops_shared.aws.clients import AwsClients
from aiops_shared.clock import Clock
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.artefacts import Artefacts
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.ports import Effects
from aiops_shared.guardrails.redacting import redact
from aiops_shared.http.world_clock import make_clock
from aiops_shared.kube.changes.journal import WatchJournal
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from aiops_eks.clients.facts import FactsReader
    from aiops_eks.clients.trial_runs import Trial
    from aiops_eks.diagnosis.scope import Gathered

INSTRUCTIONS = (
    "EKS and Kubernetes: list and read any object, pod logs and events, find root causes (diagnose), scan"
    " manifests, plan, execute and undo changes behind policy and approval."
)


@dataclass(frozen=True)
class LazyFacts:
    """The facts' reader, loaded with the rules by the first question that needs it (D31)."""

    clusters: ClusterDirectory
    clock: Clock
    sensitive: Recorder
    journal: WatchJournal

    @cached_property
    def _reader(self) -> "FactsReader":
        from aiops_eks.clients.facts import FactsReader

        return FactsReader(self.clusters, self.clock, self.sensitive, redact, self.journal)

    async def gather(self, ask: Ask) -> "Gathered":
        """The facts of the scope."""
        return await self._reader.gather(ask)

    async def several(self, ask: Ask, words: tuple[str, ...]) -> Diagnosis:
        """The diagnosis of several clusters."""
        return await self._reader.several(ask, words)

    async def live(self, ask: Ask) -> dict[str, Any]:
        """One live object."""
        return await self._reader.live(ask)


@dataclass(frozen=True)
class LazyViews:
    """The cluster's views, loaded by the first question that needs them (D31)."""

    clusters: ClusterDirectory
    clock: Clock

    async def describe(self, ask: ClusterAsk) -> ClusterView:
        """The cluster with the parts asked for."""
        from aiops_eks.clients.cluster_reading import ClusterReader

        return await ClusterReader(self.clusters, self.clock, redact).describe(ask)


@dataclass(frozen=True)
class LazyTrials:
    """Dry runs of manifests, loaded by the first scan that asks for one (D31)."""

    clusters: ClusterDirectory

    async def tried(
        self, cluster: str | None, namespace: str, objects: tuple[dict[str, Any], ...]
    ) -> "Trial":
        """What the API server says of some objects."""
        from aiops_eks.clients.trial_runs import TrialRuns

        return await TrialRuns(self.clusters).tried(cluster, namespace, objects)


@dataclass(frozen=True)
class LazyChanges:
    """The readers of changes, loaded by the first question that needs them (D31)."""

    clusters: ClusterDirectory
    clock: Clock
    journal: WatchJournal

    async def changes(self, ask: ChangeAsk) -> ChangeList:
        """One timeline of all sources, newest first."""
        from aiops_eks.clients.changes import ChangeReader

        return await ChangeReader(self.clusters, self.clock, redact, self.journal).changes(ask)


@dataclass(frozen=True)
class LazyGit:
    """Plans of commits, loaded by the first question that needs them (D31)."""

    parts: "Wiring"

    async def plan(self, cluster: str | None, wish: GitWish) -> PlannedChange:
        """One manifest in a repository."""
        from aiops_eks.clients.git_places import GitPlaces, rows_from
        from aiops_eks.tools.git_desk import GitDesk

        parts, places = self.parts, GitPlaces(rows_from(self.parts.settings))
        ttl_s = parts.settings.policy.plan_ttl_s
        return await GitDesk(parts.surroundings, places, parts.guard, parts.clock, ttl_s).plan(cluster, wish)


@dataclass
class Wiring:
    """The outside world of one server. Building it opens nothing."""

    settings: Settings

    def __post_init__(self) -> None:
        who = caller_from(self.settings)
        self.clock = make_clock(self.settings)
        self.clusters = ClusterDirectory(self.settings, AwsClients(self.settings.aws), self.clock, who)
        self.surroundings = KubeSurroundings(self.clusters, self.clock)
        caller = Caller(name=who.name, kind=who.kind)
        self.guard = Guardrails.open(self.settings, self.clock, self._effects, caller)
        self.recorder = Recorder(self.guard, self.settings.sensitive_reads)
        self.store = StateStore(self.settings.state)  # of the watch journal; opened by who reads it

    async def _effects(self, cluster: str) -> Hands:
        """Every hand of one cluster; those that few plans need are made when a target asks for them."""
        kube = await self.clusters.open(cluster)
        plain = KubeEffects(kube, self.surroundings)

        def nodes() -> Effects:
            from aiops_eks.clients.node_effects import NodeEffects

            return NodeEffects(kube, NodeSurroundings(self.clusters, self.clock), plain)

        def disks(group: str) -> Effects:
            from aiops_eks.clients.disk_effects import DiskEffects, PodCommands, SsmCommands

            by_pod = PodCommands(kube, self.settings.nodes.debug_image)
            by_ssm = SsmCommands(self.clusters, cluster, self.clock)
            around = NodeSurroundings(self.clusters, self.clock)
            return DiskEffects(kube, by_ssm if group == "ssm.disk.aiops" else by_pod, around)

        def profiles() -> Effects:
            from aiops_eks.clients.profile_effects import ProfileEffects

            return ProfileEffects(kube, self.surroundings, Artefacts(self.settings.state), self.recorder)

        def addons() -> Effects:
            from aiops_eks.clients.addon_effects import AddonEffects

            return AddonEffects(self.clusters, cluster, kube, AddonSurroundings(self.clusters, self.clock))

        def commits() -> Effects:
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
    clusters, clock, recorder = parts.clusters, parts.clock, parts.recorder
    journal = WatchJournal(parts.store)
    facts = LazyFacts(clusters, clock, recorder, journal)
    inventory = InventoryReader(clusters, clock, recorder)
    desk = PlanDesk(parts.surroundings, parts.guard, clock, settings.policy.plan_ttl_s)
    nodes = NodeSurroundings(clusters, clock)
    rights = KubeProfileRights(clusters, recorder)
    profiles = ProfileDesk(parts.surroundings, rights, parts.guard, clock, settings.policy.plan_ttl_s)
    disks = DiskSurroundings(clusters, clusters, clock, recorder, settings.nodes.debug_image)
    ttl_s = settings.policy.plan_ttl_s
    autoscalers = AutoscaleDesk(parts.surroundings, KubeRivals(clusters), parts.guard, clock, ttl_s)
    tools = [
        *ClusterTools(inventory, LazyViews(clusters, clock)).tools(),
        *ResourceTools(inventory, DossierReader(clusters, clock, recorder)).tools(),
        *LogTools(LogReader(clusters, clock, recorder, redact)).tools(),
        *ChangeTools(LazyChanges(clusters, clock, journal)).tools(),
        *EventTools(EventReader(clusters, clock, recorder, journal)).tools(),
        *DiagnoseTools(facts).tools(),
        *ManifestTools(facts, LazyTrials(clusters), RuleFiles(settings.scan.rules_dir)).tools(),
        *PlanTools(desk, parts.guard, profiles, autoscalers, LazyGit(parts)).tools(),
        *NodePlanTools(
            NodeDesk(nodes, parts.guard, clock, ttl_s), DiskDesk(nodes, disks, parts.guard, clock, ttl_s)
        ).tools(),
        *AddonPlanTools(AddonSurroundings(clusters, clock), parts.guard, clock, ttl_s).tools(),
    ]
    server = build(
        "eks", tools, settings=settings, instructions=INSTRUCTIONS, calls=recorder, lifespan=parts.running
    )
    serve_plans(server, parts.guard.public_plan)
    return server


def serve() -> None:
    """Run over stdio until the client closes it, or a signal ends it."""
    serve_stdio("eks", make)
