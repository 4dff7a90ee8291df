"""The organisation's own rules: CEL expressions over `object`, as a ValidatingAdmissionPolicy has them.

A rule set is one YAML file in the operator's directory (`AIOPS_SCAN_RULES_DIR`), compiled before the first
scan. A rule that does not compile stops every scan with file and line; one that fails at run time counts as
violated, as an admission policy with failurePolicy Fail would: nothing is ever skipped in silence. CEL of
cel-cpp gives run-time errors as values, so the type of each result is asked for, and it stops by itself when
an expression takes too many steps.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NoReturn

import yaml

from aiops_eks.diagnosis.scanning.checking import Check, Hit
from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, container_spots, pod_spot
from aiops_shared.errors import InvalidInputError, NotConfiguredError
from aiops_shared.kube.cel import Language, Program
from aiops_shared.kube.manifests import load_with_nodes
from aiops_shared.results import SEVERITIES, Severity

MOST_RULES: Final = 200
MOST_FAILURES: Final = 20  # of one rule in one scan; each may cost its whole budget of steps
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SET_FIELDS = frozenset({"name", "source", "rules"})
_RULE_FIELDS = frozenset({"id", "severity", "kinds", "expression", "message", "fix"})
VARIABLES: Final = ("podSpec", "containers")
_LANGUAGE: Final = Language(("object", "variables"))


@dataclass(frozen=True, slots=True)
class OrgRule:
    """One rule as its author wrote it."""

    rule_set: str
    id: str
    severity: Severity
    kinds: tuple[str, ...]
    expression: str
    message: str
    fix: Obj | None
    source: str

    @property
    def name(self) -> str:
        """What findings call it."""
        return f"{self.rule_set}/{self.id}"


@dataclass
class _Running:
    """A compiled rule within one scan."""

    rule: OrgRule
    program: Program
    failures: int = 0

    def look(self, spot: Spot) -> Iterator[Hit]:
        """Violated, or not to be judged; both are findings."""
        if self.rule.kinds and spot.kind not in self.rule.kinds:
            return
        held, why = self._judged(spot.obj)
        if not held:
            says = f"{self.rule.message} ({why})" if why else self.rule.message
            yield Hit("", says, fixable=self.rule.fix is not None and not why)

    def _judged(self, obj: Obj) -> tuple[bool, str]:
        if self.failures >= MOST_FAILURES:
            return False, f"not judged: the rule failed {MOST_FAILURES} times in this scan"
        try:
            return self.program.truth({"object": obj, "variables": _variables(obj)}), ""
        except InvalidInputError as problem:
            self.failures += 1
            return False, f"not judged: {problem.reason}"

    def repair(self, spot: Spot) -> str | None:
        """Apply the rule's merge patch (RFC 7386)."""
        if self.rule.fix is not None:
            _merge(spot.obj, self.rule.fix)
        return f"{self.rule.name}: its fix was applied"


@dataclass(frozen=True)
class RuleBook:
    """Compiled rules. `checks()` makes fresh ones for each scan."""

    rules: tuple[OrgRule, ...] = ()
    programs: tuple[Program, ...] = field(default=(), repr=False)

    def checks(self) -> tuple[Check, ...]:
        """The rules as checks."""
        return tuple(_check(_Running(*pair)) for pair in zip(self.rules, self.programs, strict=True))

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """Names of the rule sets."""
        return tuple(dict.fromkeys(rule.rule_set for rule in self.rules))


NO_RULES: Final = RuleBook()


def compile_rules(files: Mapping[str, str]) -> RuleBook:
    """The rules of some files, by name. Raises NotConfiguredError with file and line for anything wrong."""
    found = [rule for name in sorted(files) for rule in _RuleFile(name, files[name]).rules()]
    if len(found) > MOST_RULES:
        raise NotConfiguredError(
            "scan rules", f"{len(found)} rules", f"at most {MOST_RULES}: take some out of the directory"
        )
    names = [rule.name for rule, _ in found]
    if double := next((name for name in names if names.count(name) > 1), ""):
        raise NotConfiguredError("scan rules", f"{double} stands there twice", "give each rule its own id")
    return RuleBook(tuple(rule for rule, _ in found), tuple(program for _, program in found))


def _check(running: _Running) -> Check:
    rule = running.rule
    repair = running.repair if rule.fix is not None else None
    fix = "apply the rule's fix" if repair else "see the organisation's rule"
    return Check(rule.name, rule.severity, "organisation", "object", fix, rule.source, running.look, repair)


@dataclass(frozen=True)
class _RuleFile:
    """One file of rules, read strictly."""

    name: str
    text: str

    def rules(self) -> Iterator[tuple[OrgRule, Program]]:
        """Each rule with its compiled expression."""
        try:
            pairs, _ = load_with_nodes(self.text, most=1)
        except InvalidInputError as problem:
            raise NotConfiguredError(f"scan rules, {self.name}", str(problem), "correct the file") from None
        for node, document in pairs:
            self._known(document, _SET_FIELDS, node)
            rule_set, rules = document.get("name"), document.get("rules")
            if not isinstance(rule_set, str) or not _ID.fullmatch(rule_set):
                self._stop(node, "name is missing, or no lower-case word", "name: acme")
            if not isinstance(rules, list) or not rules:
                self._stop(node, "rules is no list of rules", "rules: [{id: …, expression: …, message: …}]")
            for rule, at in zip(rules, _items(node, "rules"), strict=True):
                yield self._rule(rule_set, str(document.get("source") or ""), rule, at)

    def _rule(self, rule_set: str, source: str, rule: Any, node: yaml.Node) -> tuple[OrgRule, Program]:
        if not isinstance(rule, dict):
            self._stop(node, "a rule is a mapping", "id, severity, expression, message")
        self._known(rule, _RULE_FIELDS, node)
        for key in ("id", "expression", "message"):
            if not isinstance(rule.get(key), str) or not rule[key]:
                self._stop(node, f"{key} is missing", "a rule has id, expression and message")
        if not _ID.fullmatch(rule["id"]):
            self._stop(node, "id is no lower-case word", "id: trusted-registry")
        kinds, fix = rule.get("kinds", []), rule.get("fix")
        if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
            self._stop(node, "kinds is no list of kinds", "kinds: [Deployment]; leave it out for all")
        if fix is not None and not isinstance(fix, dict):
            self._stop(node, "fix is no mapping", "fix is a merge patch of the object")
        severity = next((one for one in SEVERITIES if one == rule.get("severity", "high")), None)
        if severity is None:
            self._stop(node, "severity is unknown", f"one of {', '.join(SEVERITIES)}")
        made = OrgRule(
            rule_set, rule["id"], severity, tuple(kinds), rule["expression"], rule["message"], fix, source
        )
        return made, self._compiled(made, node)

    def _compiled(self, rule: OrgRule, node: yaml.Node) -> Program:
        try:
            program = _LANGUAGE.compiled(rule.expression)
        except InvalidInputError as problem:
            self._stop(node, f"{rule.id} {problem.reason}", problem.hint)
        if program.gives not in {"BOOL", "DYN"}:
            self._stop(node, f"{rule.id} gives no true or false", "true means that the object is fine")
        return program

    def _known(self, found: Obj, fields: frozenset[str], node: yaml.Node) -> None:
        if more := sorted(set(found) - fields):
            self._stop(node, f"unknown field {more[0][:40]}", f"known: {', '.join(sorted(fields))}")

    def _stop(self, node: yaml.Node, reason: str, hint: str) -> NoReturn:
        line = node.start_mark.line + 1
        raise NotConfiguredError(f"scan rules, {self.name}, line {line}", reason, hint)


def _items(node: yaml.Node, key: str) -> list[yaml.Node]:
    for name, value in node.value:
        if name.value == key and isinstance(value, yaml.SequenceNode):
            return list(value.value)
    return []


def _variables(obj: Obj) -> Obj:
    """What a rule needs of every kind that makes pods, so that it need not know where the pod stands."""
    spot = pod_spot(obj)
    if spot is None:
        return {"podSpec": {}, "containers": []}
    return {"podSpec": spot.pod, "containers": [one.container for one in container_spots(spot)]}


def _merge(target: Obj, patch: Obj) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge(target[key], value)
        else:
            target[key] = deepcopy(value)
