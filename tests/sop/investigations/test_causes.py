"""Rules over facts: what keeps a hypothesis, what rejects it; hostile or missing facts do no harm."""

import ast
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import aiops_sop.analysis.causes as room
from aiops_lab.scenarios.names import cast
from aiops_shared.errors import every_error
from aiops_sop.analysis.causes.answering import answer
from aiops_sop.analysis.causes.asking import first_round, second_round, topics
from aiops_sop.analysis.causes.codes import SOP_CAUSES
from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.judging import MOST, judged
from aiops_sop.analysis.causes.known import hypotheses
from aiops_sop.models.investigations import Question
from tests.sop.investigations.facts_given import (
    NOW,
    SERVICE,
    SPACE,
    abnormal,
    ago,
    anomalies,
    answered,
    changes,
    facts,
    failing,
    finding,
    health,
    series,
    table,
    traces,
    verdicts,
)

MIB = 2**20
JUNK: tuple[Any, ...] = (
    *({}, {"findings": "x"}, {"findings": [None, 3, {"code": 7}, {"code": "X", "confidence": "much"}]}),
    *(
        {"changes": {"columns": 3, "rows": {}}},
        {"changes": {"columns": ["at", "object"], "rows": [[1, 2], "x"]}},
    ),
    {"changes": {"columns": ["at", "verb", "object"], "rows": [["9999-99-99T99", "rollout", "\x00"], []]}},
    {"anomalies": {"columns": ["signal", "onset", "seen"], "rows": [["errors", "yesterday", float("nan")]]}},
    *({"growth": {"onset": 3, "rate_bytes_per_h": "fast"}}, {"growth": []}, {"tested": {"rows": 1}}),
    *({"series": {"columns": ["x"], "rows": [[{}]]}}, {"nodes": {"columns": ["node"], "rows": [[None]]}}),
    {"critical_path": {"columns": ["part"], "rows": [[None]]}, "outlier": ["a"], "pattern": {}, "edge": 5},
    {"alarms": {"columns": ["name", "source", "since"], "rows": [["a", "guardduty", "x"], [3, 4, 5]]}},
    *({"causes": [{"code": "A", "confidence": 1e400}], "verdict": []}, {"recommendations": [{"risk": 3}]}),
    *({"warnings": [{}], "coverage_gaps": "x"}, {"events": {"columns": ["first"], "rows": [["9" * 400]]}}),
)
KEYS = sorted(
    {one.key for one in first_round(Question(symptom="504 memory", service="a", namespace="b"), NOW, NOW)}
    | {one.key for one in first_round(Question(symptom="bill", cluster="c"), NOW, NOW)}
    | {"pool_max", "pool_waiting", "db_cpu/x", "lines", "traces/az/onset"}
)


def test_hostile_answers_cost_their_facts_and_nothing_else() -> None:
    rng = random.Random("hostile")
    for seed in range(300):
        rng.seed(seed)
        given = {key: rng.choice(JUNK) for key in KEYS}
        asked = Question(symptom="504, memory, cost", service="a", namespace="b")
        found = Facts(asked, NOW, NOW - timedelta(hours=1), given)
        told = answer(found, [])
        assert 0 <= told.root_cause.confidence <= 1
        assert len(told.summary) <= 400
        second_round(found)


def test_without_any_fact_no_cause_is_named_and_the_missing_are() -> None:
    gaps = {"diagnose": "[unreachable] eks: down", "logs": "[not_found] no group"}
    told = answer(Facts(Question(symptom="504", service=SERVICE), NOW, NOW, {}, gaps), [])
    assert told.root_cause.code == ""
    assert told.root_cause.confidence == 0
    assert [one for one in told.warnings if one.startswith("partial")] == [
        "partial: diagnose is missing: [unreachable] eks: down"
    ]
    assert "diagnose" in told.hint


def test_a_store_that_all_zones_wait_for_is_the_cause_and_one_zone_s_wait_is_not() -> None:
    waits = {"health": health("till-db"), "anomalies": failing(), "changes": changes()}
    part = f"{SERVICE} -> till-db"
    slow = answered(traces__az=traces(part, 0.97, pattern="slow_dependency_everywhere"), **waits)
    assert slow.root_cause.code == "DB_LATENCY"
    assert slow.root_cause.name == "till-db"
    assert not any(one.startswith("database") for one in slow.ruled_out)
    one_zone = answered(traces__az=traces(part, 0.97, outlier="zone-x"), **waits)
    assert verdicts(one_zone)["DB_LATENCY"] == "rejected"


def test_a_busy_store_makes_surer_and_a_foreign_service_is_no_database() -> None:
    given = {"anomalies": failing(), "traces__az": traces(f"{SERVICE} -> till-db", 0.9)}
    calm = answered(health=health("till-db"), **given)
    busy = answered(
        health=health("till-db"),
        **{"db_cpu__till-db": series("database", ("till-db", 60, 0.97, 0.9, 0.3, 0))},
        **given,
    )
    assert busy.root_cause.confidence > calm.root_cause.confidence
    away = {**given, "traces__az": traces(f"{SERVICE} -> partner.example", 0.9)}
    assert answered(health=health("partner.example"), **away).root_cause.code == "DEPENDENCY_LATENCY"


def test_a_finding_in_the_zone_explains_what_traces_see_there() -> None:
    hurt = finding("SUBNET_IP_EXHAUSTION", "Subnet", "subnet-1", symptoms=[f"Deployment {SPACE}/{SERVICE}"])
    given = {
        "traces__az": traces(f"{SERVICE} itself", 0.9, outlier="zone-x", pattern="own_work"),
        "anomalies": failing(),
    }
    told = answered(diagnose=hurt, health=health(), **given)
    assert told.root_cause.code == "SUBNET_IP_EXHAUSTION"
    assert verdicts(told)["WORKLOAD_DEGRADED_IN_ZONE"] == "rejected"
    assert answered(diagnose={"findings": []}, **given).root_cause.code == "WORKLOAD_DEGRADED_IN_ZONE"
    assert answered(**given).root_cause.code == "WORKLOAD_DEGRADED_IN_ZONE"  # diagnosis is down: still told


def test_a_subnet_s_finding_says_that_the_zone_that_suffers_is_its_own() -> None:
    hurt = finding("SUBNET_IP_EXHAUSTION", "Subnet", "subnet-1", symptoms=[f"Deployment {SPACE}/{SERVICE}"])
    worse = traces(f"{SERVICE} itself", 0.9, outlier="zone-x", pattern="own_work")

    def told(zone: str) -> list[str]:
        places = {"sections": {"subnets": table("subnet", "az", rows=[["subnet-1", zone]])}}
        answer = answered(
            diagnose=hurt, health=health(), anomalies=failing(), traces__az=worse, subnets=places
        )
        return [one.says for one in answer.evidence if one.source == "traces"]

    assert told("zone-x") == ["requests are worse in zone-x alone, where it lies"]
    assert told("zone-y") == []


def test_a_call_that_stands_out_is_on_the_way_although_the_map_lacks_it() -> None:
    hurt = finding("SUBNET_IP_EXHAUSTION", "Subnet", "subnet-1", symptoms=[f"Deployment {SPACE}/ledger"])
    given = {"diagnose": hurt, "health": health(), "anomalies": failing()}
    on_it = answered(traces__az=traces(f"{SERVICE} -> ledger", 0.9, outlier="zone-x"), **given)
    beside = answered(traces__az=traces(f"{SERVICE} -> other-api", 0.9, outlier="zone-x"), **given)
    assert on_it.root_cause.code == "SUBNET_IP_EXHAUSTION"
    assert beside.root_cause.code != "SUBNET_IP_EXHAUSTION"


def test_a_gray_zone_needs_many_parts_and_failing_requests() -> None:
    gray = traces("a itself", 0.2, outlier="zone-x", pattern="az_gray_failure")
    assert answered(traces__az=gray, anomalies=failing()).root_cause.code == "AZ_GRAY_FAILURE"
    assert answered(traces__az=gray, anomalies=failing()).actions[0].needs_approval


def _pool(*rows: tuple[float, str, str, str]) -> dict[str, Any]:
    return {
        "traces__az": traces(f"{SERVICE}: Pool.get", 0.99, pattern="client_side_wait"),
        "anomalies": failing(15),
        "changes": changes(*rows),
        "pool_waiting": series("pod", ("p", 50, 44.0, 20.0, 0.0, 0)),
        "pool_max": series("pod", ("old", 500, 80.0, 80.0, 80.0, 0), ("new", 30, 16.0, 16.0, 16.0, 0)),
    }


def test_a_dry_pool_after_a_change_of_its_settings_is_the_change() -> None:
    told = answered(
        **_pool(
            (30, "update", f"ConfigMap {SPACE}/{SERVICE}-settings", "fields data.size"),
            (29, "rollout", f"Deployment {SPACE}/{SERVICE}", "revision 3 \u2192 4"),
        )
    )
    assert told.root_cause.code == "CONFIG_REGRESSION"
    assert "80 to 16" in told.headline
    assert verdicts(told)["DB_POOL_EXHAUSTION"] == "rejected"
    assert verdicts(told)["NETWORK_LOSS"] != "kept"
    assert [str(row[0]) for row in told.chain.rows] == sorted(str(row[0]) for row in told.chain.rows)


@pytest.mark.parametrize(
    "rows",
    [
        (),
        ((300.0, "update", f"ConfigMap {SPACE}/{SERVICE}-settings", "fields data.size"),),
        ((5.0, "update", f"ConfigMap {SPACE}/{SERVICE}-settings", "fields data.size"),),
        (
            (
                30.0,
                "rollout",
                f"Deployment {SPACE}/{SERVICE}",
                "revision 1 \u2192 2; app image a:1 \u2192 a:2",
            ),
        ),
        ((30.0, "update", f"ConfigMap {SPACE}/other-settings", "fields data.size"),),
    ],
    ids=["none", "long before", "after the onset", "a new image", "somebody else's"],
)
def test_a_dry_pool_without_such_a_change_is_only_dry(rows: tuple[tuple[float, str, str, str], ...]) -> None:
    assert answered(**_pool(*rows)).root_cause.code == "DB_POOL_EXHAUSTION"


def _released(minutes: float = 120) -> dict[str, Any]:
    what = "revision 41 \u2192 42; app image till:v7.0 \u2192 till:v7.1"
    return changes((minutes, "rollout", f"Deployment {SPACE}/{SERVICE}", what))


def _memory(old_last: float = 400, old_low: float = 398) -> dict[str, Any]:
    return series(
        "version",
        ("v7.1", 120, 900.0 * MIB, 650.0 * MIB, 410.0 * MIB, 240.0 * MIB),
        ("v7.0", 300, old_last * MIB, 400.0 * MIB, old_low * MIB, 0.0),
    )


_WORSE = series("version", ("v7.1", 120, 0.03, 0.03, 0.03, 0), ("v7.0", 300, 0.002, 0.002, 0.002, 0))


def test_memory_that_climbs_with_a_release_that_is_worse_too_is_the_release() -> None:
    routes = series("route", ("/buy", 60, 0.06, 0.06, 0.06, 0), ("/see", 60, 0.002, 0.002, 0.002, 0))
    told = answered(
        "memory",
        memory_by_version=_memory(),
        changes=_released(),
        errors_by_version=_WORSE,
        errors_by_route=routes,
    )
    assert told.root_cause.code == "MEMORY_LEAK_AFTER_DEPLOY"
    assert "v7.1" in told.headline
    assert "2 h ago" in told.headline
    assert "/buy" in told.headline
    first, second = told.actions[:2]
    assert "till:v7.0" in first.action
    assert first.arguments == {"action": "rollback", "namespace": SPACE, "name": SERVICE, "to_revision": 41}
    assert "TTL" in second.action


def test_where_memory_is_known_by_pod_alone_the_pods_of_a_replica_set_are_its_version() -> None:
    pods = series(
        "pod",
        (f"{SERVICE}-5b8f6dd7c-x2kqp", 120, 950.0 * MIB, 680.0 * MIB, 415.0 * MIB, 250.0 * MIB),
        (f"{SERVICE}-5b8f6dd7c-8rzlw", 118, 850.0 * MIB, 620.0 * MIB, 405.0 * MIB, 230.0 * MIB),
        (f"{SERVICE}-79c4d5b6f-qq7d2", 300, 400.0 * MIB, 400.0 * MIB, 398.0 * MIB, 0.0),
        ("something-else", 300, 1.0 * MIB, 1.0 * MIB, 1.0 * MIB, 0.0),
    )
    told = answered("memory", memory_by_pod=pods, changes=_released(), errors_by_version=_WORSE)
    assert told.root_cause.code == "MEMORY_LEAK_AFTER_DEPLOY"
    assert "400 to 900 MiB" in told.headline
    assert "memory" in {one.query for one in told.evidence}


def test_pods_are_asked_for_where_the_backend_cannot_tell_versions_apart() -> None:
    asked = Question(symptom="memory grows", service="till", namespace="shop")
    given = Facts(asked, NOW, NOW - timedelta(hours=1), {}, {"memory_by_version": "[query_invalid] no data"})
    assert [one.key for one in second_round(given)] == ["memory_by_pod"]
    assert second_round(Facts(asked, NOW, NOW - timedelta(hours=1), {})) == ()


def test_a_release_is_innocent_of_what_began_before_it_and_of_what_nobody_feels() -> None:
    before = answered(
        "memory", memory_by_version=_memory(600, 400), changes=_released(), errors_by_version=_WORSE
    )
    assert verdicts(before)["MEMORY_LEAK_AFTER_DEPLOY"] == "rejected"
    assert any(one.startswith("deployment: v7.0 rose") for one in before.ruled_out) or (
        before.root_cause.code == "DEPLOY_REGRESSION"
    )
    alike = series("version", ("v7.1", 120, 0.002, 0.002, 0.002, 0), ("v7.0", 300, 0.002, 0.002, 0.002, 0))
    calm = answered("memory", memory_by_version=_memory(), changes=_released(), errors_by_version=alike)
    assert verdicts(calm)["MEMORY_LEAK_AFTER_DEPLOY"] == "rejected"


_GROWTH = {
    "grade": "suspected",
    "onset": ago(115),
    "rate_bytes_per_h": 30.0 * MIB,
    "limit_eta_s": 64_000.0,
}


def test_growth_that_a_release_brought_is_the_release_unless_nobody_feels_it() -> None:
    grown = {"memory_by_version": _memory(), "changes": _released()}
    grown["anomalies"] = anomalies(growth={**_GROWTH, "grade": "confirmed"})
    unfelt = series("version", ("v7.1", 120, 0.002, 0.002, 0.002, 0), ("v7.0", 300, 0.002, 0.002, 0.002, 0))
    unknown = answered("memory", **grown)
    assert unknown.root_cause.code == "MEMORY_LEAK_AFTER_DEPLOY"
    assert verdicts(unknown)["MEMORY_LEAK"] == "rejected"
    calm = answered("memory", **grown, errors_by_version=unfelt)
    assert calm.root_cause.code == "MEMORY_LEAK"
    slowly = series(
        "version",
        ("v7.1", 120, 560.0 * MIB, 480.0 * MIB, 410.0 * MIB, 30.0 * MIB),
        ("v7.0", 300, 400.0 * MIB, 400.0 * MIB, 398.0 * MIB, 0.0),
    )
    slow = answered("memory", **{**grown, "memory_by_version": slowly})
    assert slow.root_cause.code == "MEMORY_LEAK"


def test_a_leak_names_the_release_just_before_it_and_no_other() -> None:
    growth = _GROWTH
    near = answered("memory", anomalies=anomalies(growth=growth), changes=_released())
    assert near.root_cause.code == "MEMORY_LEAK"
    assert "v7.1" in near.headline
    assert "17.8 h" in near.headline
    far = answered("memory", anomalies=anomalies(growth=growth), changes=_released(300))
    assert "related change" not in far.headline
    assert far.root_cause.confidence < near.root_cause.confidence


def test_a_worse_version_is_the_release_and_more_load_on_both_is_load() -> None:
    told = answered(errors_by_version=_WORSE, changes=_released(), anomalies=failing())
    assert told.root_cause.code == "DEPLOY_REGRESSION"
    both = series("version", ("v7.1", 60, 0.18, 0.18, 0.1, 0), ("v7.0", 300, 0.18, 0.1, 0.08, 0))
    load = anomalies(abnormal("requests_total", 60, 180, 400), abnormal("latency_p99", 60, 0.08, 0.18))
    busy = answered("slow", latency_by_version=both, anomalies=load)
    assert busy.root_cause.code == "TRAFFIC_SURGE"


def test_what_guardduty_saw_comes_before_load_and_is_never_scaled() -> None:
    alarms = {
        "alarms": table(
            *("name", "source", "severity", "since", "threshold", "where", "class"),
            rows=[
                [
                    "CryptoCurrency:Runtime/Tool",
                    "guardduty",
                    "high",
                    ago(30),
                    "",
                    f"{SPACE}/{SERVICE}",
                    "actionable",
                ],
                ["till-cpu", "cloudwatch", "medium", ago(33), "cpu > 90", f"{SPACE}/{SERVICE}", "actionable"],
            ],
        )
    }
    surge = anomalies(abnormal("requests_total", 60, 100, 200), abnormal("errors", 60, 0.001, 0.1))
    told = answered("cpu is at 100 %", alarms=alarms, anomalies=surge)
    assert told.root_cause.code == "CRYPTO_MINING"
    assert verdicts(told)["TRAFFIC_SURGE"] == "rejected"
    assert not any(one.arguments.get("action") == "scale" for one in told.actions)
    assert told.actions[0].sop == "security-isolate"


def test_a_bill_that_grew_as_its_requests_did_has_no_cause() -> None:
    cause = {"code": "QUANTITY_GROWTH", "cause": "more of the same", "confidence": 0.8, "change_usd": 3.0}
    assert answered("the bill", cost={"verdict": "explained", "causes": [cause]}).root_cause.code
    assert not answered("the bill", cost={"verdict": "no_anomaly", "causes": [cause]}).root_cause.code


def test_a_cause_elsewhere_and_one_of_another_topic_are_no_answer() -> None:
    stranger = finding("OOM_LIMIT_TOO_LOW", name="somebody-else")
    told = answered(diagnose=stranger, health=health())
    assert told.root_cause.code == ""
    assert verdicts(told)["OOM_LIMIT_TOO_LOW"] == "kept"
    about_money = facts("the bill is higher", service="", diagnose=stranger)
    assert answer(about_money, []).root_cause.code == ""


def test_without_the_map_for_an_outage_a_cause_nearby_is_still_told_less_surely() -> None:
    near = finding("SUBNET_IP_EXHAUSTION", "Subnet", "subnet-1", symptoms=[f"Deployment {SPACE}/backend"])
    found = facts(diagnose=near)
    gone = replace(found, gaps={"health": "[access_denied] traces: refused"})
    unknown = replace(found, gaps={"health": "[not_found] no trace names it"})
    assert answer(gone, []).root_cause.code == "SUBNET_IP_EXHAUSTION"
    assert answer(gone, []).root_cause.confidence < 0.75
    assert answer(unknown, []).root_cause.code == ""


def test_an_alarm_s_metric_says_what_it_is_about() -> None:
    disk = finding("NODE_DISK_PRESSURE", "Node", "n1")
    fits = answer(facts("", service="", alarm="disk usage high", diagnose=disk), [])
    other = answer(facts("", service="", alarm="memory usage high", diagnose=disk), [])
    assert (fits.root_cause.code, other.root_cause.code) == ("NODE_DISK_PRESSURE", "")


def test_the_same_facts_give_the_same_answer_in_any_order() -> None:
    given = _pool((30, "update", f"ConfigMap {SPACE}/{SERVICE}-settings", "fields data.size"))
    found = facts("errors", **given, diagnose=finding("APP_ERROR"), health=health("till-db"))
    every = list(hypotheses(found))
    first = [one.hypothesis.code for one in judged(found, every)]
    for seed in range(10):
        random.Random(seed).shuffle(every)
        assert [one.hypothesis.code for one in judged(found, every)] == first
    turned = Facts(found.question, found.now, found.since, dict(reversed(list(found.answers.items()))))
    assert answer(turned, []) == answer(found, [])


def test_no_confidence_is_certainty() -> None:
    sure = finding("APP_ERROR", confidence=5.0)
    assert answered(diagnose=sure).root_cause.confidence <= MOST


def test_the_hand_off_record_has_every_field_of_the_contract() -> None:
    told = answered(diagnose=finding("APP_ERROR", next_step="1. look at its log; 2. roll back"))
    record = told.handoff.model_dump()
    assert set(record) == {
        *("incident_id", "severity", "root_cause", "evidence", "proposed_action", "risk_level"),
        "requires_human_approval",
    }
    assert record["root_cause"].startswith("APP_ERROR: ")
    assert record["incident_id"] == f"inv_{told.fingerprint}"
    assert told.fingerprint == answered("timeouts", diagnose=finding("APP_ERROR")).fingerprint


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("intermittent 504s on checkout", {"requests"}),
        ("pod OOMKilled", {"memory"}),
        ("why is the bill up", {"cost"}),
        ("DNS lookups time out", {"network", "requests"}),
        ("something is odd", set()),
    ],
)
def test_words_say_what_trouble_is_about(words: str, about: set[str]) -> None:
    assert topics(Question(symptom=words)) == about


def test_several_clusters_are_asked_what_takes_several() -> None:
    asked = Question(symptom="pods cannot start", cluster=("one", "two"), service="a", namespace="b")
    calls = first_round(asked, NOW, NOW)
    assert {call.server for call in calls} == {"eks"}
    assert all(call.arguments["cluster"] == ("one", "two") for call in calls)


def test_of_zones_the_service_itself_is_diagnosed_and_what_that_adds_is_a_cause() -> None:
    asked = Question(symptom="traffic between zones is high", service="a", namespace="b")
    calls = {call.key: call for call in first_round(asked, NOW, NOW)}
    assert calls["diagnose/service"].arguments == {"namespace": "b", "kind": "Deployment", "name": "a"}
    assert "diagnose/service" not in {
        call.key for call in first_round(Question(symptom="504", service="a", namespace="b"), NOW, NOW)
    }
    alone = finding("WORKLOAD_IN_ONE_ZONE")
    both = answered("traffic between zones is high", diagnose={"findings": []}, diagnose__service=alone)
    assert both.root_cause.code == "WORKLOAD_IN_ONE_ZONE"
    twice = answered("traffic between zones is high", diagnose=alone, diagnose__service=alone)
    assert verdicts(twice) == verdicts(both)


def test_every_code_of_our_own_is_documented_and_no_error_s() -> None:
    made = {
        node.value
        for path in Path(room.__file__).parent.glob("*.py")
        if path.stem not in {"codes", "suspects"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.isupper() and "_" in node.value and node.value.isidentifier()
    }
    ours = {one.code for one in SOP_CAUSES}
    theirs = {"CONTAINER_EXITS", "OOM_LIMIT_TOO_LOW", "CPU_THROTTLED", "MEMORY_LEAK"}
    assert made - theirs == ours
    assert not ours & {found.code.upper() for found in every_error()}


def test_no_rule_carries_a_name_of_a_fixture() -> None:
    names = cast(0)
    told = {names.api, names.worker, names.config, names.cleaner, "orders-db", "users-service", "api-gateway"}
    told |= {
        "orders-service",
        "web-frontend",
        "/api/users",
        "v2.3.1",
        "subnet-0bbb",
        "user-api",
        "HikariPool-1",
    }
    for path in Path(room.__file__).parent.glob("*.py"):
        text = path.read_text()
        assert not [word for word in told if word in text], path.name
