"""The shipped rules and the guide's rule match what is sent, and what they match the intake understands."""

import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiops_sop.analysis.events import normalised
from eks_aiops.forwarding_events import _form, _node_form
from tests.fakes.clocks import T0
from tests.sop.events.event_patterns import matches
from tests.sop.events.samples import Named, Obj, addon_health, alarm, guardduty, seed_shape
from tests.sop.events.test_forwarding_events import warning

TEMPLATE = Path(__file__).parents[3] / "deploy" / "eventbridge" / "events.yaml"
SEED_RULE: Obj = {
    "source": ["aws.eks"],
    "detail-type": ["EKS Pod State Change"],
    "detail": {"status": ["CrashLoopBackOff"]},
}


class Loader(yaml.SafeLoader):
    """CloudFormation's short forms as they stand."""


def _tag(name: str, loader: yaml.SafeLoader, node: yaml.Node) -> dict[str, Any]:
    value = loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value
    return {name: value}


for word in ("Ref", "GetAtt", "Sub"):
    Loader.add_constructor(f"!{word}", functools.partial(_tag, word))


def template() -> Obj:
    found: Obj = yaml.load(TEMPLATE.read_text("utf-8"), Loader)  # noqa: S506  # a SafeLoader with three tags
    return found


def rules() -> dict[str, Obj]:
    resources = template()["Resources"]
    return {
        name: one["Properties"]["EventPattern"]
        for name, one in resources.items()
        if one["Type"] == "AWS::Events::Rule"
    }


def matching(event: Obj) -> list[str]:
    return [name for name, pattern in rules().items() if matches(pattern, event)]


@pytest.mark.row("S26")
@pytest.mark.parametrize("seed", range(5))
def test_each_sender_meets_one_rule_and_the_intake_understands_it(seed: int) -> None:
    who = Named(seed)
    forwarded = _form(who.cluster, warning(name=who.pod, namespace=who.namespace))
    turned = _node_form(who.cluster, who.node, "KubeletHasDiskPressure", T0)
    for event, rule, kind in (
        (forwarded, "Forwarded", "PodState"),
        (turned, "Forwarded", "NodeCondition"),
        (addon_health(who), "Addons", "AddonHealth"),
        (addon_health(who, "Restored"), "Addons", "AddonHealth"),
        (alarm(who), "Alarms", "Alarm"),
        (alarm(who, value="OK"), "Alarms", "Alarm"),
        (guardduty(who), "Findings", "SecurityFinding"),
    ):
        assert matching(event) == [rule]
        (found,) = normalised(event)
        assert (found.kind, found.cluster) == (kind, who.cluster)
    assert matching(alarm(who, value="INSUFFICIENT_DATA")) == []
    assert matching(guardduty(who, severity=2.0)) == []
    assert matching(addon_health(who) | {"detail-type": "EKS Addon Update Succeeded"}) == []


def test_the_guides_rule_is_matched_by_the_shape_it_means_and_by_nothing_that_aws_sends() -> None:
    who = Named(0)
    assert matches(SEED_RULE, seed_shape(who))
    assert not matches(SEED_RULE, seed_shape(who, "OOMKilled"))
    assert not any(matches(SEED_RULE, one) for one in (addon_health(who), alarm(who), guardduty(who)))
    (event,) = normalised(seed_shape(who))
    assert event.reason == "CrashLoopBackOff"


def test_every_rule_has_the_destination_retries_and_a_queue_for_what_is_left() -> None:
    for name, one in template()["Resources"].items():
        if one["Type"] != "AWS::Events::Rule":
            continue
        (target,) = one["Properties"]["Targets"]
        assert target["Arn"] == {"GetAtt": "Destination.Arn"}, name
        assert target["DeadLetterConfig"]["Arn"] == {"GetAtt": "DeadLetters.Arn"}, name
        assert target["RetryPolicy"]["MaximumRetryAttempts"] >= 1
    token = template()["Parameters"]["Token"]
    assert (token["NoEcho"], "Default" in token) == (True, False)
