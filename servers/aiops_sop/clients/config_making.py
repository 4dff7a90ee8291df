"""Configuration for one workload: facts are gathered once, each kind is made from them, each file is checked.

Called by `generate_config` through its port. Too little data for any kind that was asked for refuses the
whole question and says all that is missing: no file stands on a guess.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiops_shared.clock import Clock
from aiops_shared.errors import InsufficientDataError
from aiops_shared.results import Evidence, Table
from aiops_sop.analysis.configs.documents import Draft
from aiops_sop.analysis.configs.facts import Hourly, Used, Workload
from aiops_sop.analysis.configs.reasons import Reasons, unexplained
from aiops_sop.analysis.configs.requests import cpu_request, resources
from aiops_sop.analysis.configs.scaling import Capacity, autoscaler, by_cpu
from aiops_sop.clients.config_checking import ConfigChecker
from aiops_sop.clients.config_reading import ConfigReader
from aiops_sop.clients.config_wording import decided, pull_request, said
from aiops_sop.models.configs import ConfigAsk, GeneratedConfig, GeneratedFile, Kind
from aiops_sop.ports import Peers

LEAST_DAYS: Final = 7.0  # for requests and an autoscaler: a week has its weekend
LEAST_COVERED: Final = 0.8
COLUMNS: Final = ("file", "number", "metric", "window", "percentile", "why")
ROOM_BYTES: Final = 4200  # of a default answer


@dataclass
class Scene:
    """One question: what is known, what is missing, what was made."""

    ask: ConfigAsk
    workload: Workload
    reader: ConfigReader
    used: dict[str, Used | None] = field(default_factory=dict)
    hours: dict[str, Hourly] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=Reasons)
    drafts: list[Draft] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

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

    async def by_hour(self, what: str, least_days: float = LEAST_DAYS) -> Hourly | None:
        """A metric of its Service by the hour, if enough of it is known."""
        if what not in self.hours:
            self.hours[what] = await self.reader.hourly(self.ask, what)
        found = self.hours[what]
        if found.days < least_days * LEAST_COVERED or not found.values:
            self.lacks(
                f"{what} of service {self.workload.name}: {found.days:.1f} days; {least_days:.0f} are needed"
            )
            return None
        return found

    def lacks(self, what: str) -> None:
        """Something that is needed is not known."""
        self.missing[what] = None


@dataclass(frozen=True)
class ConfigMaker:
    """Fulfils `tools.configs.Configs`."""

    peers: Peers
    clock: Clock

    async def generate(self, ask: ConfigAsk) -> GeneratedConfig:
        """The files. Raises InsufficientDataError with all that is missing, NotFoundError."""
        reader = ConfigReader(self.peers, self.clock)
        scene = Scene(ask, await reader.workload(ask), reader)
        for kind in ask.kinds:
            await MAKERS[kind](scene)
        if scene.missing:
            raise InsufficientDataError(
                f"configuration of {scene.workload.where}",
                f"insufficient data: {'; '.join(scene.missing)}"[:600],
                "wait, or ask a source that keeps more; no file was made",
            )
        files = await ConfigChecker(self.peers).checked(ask, scene.drafts)
        return _answer(scene, files)


async def _resources(scene: Scene) -> None:
    cpu, memory = await scene.pods("cpu"), await scene.pods("memory")
    if cpu and memory:
        scene.drafts.append(resources(scene.workload, cpu, memory, scene.reasons))


async def _hpa(scene: Scene) -> None:
    cpu, traffic = await scene.pods("cpu"), await scene.by_hour("requests_total")
    if not cpu or not traffic:
        return
    request = scene.workload.container.cpu or cpu_request(cpu)
    capacity: Capacity | None = by_cpu(traffic, cpu, request)
    if capacity is None:
        scene.lacks("requests or cpu above zero")
        return
    scene.drafts.append(autoscaler(scene.workload, traffic, capacity, scene.reasons))


async def _later(scene: Scene) -> None:
    scene.lacks("this kind is not built yet")


Maker = Callable[[Scene], Awaitable[None]]
MAKERS: Mapping[Kind, Maker] = {
    "resources": _resources,
    "hpa": _hpa,
    "hpa_schedule": _later,
    "nodepool": _later,
    "placeholder": _later,
    "alarms": _later,
    "spec": _later,
}


def _answer(scene: Scene, files: list[GeneratedFile]) -> GeneratedConfig:
    for draft in scene.drafts:
        unknown = unexplained(draft.path, draft.content, scene.reasons.found)
        if unknown:
            raise AssertionError(f"{draft.path}: numbers without a reason: {unknown}")
    rows = tuple(
        (one.file, one.number, one.source.metric, one.source.window, one.source.percentile, one.why)
        for one in scene.reasons.found
    )
    return GeneratedConfig(
        summary=said(scene.workload, files)[:400],
        workload=scene.workload.where,
        files=tuple(files),
        rationale=Table(columns=COLUMNS, rows=rows),
        decisions=tuple(decided(scene.workload, scene.drafts, scene.decisions)),
        pull_request=pull_request(scene.workload, files, scene.reasons.found),
        evidence=(
            Evidence(source="observability", query=f"query_metrics of {scene.workload.where}, two weeks"),
            Evidence(source="eks", query="scan_manifest: dry run and policy"),
        ),
        untrusted=("files", "rationale", "pull_request"),
    )
