"""The check of F10g: every number of a text is a figure, every figure a fact or arithmetic of facts."""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from aiops_sop.analysis.reports.arithmetic import worked_out
from aiops_sop.analysis.reports.figures import shown

Obj = dict[str, Any]
_REFERENCE = re.compile(r"\[f\d+\]")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z?)?")
_CODE = re.compile(r"`[^`]*`")  # commands, names and ids, never a measured number
_NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?")
_RELATIVE = re.compile(r"\b\d+(?: to |-)\d+\b|between \d+ and \d+ h")  # bounds that define, not measure


def figures_of(report: Obj) -> dict[str, Obj]:
    """Id -> row."""
    table = report["figures"]
    return {row[0]: dict(zip(table["columns"], row, strict=True)) for row in table["rows"]}


def stray(report: Obj, known: Iterable[str] = ()) -> list[str]:
    """Numbers in the text that no figure shows; `known`: texts of tools that are quoted as they are."""
    text = report["text"]
    for one in known:
        text = text.replace(one, "")
    for form in (_REFERENCE, _TIME, _CODE, _RELATIVE):
        text = form.sub(" ", text)
    told = {
        number
        for row in figures_of(report).values()
        for number in _NUMBER.findall(shown(exact(row["value"]), row["unit"]).replace("$", ""))
    }
    return [number for number in _NUMBER.findall(text) if number not in told]


def unmade(report: Obj) -> list[str]:
    """Figures whose arithmetic does not give their value, or whose source is not named."""
    rows = figures_of(report)
    values = {name: exact(row["value"]) for name, row in rows.items()}
    wrong = []
    for name, row in rows.items():
        if re.fullmatch(r"e\d+", row["from"]):
            if int(row["from"][1:]) > len(report["evidence"]):
                wrong.append(f"{name}: no {row['from']}")
        elif abs(worked_out(row["from"], values) - values[name]) * 100 > 1 + abs(values[name]):
            wrong.append(f"{name}: {row['from']} is not {row['value']}")
    return wrong


def exact(value: float) -> Fraction:
    """As written."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def leaves(report: Obj, source: str) -> list[Obj]:
    """Figures that one kind of source gave."""
    wanted = {f"e{place + 1}" for place, one in enumerate(report["evidence"]) if one["source"] == source}
    return [row for row in figures_of(report).values() if row["from"] in wanted]


def numbers_in(answer: Any) -> set[Fraction]:
    """Every number that stands in a tool's answer, in texts too."""
    if isinstance(answer, bool) or answer is None:
        return set()
    if isinstance(answer, int | float):
        return {exact(answer)}
    if isinstance(answer, str):
        return {Fraction(text.replace(",", "")) for text in re.findall(r"\d[\d,]*(?:\.\d+)?", answer)}
    if isinstance(answer, Mapping):
        return set().union(*(numbers_in(one) for one in answer.values())) | {Fraction(len(answer))}
    return set().union(set(), *(numbers_in(one) for one in answer)) | {Fraction(len(answer))}
