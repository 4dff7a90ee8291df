"""Configuration for one workload: facts are gathered once, each kind is made from them, each file is checked.

Called by `generate_config` through its port. Too little data for any kind that was asked for refuses the
whole question and says all that is missing: no file stands on a guess.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiops_shared.app.fitting import size_bytes
from aiops_shared.clock import Clock
from aiops_shared.errors import InsufficientDataError
from aiops_shared.results import Evidence, Table
from aiops_sop.analysis.configs.reasons import RULE, unexplained
from aiops_sop.analysis.configs.requests import resources
from aiops_sop.clients.config_checking import ConfigChecker
from aiops_sop.clients.config_reading import ConfigReader
from aiops_sop.clients.config_scene import Scene
from aiops_sop.clients.config_specs import alarms, hpa, spec
from aiops_sop.clients.config_surging import nodepool, placeholder, schedule
from aiops_sop.clients.config_wording import decided, pull_request, said
from aiops_sop.models.configs import ConfigAsk, GeneratedConfig, GeneratedFile, Kind
from aiops_sop.ports import Peers

COLUMNS: Final = ("file", "number", "metric", "window", "percentile", "why")
ROOM_BYTES: Final = 4300  # of a default answer
RATIONALE_BYTES: Final = 1200


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
        files = await ConfigChecker(self.peers).checked(scene.workload.cluster, scene.drafts)
        return _answer(scene, files)


async def _resources(scene: Scene) -> None:
    cpu, memory = await scene.pods("cpu"), await scene.pods("memory")
    if cpu and memory:
        scene.drafts.append(resources(scene.workload, cpu, memory, scene.reasons))


Maker = Callable[[Scene], Awaitable[None]]
MAKERS: Mapping[Kind, Maker] = {
    "resources": _resources,
    "hpa": hpa,
    "hpa_schedule": schedule,
    "nodepool": nodepool,
    "placeholder": placeholder,
    "alarms": alarms,
    "spec": spec,
}


def _answer(scene: Scene, files: list[GeneratedFile]) -> GeneratedConfig:
    for draft in scene.drafts:
        unknown = unexplained(draft.path, draft.content, scene.reasons.found)
        if unknown:
            says = f"{draft.path}: numbers without a reason: {unknown}"
            raise TypeError(says)  # a mistake of ours: nobody gets such a file
    rows = [
        (one.file, one.number, one.source.metric, one.source.window, one.source.percentile, one.why)
        for one in scene.reasons.found
    ]
    text = said(scene.workload, files) if files else scene.quiet or said(scene.workload, files)
    answer = GeneratedConfig(
        summary=text[:400],
        workload=scene.workload.where,
        files=tuple(files),
        rationale=Table(columns=COLUMNS, rows=tuple(rows)),
        decisions=tuple(decided(scene.workload, scene.drafts, scene.decisions)),
        pull_request=pull_request(scene.workload, files, scene.reasons.found) if files else None,
        evidence=(
            Evidence(source="observability", query=f"query_metrics of {scene.workload.where}, two weeks"),
            Evidence(source="eks", query="scan_manifest: dry run and policy"),
        ),
        untrusted=("files", "rationale", "pull_request"),
    )
    return answer if scene.ask.full else _shortened(answer)


def _shortened(answer: GeneratedConfig) -> GeneratedConfig:
    """A default answer: whole where it fits, else without texts, and with the measured numbers first."""
    if size_bytes(answer.model_dump(mode="json")) <= ROOM_BYTES:
        return answer
    table = answer.rationale
    rows = [row for row in table.rows if row[2] != RULE]
    while len(rows) > 1 and size_bytes(rows) > RATIONALE_BYTES:
        rows = rows[:-1]
    return answer.model_copy(
        update={
            "files": tuple(one.model_copy(update={"content": ""}) for one in answer.files),
            "rationale": Table(columns=table.columns, rows=tuple(rows)),
            "pull_request": None,
            "evidence": (),
            "truncated": True,
            "hint": f"detail=full gives the texts, all {len(table.rows)} numbers and the pull request",
        }
    )
