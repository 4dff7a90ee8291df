"""Where numbers of generated files come from, and what is made of them; pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random

import pytest
import yaml

from aiops_shared.kube.quantities import GI, MI
from aiops_sop.analysis.configs.alarms import BURNS, Served, metric_alarms, rules, target_of
from aiops_sop.analysis.configs.facts import Container, Hourly, Pool, Scaler, Used, Workload
from aiops_sop.analysis.configs.pools import family_of, new_pool
from aiops_sop.analysis.configs.reasons import Reasons, numbers, unexplained
from aiops_sop.analysis.configs.requests import resources
from aiops_sop.analysis.configs.scaling import Capacity, Objective, autoscaler, by_cpu, night_hours
from aiops_sop.analysis.configs.specs import Bounds, Facts, spec
from aiops_sop.analysis.configs.surges import (
    Surge,
    by_cron_jobs,
    by_keda,
    cron,
    is_surge,
    placeholders,
    pool_limit,
    room,
)

SEEDS = range(5)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def used(metric: str, p95: float, p99: float, most: float, pods: float = 3.0) -> Used:
    return Used(metric, "", "a/b", 14.0, 1.0, 0.6 * p95, p95, p99, most, pods)


def traffic(seed: int, days: int = 14) -> Hourly:
    """Highest at noon, lowest at midnight."""
    rng, hours = Random(seed), range(days * 24)
    top = rng.uniform(80, 2000)
    times = tuple(MONDAY - timedelta(days=days) + timedelta(hours=one) for one in hours)
    values = tuple(top * (1 - abs(at.hour - 12) / 14) * rng.uniform(0.97, 1.03) for at in times)
    return Hourly("requests_total by the hour", "a/b", times, values)


def workload(*, scaler: Scaler | None = None, cpu: float = 1.0) -> Workload:
    main = Container("app", cpu, 2.0 * GI)
    return Workload("", "production", "Deployment", "shop", 4, main, scaler=scaler)


def surge(seed: int) -> Surge:
    rng = Random(seed)
    at = MONDAY + timedelta(days=rng.randrange(7), hours=rng.randrange(1, 23))
    upper = rng.uniform(700, 1500)
    return Surge(
        at=at,
        value=0.95 * upper,
        high95=upper,
        usual=0.4 * upper,
        replicas=ceil(1.2 * upper / 100),
        arithmetic="ceil(1.2 x upper / 100)",
        ready_by=at - timedelta(minutes=30),
        until=at + timedelta(hours=2),
        per_pod=100.0,
        window="35 days",
        model="hour-of-week",
    )


def test_numbers_are_quantities_and_not_parts_of_names() -> None:
    text = "cpu: 250m at us-east-1a, autoscaling/v2, ip-10-0-1-5, 30 8 * * 1, -10, 0.95, 12:30, v1.35.0"
    assert numbers(text) == ["250", "30", "8", "1", "-10", "0.95", "12"]


def test_a_number_that_nobody_explained_is_found() -> None:
    reasons = Reasons("a.yaml")
    reasons.rule("250m", "why")
    assert unexplained("a.yaml", "cpu: 250m\nmemory: 64Mi", reasons.found) == ["64"]
    assert unexplained("b.yaml", "cpu: 250m", reasons.found) == ["250"]


@pytest.mark.row("S35")
def test_requests_of_the_page_follow_from_its_percentiles() -> None:
    cpu, memory = used("cpu", 0.210, 0.260, 0.286), used("memory", 375.0 * MI, 380.0 * MI, 384.0 * MI)
    reasons = Reasons()
    made = yaml.safe_load(resources(workload(), cpu, memory, reasons).content)
    (one,) = made["spec"]["template"]["spec"]["containers"]
    assert one["resources"] == {
        "requests": {"cpu": "250m", "memory": "448Mi"},
        "limits": {"memory": "544Mi"},
    }


@pytest.mark.row("S51")
@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_of_every_file_has_its_reason(seed: int) -> None:
    rng, reasons = Random(seed), Reasons()
    scaler = Scaler("shop", 4, 30, 100.0, "http_requests_per_second")
    of, found, load = workload(scaler=scaler), surge(seed), traffic(seed)
    cpu = used("cpu", rng.uniform(0.1, 1.5), 2.0, 2.5)
    memory = used("memory", rng.uniform(100, 3000) * MI, 3300.0 * MI, 3400.0 * MI)
    errors = replace(used("errors", 0.002, 0.003, 0.01), mean=rng.choice((0.00001, 0.0004, 0.004, 0.1)))
    goal = Objective(rng.randint(2, 90) / 100, load.source("p99"), "why")
    capacity = Capacity(rng.uniform(20, 200), load.source("p95"), "why")
    pool = Pool("default", 32.0, 24.0, 4.0, 15.0 * GI)
    drafts = [
        resources(of, cpu, memory, reasons),
        autoscaler(of, load, capacity, reasons),
        *by_cron_jobs(of, scaler, found, "1.35", reasons),
        *placeholders(of, scaler, found, reasons),
        pool_limit(of, room(of, scaler, found, pool), reasons),
        new_pool(of, (cpu, memory), ("us-east-1a", "us-east-1c"), {}, 30, reasons),
        rules(of, Served(load, errors, goal), reasons, operator=bool(seed % 2)),
        *metric_alarms(of, memory, reasons, ack=bool(seed % 2)),
    ]
    drafts += spec(Facts(of, Served(load, errors, goal), capacity, Bounds(3, 40), None), drafts, reasons)
    for draft in drafts:
        # The bounds of the spec are those of the HPA's file in the product; here they are made up.
        lost = [
            one for one in unexplained(draft.path, draft.content, reasons.found) if one not in {"3", "40"}
        ]
        assert lost == [], (draft.path, lost)
        if draft.dialect != "markdown":
            assert yaml.safe_load(draft.content)
    assert all(one.why and one.source.metric and one.source.percentile for one in reasons.found)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_minimum_carries_the_night_and_the_maximum_half_more_than_the_peak(seed: int) -> None:
    load, reasons = traffic(seed), Reasons()
    capacity = Capacity(max(load.values) / 9.5, load.source("p95"), "")
    hpa = yaml.safe_load(autoscaler(workload(), load, capacity, reasons).content)["spec"]
    assert set(night_hours(load)) <= {21, 22, 23, 0, 1, 2, 3}
    assert hpa["maxReplicas"] == ceil(1.5 * max(load.values) / capacity.per_pod)
    assert 2 <= hpa["minReplicas"] < hpa["maxReplicas"] / 2


def test_a_pod_serves_what_its_share_of_the_request_pays_for() -> None:
    load = Hourly("requests", "", (MONDAY,), (70.0,))
    found = by_cpu(load, replace(used("cpu", 0.2, 0.2, 0.2), mean=0.135), 0.25)
    assert found is not None
    assert found.per_pod == pytest.approx(0.25 * 0.7 / (0.405 / 70), rel=1e-6)
    assert by_cpu(Hourly("requests", ""), used("cpu", 0.2, 0.2, 0.2), 0.25) is None


@pytest.mark.row("S71")
def test_the_surge_of_the_page_is_thirteen_pods_nine_placeholders_and_forty_cores() -> None:
    scaler, reasons = Scaler("shop", 4, 30, 100.0), Reasons()
    nine = replace(
        surge(0),
        at=MONDAY + timedelta(hours=9),
        ready_by=MONDAY + timedelta(hours=8, minutes=30),
        until=MONDAY + timedelta(hours=11),
        replicas=13,
    )
    raised, revert = (
        yaml.safe_load(one.content)
        for one in by_cron_jobs(workload(scaler=scaler), scaler, nine, "1.35", reasons)[3:]
    )
    assert (raised["spec"]["schedule"], revert["spec"]["schedule"]) == ("30 8 * * 1", "0 11 * * 1")
    priority, held = (
        yaml.safe_load(one.content) for one in placeholders(workload(scaler=scaler), scaler, nine, reasons)
    )
    assert (priority["value"], held["spec"]["replicas"]) == (-10, 9)
    needed = room(workload(), scaler, nine, Pool("default", 32.0, 24.0, 4.0, 15.0 * GI))
    assert needed.short
    assert needed.wanted_cpu == 40
    (scaled,) = by_keda(workload(), scaler, nine, reasons)
    assert yaml.safe_load(scaled.content)["spec"]["triggers"][0]["metadata"]["desiredReplicas"] == "13"


def test_what_is_within_a_usual_day_or_kept_anyway_is_no_surge() -> None:
    scaler, found = Scaler("shop", 4, 30, 100.0), surge(1)
    assert is_surge(found, scaler)
    assert not is_surge(replace(found, usual=found.value), scaler)
    assert not is_surge(found, replace(scaler, least=found.replicas))
    assert cron(datetime(2026, 11, 22, 23, 5, tzinfo=UTC)) == "5 23 * * 0"


def test_the_family_follows_memory_per_core_and_the_target_what_the_past_kept() -> None:
    assert [family_of(ratio)[0] for ratio in (1.0, 2.9, 4.0, 7.0, 12.0)] == ["c", "c", "m", "r", "r"]
    for share, target in ((0.00001, 99.99), (0.0002, 99.95), (0.0005, 99.9), (0.002, 99.5), (0.2, 99.0)):
        assert target_of(replace(used("errors", 0, 0, 0), mean=share)) == target
    assert [one[0] for one in BURNS] == [14.4, 6.0, 3.0, 1.0]
