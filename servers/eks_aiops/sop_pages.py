"""docs/sops.md: every shipped SOP with the rows it serves, the stories that prove it and how they end.

Called by `eks_aiops.docs`. The ends are the `proof`s of the files, and tests play those.
"""

from collections.abc import Sequence
from pathlib import Path

from aiops_lab.scenarios import SCENARIOS
from aiops_sop.clients.library import SUFFIX, shipped
from aiops_sop.documents.parsing import parse
from aiops_sop.documents.prompting import GUIDES
from aiops_sop.models.documents import Sop

GROUPS = (
    ("Started by events too", "each has a trigger"),
    ("Started by people, schedules and findings", "none has a trigger"),
)


def every_sop(folder: Path) -> tuple[Sop, ...]:
    """The SOPs of a folder, by id. Raises SopInvalidError for a broken one: a page must not hide it."""
    files = sorted(folder.glob(f"*{SUFFIX}"))
    return tuple(parse(file.read_text(encoding="utf-8"), file.name) for file in files)


def page(made: str) -> str:
    """The page, in Markdown."""
    sops = every_sop(shipped())
    by_event = [sop for sop in sops if sop.triggers]
    others = [sop for sop in sops if not sop.triggers]
    text = (
        "# SOPs\n\n"
        + made
        + f"{len(sops)} procedures are shipped. The format is sop-format.md, runs are runs.md;"
        " how each ends on\nits stories is its `proof`, which `eks-aiops sops test ID` plays.\n\n"
    )
    for (name, says), found in zip(GROUPS, (by_event, others), strict=True):
        text += f"## {name}\n\n{len(found)}, {says}.\n\n{_table(found)}\n"
    rows = "".join(
        f"| `{guide.name}` | {guide.says} | {', '.join(f'`{tool}`' for tool in guide.tools)} |\n"
        for guide in GUIDES
    )
    text += "## Prompts\n\nOne per SOP, with its parameters as arguments, and:\n\n"
    return f"{text}| Prompt | Gives | Tools |\n| --- | --- | --- |\n{rows}"


def _table(sops: Sequence[Sop]) -> str:
    head = "| SOP | Risk | Rows | Answers | Changes | Stories: end |\n| --- | --- | --- | --- | --- | --- |\n"
    return head + "".join(f"| {' | '.join(_row(sop))} |\n" for sop in sops)


def _row(sop: Sop) -> tuple[str, ...]:
    changes = [f"`{step.tool}`" for step in sop.steps if step.writes]
    runs = [f"`{step.what}`" for step in sop.steps if step.kind == "run"]
    return (
        f"[{sop.id}](../sops/{sop.id}{SUFFIX}): {sop.title}",
        sop.risk,
        ", ".join(sop.rows),
        ", ".join(f"`{cause}`" for cause in sop.causes),
        ", ".join(dict.fromkeys([*changes, *runs])) or "nothing",
        "<br>".join(_story(proof.scenario, proof.mode, proof.ends) for proof in sop.proofs) or "none",
    )


def _story(scenario: str, mode: str, ends: str) -> str:
    fixture = SCENARIOS[scenario].fixture if scenario in SCENARIOS else "?"
    how = "" if mode == "auto" else f", mode {mode}"
    return f"{fixture} `{scenario}`{how}: {ends}"
