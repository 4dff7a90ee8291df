"""`eks-aiops codify`: a stretch of somebody's work as the draft of a SOP (S58). It writes the file (D13)."""

import sys
from pathlib import Path

import anyio

from aiops_shared.errors import InvalidInputError
from aiops_shared.params import since_to_datetime
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_sop.analysis.codifying import Draft, drafted
from aiops_sop.clients.codify import WorkReader
from aiops_sop.documents.linting import lint, said
from eks_aiops.sops_command import world


async def codify(caller: str, since: str, until: str, name: str, out: Path | None) -> int:
    """Write the draft, say what was left out; 1 when it does not lint."""
    settings = Settings()
    against = await world(settings)
    servers = {tool: server for server, tools in against.tools.items() for tool in tools}
    draft = await draft_of(settings, servers, (caller, since, until), name)
    file = out or Path(f"{name}.sop.md")
    if await anyio.Path(file).exists():
        raise InvalidInputError("--out", f"{file} exists already", "give another name; nothing was written")
    faults = lint(draft.text, f"{name}.sop.md", against)
    await anyio.Path(file).write_text(draft.text, encoding="utf-8")
    sys.stdout.write(f"wrote {file}: {draft.steps} steps\n")
    for left in draft.left_out:
        sys.stdout.write(f"left out: {left}\n")
    for line in said(str(file), faults):
        sys.stdout.write(f"{line}\n")
    return 1 if faults else 0


async def draft_of(
    settings: Settings, servers: dict[str, str], work: tuple[str, str, str], name: str
) -> Draft:
    """The draft of what a caller did. Raises InvalidInputError where that is nothing."""
    from aiops_shared.clock import SystemClock

    caller, since, until = work
    now = SystemClock().safe_now()  # the journal is kept in safety time
    store = StateStore(settings.state)
    try:
        first = since_to_datetime(since, now)
        last = since_to_datetime(until, now) if until else now
        done = await WorkReader(store, servers).done(caller, first, last)
    finally:
        store.close()
    return drafted(name, name.replace("-", " ").capitalize(), done)
