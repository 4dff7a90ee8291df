"""Each call against the tool's own schemas: it is there, takes these arguments, answers these fields."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube.cel import without_texts
from aiops_shared.kube.nearest import nearest
from aiops_sop.documents.checking import Fault
from aiops_sop.documents.expressions import expressions_in
from aiops_sop.models.documents import Check, Sop, SopStep

Json = Any
Obj = Mapping[str, Any]
Tools = Mapping[str, Mapping[str, Obj]]
# What a result carries besides the tool's own fields (aiops_shared.results.Answer).
_ANSWER: Final = frozenset(
    {"summary", "evidence", "warnings", "hint", "truncated", "next_cursor", "untrusted"}
)
_PARAM: Final = re.compile(r"\s*\{\{\s*params\.([a-z]\w*)\s*\}\}\s*")
_TYPES: Final = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "list": "array",
}


def call_faults(sop: Sop, tools: Tools) -> Iterator[Fault]:
    """Of every step, check and undo."""
    linter = _Calls(sop, tools)
    for step in sop.steps:
        yield from linter.step(step)


@dataclass(frozen=True)
class _Calls:
    sop: Sop
    tools: Tools

    def step(self, step: SopStep) -> Iterator[Fault]:
        if step.kind in {"call", "plan"}:
            yield from self.call(step.what, step.args, step.line, reads=step.kind == "call")
        if step.undo not in {"default", "none"}:
            yield from self.call(step.undo, step.undo_args, step.line, reads=False)
        for check in (step.until, step.verify, step.gate):
            if check is not None:
                yield from self.check(check, step)
        own = self.tool(step.what) if step.kind == "call" else None
        for text in step.evidence:
            yield from _fields(_Use(text, "result", always=True), own, step.line)
        for text in _texts(step):
            yield from self.earlier(text, step)

    def earlier(self, text: str, step: SopStep) -> Iterator[Fault]:
        """What an expression reads of the answers of other steps."""
        for other in self.sop.steps:
            if other.kind == "call":
                asked = step.when + (other.verify.until if other.verify else "")
                use = _Use(text, f"steps.{other.id}.result", asked)
                yield from _fields(use, self.tool(other.what), step.line)

    def check(self, check: Check, step: SopStep) -> Iterator[Fault]:
        yield from self.call(check.call, check.args, step.line, reads=True)
        yield from _fields(_Use(check.until, "result"), self.tool(check.call), step.line)

    def tool(self, what: str) -> Obj | None:
        server, _, name = what.partition(".")
        return self.tools.get(server, {}).get(name)

    def call(self, what: str, args: Obj, line: int, *, reads: bool) -> Iterator[Fault]:
        tool = self.tool(what)
        if tool is None:
            server, _, name = what.partition(".")
            near = nearest(name, self.tools.get(server, {}))
            yield Fault(line, f"{what} is no tool" + (f"; nearest: {', '.join(near)}" if near else ""))
            return
        if reads and not (tool.get("annotations") or {}).get("readOnlyHint", False):
            yield Fault(line, f"{what} writes: a call only reads")
        schema = tool.get("inputSchema") or {}
        known = schema.get("properties", {})
        for key in args:
            if key not in known:
                near = nearest(key, known)
                yield Fault(
                    line, f"{what} has no argument {key}" + (f"; nearest: {', '.join(near)}" if near else "")
                )
        for key in schema.get("required", ()):
            if key not in args:
                yield Fault(line, f"{what} needs the argument {key}")
        for key, value in args.items():
            if key in known:
                yield from self.fits(what, key, value, known[key], line)

    def fits(self, what: str, key: str, value: Json, schema: Obj, line: int) -> Iterator[Fault]:
        """A fixed value against the schema; of a parameter its type; other expressions are not known."""
        if isinstance(value, str) and (found := _PARAM.fullmatch(value)):
            given = {param.name: param.type for param in self.sop.params}.get(found[1])
            wants = schema.get("type")
            if given and wants and not _suits(_TYPES[given], wants):
                yield Fault(line, f"{what} wants {key} as {wants}, params.{found[1]} is {given}")
            return
        if _open(value):
            return
        from jsonschema import Draft202012Validator

        for problem in Draft202012Validator(dict(schema)).iter_errors(value):
            yield Fault(line, f"{what} does not take this {key}: {problem.message[:120]}")
            return


def _suits(given: str, wants: str) -> bool:
    return given == wants or (given, wants) in {
        ("integer", "number"),
        ("string", "array"),
        ("array", "string"),
    }


def _open(value: Json) -> bool:
    """Whether something in it is known at run time only."""
    try:
        return any(True for _ in expressions_in(value))
    except InvalidInputError:
        return True


def _texts(step: SopStep) -> Iterator[str]:
    yield from (text for text in (step.when, step.foreach) if text)
    trees: list[Json] = [step.args, step.template, step.what if step.kind == "ask" else ""]
    for check in (step.until, step.verify, step.gate):
        if check is not None:
            trees.append(check.args)
            yield check.until
    try:
        yield from expressions_in(trees)
    except InvalidInputError:
        return  # said by checking


@dataclass(frozen=True)
class _Use:
    """An expression, the answer in it that is looked at, and what was asked of that answer elsewhere."""

    text: str
    root: str
    asked: str = ""
    always: bool = False  # it copes without anything: what is not there is not kept

    def fields(self) -> Iterator[tuple[str, bool]]:
        """Each field of that answer, and whether the expression copes without it."""
        bare = without_texts(self.text)
        guards = bare + without_texts(self.asked)
        for found in re.finditer(rf"(?<![.\w]){re.escape(self.root)}\s*\.\s*(\??)\s*([A-Za-z_]\w*)", bare):
            copes = (
                self.always
                or bool(found[1])
                or re.search(rf"has\([\w.]*result\.{found[2]}\b", guards) is not None
            )
            yield found[2], copes


def _fields(use: _Use, tool: Obj | None, line: int) -> Iterator[Fault]:
    """`result.found` where the answer has no `found`, or where `found` may be left out and nobody asks."""
    schema = (tool or {}).get("outputSchema") or {}
    known, always = schema.get("properties", {}), set(schema.get("required", ()))
    if not known:
        return
    for name, copes in use.fields():
        if name not in known and name not in _ANSWER:
            near = nearest(name, known)
            yield Fault(line, f"the answer has no {name}" + (f"; nearest: {', '.join(near)}" if near else ""))
        elif name not in always and not copes:
            yield Fault(
                line,
                f"{name} is left out of an answer when empty: has(result.{name}), or .?{name}.orValue(…)",
            )
