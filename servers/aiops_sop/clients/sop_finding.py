"""Finds SOPs for `find_sops`: the library, the triggers, what helped before.

Called by `tools/sops.py`. Reading files and matching are done in a worker thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from aiops_shared.results import Table
from aiops_sop.analysis.events import normalised
from aiops_sop.clients.library import SopLibrary
from aiops_sop.documents.matching import Match, Wanted, matches
from aiops_sop.models.documents import Sop
from aiops_sop.models.incidents import Statistic
from aiops_sop.models.sops import SopAsk, Sops, SopView
from aiops_sop.ports import Experience

MOST_BROKEN = 20
_NOT_TRIED = Statistic(sop="", version=0)


@dataclass(frozen=True)
class SopFinder:
    """Fulfils `tools.sops.SopFinding`."""

    library: SopLibrary
    experience: Experience | None = None

    async def find(self, ask: SopAsk) -> Sops:
        """The answer. Raises SopNotFoundError, SopInvalidError, InvalidInputError for what is no event."""
        if ask.name:
            sop = await anyio.to_thread.run_sync(self.library.get, ask.name)
            tried = await self._tried([sop.id], "")
            found_in_full = _in_full(sop, tried.get(sop.id, _NOT_TRIED))
            if not self.library.replaced(sop.id):
                return found_in_full
            says = "an operator's file (AIOPS_SOP_DIRS) stands for the shipped SOP of this id"
            return found_in_full.model_copy(update={"warnings": (says,)})
        event = normalised(ask.event)[0] if ask.event else None
        sops = await anyio.to_thread.run_sync(self.library.every)
        broken = await anyio.to_thread.run_sync(self.library.broken)
        tried = await self._tried([sop.id for sop in sops], ask.cause or (event.cause if event else ""))
        wanted = Wanted(ask.query, event, ask.cause)
        found = await anyio.to_thread.run_sync(matches, sops, wanted, tried)
        return _listed(ask, found, tried, broken, len(sops))

    async def _tried(self, ids: list[str], cause: str) -> dict[str, Statistic]:
        return dict(await self.experience.statistics(ids, cause)) if self.experience else {}


def _listed(
    ask: SopAsk, found: tuple[Match, ...], tried: dict[str, Statistic], broken: Mapping[str, str], loaded: int
) -> Sops:
    shown = found[: ask.limit]
    rows = tuple(_row(match, tried.get(match.sop.id, _NOT_TRIED)) for match in shown)
    bad = tuple((name, why[:200]) for name, why in broken.items())[:MOST_BROKEN]
    best = shown[0] if shown else None
    if best is None:
        says, hint = (
            f"None of {loaded} SOPs fits.",
            "Other words, a cause of docs/causes.md, or no argument for all.",
        )
    elif not best.why:
        says, hint = f"{len(found)} SOPs.", ""
    else:
        says, hint = (
            f"{len(found)} of {loaded} SOPs fit; first {best.sop.id} ({best.sop.risk} risk): {best.why}.",
            "",
        )
    return Sops(
        summary=says + (f" {len(bad)} files are broken." if bad else ""),
        sops=Table(columns=("sop", "risk", "runs", "helped", "fits", "needs", "title"), rows=rows)
        if rows
        else None,
        total=len(found),
        broken=Table(columns=("file", "why"), rows=bad) if bad else None,
        truncated=len(found) > len(shown),
        hint=hint,
        untrusted=("broken",) if bad else (),
    )


def _row(match: Match, tried: Statistic) -> tuple[str, ...]:
    sop = match.sop
    needs = ", ".join(param.name for param in sop.params if param.required and param.default is None)
    helped = f"{tried.helped} of {tried.tried}" if tried.tried else "untried"
    return sop.id, sop.risk, "guided" if sop.guided else "by engine", helped, match.why, needs, sop.title[:80]


def _in_full(sop: Sop, tried: Statistic) -> Sops:
    params = tuple(
        (
            param.name,
            param.type,
            "yes" if param.required else "no",
            _said(param.default),
            param.description[:160],
        )
        for param in sop.params
    )
    steps = tuple((step.id, f"{step.kind} {step.what}"[:80], step.title[:80]) for step in sop.steps)
    helped = f"helped {tried.helped} of {tried.tried} times" if tried.tried else "untried"
    kind = "guided: text to follow" if sop.guided else f"{len(sop.steps)} steps by the engine"
    return Sops(
        summary=f"{sop.id} v{sop.version}: {sop.title}. {sop.risk} risk, {kind}, {helped}.",
        total=1,
        sop=SopView(
            id=sop.id,
            version=sop.version,
            title=sop.title,
            risk=sop.risk,
            digest=sop.digest,
            guided=sop.guided,
            triggers=sop.triggers,
            causes=sop.causes,
            params=Table(columns=("name", "type", "required", "default", "is"), rows=params)
            if params
            else None,
            steps=Table(columns=("step", "does", "title"), rows=steps) if steps else None,
            tried=tried.tried,
            helped=tried.helped,
            document=_document(sop),
        ),
        hint=f"sop://{sop.id} is the file; start_run(sop={sop.id}, mode=plan) shows what it would do.",
        untrusted=("sop.document",),
    )


def _document(sop: Sop) -> str:
    """The prose; for a SOP by the engine the overview is enough, its steps stand in the table."""
    from aiops_sop.documents.exporting import prose

    return (
        prose(sop)
        if sop.guided
        else "\n\n".join(part for part in (sop.overview, sop.troubleshooting) if part)
    )


def _said(value: object) -> str:
    return "" if value is None else str(value)[:60]
