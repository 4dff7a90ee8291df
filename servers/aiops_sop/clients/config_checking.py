"""Generated files are shown to the API server before anybody gets them (row S35): a dry run stores nothing.

Called by `config_making`. Parts of objects that stand are dry-run; whole objects are judged by policy too.
"""

from dataclasses import dataclass
from typing import Final

import anyio

from aiops_shared.errors import AiopsError
from aiops_sop.analysis.configs.documents import Draft
from aiops_sop.analysis.tables import rows_of
from aiops_sop.models.configs import GeneratedFile
from aiops_sop.ports import Peers

POLICY: Final = "baseline"
ADMITTED: Final = "server_dry_run: "
SERIOUS: Final = frozenset({"critical", "high"})
MOST: Final = 300


@dataclass(frozen=True, slots=True)
class Checked:
    """What was said of one file."""

    valid: bool | None
    says: str


@dataclass(frozen=True)
class ConfigChecker:
    """Asks the eks server about each file."""

    peers: Peers

    async def checked(self, cluster: str, drafts: list[Draft]) -> list[GeneratedFile]:
        """The files with what was said of each, in their order. `cluster`: empty asks nobody."""
        said: dict[str, Checked] = {}

        async def one(draft: Draft) -> None:
            said[draft.path] = await self._one(cluster, draft)

        async with anyio.create_task_group() as tasks:
            for draft in drafts:
                tasks.start_soon(one, draft)
        return [
            GeneratedFile(
                path=draft.path,
                kind=draft.kind,
                dialect=draft.dialect,
                valid=said[draft.path].valid,
                checked=said[draft.path].says,
                content=draft.content,
            )
            for draft in drafts
        ]

    async def _one(self, cluster: str, draft: Draft) -> Checked:
        if not draft.sent:
            return Checked(None, "text for people: not sent to a cluster")
        wish = {"manifest": draft.content, "policy": POLICY, "cluster": cluster}
        try:
            found = await self.peers.call("eks", "scan_manifest", wish)
        except AiopsError as error:
            return Checked(None, f"not checked: {error.wire()}"[:MOST])
        says = str(found.get("validation", ""))
        refused = [one for one in found.get("warnings") or () if "the API server refuses" in one]
        if refused:
            return Checked(False, f"{says}: {'; '.join(refused)}"[:MOST])
        broken = _broken(found) if draft.whole else ""
        if broken:
            return Checked(False, f"policy {POLICY}: {broken}"[:MOST])
        return Checked(True if says.startswith(ADMITTED) else None, says[:MOST])


def _broken(report: dict[str, object]) -> str:
    """The serious findings of a whole object, in one line."""
    rows = [row for row in rows_of(report, "findings") if row.get("severity") in SERIOUS]
    return "; ".join(f"{row.get('rule')}: {row.get('says')}" for row in rows[:3])
