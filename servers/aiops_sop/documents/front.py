"""The front matter of a SOP: id, risk, triggers, parameters, proofs.

Called by the parser. Raises SopInvalidError with the line.
"""

import re
from typing import Any, Final, Literal, cast

from aiops_sop.documents.blocks import Block
from aiops_sop.documents.expressions import expressions_in
from aiops_sop.documents.layout import ParamLine
from aiops_sop.models.documents import Ending, Param, ParamType, Proof, Risk

Json = Any
KEYS: Final = frozenset(
    {"id", "version", "risk", "triggers", "causes", "target", "limits", "params", "rows", "proof"}
)
SOP_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
ENDS: Final[tuple[Ending, ...]] = ("succeeded", "undone", "escalated", "cancelled", "refused")
_PARAM_KEYS: Final = {
    "type",
    "required",
    "default",
    "description",
    "pattern",
    "enum",
    "minimum",
    "maximum",
    "event",
}
_PARAM_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_PROOF_KEYS: Final = {"scenario", "params", "ends", "mode", "autonomy", "approve", "answers"}
# `(a+)+`, `(a|b*)*`: what makes a backtracking matcher run for ever
_NESTED: Final = re.compile(r"[+*}]\??\)?[^()]*\)\s*[+*{]")
_HOLDS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "list": (list,),
}  # fmt: skip


def read_params(front: Block, lines: tuple[ParamLine, ...]) -> tuple[Param, ...]:
    """The parameters, with what the Parameters section says of each."""
    says = {line.name: line.says for line in lines}
    if "params" not in front.values:
        return tuple(
            Param(name=line.name, required=line.required, default=line.default or None, description=line.says)
            for line in lines
            if _PARAM_ID.fullmatch(line.name)
        )
    found = front.mapping("params")
    if len(found) > 30:
        front.fail("params", "are more than 30")
    return tuple(_param(front, name, value, says.get(name, "")) for name, value in found.items())


def _param(front: Block, name: str, value: Json, says: str) -> Param:
    if not _PARAM_ID.fullmatch(name):
        front.fail("params", "holds a name that is no snake_case word", "letters, digits and _")
    if not isinstance(value, dict):
        front.fail("params", f"says nothing of {name}", f"{name}: {{type: string}}")
    block = Block(front.source, front.at("params"), value, {})
    block.known(_PARAM_KEYS)
    types: tuple[ParamType, ...] = ("string", "integer", "number", "boolean", "list")
    type_ = cast("ParamType", block.word("type", types, "string"))
    required = value.get("required", "default" not in value)
    if not isinstance(required, bool):
        block.fail("required", f"of {name} is neither true nor false")
    return Param(
        name=name,
        type=type_,
        required=required,
        default=_of_type(block, name, type_, "default"),
        description=block.text("description") or says,
        pattern=_pattern(block, name),
        enum=tuple(_enum(block, name)),
        minimum=_bound(block, name, "minimum"),
        maximum=_bound(block, name, "maximum"),
        event=block.text("event"),
    )


def _of_type(block: Block, name: str, type_: ParamType, key: str) -> Json:
    value = block.values.get(key)
    if value is None:
        return None
    if not isinstance(value, _HOLDS[type_]) or (type_ in {"integer", "number"} and isinstance(value, bool)):
        block.fail(key, f"of {name} is no {type_}")
    return value


def _pattern(block: Block, name: str) -> str:
    pattern = block.text("pattern", most=200)
    try:
        re.compile(pattern)
    except re.error:
        block.fail("pattern", f"of {name} is no regular expression")
    if _NESTED.search(pattern):
        block.fail("pattern", f"of {name} repeats a repetition", "such a pattern may run for ever")
    return pattern


def _enum(block: Block, name: str) -> list[Json]:
    found = block.values.get("enum", [])
    if not isinstance(found, list) or len(found) > 100:
        block.fail("enum", f"of {name} is no list")
    return found


def _bound(block: Block, name: str, key: str) -> float | None:
    value = block.values.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        block.fail(key, f"of {name} is no number")
    return value


def read_proofs(front: Block) -> tuple[Proof, ...]:
    """The stories that prove it; one mapping or a list of them."""
    said = front.values.get("proof", [])
    found = said if isinstance(said, list) else [said]
    if len(found) > 20 or not all(isinstance(one, dict) for one in found):
        front.fail(
            "proof", "is no list of at most 20 mappings", "proof: [{scenario: …, params: {…}, ends: …}]"
        )
    return tuple(_proof(Block(front.source, front.at("proof"), one, {})) for one in found)


def _proof(block: Block) -> Proof:
    block.known(_PROOF_KEYS)
    if not block.text("scenario"):
        block.fail("scenario", "is missing", "a story of `eks-aiops lab list`")
    answers, approve = block.mapping("answers"), block.values.get("approve", False)
    if not isinstance(approve, bool) or not all(isinstance(one, str) for one in answers.values()):
        block.fail(
            "approve", "and answers say what a person does", "approve: true, answers: {step: yes in quotes}"
        )
    tuple(expressions_in(block.mapping("params")))
    return Proof(
        scenario=block.text("scenario"),
        params=block.mapping("params"),
        ends=cast("Ending", block.word("ends", ENDS, "succeeded")),
        mode=cast(
            "Literal['plan', 'supervised', 'auto']",
            block.word("mode", ("plan", "supervised", "auto"), "auto"),
        ),
        autonomy=cast(
            "Literal['observe', 'propose', 'auto-safe']",
            block.word("autonomy", ("observe", "propose", "auto-safe"), "auto-safe"),
        ),
        approve=approve,
        answers=answers,
    )


def read_risk(front: Block) -> Risk:
    """low, medium or high."""
    return cast("Risk", front.word("risk", ("low", "medium", "high"), "low"))
