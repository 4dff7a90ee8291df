"""The decision itself: fails closed, knows its bundle, never gets milder as danger grows."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_shared.errors import NotConfiguredError
from aiops_shared.guardrails.models import Caller, Facts, Limits, Request, Verdict
from aiops_shared.guardrails.policy import SHIPPED, Policy
from aiops_shared.settings import PolicySettings
from eks_aiops.drilling.verdict_rows import ANN, BOT, NO_FACTS, ask, questions, rows

PERMIT_ALL = '@id("all") permit (principal, action, resource);\n'


def policy_of(directory: Path, **files: str) -> Policy:
    for name, text in files.items():
        (directory / f"{name}.cedar").write_text(text, encoding="utf-8")
    return Policy(PolicySettings(dir=directory))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(PolicySettings())


# When it is.

FRIDAY_EVENING = (
    '@id("friday") forbid (principal, action, resource)'
    " when { context.weekday == 5 && context.minute >= 960 };\n"
)


@pytest.mark.parametrize(
    ("zone", "at", "decision"),
    [
        ("UTC", "2026-11-27T15:59:00Z", "allow"),
        ("UTC", "2026-11-27T16:00:00Z", "deny"),
        ("UTC", "2026-11-28T16:00:00Z", "allow"),
        ("Asia/Seoul", "2026-11-27T07:00:00Z", "deny"),  # 16:00 there
        ("Asia/Seoul", "2026-11-27T15:00:00Z", "allow"),  # Saturday there
    ],
)
def test_a_rule_about_the_hour_knows_the_hour_of_its_zone(
    tmp_path: Path, zone: str, at: str, decision: str
) -> None:
    (tmp_path / "a.cedar").write_text(PERMIT_ALL + FRIDAY_EVENING, encoding="utf-8")
    policy = Policy(PolicySettings(dir=tmp_path, time_zone=zone))
    asked = ask("restart", "Deployment").model_copy(update={"at": datetime.fromisoformat(at)})
    assert policy.decide(asked).decision == decision


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Asia", ""])
def test_a_zone_that_is_unknown_stops_the_start(zone: str) -> None:
    with pytest.raises(NotConfiguredError, match="AIOPS_POLICY_TIME_ZONE"):
        Policy(PolicySettings(time_zone=zone))


# Fail closed.


@pytest.mark.row("S30")
def test_a_forbid_that_errors_refuses_instead_of_being_skipped(tmp_path: Path) -> None:
    overflowing = (
        '@id("late") forbid (principal, action, resource)'
        " when { context.affected_pods * 9223372036854775807 > 1 };"
    )
    policy = policy_of(tmp_path, a=PERMIT_ALL + overflowing)
    assert policy.decide(ask("restart", "Deployment", affected_pods=2)) == Verdict(
        decision="deny",
        rule="fail-closed",
        advice="The policy could not be evaluated; ask the operator to run `eks-aiops doctor`.",
    )


@pytest.mark.row("S30")
def test_a_number_out_of_bounds_is_refused_before_cedar_could_overflow(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, a=PERMIT_ALL)
    huge = Facts.model_construct(**{**Facts().model_dump(), "affected_pods": 2**62})
    negative = Facts.model_construct(**{**Facts().model_dump(), "total_pods": -1})
    for facts in (huge, negative):
        asked = ask("restart", "Deployment").model_copy(update={"facts": facts})
        assert policy.decide(asked).rule == "fail-closed"


@pytest.mark.row("S30")
@pytest.mark.parametrize(
    "broken",
    [
        {"env": None},
        {"env": 7},
        {"affected_pods": "many"},
        {"pressure": "yes"},
        {"gitops_owner": None},
    ],
    ids=str,
)
def test_a_fact_of_a_wrong_type_is_refused(tmp_path: Path, broken: dict[str, Any]) -> None:
    policy = policy_of(tmp_path, a=PERMIT_ALL)
    facts = Facts.model_construct(**{**Facts().model_dump(), **broken})
    with_it = Request.model_construct(**{**dict(ask("restart", "Deployment")), "facts": facts})
    assert policy.decide(with_it).decision == "deny"


@pytest.mark.row("S30")
def test_a_fact_that_is_missing_is_refused(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, a=PERMIT_ALL)
    asked = ask("restart", "Deployment")
    vars(asked.facts).pop("pressure")
    assert policy.decide(asked).rule == "fail-closed"


@pytest.mark.row("S30")
def test_a_resource_outside_of_the_entity_set_is_refused(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, a=PERMIT_ALL)
    unencodable = ask("restart", "Deployment").model_copy(update={"name": "\ud800"})
    assert policy.decide(unencodable).rule == "fail-closed"
    stranger = ask("restart", "Deployment").model_copy(update={"action": "format_disk"})
    assert policy.decide(stranger).rule == "fail-closed"


def test_what_no_rule_allows_is_refused(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path, a='@id("reads") permit (principal, action in Aiops::Action::"Read", resource);'
    )
    assert policy.decide(ask("read", "Pod")).rule == "reads"
    verdict = policy.decide(ask("restart", "Deployment"))
    assert (verdict.decision, verdict.rule) == ("deny", "no-rule")


def test_names_from_a_cluster_can_not_break_out_of_the_question(policy: Policy) -> None:
    for name in ('x" || true', "a\nb", "web'--", "…", "x" * 10_000):
        asked = ask("delete", "Namespace").model_copy(update={"name": name, "namespace": name})
        assert policy.decide(asked).rule == "no-namespace-delete"


# Which answer wins.


def test_a_hard_refusal_goes_before_one_that_a_person_may_lift(policy: Policy) -> None:
    both = ask("scale", "Deployment", replicas_after=0, frozen=True)
    assert (policy.decide(both).decision, policy.decide(both).rule) == ("deny", "freeze")


def test_of_several_approvals_the_strictest_approver_is_asked(tmp_path: Path) -> None:
    mild = '@id("mild") @needs("approval") @approver("requester") forbid (principal, action, resource);\n'
    strict = '@id("strict") @needs("approval") @approver("other") forbid (principal, action, resource);\n'
    policy = policy_of(tmp_path, a=PERMIT_ALL + mild + strict)
    verdict = policy.decide(ask("cordon", "Node"))
    assert (verdict.decision, verdict.rule, verdict.approver) == ("needs_approval", "strict", "other")


# The bundle.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("permit (principal, action, resource", "unexpected"),
        ('@id("a") permit (principal, action, resource) when { context.freze };', "freze"),
        ('@id("a") permit (principal, action == Aiops::Action::"fly", resource);', "fly"),
        ("permit (principal, action, resource);", "no @id"),
        ('@id("a") @needs("luck") @approver("other") forbid (principal, action, resource);', "knows only"),
        ('@id("a") @needs("approval") forbid (principal, action, resource);', "names @approver"),
        ('@id("a") @approver("other") forbid (principal, action, resource);', "names @approver"),
        ('@id("a") @needs("approval") @approver("other") permit (principal, action, resource);', "names"),
        ('@id("a") permit (principal == ?principal, action, resource);', "templates"),
    ],
)
def test_a_broken_bundle_stops_with_its_file_and_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(NotConfiguredError) as caught:
        policy_of(tmp_path, good=PERMIT_ALL, wrong=text)
    assert caught.value.thing == "policy wrong.cedar"
    assert says in caught.value.reason


def test_an_empty_directory_stops(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match=r"holds no \.cedar file"):
        policy_of(tmp_path)


def test_an_operators_directory_replaces_the_shipped_policies(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, mine=PERMIT_ALL)
    assert [rule.name for rule in policy.rules] == ["all"]
    assert policy.decide(ask("delete", "Namespace")).decision == "allow"


def test_the_digest_is_of_every_file_and_of_nothing_else(tmp_path: Path) -> None:
    shipped = {path.stem: path.read_text(encoding="utf-8") for path in SHIPPED.glob("*.cedar")}
    same = policy_of(tmp_path, **shipped)
    assert same.digest == Policy(PolicySettings()).digest
    assert policy_of(tmp_path, **shipped | {"30-allow": shipped["30-allow"] + "\n// x"}).digest != same.digest


def test_confidence_is_compared_with_the_setting() -> None:
    strict = Policy(PolicySettings(min_confidence=0.905))
    unsure = ask("cordon", "Node", caller=BOT, confidence_pct=90)
    assert strict.decide(unsure).rule == "low-confidence"
    assert strict.decide(unsure.model_copy(update={"caller": ANN})).rule == "cordon"
    assert Policy(PolicySettings(min_confidence=0.9)).decide(unsure).rule == "cordon"


# Properties.

_COUNT = st.integers(0, 1_000_000)
_FACTS = st.fixed_dictionaries(
    {
        "env": st.sampled_from(["prod", "staging", "dev"]),
        "controlled": st.booleans(),
        "gitops_owner": st.sampled_from(["", "argocd/x"]),
        "pdb_headroom": st.booleans(),
        "crashloop_restarts": _COUNT,
        "replicas_before": _COUNT,
        "replicas_after": _COUNT,
        "affected_pods": _COUNT,
        "total_pods": _COUNT,
        "revisions_back": st.integers(0, 10_000),
        "previous_healthy": st.booleans(),
        "deploy_age_s": st.integers(0, 1_000_000_000),
        "raise_pct": _COUNT,
        "node_fits": st.booleans(),
        "raises_24h": _COUNT,
        "hpa_change_pct": _COUNT,
        "job_finished": st.booleans(),
        "pressure": st.booleans(),
        "az_drains": _COUNT,
        "pool_pct": st.integers(0, 100),
        "pool_drains": _COUNT,
        "addon_compatible": st.booleans(),
        "reversible": st.sampled_from(["full", "partial", "none"]),
        "confidence_pct": st.integers(0, 100),
    }
)
_LIMITS = st.builds(
    Limits, same_1h=st.integers(0, 9), same_24h=st.integers(0, 9), caller_1m=_COUNT, caller_1h=_COUNT
)
_ASKED = sorted(
    {(asked.action, asked.kind) for row in rows() if row.rule not in NO_FACTS for asked in questions(row)}
)
_STRICTNESS = {
    ("allow", ""): 0,
    ("needs_approval", "requester"): 1,
    ("needs_approval", "other"): 2,
    ("deny", ""): 3,
}


def strictness(verdict: Verdict) -> int:
    return _STRICTNESS[verdict.decision, verdict.approver]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    action, kind = draw(st.sampled_from(_ASKED))
    caller = Caller(name="x", kind=draw(st.sampled_from(["human", "agent"])))
    asked = ask(action, kind, caller=caller, limits=draw(_LIMITS), frozen=draw(st.booleans()))
    return asked.model_copy(update={"facts": Facts.model_validate(draw(_FACTS))})


@given(asked=requests(), pods=_COUNT, same=st.integers(0, 9), calls=st.integers(0, 300))
@settings(max_examples=300, deadline=None)
def test_more_danger_never_gets_a_milder_verdict(asked: Request, pods: int, same: int, calls: int) -> None:
    policy = _shared_policy()
    before = policy.decide(asked)
    limits = asked.limits
    worse = asked.model_copy(
        update={
            "frozen": True if same % 2 else asked.frozen,
            "facts": asked.facts.model_copy(
                update={"affected_pods": max(asked.facts.affected_pods, pods), "reversible": "none"}
            ),
            "limits": Limits(
                same_1h=limits.same_1h + same,
                same_24h=limits.same_24h + same,
                caller_1m=limits.caller_1m + calls,
                caller_1h=limits.caller_1h + calls,
            ),
        }
    )
    assert strictness(policy.decide(worse)) >= strictness(before)


@given(asked=requests(), count=st.integers(0, 2**80))
@settings(max_examples=300, deadline=None)
def test_no_facts_at_all_make_the_policy_err_or_open(asked: Request, count: int) -> None:
    policy = _shared_policy()
    asked = asked.model_copy(update={"limits": Limits(same_1h=count, caller_1h=count)})
    verdict = policy.decide(asked)
    assert verdict.rule != "fail-closed"
    if asked.frozen or count >= 200:
        assert verdict.decision == "deny" or asked.action in {"read", "read_logs"}


_POLICIES: list[Policy] = []


def _shared_policy() -> Policy:
    if not _POLICIES:
        _POLICIES.append(Policy(PolicySettings()))
    return _POLICIES[0]
