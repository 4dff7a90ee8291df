"""The Agent SOP half of the linter: sections, parameter lines, constraints, and what no file may carry."""

import re
from collections.abc import Iterator
from typing import Final

from aiops_shared.guardrails.redacting import redact
from aiops_sop.documents.checking import Fault
from aiops_sop.documents.layout import Page, ParamLine, RawStep
from aiops_sop.models.documents import Param, Sop

SECTIONS: Final = ("Overview", "Parameters", "Steps", "Examples", "Troubleshooting")
_WORDS: Final = re.compile(
    r"\b(MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|MAY|REQUIRED|RECOMMENDED|OPTIONAL)\b"
)
_WEAK: Final = re.compile(r"\b(must|shall|should|may)(?: not)?\b")
_REASON: Final = re.compile(r"\b(because|since|so that|as it|as that|or else|otherwise)\b")
_NEGATIVE: Final = re.compile(r"\b(?:MUST|SHALL|SHOULD) NOT\b")
_SNAKE: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_ACCOUNT: Final = re.compile(r"(?<![\d.])\d{12}(?!\d|\.\d)")
_MACHINE: Final = re.compile(r"(?:^|[\s\"'`(=])((?:/home/|/root/|/Users/|/tmp/|/mnt/|[A-Z]:\\)[\w./\\-]*)")
_EXAMPLES: Final = frozenset({"111122223333", "444455556666", "123456789012", "555555555555", "000000000000"})


def text_faults(sop: Sop, page: Page) -> Iterator[Fault]:
    """Everything that a reader, person or model, would stumble over."""
    yield from _sections(page)
    yield from _parameters(sop, page)
    for place, step in enumerate(page.steps, 1):
        yield from _step(step, place)
    yield from _secrets(sop)


def _sections(page: Page) -> Iterator[Fault]:
    if page.titles > 1:
        yield Fault(page.title_line, "has more than one title")
    for again in page.twice:
        yield Fault(again.line, f"section {again.name} stands there twice")
    lines = []
    for name in SECTIONS:
        section = page.sections.get(name)
        if section is None:
            yield Fault(page.title_line or 1, f"section {name} is missing")
        elif not section.text:
            yield Fault(section.line, f"section {name} is empty")
        else:
            lines.append(section.line)
    if lines != sorted(lines):
        yield Fault(lines[0], f"sections are not in their order: {', '.join(SECTIONS)}")


def _parameters(sop: Sop, page: Page) -> Iterator[Fault]:
    for odd in page.odd_params:
        if not odd.text.lower().startswith(("none", "no param")):
            yield Fault(odd.line, "is no parameter line: - **name** (required): what it is")
    told = {line.name: line for line in page.params}
    if len(told) < len(page.params):
        yield Fault(page.params[0].line, "a parameter stands there twice")
    known = {param.name: param for param in sop.params}
    for name, line in told.items():
        if not _SNAKE.fullmatch(name):
            yield Fault(line.line, f"parameter {name[:40]} is no snake_case word")
        elif name not in known:
            yield Fault(line.line, f"parameter {name} is not in the front matter")
        else:
            yield from _agrees(line, known[name])
    at = sop.front_lines.get("params", page.title_line)
    for name in known.keys() - told.keys():
        yield Fault(at, f"parameter {name} has no line under Parameters")


def _agrees(line: ParamLine, param: Param) -> Iterator[Fault]:
    required = param.required and param.default is None
    if line.required != required:
        yield Fault(
            line.line,
            f"parameter {param.name} is {'required' if required else 'optional'} in the front matter",
        )
    defaults = _defaults(param.default)
    if line.default not in defaults:
        yield Fault(line.line, f"the default of {param.name} is {defaults[0] or 'none'} in the front matter")
    if not line.says:
        yield Fault(line.line, f"parameter {param.name} does not say what it is")


def _defaults(value: object) -> tuple[str, ...]:
    """How a default may be written."""
    if value is None or value == "":
        return ("", "none", "empty")
    if isinstance(value, bool):
        return (str(value).lower(),)
    if isinstance(value, list):
        return (", ".join(map(str, value)), str(value), "" if value else "none")
    return (str(value),)


def _step(step: RawStep, place: int) -> Iterator[Fault]:
    if step.number != place:
        yield Fault(step.line, f"step {step.title[:40]!r} is not numbered {place}")
    if not step.prose or step.prose.startswith("**Constraints"):
        yield Fault(step.line, f"step {place} does not say in words what to do")
    if not step.constraints:
        yield Fault(step.line, f"step {place} has no **Constraints:** with a list")
    for bullet in step.constraints:
        if not _WORDS.search(bullet.text):
            weak = _WEAK.search(bullet.text)
            hint = f": write {weak[0].upper()}" if weak else ": MUST, SHOULD or MAY"
            yield Fault(bullet.line, f"a constraint has no RFC 2119 word{hint}")
        if _NEGATIVE.search(bullet.text) and not _REASON.search(bullet.text):
            yield Fault(bullet.line, "a NOT gives no reason: … because …")


def _secrets(sop: Sop) -> Iterator[Fault]:
    for number, line in enumerate(sop.text.split("\n"), 1):
        if redact(line) != line:
            yield Fault(number, "looks like a secret")
        if any(found not in _EXAMPLES for found in _ACCOUNT.findall(line)):
            yield Fault(number, "holds what looks like an account id: make it a parameter")
        if found := _MACHINE.search(line):
            yield Fault(number, f"holds a path of a machine: {found[1][:60]}")
