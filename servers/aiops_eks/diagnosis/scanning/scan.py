"""Runs the checks over objects, and repairs what can be repaired without guessing.

Called by `tools/manifests.py`. A repair is followed by another scan, at most three times (S36); what is
then left needs a person: a version, a size, a probe, another volume.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from aiops_eks.diagnosis.quoting import escaped
from aiops_eks.diagnosis.scanning import access, pod_security, practice
from aiops_eks.diagnosis.scanning.checking import Check, Hit, Policy, ScanFinding, ScanReport
from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, container_spots, identity, pod_spot
from aiops_shared.kube.manifests import dump_manifests, load_manifests
from aiops_shared.results import SEVERITIES, Evidence

PASSES = 3
MOST_FINDINGS = 40
MOST_NOTES = 8
MOST_PATCHED_CHARS = 24_000
CHECKS: tuple[Check, ...] = (*pod_security.CHECKS, *practice.CHECKS, *access.CHECKS)
SERIOUS = frozenset({"critical", "high"})
COMMENTS_LOST = "comments are not kept in `patched`"


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with its check and place."""

    check: Check
    spot: Spot
    hit: Hit

    @property
    def fixable(self) -> bool:
        """Whether the repair needs nobody's knowledge."""
        return self.hit.fixable and self.check.repair is not None

    def finding(self, *, fixed: bool) -> ScanFinding:
        """The answer's form."""
        return ScanFinding(
            rule=self.check.rule,
            severity=self.check.severity,
            object=escaped(identity(self.spot.obj))[:160],
            path=escaped(self.hit.path)[:200],
            says=escaped(self.hit.says)[:200],
            fix=self.check.fix,
            fixed=fixed,
        )


def scan(objects: list[Obj], policy: Policy) -> list[Found]:
    """Everything that is not as it should be, worst first."""
    levels = {"practice", "baseline"} | ({"restricted"} if policy == "restricted" else set())
    checks = [check for check in CHECKS if check.level in levels]
    found = [one for obj in objects for one in _of_object(obj, checks)]
    return sorted(found, key=lambda one: SEVERITIES.index(one.check.severity))


def _of_object(obj: Obj, checks: list[Check]) -> Iterator[Found]:
    pod = pod_spot(obj)
    spots = {
        "object": [Spot(obj)],
        "pod": [pod] if pod else [],
        "container": list(container_spots(pod)) if pod else [],
    }
    for check in checks:
        for spot in spots[check.scope]:
            yield from (Found(check, spot, hit) for hit in check.look(spot))


@dataclass(frozen=True, slots=True)
class Repaired:
    """The objects without what could be repaired."""

    objects: list[Obj]
    left: list[Found]
    notes: tuple[str, ...]
    passes: int


def repair(objects: list[Obj], policy: Policy) -> Repaired:
    """A repaired copy, scanned again after each pass."""
    fixed, notes = deepcopy(objects), dict[str, None]()
    left, passes = scan(fixed, policy), 0
    while passes < PASSES and any(one.fixable for one in left):
        for one in left:
            if one.fixable and one.check.repair is not None and (note := one.check.repair(one.spot)):
                notes[note] = None
        left, passes = scan(fixed, policy), passes + 1
    return Repaired(fixed, left, tuple(notes), passes)


def report(objects: list[Obj], policy: Policy, *, fix: bool, omitted: int = 0) -> ScanReport:
    """The answer. `omitted` documents beyond the limit were not scanned."""
    found = scan(objects, policy)
    repaired = repair(objects, policy) if fix else None
    shown = found[:MOST_FINDINGS]
    patched, notes = _patched(objects, repaired) if repaired else ("", ())
    left = repaired.left if repaired else []
    return ScanReport(
        summary=_summary(objects, found, repaired),
        policy=policy,
        objects=len(objects),
        findings=tuple(one.finding(fixed=repaired is not None and _gone(one, left)) for one in shown),
        findings_omitted=len(found) - len(shown),
        remaining=len(left),
        remaining_high=sum(one.check.severity in SERIOUS for one in left),
        passes=repaired.passes if repaired else 0,
        patched=patched,
        notes=notes[:MOST_NOTES],
        sources=tuple(dict.fromkeys(one.check.source for one in shown)),
        evidence=(Evidence(source="manifest", query=f"{len(objects)} objects, policy {policy}"),),
        warnings=(f"{omitted} more documents were not scanned: send them apart",) if omitted else (),
        hint="" if found else _clean_hint(objects),
        truncated=len(found) > len(shown) or omitted > 0,
        untrusted=("findings[].object", "findings[].path", "findings[].says", "patched"),
    )


def _gone(one: Found, left: list[Found]) -> bool:
    same = (one.check.rule, identity(one.spot.obj), one.hit.path)
    return one.fixable and same not in {(o.check.rule, identity(o.spot.obj), o.hit.path) for o in left}


def _patched(objects: list[Obj], repaired: Repaired) -> tuple[str, tuple[str, ...]]:
    """The changed objects as YAML, parsed again to be sure; what does not fit is named."""
    pairs = zip(objects, repaired.objects, strict=True)
    changed = [after for before, after in pairs if before != after]
    if not changed:
        return "", ("nothing could be repaired without knowing more",)
    kept = _fitting(changed)
    text = dump_manifests(kept)
    if load_manifests(text) != kept:
        return "", ("the repaired manifest does not read back the same, so it is not offered",)
    left_out = [f"{len(changed) - len(kept)} repaired objects do not fit the answer: scan them apart"]
    return text, (*repaired.notes, *(left_out if len(kept) < len(changed) else []), COMMENTS_LOST)


def _fitting(changed: list[Obj]) -> list[Obj]:
    """As many objects as the answer holds, at least one."""
    kept: list[Obj] = []
    size = 0
    for obj in changed:
        size += len(dump_manifests([obj])) + 4
        if kept and size > MOST_PATCHED_CHARS:
            break
        kept.append(obj)
    return kept


def _summary(objects: list[Obj], found: list[Found], repaired: Repaired | None) -> str:
    counts = {level: sum(one.check.severity == level for one in found) for level in SEVERITIES}
    said = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    things = f"{len(objects)} objects" if len(objects) != 1 else escaped(identity(objects[0]))[:120]
    text = f"{things}: {len(found)} findings ({said})." if found else f"{things}: nothing found."
    if found and repaired is not None:
        high = sum(one.check.severity in SERIOUS for one in repaired.left)
        left = len(repaired.left)
        text += f" patched repairs {len(found) - left}; left: {left}, of them high: {high}."
    return text[:400]


def _clean_hint(objects: list[Obj]) -> str:
    kinds = sorted({str(obj.get("kind", "?")) for obj in objects})
    return f"Looked at {', '.join(kinds)[:120]} with {len({c.rule for c in CHECKS})} rules."
