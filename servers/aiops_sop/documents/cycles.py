"""SOPs that run SOPs: none may reach itself again, none may run what is not there.

Called by the library once all files are read: one file alone cannot know it.
"""

from collections.abc import Mapping
from typing import Final

from aiops_sop.models.documents import Sop

MOST_DEPTH: Final = 4


def broken_runs(sops: Mapping[str, Sop]) -> dict[str, str]:
    """id -> why what it runs cannot be run."""
    found: dict[str, str] = {}
    for sop in sops.values():
        if says := _follow(sop, sops, (sop.id,)):
            found[sop.id] = says
    return found


def _follow(sop: Sop, sops: Mapping[str, Sop], path: tuple[str, ...]) -> str:
    for step in sop.steps:
        if step.kind != "run":
            continue
        if step.what in path:
            return f"it runs in a circle: {' -> '.join((*path, step.what))}"
        if step.what not in sops:
            return f"step {step.id} runs {step.what}, which is no SOP"
        if len(path) > MOST_DEPTH:
            return f"SOPs run each other more than {MOST_DEPTH} deep: {' -> '.join(path)}"
        if says := _follow(sops[step.what], sops, (*path, step.what)):
            return says
    return ""
