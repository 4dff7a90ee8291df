"""`eks-aiops sops lint|list|export|test`: for who writes SOPs, and for CI.

Tools return text; files are written here, by a person's command (D13).
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from aiops_shared.errors import InvalidInputError
from aiops_shared.settings import Settings
from aiops_sop.clients.library import SopLibrary
from aiops_sop.documents.linting import World, lint, said
from eks_aiops.catalogue import all_tools


async def world(settings: Settings) -> World:
    """What a file is checked against: every server's tools, the loaded SOPs, causes, the lab's stories."""
    listed = await all_tools(write=True)
    tools = {server: {tool["name"]: tool for tool in found} for server, found in listed.items()}
    sops = {sop.id: sop for sop in SopLibrary(settings).every()}
    return World(tools, sops, _codes(), _scenarios())


async def lint_files(files: Sequence[Path]) -> int:
    """Print `file:line: message` of every fault; 1 when there is one."""
    against = await world(Settings())
    found = 0
    for file in files:
        try:
            text = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            print(f"{file}:1: cannot be read ({type(problem).__name__})", file=sys.stderr)
            found += 1
            continue
        faults = lint(text, file.name, against)
        found += len(faults)
        for line in said(str(file), faults):
            print(line)
    print(
        f"{len(files)} file{'s' if len(files) != 1 else ''}, {found or 'no'} fault{'s' if found != 1 else ''}"
    )
    return 1 if found else 0


async def list_sops() -> int:
    """Print what is loaded, and what is not and why; 1 when something is broken."""
    library = SopLibrary(Settings())
    for sop in library.every():
        kind = "guided" if sop.guided else f"{len(sop.steps)} steps"
        print(f"{sop.id:32} v{sop.version:<4} {sop.risk:7} {kind:10} {sop.title}")
    broken = library.broken()
    for name, why in broken.items():
        print(f"{name:32} BROKEN  {why}")
    return 1 if broken else 0


def _codes() -> frozenset[str]:
    from eks_aiops.docs import causes

    return frozenset(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`", causes(), re.MULTILINE))


def _scenarios() -> frozenset[str]:
    try:
        from aiops_lab.scenarios import SCENARIOS
    except ImportError:  # without the extra `lab`
        return frozenset()
    return frozenset(SCENARIOS)


async def export(to: str, folder: Path) -> int:
    """Write the SOPs for other hosts: Agent Skills, or Kiro steering."""
    from aiops_sop.documents.exporting import kiro_files, skill_files

    sops = SopLibrary(Settings()).every()
    makers = {"skills": skill_files, "kiro": kiro_files}
    if to not in makers:
        raise InvalidInputError("--to", "is unknown", f"one of {', '.join(makers)}")
    files = makers[to](sops)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} files of {len(sops)} SOPs under {folder}")
    return 0
