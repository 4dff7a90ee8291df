"""One question for configuration while it is answered: what is known, what is missing, what was made.

Called by `config_making` and the makers beside it. Each fact is asked for once, by the first maker that needs
it.
"""

from dataclasses import dataclass, field
from math import floor
from typing import Final

from aiops_shared.errors import InsufficientDataError
from aiops_sop.analysis.configs.documents import Draft
from aiops_sop.analysis.configs.facts import Hourly, Pool, Used, Workload
from aiops_sop.analysis.configs.reasons import Reasons, Source
from aiops_sop.analysis.configs.requests import cpu_request
from aiops_sop.analysis.configs.scaling import Capacity, Objective, at_objective, by_cpu, objective
from aiops_sop.analysis.configs.surges import Surge
from aiops_sop.clients.config_reading import DAYS, ConfigReader
from aiops_sop.models.configs import ConfigAsk

LEAST_DAYS: Final = 7.0  # for requests and an autoscaler: a week has its weekend
LEAST_COVERED: Final = 0.8
WEEK: Final = 7  # of latency and replicas: histograms are dear to read


@dataclass
class Scene:
    """What the makers share."""

    ask: ConfigAsk
    workload: Workload
    reader: ConfigReader
    used: dict[str, Used | None] = field(default_factory=dict)
    hours: dict[str, Hourly] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=Reasons)
    drafts: list[Draft] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    quiet: str = ""  # why nothing is to be prepared
    _surge: Surge | None = None
    _pools: tuple[Pool, ...] | None = None

    def lacks(self, what: str) -> None:
        """Something that is needed is not known."""
        self.missing[what] = None

    async def pods(self, what: str) -> Used | None:
        """A metric of its pods, if enough of it is known."""
        if what not in self.used:
            self.used[what] = await self.reader.used(self.ask, what)
        found = self.used[what]
        days = found.days if found else 0.0
        if found is None or days < LEAST_DAYS or found.covered < LEAST_COVERED:
            covered = f", {found.covered:.0%} measured" if found else ""
            self.lacks(f"{what} of its pods: {days:.1f} days{covered}; {LEAST_DAYS:.0f} days are needed")
            return None
        return found

    async def service(self, what: str, least_days: float) -> Used | None:
        """A metric of its Service, if enough of it is known."""
        if what not in self.used:
            self.used[what] = await self.reader.used(self.ask, what, "Service")
        found = self.used[what]
        days = found.days if found else 0.0
        if found is None or days < least_days * LEAST_COVERED:
            known = f"{days:.1f} days; {least_days:.0f} are needed"
            self.lacks(f"{what} of service {self.workload.name}: {known}")
            return None
        return found

    async def by_hour(
        self, what: str, least_days: float = LEAST_DAYS, kind: str = "Service"
    ) -> Hourly | None:
        """A metric of its Service by the hour, if enough of it is known."""
        found = await self.maybe_by_hour(what, kind)
        if found.days < least_days * LEAST_COVERED or not found.values:
            known = f"{found.days:.1f} days; {least_days:.0f} are needed"
            self.lacks(f"{what} of service {self.workload.name}: {known}")
            return None
        return found

    async def maybe_by_hour(self, what: str, kind: str = "Service") -> Hourly:
        """As `by_hour`, where the lack of it refuses nothing."""
        if what not in self.hours:
            days = DAYS if what == "requests_total" else WEEK
            self.hours[what] = await self.reader.hourly(self.ask, what, kind, days)
        return self.hours[what]

    async def objective(self) -> Objective | None:
        """The latency that the service keeps, from its own past."""
        slow = await self.maybe_by_hour("latency_p99")
        return objective(slow) if slow.values else None

    async def capacity(self, traffic: Hourly) -> Capacity | None:
        """What one pod serves: measured within the objective, else as its autoscaler says, else by CPU."""
        scaler = self.workload.scaler
        if scaler and scaler.per_pod:
            held = await self.maybe_by_hour("replicas", self.workload.kind)
            goal = await self.objective()
            measured = at_objective(traffic, held, self.hours["latency_p99"], goal) if goal else None
            source = Source(f"HorizontalPodAutoscaler {scaler.name}", "now", "as it stands")
            return measured or Capacity(scaler.per_pod, source, f"its target {scaler.per_pod:g}")
        cpu = await self.pods("cpu")
        if cpu is None:
            return None
        request = self.workload.container.cpu or cpu_request(cpu)
        found = by_cpu(traffic, cpu, request)
        if found is None:
            self.lacks("requests or CPU above zero: what one pod serves is not known")
        return found

    async def surge(self) -> Surge | None:
        """The next surge by forecast; a thin history is missing data."""
        if self._surge is None and not self.missing:
            scaler = self.workload.scaler
            per_pod = scaler.per_pod if scaler else 0.0
            if not per_pod:
                traffic = await self.by_hour("requests_total", 2 * LEAST_DAYS)
                capacity = await self.capacity(traffic) if traffic else None
                per_pod = float(floor(capacity.per_pod * 10) / 10) if capacity else 0.0
            if per_pod > 0:
                try:
                    self._surge = await self.reader.surge(self.ask, per_pod)
                except InsufficientDataError as thin:
                    self.lacks(f"{thin.reason} ({thin.hint})")
        return self._surge

    async def pools(self) -> tuple[Pool, ...]:
        """The NodePools there are."""
        if self._pools is None:
            self._pools = await self.reader.pools(self.ask)
        return self._pools
