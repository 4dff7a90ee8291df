"""One step of a SOP: its prose and constraints, and the YAML block that the engine carries out.

Called by the parser. Raises SopInvalidError with the line for anything that the grammar of docs/sop-format.md
does not have.
"""

import re
from typing import Any, Final, Literal, cast

from aiops_sop.documents.blocks import Block, invalid, load_block
from aiops_sop.documents.layout import RawStep
from aiops_sop.models.documents import Check, OnFail, Retry, SopStep, StepKind

Json = Any
KINDS: Final[tuple[StepKind, ...]] = ("call", "plan", "run", "wait", "ask", "notify")
SERVERS: Final = ("eks", "observability", "cost", "sop")
_COMMON: Final = {"id", "when", "on_fail", "timeout", "evidence"}
_ALSO: Final[dict[StepKind, set[str]]] = {
    "call": {"with", "foreach", "retry", "verify", "expect"},
    "plan": {"with", "foreach", "waves", "gate", "verify", "undo", "undo_reason", "approval"},
    "run": {"with", "foreach", "approval"},
    "wait": set(),
    "ask": {"verify"},
    "notify": {"template", "with"},
}
_CHECK: Final = {"call", "with", "until", "within", "every"}
_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_TOOL: Final = re.compile(r"([a-z]{2,20})\.([a-z][a-z0-9_]{1,60})", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_WAVE: Final = re.compile(r"[1-9]\d{0,3}|(?:100|[1-9]\d?)%", re.ASCII)
_MUST: Final = re.compile(r"(?:You\s+)?MUST\s+(?!NOT\b)", re.IGNORECASE)
_MUST_NOT: Final = re.compile(r"(?:You\s+)?MUST\s+NOT\b", re.IGNORECASE)


def read_step(raw: RawStep, source: str) -> SopStep | None:
    """A step; None for one of prose only."""
    if raw.blocks > 1:
        invalid(source, raw.line, "a step has one block", "split it into two steps")
    if not raw.blocks:
        return None
    block = load_block(raw.block, source, raw.block_line)
    kind = _kind(block)
    block.known(_COMMON | _ALSO[kind] | {kind})
    if not _ID.fullmatch(block.text("id")):
        block.fail("id", "is missing, or no lower-case word", "letters, digits and _, as clean_disk")
    return SopStep(
        id=block.text("id"),
        title=raw.title,
        prose=raw.prose,
        kind=kind,
        what=_what(block, kind),
        args=block.mapping("with"),
        template=block.text("template"),
        until=_check(block.within("wait")) if isinstance(block.values.get("wait"), dict) else None,
        when=block.text("when"),
        foreach=block.text("foreach"),
        waves=_waves(block),
        gate=_check(block.within("gate")) if "gate" in block.values else None,
        verify=_verify(block, kind),
        **_undo(block),
        on_fail=cast("OnFail", block.word("on_fail", ("undo", "continue", "stop", "escalate"), "stop")),
        approval=cast("Literal['policy', 'always']", block.word("approval", ("policy", "always"), "policy")),
        timeout_s=block.seconds("timeout", 1200.0),
        retry=_retry(block),
        evidence=block.texts("evidence", most=20),
        must=tuple(one.text for one in raw.constraints if _MUST.match(one.text)),
        must_not=tuple(one.text for one in raw.constraints if _MUST_NOT.match(one.text)),
        line=block.line,
    )


def _kind(block: Block) -> StepKind:
    kinds = [kind for kind in KINDS if kind in block.values]
    if len(kinds) != 1:
        said = f"has {' and '.join(kinds)}" if kinds else "says nothing to do"
        invalid(block.source, block.line, f"the step {said}", f"exactly one of {', '.join(KINDS)}")
    return kinds[0]


def _what(block: Block, kind: StepKind) -> str:
    if kind == "wait":
        if isinstance(block.values["wait"], dict):
            return ""
        return f"{block.seconds('wait', 0.0):g}"
    what = block.text(kind, most=1000)
    if kind in {"call", "plan"}:
        _tool(block, kind, what)
    elif kind in {"run", "notify"} and not _NAME.fullmatch(what):
        block.fail(kind, "is no name", "the id of a SOP" if kind == "run" else "a channel, or any")
    elif not what:
        block.fail(kind, "is empty")
    if kind == "notify" and not block.text("template"):
        block.fail("template", "is missing", "what is said, with {{ cel }}")
    return what


def _tool(block: Block, key: str, what: str) -> None:
    found = _TOOL.fullmatch(what)
    if found is None or found[1] not in SERVERS:
        block.fail(key, "is no server.tool", f"servers: {', '.join(SERVERS)}")
    plans = found[2].startswith("plan_")
    if key == "plan" and not plans:
        block.fail(key, "takes a plan_ tool", "its plan is executed through the guardrails")
    if key == "call" and (plans or found[2] in {"execute_plan", "undo_action", "start_run", "control_run"}):
        block.fail(key, "takes a tool that reads", "write plan: for a change, run: for another SOP")


def _check(block: Block) -> Check:
    block.known(_CHECK)
    call = block.text("call")
    _tool(block, "call", call)
    if not block.text("until"):
        block.fail("until", "is missing", "a CEL condition over result")
    within, every = block.seconds("within", 300.0), block.seconds("every", 15.0)
    return Check(
        call=call, args=block.mapping("with"), until=block.text("until"), within_s=within, every_s=every
    )


def _verify(block: Block, kind: StepKind) -> Check | None:
    """`expect` is the short form of a read that must say so: the same call, looked at once."""
    if "verify" not in block.values:
        if "expect" not in block.values:
            return None
        return Check(
            call=block.text(kind),
            args=block.mapping("with"),
            until=block.text("expect"),
            within_s=0,
            every_s=1,
        )
    if "expect" in block.values:
        block.fail("expect", "stands beside verify", "write one of them")
    return _check(block.within("verify"))


def _waves(block: Block) -> tuple[str, ...]:
    found = block.values.get("waves", [])
    waves = tuple(str(one) for one in found) if isinstance(found, list) else ()
    if not isinstance(found, list) or len(waves) > 20 or not all(_WAVE.fullmatch(one) for one in waves):
        block.fail("waves", "is no list of amounts", "waves: [1, 10%, 50%, 100%]")
    if waves and "foreach" not in block.values:
        block.fail("waves", "stands without foreach", "waves go through the list of a foreach")
    return waves


def _undo(block: Block) -> dict[str, Json]:
    said = block.values.get("undo", "default")
    reason = block.text("undo_reason")
    if isinstance(said, dict):
        undo = block.within("undo")
        undo.known({"plan", "with"})
        _tool(undo, "plan", undo.text("plan"))
        return {"undo": undo.text("plan"), "undo_args": undo.mapping("with"), "undo_reason": reason}
    if said not in {"default", "none"}:
        block.fail("undo", "is unknown", "default, none with undo_reason, or {plan: server.tool, with: {…}}")
    if said == "none" and not reason:
        block.fail("undo", "is none without a reason", "undo_reason: why it cannot be put back")
    return {"undo": said, "undo_reason": reason}


def _retry(block: Block) -> Retry:
    if "retry" not in block.values:
        return Retry()
    retry = block.within("retry")
    retry.known({"attempts", "backoff"})
    return Retry(attempts=retry.number("attempts", 1, 1, 10), backoff_s=retry.seconds("backoff", 2.0))
