"""Words the answer of `scan_manifest`: equal findings once, worst first, with document, line and JSONPath.

Called by `tools/manifests.py` in a worker thread; pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from aiops_eks.diagnosis.quoting import escaped
from aiops_eks.diagnosis.scanning.checking import SERIOUS, Policy, ScanReport
from aiops_eks.diagnosis.scanning.organisation import NO_RULES, RuleBook
from aiops_eks.diagnosis.scanning.patching import Patch, patched
from aiops_eks.diagnosis.scanning.placing import Sheet, json_path
from aiops_eks.diagnosis.scanning.scan import Found, Repaired, checks_of, copied, repair, scan
from aiops_eks.diagnosis.scanning.shape import may_hide
from aiops_eks.diagnosis.scanning.subjects import Obj, identity
from aiops_shared.errors import InvalidInputError
from aiops_shared.results import SEVERITIES, Cell, Evidence, Table

MOST_ROWS = 40
MOST_ROW_CHARS = 4_200
MOST_NOTES = 8
MOST_MORE = 3
FEW = 20  # objects, up to which findings that differ in a name stay apart
COLUMNS = (
    "severity",
    "rule",
    "control",
    "count",
    "fixed",
    "object",
    "document",
    "line",
    "path",
    "says",
    "more",
    "fix",
)


@dataclass
class _Group:
    """Findings of one rule that say the same."""

    first: Found
    places: list[Found] = field(default_factory=list)
    fixed: int = 0


@dataclass(frozen=True)
class Scanned:
    """A report, and the objects as they would be applied: for a dry run."""

    report: ScanReport
    wished: tuple[Obj, ...] = ()


def report(sheet: Sheet, policy: Policy, *, fix: bool, rules: RuleBook = NO_RULES) -> Scanned:
    """Scan, repair when asked for, and word it. Raises InvalidInputError for text without objects."""
    objects = _checked(sheet)
    wished: list[Obj] = copied(objects) if fix else objects
    odd = may_hide(sheet.text)
    found = scan(wished, policy, rules, may_hide=odd)
    repaired = repair(wished, found, policy, rules, may_hide=odd) if fix else None
    patch = patched(sheet, repaired.objects) if repaired else Patch()
    left = repaired.left if repaired else []
    groups = _grouped(found, left if repaired else None, few=len(objects) <= FEW)
    rows = tuple(_fitting(_row(sheet, group) for group in groups))
    omitted = sum(len(group.places) for group in groups[len(rows) :])
    notes = (*repaired.notes, *patch.notes) if repaired else ()
    answer = ScanReport(
        summary=_summary(objects, found, repaired),
        verdict="fail" if any(one.fails for one in found) else "pass",
        policy=policy,
        objects=len(objects),
        findings=Table(columns=COLUMNS, rows=rows),
        findings_omitted=omitted,
        remaining=len(left),
        remaining_high=sum(one.check.severity in SERIOUS for one in left),
        rounds=repaired.rounds if repaired else 0,
        validation="schema_only: not asked of a cluster",
        patched=patch.text,
        notes=_cut(notes),
        sources=tuple(dict.fromkeys(group.first.check.source for group in groups[: len(rows)]))[:6],
        evidence=(Evidence(source="manifest", query=f"{len(objects)} objects, policy {policy}"),),
        warnings=_warnings(sheet),
        hint="" if found else _clean_hint(objects, policy, rules),
        truncated=omitted > 0 or sheet.omitted > 0,
        untrusted=("summary", "findings", "patched", "notes", "warnings"),
    )
    return Scanned(answer, tuple(wished))


def _checked(sheet: Sheet) -> list[Obj]:
    objects = sheet.objects
    if not objects:
        raise InvalidInputError("manifest", "holds no object", "give YAML with apiVersion, kind and metadata")
    for place, obj in enumerate(objects, 1):
        if not isinstance(obj.get("kind"), str) or not obj["kind"]:
            raise InvalidInputError(
                "manifest", f"object {place} has no kind", "give apiVersion, kind and metadata"
            )
    return objects


def _grouped(found: list[Found], left: list[Found] | None, *, few: bool) -> list[_Group]:
    """Equal findings once; over many objects all of a rule, whose first then speaks for the others."""
    still = None if left is None else {_place(one) for one in left}
    groups: dict[tuple[str, str], _Group] = {}
    for one in found:
        key = (one.check.rule, one.hit.says if few else "")
        group = groups.setdefault(key, _Group(one))
        group.places.append(one)
        group.fixed += still is not None and _place(one) not in still
    worst = SEVERITIES.index
    return sorted(groups.values(), key=lambda one: (worst(one.first.check.severity), -len(one.places)))


def _place(one: Found) -> tuple[str, int, str]:
    return one.check.rule, one.number, one.hit.path


def _row(sheet: Sheet, group: _Group) -> tuple[Cell, ...]:
    first, check = group.first, group.first.check
    place = sheet.placed[first.number]
    return (
        check.severity,
        check.rule,
        check.control,
        len(group.places),
        group.fixed,
        escaped(identity(place.obj))[:120],
        place.document.number,
        sheet.line(place, first.hit.path),
        escaped(json_path(place, first.hit.path))[:160],
        escaped(first.hit.says)[:160],
        _more(sheet, group.places[1:]),
        check.fix,
    )


def _more(sheet: Sheet, others: list[Found]) -> str:
    """The next places, as paths in one document and as lines in several; the number of the rest."""
    shown = [(sheet.placed[one.number], one.hit.path) for one in others[:MOST_MORE]]
    if not shown:
        return ""
    if len(sheet.documents) == 1:
        said = ", ".join(escaped(json_path(*each))[:160] for each in shown)
    else:
        said = f"lines {', '.join(str(sheet.line(*each)) for each in shown)}"
    rest = len(others) - len(shown)
    return f"{said} and {rest} more" if rest else said


def _fitting(rows: Iterable[tuple[Cell, ...]]) -> Iterable[tuple[Cell, ...]]:
    room = MOST_ROW_CHARS
    for place, row in enumerate(rows):
        room -= sum(len(str(cell)) + 3 for cell in row)
        if place and (room < 0 or place >= MOST_ROWS):
            return
        yield row


def _cut(notes: tuple[str, ...]) -> tuple[str, ...]:
    shown = [escaped(note)[:300] for note in notes[:MOST_NOTES]]
    if len(notes) > MOST_NOTES:
        shown.append(f"{len(notes) - MOST_NOTES} more notes: scan fewer objects to read them")
    return tuple(shown)


def _warnings(sheet: Sheet) -> tuple[str, ...]:
    if not sheet.omitted:
        return ()
    return (f"{sheet.omitted} more documents were not scanned: send them apart",)


def _summary(objects: list[Obj], found: list[Found], repaired: Repaired | None) -> str:
    counts = {level: sum(one.check.severity == level for one in found) for level in SEVERITIES}
    said = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    things = f"{len(objects)} objects" if len(objects) != 1 else escaped(identity(objects[0]))[:120]
    text = f"{things}: {len(found)} findings ({said})." if found else f"{things}: nothing found."
    if found and repaired is not None:
        high = sum(one.check.severity in SERIOUS for one in repaired.left)
        gone, left = len(found) - len(repaired.left), len(repaired.left)
        text += f" patched repairs {gone}; left: {left}, of them high: {high}."
    return text[:400]


def _clean_hint(objects: list[Obj], policy: Policy, rules: RuleBook) -> str:
    kinds = ", ".join(sorted({str(obj.get("kind", "?")) for obj in objects}))
    return f"Looked at {escaped(kinds)[:120]} with {len({c.rule for c in checks_of(policy, rules)})} rules."
