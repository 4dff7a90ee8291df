"""What a SOP file is held to before anybody relies on it: `file:line: message`, all faults at once.

Called by `eks-aiops sops lint`, by the tests of every shipped SOP and by `codify`, which must not hand out a
draft that would not pass. Pure: the servers' tools and the other SOPs come as data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiops_shared.errors import AiopsError, SopInvalidError
from aiops_sop.documents.checking import Fault, faults
from aiops_sop.documents.layout import laid_out
from aiops_sop.documents.linting.calls import call_faults
from aiops_sop.documents.linting.flow import flow_faults
from aiops_sop.documents.linting.text import text_faults
from aiops_sop.documents.parsing import read
from aiops_sop.models.documents import Sop

Tools = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class World:
    """What a file is checked against. `tools`: server -> tool -> as `tools/list` gives it."""

    tools: Tools
    sops: Mapping[str, Sop] = field(default_factory=dict)
    codes: frozenset[str] = frozenset()  # finding codes; empty: not checked
    scenarios: frozenset[str] = frozenset()  # stories of the lab; empty: not checked


def lint(text: str, source: str, world: World) -> tuple[Fault, ...]:
    """Every fault, by line; a file that does not parse has one."""
    try:
        sop = read(text, source)
    except AiopsError as problem:
        return (_of(problem),)
    return tuple(sorted(set(_faults(sop, world)), key=lambda fault: (fault.line, fault.says)))


def said(source: str, found: tuple[Fault, ...]) -> tuple[str, ...]:
    """`file:line: message`, one each."""
    return tuple(f"{source}:{fault.line}: {fault.says}" for fault in found)


def _faults(sop: Sop, world: World) -> Iterator[Fault]:
    page = laid_out(sop.text.replace("\r\n", "\n"))
    yield from faults(sop)
    yield from text_faults(sop, page)
    yield from call_faults(sop, world.tools)
    yield from flow_faults(sop, world.sops)
    yield from _named(sop, world)


def _named(sop: Sop, world: World) -> Iterator[Fault]:
    for code in sop.causes:
        if world.codes and code not in world.codes:
            yield Fault(
                sop.front_lines.get("causes", 1), f"causes names {code}, which docs/causes.md does not have"
            )
    known = {param.name: param for param in sop.params}
    line = sop.front_lines.get("proof", 1)
    for proof in sop.proofs:
        if world.scenarios and proof.scenario not in world.scenarios:
            yield Fault(line, f"proof names scenario {proof.scenario}, which the lab does not have")
        if wrong := sorted(set(proof.params) - set(known)):
            yield Fault(line, f"proof on {proof.scenario} gives {wrong[0]}, which is no parameter")
        needs = {name for name, param in known.items() if param.required and param.default is None}
        if missing := sorted(needs - set(proof.params)):
            yield Fault(line, f"proof on {proof.scenario} lacks {missing[0]}, which is required")


def _of(problem: AiopsError) -> Fault:
    line = problem.thing.rpartition(":")[2] if isinstance(problem, SopInvalidError) else ""
    says = f"{problem.reason}; {problem.hint}" if problem.hint else problem.reason
    return Fault(int(line) if line.isdigit() else 1, says)
