"""The organisation's rules: CEL over `object`, strict files, never skipped, bounded."""

import os
from pathlib import Path
from typing import Any

import pytest

from aiops_eks.clients.scan_rules import RuleFiles
from aiops_eks.diagnosis.scanning.exporting import admission_policies
from aiops_eks.diagnosis.scanning.organisation import MOST_FAILURES, RuleBook, compile_rules
from aiops_eks.diagnosis.scanning.placing import sheet
from aiops_eks.diagnosis.scanning.reporting import report
from aiops_eks.diagnosis.scanning.scan import scan
from aiops_shared.errors import NotConfiguredError

RULES = """\
name: acme
source: https://wiki.acme.example/k8s
rules:
  - id: trusted-registry
    severity: critical
    expression: variables.containers.all(c, c.image.startsWith('registry.acme.example/'))
    message: an image of another registry
  - id: digest
    severity: medium
    kinds: [Deployment]
    expression: object.spec.template.spec.containers.all(c, c.image.contains('@sha256:'))
    message: an image without a digest
  - id: owner
    severity: medium
    expression: has(object.metadata.labels) && 'owner' in object.metadata.labels
    message: nobody owns it
    fix: {metadata: {labels: {owner: platform}}}
"""
OBJECT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: a, image: docker.io/web:1}]}
"""


def book(text: str = RULES) -> RuleBook:
    return compile_rules({"acme.yaml": text})


def one_rule(expression: str, **more: str) -> RuleBook:
    rule = {"id": "r", "expression": expression, "message": "no", **more}
    lines = "\n".join(f"    {key}: {value!r}" for key, value in rule.items())
    return book(f"name: acme\nrules:\n  -\n{lines}\n")


def said(rules: RuleBook, obj: dict[str, Any]) -> list[str]:
    return [one.hit.says for one in scan([obj], "custom", rules) if one.check.level == "organisation"]


@pytest.mark.row("S55")
def test_each_rule_is_judged_with_its_severity_and_fails_the_policy() -> None:
    found = report(sheet(OBJECT), "custom", fix=False, rules=book()).report
    rows = {row[1]: (row[0], row[9]) for row in found.findings.rows}
    assert rows["acme/trusted-registry"] == ("critical", "an image of another registry")
    assert rows["acme/digest"] == ("medium", "an image without a digest")
    assert rows["acme/owner"] == ("medium", "nobody owns it")
    assert found.verdict == "fail"
    assert "https://wiki.acme.example/k8s" in found.sources


def test_a_fix_of_a_rule_is_a_merge_patch_and_holds_afterwards() -> None:
    found = report(sheet(OBJECT), "custom", fix=True, rules=book())
    assert found.wished[0]["metadata"]["labels"] == {"owner": "platform"}
    assert [row[4] for row in found.report.findings.rows if row[1] == "acme/owner"] == [1]


def test_kinds_choose_and_the_rules_belong_to_every_policy() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "p", "labels": {"owner": "x"}}, "spec": {"containers": []}}
    assert said(book(), pod) == []
    levels = {one.check.level for one in scan(sheet(OBJECT).objects, "restricted", book())}
    assert {"organisation", "restricted"} <= levels


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("object.spec.nothing.here == 1", "not judged: NOT_FOUND"),
        ("1 / 0 > 1", "not judged: divide by zero"),
        ("object.metadata.name", "not judged: gives string"),
        ("'x' + object.spec.number > 'x'", "not judged"),
    ],
)
def test_what_fails_at_run_time_counts_as_violated_and_says_why(expression: str, why: str) -> None:
    obj = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"number": 2}}
    (text,) = said(one_rule(expression), obj)
    assert text.startswith("no (")
    assert why in text


@pytest.mark.threat("T14")
def test_an_endless_expression_ends_by_itself_and_is_not_tried_for_ever() -> None:
    loop = "object.l.all(a, object.l.all(b, object.l.all(c, object.l.all(d, a + b + c + d >= 0))))"
    objects = [{"kind": "Pod", "metadata": {"name": str(n)}, "l": list(range(300))} for n in range(40)]
    found = [one for one in scan(objects, "custom", one_rule(loop)) if one.check.level == "organisation"]
    assert len(found) == 40, "none passes unjudged"
    assert sum("budget" in one.hit.says for one in found) == MOST_FAILURES
    assert f"failed {MOST_FAILURES} times" in found[-1].hit.says


def test_numbers_that_cel_does_not_hold_are_no_way_past_a_rule() -> None:
    obj = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"n": 2**70}}
    assert len(said(one_rule("object.spec.n > 0"), obj)) <= 1
    assert len(said(one_rule("object.kind == 'Service'"), obj)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULES.replace("startsWith(", "startsWith(("), "line 4: trusted-registry does not compile"),
        (RULES.replace("variables.containers", "variable.containers"), "line 4"),
        (RULES.replace("critical", "dreadful"), "line 4: severity is unknown"),
        (RULES.replace("kinds: [Deployment]", "kind: Deployment"), "line 8: unknown field kind"),
        (RULES.replace("    message: nobody owns it\n", ""), "line 13: message is missing"),
        (RULES.replace("id: owner", "id: digest"), "acme/digest stands there twice"),
        (RULES.replace("name: acme\n", ""), "line 1: name is missing"),
        ("name: acme\nrules: []\n", "rules is no list"),
        ("name: acme\nrules: [1]\n", "a rule is a mapping"),
        ("a: [1", "does not parse"),
        ("name: acme\nrules:\n  - {id: x, expression: '1 + 1', message: m}\n", "no true or false"),
    ],
)
def test_a_broken_rule_stops_with_file_and_line(text: str, says: str) -> None:
    with pytest.raises(NotConfiguredError, match=r"acme\.yaml|twice") as caught:
        book(text)
    assert says in str(caught.value)


def test_the_directory_is_read_again_when_a_file_changes_and_must_hold_rules(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match="cannot be read"):
        RuleFiles(tmp_path / "nowhere").book()
    with pytest.raises(NotConfiguredError, match="no rule file"):
        RuleFiles(tmp_path).book()
    file = tmp_path / "acme.yaml"
    file.write_text(RULES, encoding="utf-8")
    files = RuleFiles(tmp_path)
    first = files.book()
    assert files.book() is first
    file.write_text(RULES.replace("severity: critical", "severity: info"), encoding="utf-8")
    os.utime(file, ns=(1, 1))
    assert {rule.severity for rule in files.book().rules} == {"info", "medium"}
    assert RuleFiles(None).book().rules == ()


@pytest.mark.row("S55")
def test_rules_are_exported_as_validating_admission_policies() -> None:
    made = admission_policies(book())
    assert [one["kind"] for one in made[:2]] == [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]
    (first,) = [one for one in made if one["metadata"]["name"] == "acme-trusted-registry"][:1]
    assert first["spec"]["failurePolicy"] == "Fail"
    assert first["spec"]["validations"][0]["message"] == "an image of another registry"
