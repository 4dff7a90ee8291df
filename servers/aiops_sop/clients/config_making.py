"""Configuration for one workload: facts are gathered once, each kind is made from them, each file is checked.

Called by `generate_config` through its port. Too little data for any kind that was asked for refuses the
whole question and says all that is missing: no file stands on a guess.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiops_shared.clock import Clock
from aiops_shared.errors import InsufficientDataError
from aiops_shared.results import Evidence, Table
from aiops_sop.analysis.configs.reasons import unexplained
from aiops_sop.analysis.configs.requests import resources
from aiops_sop.analysis.configs.scaling import autoscaler
from aiops_sop.clients.config_checking import ConfigChecker
from aiops_sop.clients.config_reading import ConfigReader
from aiops_sop.clients.config_scene import Scene
from aiops_sop.clients.config_surging import nodepool, placeholder, schedule
from aiops_sop.clients.config_wording import decided, pull_request, said
from aiops_sop.models.configs import ConfigAsk, GeneratedConfig, GeneratedFile, Kind
from aiops_sop.ports import Peers

COLUMNS: Final = ("file", "number", "metric", "window", "percentile", "why")
ROOM_BYTES: Final = 4200  # of a default answer


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
    traffic = await scene.by_hour("requests_total")
    capacity = await scene.capacity(traffic) if traffic else None
    if traffic and capacity:
        scene.drafts.append(autoscaler(scene.workload, traffic, capacity, scene.reasons))


async def _later(scene: Scene) -> None:
    scene.lacks("this kind is not built yet")


Maker = Callable[[Scene], Awaitable[None]]
MAKERS: Mapping[Kind, Maker] = {
    "resources": _resources,
    "hpa": _hpa,
    "hpa_schedule": schedule,
    "nodepool": nodepool,
    "placeholder": placeholder,
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
        summary=(said(scene.workload, files) if files else scene.quiet or said(scene.workload, files))[:400],
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
