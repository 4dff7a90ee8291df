"""A SOP file becomes data, or a refusal with the line. The format is docs/sop-format.md.

Called by the library, the linter and whoever writes a SOP (`codify`). Pure: no file is opened here.
"""

import hashlib
import re
import unicodedata
from typing import Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.redacting import redact
from aiops_sop.documents.blocks import Block, invalid, load_block
from aiops_sop.documents.checking import first_fault
from aiops_sop.documents.front import KEYS, SOP_ID, read_params, read_proofs, read_risk
from aiops_sop.documents.layout import Page, laid_out
from aiops_sop.documents.steps import read_step
from aiops_sop.models.documents import Sop, SopStep

MOST_BYTES: Final = 256 * 1024
MOST_STEPS: Final = 50
SUFFIX: Final = ".sop.md"
_LETTERS: Final = frozenset("\n\t")
_REDACTED: Final = re.compile(r"\[redacted:([a-z-]+)\]")


def parse(text: str, source: str) -> Sop:
    """One document. `source` is the file's name. Raises SopInvalidError: `file:line: reason`."""
    try:
        sop = read(text, source)
    except InvalidInputError as problem:
        invalid(source, 1, f"{problem.thing}: {problem.reason}", problem.hint)
    if fault := first_fault(sop):
        invalid(source, fault.line, fault.says)
    return sop


def read(text: str, source: str) -> Sop:
    """As `parse`, without looking into expressions: for the linter, which wants all faults, not the first."""
    plain = _plain(text, source)
    page = laid_out(plain)
    front = load_block(page.front, source, 2) if page.front.strip() else Block(source, 1, {}, {})
    front.known(KEYS)
    steps = _steps(page, source)
    if not page.title:
        invalid(source, 1, "has no title", "a SOP is Markdown that starts with `# Title`")
    if not page.steps:
        invalid(source, page.title_line, "has no steps", "write `## Steps` with one `### 1. …` each")
    limits = front.within("limits")
    limits.known({"per_hour", "per_day"})
    return Sop(
        id=_id(front, source),
        version=front.number("version", 1, 1, 100_000),
        title=page.title[:200],
        overview=page.section("Overview"),
        risk=read_risk(front),
        triggers=front.texts("triggers", most=30),
        causes=front.texts("causes"),
        target=front.text("target"),
        per_hour=limits.number("per_hour", 0, 0, 1000),
        per_day=limits.number("per_day", 0, 0, 10_000),
        params=read_params(front, tuple(page.params)),
        steps=steps,
        examples=page.section("Examples"),
        troubleshooting=page.section("Troubleshooting"),
        rows=front.texts("rows"),
        proofs=read_proofs(front),
        guided=not steps,
        digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        text=text,
        source=source,
        front_lines=front.lines,
    )


def _plain(text: str, source: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        invalid(source, 1, f"is longer than {MOST_BYTES} bytes", "split it")
    plain = text.replace("\r\n", "\n")
    for number, line in enumerate(plain.split("\n"), 1):
        # What shows otherwise than it reads: control, direction, zero-width, private and lone surrogates.
        if any(unicodedata.category(char)[0] == "C" and char not in _LETTERS for char in line):
            invalid(source, number, "holds an invisible or control character", "remove it")
    if found := _secret_line(plain):  # a run keeps its document as it is (T6)
        invalid(source, found, "holds what looks like a secret", "name where it is kept, never what it is")
    return plain


def _secret_line(text: str) -> int:
    """The line of a key, token or password in a URL; 0: none. `password=x` may be an expression."""
    safe = redact(text)
    if not set(_REDACTED.findall(safe)) - {*_REDACTED.findall(text), "assignment"}:
        return 0
    lines = zip(text.split("\n"), safe.split("\n"), strict=False)
    return next((place for place, (was, now) in enumerate(lines, 1) if was != now), 1)


def _id(front: Block, source: str) -> str:
    named = source.removesuffix(SUFFIX)
    found = front.text("id") or named
    if not SOP_ID.fullmatch(found):
        front.fail("id", "is no kebab-case word", "letters, digits and -, as disk-pressure")
    if source.endswith(SUFFIX) and found != named:
        front.fail("id", f"is {found}, the file's name is {named}", "they are the same")
    return found


def _steps(page: Page, source: str) -> tuple[SopStep, ...]:
    if page.stray_blocks:
        invalid(source, page.stray_blocks[0], "a step block stands outside a step", "put it under `### 1. …`")
    if len(page.steps) > MOST_STEPS:
        invalid(source, page.steps[MOST_STEPS].line, f"has more than {MOST_STEPS} steps", "split it")
    found = tuple(step for step in (read_step(raw, source) for raw in page.steps) if step)
    seen: dict[str, int] = {}
    for step in found:
        if step.id in seen:
            invalid(source, step.line, f"id {step.id} stands there twice", f"first in line {seen[step.id]}")
        seen[step.id] = step.line
    return found
