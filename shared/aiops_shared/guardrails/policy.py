"""Asks the Cedar policies whether a change may be made, and never takes silence or an error for a yes.

Called by the gate at plan time and again at execution (D3). Three answers come out of Cedar's two: a
`forbid` without `@needs` refuses, a `forbid` with `@needs("approval")` waits for a person, a `permit` allows;
in this order. Cedar skips a `forbid` whose evaluation fails, so any error in the diagnostics refuses too.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiops_shared.errors import NotConfiguredError
from aiops_shared.guardrails.models import Approver, Request, Verdict
from aiops_shared.settings import PolicySettings

if TYPE_CHECKING:
    import cedarpy

SHIPPED: Final = Path(__file__).with_name("policies")
SCHEMA: Final = SHIPPED / "schema.cedarschema"
FAIL_CLOSED: Final = "fail-closed"
NO_RULE: Final = "no-rule"
LARGEST: Final = 1_000_000_000  # bound of every number given to Cedar; times 10 it is far from overflow
_STRICTNESS: Final[dict[Approver, int]] = {"other": 0, "requester": 1, "": 2}
_BROKEN = "The policy could not be evaluated; ask the operator to run `eks-aiops doctor`."
_UNLISTED = "No policy allows it; ask the operator for a rule, or do it by hand."


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy as its annotations describe it. `place` is its position in the bundle."""

    place: int
    name: str
    effect: str
    needs_approval: bool
    approver: Approver
    advice: str
    file: str


class Policy:
    """A loaded set of policies. `decide` is pure: the same request always gets the same verdict."""

    def __init__(self, settings: PolicySettings) -> None:
        """Load and check the bundle. Raises `NotConfiguredError` naming the file that is wrong."""
        import cedarpy

        files = _read(settings.dir or SHIPPED)
        schema = SCHEMA.read_text(encoding="utf-8")
        self._schema = cedarpy.Schema.from_str(schema)
        self._rules = _rules(files, self._schema)
        self._policies = cedarpy.PolicySet.from_str(_joined(files))
        self._min_confidence_pct = math.ceil(round(settings.min_confidence * 100, 6))
        self._zone = _zone(settings.time_zone)
        self.digest = _digest({**files, SCHEMA.name: schema})

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules in their order, for the documentation and `eks-aiops doctor`."""
        return tuple(self._rules.values())

    def decide(self, request: Request) -> Verdict:
        """The verdict on one request; every failure is a refusal by the rule `fail-closed`."""
        try:
            result = self._ask(request)
        except (ValueError, TypeError, KeyError, RuntimeError, OverflowError):
            return _fail_closed()
        return self._verdict(result)

    def _ask(self, request: Request) -> "cedarpy.AuthzResult":
        import cedarpy

        principal = {"type": f"Aiops::{request.caller.kind.capitalize()}", "id": request.caller.name}
        resource = {"type": "Aiops::Object", "id": f"{request.kind}/{request.namespace}/{request.name}"}
        entities = cedarpy.Entities.from_json_str(
            json.dumps(_entities(request, principal, resource)), self._schema
        )
        asked = {
            "principal": principal,
            "action": {"type": "Aiops::Action", "id": request.action},
            "resource": resource,
            "context": {**_context(request, self._min_confidence_pct), **_moment(request.at, self._zone)},
        }
        return cedarpy.is_authorized(asked, self._policies, entities, self._schema)

    def _verdict(self, result: "cedarpy.AuthzResult") -> Verdict:
        import cedarpy

        if result.diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
            return _fail_closed()
        held = sorted((self._rules[reason] for reason in result.diagnostics.reasons), key=lambda r: r.place)
        if not held:
            return Verdict(decision="deny", rule=NO_RULE, advice=_UNLISTED)
        if result.allowed:
            return Verdict(decision="allow", rule=held[0].name, advice=held[0].advice)
        return _refusal(held)


def _refusal(held: list[Rule]) -> Verdict:
    """Of the `forbid`s that hold: any hard one, else the one that asks for the strictest approver."""
    for rule in held:
        if not rule.needs_approval:
            return Verdict(decision="deny", rule=rule.name, advice=rule.advice)
    strictest = min(held, key=lambda rule: (_STRICTNESS[rule.approver], rule.place))
    return Verdict(
        decision="needs_approval",
        rule=strictest.name,
        advice=strictest.advice,
        approver=strictest.approver,
    )


def _fail_closed() -> Verdict:
    return Verdict(decision="deny", rule=FAIL_CLOSED, advice=_BROKEN)


def _entities(
    request: Request, principal: Mapping[str, str], resource: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Both entities, always: one that is missing has no attributes, and rules about it would not match."""
    attributes = {
        "kind": request.kind,
        "group": request.group,
        "namespace": request.namespace,
        "name": request.name,
        "cluster": request.cluster,
        "env": request.facts.env,
    }
    return [
        {"uid": principal, "attrs": {"name": request.caller.name}, "parents": []},
        {"uid": resource, "attrs": attributes, "parents": []},
    ]


def _context(request: Request, min_confidence_pct: int) -> dict[str, object]:
    facts = {name: value for name, value in request.facts if name != "env"}
    counted = {name: min(count, LARGEST) for name, count in request.limits}
    context: dict[str, object] = {
        **facts,
        **counted,
        "frozen": request.frozen,
        "sensitive": request.sensitive,
        "audit_down": request.audit_down,
        "approved_by": request.approved_by,
        "approval_needs": request.approval_needs,
        "min_confidence_pct": min_confidence_pct,
    }
    for name, value in context.items():
        if isinstance(value, int) and not 0 <= value <= LARGEST:
            raise ValueError(f"{name} is out of bounds")
    return context


def _moment(at: datetime | None, zone: ZoneInfo) -> dict[str, int]:
    """When it is asked, as people there say it: weekday 1 (Monday) to 7, minute of the day."""
    if at is None:
        return {"weekday": 0, "minute": 0}
    there = at.astimezone(zone)
    return {"weekday": there.isoweekday(), "minute": there.hour * 60 + there.minute}


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a path, an empty name, a folder's name
        raise NotConfiguredError(
            "AIOPS_POLICY_TIME_ZONE",
            f"{name[:80]} is no time zone known here",
            "write a name of the IANA database, as Asia/Seoul, or UTC",
        ) from error


def _wrong(file: str, reason: str) -> NotConfiguredError:
    return NotConfiguredError(
        f"policy {file}", reason, "correct the file, or unset AIOPS_POLICY_DIR to use the shipped policies"
    )


def _read(directory: Path) -> dict[str, str]:
    try:
        files = {
            path.name: path.read_text(encoding="utf-8")
            for path in sorted(directory.glob("*.cedar"))
            if path.is_file()
        }
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(str(directory), f"cannot be read ({type(error).__name__})") from error
    if not files:
        raise _wrong(str(directory), "holds no .cedar file")
    return files


def _joined(files: Mapping[str, str]) -> str:
    return "\n".join(files.values())


def _digest(files: Mapping[str, str]) -> str:
    canonical = json.dumps(files, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _rules(files: Mapping[str, str], schema: "cedarpy.Schema") -> dict[str, Rule]:
    """Rules by Cedar's own policy ids, which count through the joined text."""
    rules: dict[str, Rule] = {}
    for file, text in files.items():
        for policy in _parsed(file, text, schema):
            place = len(rules)
            rules[f"policy{place}"] = _rule(place, file, policy)
    return rules


def _parsed(file: str, text: str, schema: "cedarpy.Schema") -> list[dict[str, Any]]:
    import cedarpy

    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
        checked = cedarpy.validate_policies(text, schema)
    except ValueError as error:
        raise _wrong(file, _first_line(error)) from error
    if not checked.validation_passed:
        raise _wrong(file, "; ".join(_first_line(error) for error in checked.errors[:3]))
    if parsed.get("templates"):
        raise _wrong(file, "templates are not used here")
    static: dict[str, dict[str, Any]] = parsed["staticPolicies"]
    return [static[f"policy{number}"] for number in range(len(static))]


def _first_line(error: object) -> str:
    return (str(error).splitlines() or ["it does not parse"])[0][:300]


def _rule(place: int, file: str, policy: Mapping[str, Any]) -> Rule:
    notes: dict[str, str] = {name: value or "" for name, value in policy.get("annotations", {}).items()}
    name, approver = notes.get("id", ""), notes.get("approver", "")
    if not name:
        raise _wrong(file, f"policy number {place + 1} of the bundle has no @id")
    if notes.get("needs", "approval") != "approval":
        raise _wrong(file, f'{name}: @needs knows only "approval"')
    needs = "needs" in notes
    if needs != (approver in {"requester", "other"}) or (needs and policy["effect"] != "forbid"):
        raise _wrong(
            file, f'{name}: a forbid with @needs("approval") names @approver("requester" or "other")'
        )
    return Rule(
        place=place,
        name=name,
        effect=policy["effect"],
        needs_approval=needs,
        approver="other" if approver == "other" else "requester" if needs else "",
        advice=notes.get("advice", ""),
        file=file,
    )
