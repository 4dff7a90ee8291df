"""Wires the observability server: settings -> clients -> tools -> run. No logic.

A tool is given a function that makes its reader; the reader's module, and what is heavy in it (numpy, boto3,
promql-parser), loads with the first call (decision D31). The server has no tool that writes.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError
from fastmcp.tools import Tool

from aiops_observability.models.pages import SERIES_PAGE
from aiops_observability.ports import (
    Alarms,
    Anomalies,
    Comparisons,
    Forecasts,
    LogAnalyses,
    LogQueries,
    MetricReadings,
    Services,
    TelemetryConfigs,
    Traces,
)
from aiops_observability.tools.alarms import AlarmTools
from aiops_observability.tools.anomalies import AnomalyTools
from aiops_observability.tools.comparisons import ComparisonTools
from aiops_observability.tools.forecasts import ForecastTools
from aiops_observability.tools.logs import LogTools
from aiops_observability.tools.metrics import MetricTools
from aiops_observability.tools.services import ServiceTools
from aiops_observability.tools.telemetry import TelemetryTools
from aiops_observability.tools.traces import TraceTools
from aiops_shared.app import build
from aiops_shared.app.boundary import clean
from aiops_shared.app.page_files import serve_page
from aiops_shared.app.recording import Recorder
from aiops_shared.app.serving import serve_stdio
from aiops_shared.auth.callers import caller_from
from aiops_shared.aws.clients import AwsClients
from aiops_shared.errors import ActionRefusedError, AiopsError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.speaking import speaking
from aiops_shared.http.world_clock import make_clock
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.metrics.directory import MetricsDirectory
from aiops_shared.settings import Settings

if TYPE_CHECKING:
    from aiops_observability.clients.log_making import LogDoors
    from aiops_observability.clients.trace_making import TraceStores

INSTRUCTIONS = (
    "Metrics, logs, traces and alarms of EKS: what is abnormal, since when, which part differs, when it hits"
    " its limit."
)


@dataclass
class Wiring:
    """The outside world of one server. Building it opens nothing."""

    settings: Settings

    def __post_init__(self) -> None:
        who = caller_from(self.settings)
        self.clock = make_clock(self.settings)
        self.aws = AwsClients(self.settings.aws)
        self.clusters = ClusterDirectory(self.settings, self.aws, self.clock, who)
        self.metrics = MetricsDirectory(self.settings, self.aws, self.clusters, self.clock)
        self.guard = Guardrails.open(self.settings, self.clock, no_effects, speaking(who))
        self._alarms: Alarms | None = None
        self._log_doors: LogDoors | None = None
        self._trace_stores: TraceStores | None = None
        self.recorder = Recorder(self.guard, self.settings.sensitive_reads)

    @cached_property
    def tools(self) -> Sequence[Tool]:
        """Every tool, each given functions that make what it needs."""
        return [
            *MetricTools(self.readings).tools(),
            *AlarmTools(self.alarms).tools(),
            *AnomalyTools(self.anomalies).tools(),
            *ForecastTools(self.forecasts).tools(),
            *ComparisonTools(self.comparisons).tools(),
            *TelemetryTools(self.configs).tools(),
            *TraceTools(self.traces).tools(),
            *ServiceTools(self.services).tools(),
            *LogTools(self.log_queries, self.log_analyses).tools(),
        ]

    def alarms(self) -> Alarms:
        """What fires."""
        if self._alarms is None:
            from aiops_observability.clients.alarm_making import make_alarms

            self._alarms = make_alarms(self.settings, self.clusters, self.metrics, self.clock)
        return self._alarms

    def readings(self) -> MetricReadings:
        """Values of metrics."""
        from aiops_observability.clients.metric_reading import MetricReader

        return MetricReader(self.metrics, self.clock)

    def anomalies(self) -> Anomalies:
        """What is abnormal."""
        from aiops_observability.clients.anomaly_reading import AnomalyReader
        from aiops_observability.clients.anomaly_voices import Voices

        return AnomalyReader(self.metrics, self.clock, Voices(self.clusters).hear)

    def configs(self) -> TelemetryConfigs:
        """Collector configurations."""
        from aiops_observability.clients.telemetry_config import ConfigGenerator

        return ConfigGenerator(self.metrics, self.clock, self.settings.metrics.prices_file)

    def comparisons(self) -> Comparisons:
        """What differs."""
        from aiops_observability.clients.comparing_windows import WindowComparer

        return WindowComparer(self.metrics, self.clock)

    def forecasts(self) -> Forecasts:
        """What comes."""
        from aiops_observability.clients.forecast_reading import ForecastReader

        return ForecastReader(self.metrics, self.clock)

    def log_queries(self) -> LogQueries:
        """Lines as a query finds them."""
        return self.log_doors().queries()

    def log_analyses(self) -> LogAnalyses:
        """What many lines say together."""
        return self.log_doors().analyses()

    def log_doors(self) -> "LogDoors":
        """The backends of logs; opened by the first question."""
        if self._log_doors is None:
            from aiops_observability.clients.log_making import LogDoors

            self._log_doors = LogDoors(self.settings.logs, self.aws, self.clusters, self.clock, self.recorder)
        return self._log_doors

    def traces(self) -> Traces:
        """Traced requests."""
        from aiops_observability.clients.trace_places import Places
        from aiops_observability.clients.trace_reading import TraceReader

        return TraceReader(self.trace_stores(), Places(self.clusters), self.clock, self.recorder)

    def services(self) -> Services:
        """Services and their promises."""
        from aiops_observability.clients.service_health import ServiceReader

        return ServiceReader(self.clusters, self.trace_stores(), self.metrics, self.clock)

    def trace_stores(self) -> "TraceStores":
        """Where traces are kept; opened by the first question."""
        if self._trace_stores is None:
            from aiops_observability.clients.trace_making import TraceStores

            self._trace_stores = TraceStores(self.settings.traces, self.clusters)
        return self._trace_stores

    @asynccontextmanager
    async def running(self, _: FastMCP) -> AsyncIterator[dict[str, Any]]:
        """The server's lifespan: closes what was opened."""
        try:
            yield {}
        finally:
            with anyio.move_on_after(5, shield=True):
                if self._alarms is not None:
                    await self._alarms.aclose()
                if self._trace_stores is not None:
                    await self._trace_stores.aclose()
                if self._log_doors is not None:
                    await self._log_doors.aclose()
                await self.metrics.aclose()
                await self.clusters.aclose()
                await self.clock.aclose()
            self.guard.close()


async def no_effects(cluster: str) -> Any:
    """This server has no hands."""
    raise ActionRefusedError(
        f"change in {cluster}", "the observability server only reads", "use the eks server"
    )


def make(settings: Settings) -> FastMCP:
    """The server, not yet running."""
    parts = Wiring(settings)
    server = build(
        "observability",
        parts.tools,
        settings=settings,
        instructions=INSTRUCTIONS,
        calls=parts.recorder,
        lifespan=parts.running,
    )

    @server.resource("guide://backend-choice", mime_type="application/json", description="Which backend fits")
    def backend_choice() -> dict[str, object]:
        from aiops_observability.telemetry.choice import guide

        return guide()

    @server.resource(
        "dashboard://{name}",
        mime_type="application/json",
        description="A Grafana dashboard: suite, workload, nodes, alerts",
    )
    def dashboard(name: str) -> dict[str, object]:
        from aiops_observability.telemetry.dashboards import dashboard_of

        try:
            return dashboard_of(name)
        except AiopsError as error:
            raise ResourceError(clean(error.wire())) from error

    serve_page(server, SERIES_PAGE, "Draws series, anomalies, forecasts", _series_page)
    return server


def _series_page() -> str:
    from aiops_observability.charts.pages import series_page

    return series_page()


def serve() -> None:
    """Run over stdio until the client closes it, or a signal ends it."""
    serve_stdio("observability", make)
