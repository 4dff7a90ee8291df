"""docs/proofs.md: every threat and fault, its controls, where they stand, which tests saw them missing."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proofs.controls import CONTROLS
from proofs.markers import marked_tests, tests_of
from proofs.mutation import ROOT, Mutation
from proofs.threats import FAULTS, OWASP, THREATS

PAGE = ROOT / "docs" / "proofs.md"
_NOT_RUN = "not run"
_HEAD = (
    "| id | threat or fault | control | where | tests | without it | date |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One row: a mutation, what became of it, and when (ISO date)."""

    mutation: Mutation
    word: str
    date: str

    @property
    def killed(self) -> bool:
        """The tests saw that the control is missing."""
        return self.word == "killed"


def kept() -> list[Proof]:
    """What the page says of the mutations that there are now; those it does not know were not run."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    known = {_key(cells): (cells[5].strip("* "), cells[6]) for cells in _cells(text)}
    found = []
    for mutation in CONTROLS:
        word, date = known.get((mutation.id, _plain(mutation.control)), (_NOT_RUN, "-"))
        found.append(Proof(mutation, word, date))
    return found


def lines(proofs: Sequence[Proof]) -> Iterator[str]:
    """The whole page. `proofs` may stand in any order."""
    order = {mutation: place for place, mutation in enumerate(CONTROLS)}
    rows = sorted(proofs, key=lambda proof: order[proof.mutation])
    yield from _introduction(rows)
    yield from ("", "## Each control taken away", "", *table(rows))
    yield from ("", "## OWASP MCP Top 10 (beta)", "", *_owasp(rows))
    for heading, names in (("Tests of each threat", THREATS), ("Tests of each fault", FAULTS)):
        yield from ("", f"## {heading}", "")
        for identity, title in names.items():
            yield from (f"### {identity} {title}", "", *_listed(tests_of(identity)), "")
    yield from ("## Tests of the listed bad inputs", "", *_bad_inputs())


def table(proofs: Sequence[Proof]) -> Iterator[str]:
    """One row for each mutation."""
    yield from _HEAD
    for proof in proofs:
        one = proof.mutation
        word = proof.word if proof.killed else f"**{proof.word}**"
        title = {**THREATS, **FAULTS}[one.id]
        files = ", ".join(dict.fromkeys(f"`{edit.file}`" for edit in one.edits))
        tests = _plain(", ".join(f"`{test.rpartition('/')[2]}`" for test in one.tests))
        yield f"| {one.id} | {title} | {_plain(one.control)} | {files} | {tests} | {word} | {proof.date} |"


def written(page: Iterator[str]) -> None:
    """Keep the page."""
    PAGE.write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")


def _introduction(rows: Sequence[Proof]) -> Iterator[str]:
    killed = sum(row.killed for row in rows)
    yield from (
        "# Proofs",
        "",
        "A control that no test would miss is a wish. `make proofs` copies the tree, plays the named tests",
        "on it as it is, then takes one control away at a time: each named test must fail, by its own",
        "assertion or because a refusal does not come. An import error, a wrong name, a timeout: no proof.",
        "`python -m proofs --only T6,R11` plays some ids and keeps the other rows; `--page` lists the tests",
        "anew.",
        "",
        f"{killed} of {len(rows)} controls killed: taken away, and seen missing.",
    )


def _owasp(rows: Sequence[Proof]) -> Iterator[str]:
    yield from ("| OWASP | risk | threats here | controls proved | marked tests |", "|---|---|---|---|---|")
    for number, (title, threats) in OWASP.items():
        ours = [row for row in rows if row.mutation.id in threats]
        tests = {test for threat in threats for test in tests_of(threat)}
        proved = f"{sum(row.killed for row in ours)} of {len(ours)}"
        yield f"| {number} | {title} | {', '.join(threats)} | {proved} | {len(tests)} |"


def _bad_inputs() -> Iterator[str]:
    rows = sorted({identity for one in marked_tests() for identity in one.ids if identity.startswith("BI-")})
    yield from ("| row | tests |", "|---|---|")
    yield from (f"| {row} | {'<br>'.join(f'`{test}`' for test in tests_of(row))} |" for row in rows)


def _listed(tests: Sequence[str]) -> Iterator[str]:
    """One line a file, so that a page of hundreds of tests can be read."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    for file in files:
        names = [test.partition("::")[2] for test in tests if test.startswith(f"{file}::")]
        yield f"* `{file}`: {', '.join(f'`{name}`' for name in names)}"


def _cells(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == len(_HEAD[0].split("|")) - 2 and re.fullmatch(r"[TR]\d+", cells[0]):
            yield cells


def _key(cells: Sequence[str]) -> tuple[str, str]:
    return cells[0], cells[2]


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
