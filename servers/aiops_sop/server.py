"""Wires the sop server: settings -> peers, store, engine -> tools -> run. No logic.

Every part that costs time to import or needs a network is made by the first call that needs it (D31): a
part is a function here, and `lazily` stands for it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
from fastmcp import FastMCP
from fastmcp.tools import Tool

from aiops_shared.app import build
from aiops_shared.app.lazily import lazily
from aiops_shared.app.page_files import serve_page
from aiops_shared.app.recording import Recorder
from aiops_shared.app.serving import serve_stdio
from aiops_shared.auth.callers import caller_from
from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.guardrails.speaking import speaking
from aiops_shared.http.world_clock import make_clock
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_sop.clients.library import SopLibrary
from aiops_sop.clients.peers import Connect, McpPeers
from aiops_sop.models.pages import STORY_PAGE
from aiops_sop.ports import (
    EventDoor,
    IncidentDesk,
    Investigations,
    Promotion,
    Reports,
    RunAnswers,
    RunControl,
    Teller,
)
from aiops_sop.tools.configs import Configs, ConfigTools, serve_specs
from aiops_sop.tools.deployments import Deployments, DeploymentTools
from aiops_sop.tools.events import EventTools
from aiops_sop.tools.incidents import IncidentTools, serve_incidents
from aiops_sop.tools.investigate import InvestigateTools
from aiops_sop.tools.prompts import serve_sops
from aiops_sop.tools.reports import ReportTools
from aiops_sop.tools.runs import RunTools, serve_runs
from aiops_sop.tools.sops import SopFinding, SopTools

if TYPE_CHECKING:
    from aiops_sop.clients.event_desk import EventDesk
    from aiops_sop.clients.incident_store import IncidentStore
    from aiops_sop.clients.outcomes import Outcomes
    from aiops_sop.clients.run_desk import RunDesk

LOOK_AFTER_S = 3.0  # a server answers its first questions before it looks for runs that were left
INSTRUCTIONS = (
    "Procedures (SOPs) and incidents: find a cause over metrics, logs, traces, cost and cluster"
    " (investigate), find and run procedures that verify and undo, answer events, generate configuration,"
    " verify deployments, report."
)


@dataclass
class Wiring:
    """The outside world of one server. Building it opens nothing."""

    settings: Settings
    given: Mapping[str, Connect] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.who = caller_from(self.settings)
        self.clock = make_clock(self.settings)
        self.store = StateStore(self.settings.state)
        self.lifetime = Lifetime(self.clock)
        self.library = SopLibrary(self.settings)
        self.peers = McpPeers(self.settings, self.given)
        self.guard = Guardrails.open(self.settings, self.clock, no_effects, speaking(self.who))
        self.recorder = Recorder(self.guard, self.settings.sensitive_reads)

    @property
    def tools(self) -> Sequence[Tool]:
        """Every tool; what it needs is made by the first call."""
        return [
            *SopTools(lazily(self._sops)).tools(),
            *InvestigateTools(lazily(self._investigations)).tools(),
            *ReportTools(lazily(self._reports)).tools(),
            *ConfigTools(lazily(self._configs)).tools(),
            *DeploymentTools(lazily(self._deployments)).tools(),
            *RunTools(lazily(self.runs), lambda: self.guard.caller, lazily(self._answers)).tools(),
            *EventTools(lazily(self._event_door), lambda: self.guard.caller).tools(),
            *IncidentTools(lazily(self.incident_desk), lambda: self.guard.caller).tools(),
        ]

    def _sops(self) -> SopFinding:
        from aiops_sop.clients.sop_finding import SopFinder

        return SopFinder(self.library, self.outcomes)

    def _investigations(self) -> Investigations:
        from aiops_sop.clients.investigating import Investigator

        return Investigator(self.peers, self.clock, self._past)

    def _reports(self) -> Reports:
        from aiops_sop.clients.report_desk import ReportDesk
        from aiops_sop.clients.report_store import ReportStore

        rows = ReportStore(self.store)
        return ReportDesk(self.settings, self.peers, rows, self.clock, lambda: self.guard)

    def _configs(self) -> Configs:
        from aiops_sop.clients.config_making import ConfigMaker

        return ConfigMaker(self.peers, self.clock)

    def _deployments(self) -> Deployments:
        from aiops_sop.clients.deployment_judging import DeploymentJudge

        return DeploymentJudge(self.peers, self.clock)

    def runs(self) -> RunControl:
        """Runs as tools and resources show them."""
        return self.run_desk

    def _answers(self) -> RunAnswers:
        from aiops_sop.clients.run_answers import StoredAnswers
        from aiops_sop.clients.run_parts import asks_of

        return StoredAnswers(asks_of(self.settings, self.store, self.clock, self.guard), self.guard)

    @cached_property
    def run_desk(self) -> "RunDesk":
        """Runs: made by the first call, or by the first look for runs that a dead process left."""
        from aiops_sop.clients.run_parts import Outside, runs_of

        return runs_of(
            Outside(
                settings=self.settings,
                clock=self.clock,
                store=self.store,
                guard=self.guard,
                lifetime=self.lifetime,
                peers=self.peers,
                library=self.library,
                teller=self.teller,
                promotion=self._promotion(),
                ends=self.outcomes,
            )
        )

    def _event_door(self) -> EventDoor:
        return self.event_desk

    @cached_property
    def event_desk(self) -> "EventDesk":
        """Events: made by the first one, or by `eks-aiops worker`."""
        from aiops_sop.clients.event_wiring import Around, desk_of

        return desk_of(
            Around(
                settings=self.settings,
                clock=self.clock,
                store=self.store,
                lifetime=self.lifetime,
                peers=self.peers,
                library=self.library,
                runs=self.run_desk,
                teller=self.teller,
                outcomes=self.outcomes,
            )
        )

    def incident_desk(self) -> IncidentDesk:
        """Incidents that were."""
        from aiops_sop.clients.incident_desk import StoredIncidents

        return StoredIncidents(self._past(), self.outcomes)

    def _past(self) -> "IncidentStore":
        from aiops_sop.clients.incident_store import IncidentStore

        return IncidentStore(self.store)

    @cached_property
    def outcomes(self) -> "Outcomes":
        """What runs achieved."""
        from aiops_sop.clients.outcomes import Outcomes

        return Outcomes(self.store, self.clock, self.library)

    @cached_property
    def teller(self) -> Teller:
        """Who is told."""
        from aiops_sop.clients.telling import ChannelTeller

        return ChannelTeller.of(self.settings, self.store, self.clock)

    def _promotion(self) -> Promotion:
        from aiops_sop.clients.promotion import StorePromotion

        return StorePromotion(self.store, self.clock, self.settings.sop, lambda: self.guard.policy_digest)

    async def _look_after_runs(self) -> None:
        """A few seconds after the start, and only where there was ever a run (D31)."""
        if await self.lifetime.rest(LOOK_AFTER_S):
            await self.run_desk.runner.look_forever()

    @asynccontextmanager
    async def running(self, _: FastMCP) -> AsyncIterator[dict[str, Any]]:
        """The server's lifespan: carries runs on, closes what was opened."""
        self.peers.live_here()
        try:
            async with self.lifetime.open():
                self.lifetime.launch(self._look_after_runs)
                try:
                    yield {}
                finally:
                    self.lifetime.stop()
                    if "run_desk" in self.__dict__:
                        with anyio.CancelScope(shield=True):
                            await self.run_desk.runner.stop()
        finally:
            with anyio.move_on_after(10, shield=True):
                await self.peers.aclose()
                await self.clock.aclose()
            self.store.close()
            self.guard.close()


async def no_effects(cluster: str) -> Any:
    """This server has no hands: it changes a cluster through the eks server's."""
    raise ActionRefusedError(f"change in {cluster}", "the sop server has no hands", "use the eks server")


def make(settings: Settings, given: Mapping[str, Connect] | None = None) -> FastMCP:
    """The server, not yet running. `given`: how to reach servers that are neither children nor at a URL."""
    return served(Wiring(settings, given or {}))


def served(parts: Wiring) -> FastMCP:
    """The server of these parts: also for `eks-aiops worker`, which carries runs on without a client."""
    server = build(
        "sop",
        parts.tools,
        settings=parts.settings,
        instructions=INSTRUCTIONS,
        calls=parts.recorder,
        lifespan=parts.running,
    )
    serve_sops(server, parts.library)
    parts.peers.given = {**parts.peers.given, "sop": lambda: server}  # a SOP's steps may call our own reads
    serve_page(server, STORY_PAGE, "Draws a run's steps, and the timeline of an incident", _story_page)
    serve_runs(server, lazily(parts.runs), lambda: parts.guard.caller)
    serve_incidents(server, lazily(parts.incident_desk))
    serve_specs(server, lazily(parts._configs))
    if parts.settings.events.token_file is not None:
        from aiops_sop.clients.events_route import serve_posts

        serve_posts(server, parts.settings, lazily(lambda: parts.event_desk))
    return server


def _story_page() -> str:
    from aiops_sop.charts.pages import story_page

    return story_page()


def serve() -> None:
    """Run over stdio until the client closes it, or a signal ends it."""
    serve_stdio("sop", make)
