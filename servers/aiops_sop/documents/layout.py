"""The Markdown of a SOP: title, sections, steps with constraints and YAML blocks, each with its line.

Called by the parser and by the linter. A CommonMark parser says what a heading or a fence is, so that a
`## Steps` inside a code block is text. Nothing here judges: it says what stands where.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it.token import Token

FENCE: Final = "yaml step"
_NUMBERED: Final = re.compile(r"(\d{1,3})\.\s+(.*)", re.DOTALL)
_PARAMETER: Final = re.compile(r"\*\*([^*]{1,80})\*\*\s*\(([^)]*)\)\s*:?\s*(.*)", re.DOTALL)
_DEFAULT: Final = re.compile(r"default:\s*\"?(.*?)\"?\s*$", re.DOTALL)


@dataclass(frozen=True)
class Bullet:
    """One item of a list."""

    text: str
    line: int


@dataclass(frozen=True)
class ParamLine:
    """`- **node** (optional, default: "15"): what it is`."""

    name: str
    required: bool
    default: str
    says: str
    line: int


@dataclass
class RawStep:
    """One `###` under Steps."""

    title: str
    line: int
    number: int = 0
    prose: str = ""
    constraints: list[Bullet] = field(default_factory=list)
    has_constraints: bool = False
    block: str = ""
    block_line: int = 0  # of the block's first line of YAML
    blocks: int = 0


@dataclass
class Section:
    """One `##`."""

    name: str
    line: int
    text: str = ""


@dataclass
class Page:
    """A file, taken apart."""

    front: str = ""
    title: str = ""
    title_line: int = 0
    sections: dict[str, Section] = field(default_factory=dict)
    twice: list[Section] = field(default_factory=list)
    params: list[ParamLine] = field(default_factory=list)
    odd_params: list[Bullet] = field(default_factory=list)
    steps: list[RawStep] = field(default_factory=list)
    stray_blocks: list[int] = field(default_factory=list)  # step blocks outside a step
    titles: int = 0

    def section(self, name: str) -> str:
        """A section's text, empty without it."""
        found = self.sections.get(name)
        return found.text if found else ""


def laid_out(text: str) -> Page:
    """Take a file apart. The front matter is the text between the first two lines of `---`."""
    front, body, skipped = _front(text)
    return _Reader(body, skipped, Page(front=front)).page()


def _front(text: str) -> tuple[str, str, int]:
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return "", text, 0
    for place, line in enumerate(lines[1:], 1):
        if line.rstrip() == "---":
            return "\n".join(lines[1:place]), "\n".join(lines[place + 1 :]), place + 1
    return "\n".join(lines[1:]), "", len(lines)


class _Reader:
    """Walks the tokens of the body once."""

    def __init__(self, body: str, skipped: int, page: Page) -> None:
        self.lines = body.split("\n")
        self.body, self.skipped, self._page = body, skipped, page
        self.section: Section | None = None
        self.step: RawStep | None = None
        self.constraining = False

    def page(self) -> Page:
        """The page, filled."""
        from markdown_it import MarkdownIt  # loaded by the first SOP (D31)

        tokens = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).parse(self.body)
        for place, token in enumerate(tokens):
            if token.level == 0 or (token.type == "list_item_open" and token.level == 1):
                self._take(token, tokens[place + 1 :])
        self._texts()
        return self._page

    def _take(self, token: "Token", rest: Sequence["Token"]) -> None:
        line = self.skipped + (token.map[0] if token.map else 0) + 1
        if token.type == "heading_open":
            self._heading(token.tag, rest[0].content.strip(), line)
        elif token.type == "fence" and " ".join(token.info.split()) == FENCE:
            self._block(token.content, line)
        elif token.type == "paragraph_open":
            self.constraining = rest[0].content.strip().rstrip(":") in {"**Constraints:**", "**Constraints**"}
            if self.constraining and self.step:
                self.step.has_constraints = True
        elif token.type == "list_item_open":
            self._bullet(" ".join(next(_inlines(rest), "").split()), line)

    def _heading(self, tag: str, text: str, line: int) -> None:
        page = self._page
        self.constraining = False
        if tag == "h1":
            page.titles += 1
            if page.titles == 1:
                page.title, page.title_line = " ".join(text.split()), line
        elif tag == "h2":
            self.section, self.step = Section(text, line), None
            if text in page.sections:
                page.twice.append(self.section)
            else:
                page.sections[text] = self.section
        elif tag == "h3" and self.section and self.section.name == "Steps":
            found = _NUMBERED.fullmatch(text)
            number, title = (int(found[1]), found[2]) if found else (0, text)
            self.step = RawStep(" ".join(title.split()), line, number)
            page.steps.append(self.step)

    def _block(self, content: str, line: int) -> None:
        if self.step is None:
            self._page.stray_blocks.append(line)
            return
        self.step.blocks += 1
        if self.step.blocks == 1:
            self.step.block, self.step.block_line = content, line + 1

    def _bullet(self, text: str, line: int) -> None:
        if self.step is not None:
            if self.constraining:
                self.step.constraints.append(Bullet(text, line))
        elif self.section and self.section.name == "Parameters":
            found = _PARAMETER.fullmatch(text)
            if found is None:
                self._page.odd_params.append(Bullet(text, line))
                return
            default = _DEFAULT.search(found[2])
            self._page.params.append(
                ParamLine(
                    found[1].strip(),
                    found[2].strip().startswith("required"),
                    default[1] if default else "",
                    " ".join(found[3].split()),
                    line,
                )
            )

    def _texts(self) -> None:
        """The text of each section and step: from its heading to the next."""
        starts = sorted(section.line for section in [*self._page.sections.values(), *self._page.twice])
        for section in self._page.sections.values():
            end = next((line for line in starts if line > section.line), len(self.lines) + self.skipped + 1)
            section.text = self._between(section.line, end)
        edges = sorted([*starts, *(step.line for step in self._page.steps)])
        for step in self._page.steps:
            end = next((line for line in edges if line > step.line), len(self.lines) + self.skipped + 1)
            step.prose = _before_block(self._between(step.line, end))

    def _between(self, heading: int, end: int) -> str:
        return "\n".join(self.lines[heading - self.skipped : end - self.skipped - 1]).strip()


def _inlines(tokens: Sequence["Token"]) -> Iterator[str]:
    for token in tokens:
        if token.type == "list_item_close":
            return
        if token.type == "inline":
            yield token.content


def _before_block(text: str) -> str:
    return re.split(rf"^`{{3,}}\s*{FENCE}\s*$", text, maxsplit=1, flags=re.MULTILINE)[0].strip()
